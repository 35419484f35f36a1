"""Items sorted into groups by one of their fields."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from scripts.analysis.arrays import CodeArray, FloatArray

LEAST_NUMBERS = 5
"""Different numbers from which a field is cut at its quartiles; fewer are groups of their own."""


def group_items(field: Sequence[object]) -> tuple[list[str], CodeArray]:
    """
    Sort items into groups by a field.

    Parameters
    ----------
    field : sequence of object, length n_items
        Text, true or false, or a number for each item; None or NaN: it has no value.  Five or more
        different numbers are cut at their quartiles.

    Returns
    -------
    labels : list of str
        One for each group, in the order of the values.
    groups : ndarray of int, shape (n_items,)
        Number of each item's group; -1: the item has no value.

    Raises
    ------
    ValueError
        If a value is neither text, true or false, nor a finite number.

    Examples
    --------
    >>> labels, groups = group_items(["b", None, "a", "b"])
    >>> labels, groups.tolist()
    (['a', 'b'], [1, -1, 0, 1])
    >>> group_items([1, 2, 3, 4, 5, 6, 7, 8])[0]
    ['1 to 2', 'above 2 to 4', 'above 4 to 6', 'above 6 to 8']
    """
    # Only NaN differs from itself.
    values = [None if value != value else value for value in field]
    texts = [None if value is None else _label(value) for value in values]
    there = {text for text in texts if text is not None}
    are_numbers = not any(isinstance(value, str | bool | np.bool_) for value in values)
    if are_numbers and len(there) >= LEAST_NUMBERS:
        return _quartiles(
            np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        )
    labels = sorted(there, key=float) if are_numbers else sorted(there)
    numbers = {label: number for number, label in enumerate(labels)}
    return labels, np.array([-1 if text is None else numbers[text] for text in texts], dtype=np.int64)


def _label(value: object) -> str:
    """Name a value; numbers without the digits that only a computer sees."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | float | np.number) and math.isfinite(value):
        return f"{float(value) + 0.0:.12g}"  # -0.0 is 0
    raise ValueError(f"a field of subgroups holds {value!r:.40}, but must hold words or finite numbers")


def _quartiles(numbers: FloatArray) -> tuple[list[str], CodeArray]:
    """Cut numbers at their quartiles; equal numbers stay together, so there may be fewer than four groups."""
    there = numbers[~np.isnan(numbers)]
    # Quartiles that occur among the numbers leave no group empty.
    cuts = np.unique(np.quantile(there, [0.25, 0.5, 0.75], method="inverted_cdf"))
    cuts = cuts[cuts < there.max()]
    ends = [_label(float(end)) for end in (there.min(), *cuts, there.max())]
    first = ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
    rest = [f"above {low} to {high}" for low, high in itertools.pairwise(ends[1:])]
    groups = np.where(np.isnan(numbers), -1, np.searchsorted(cuts, numbers))
    return [first, *rest], groups.astype(np.int64)
