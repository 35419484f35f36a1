"""Checks of what the statistics are given: values, clusters, bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
"""Values, one per item."""


CodeArray = NDArray[np.int64]
"""Cluster numbers, one per item, counted from 0."""


TIE = 1e-12
"""Numbers that differ by less than this share of their scale differ by the rounding of numbers."""


Labels = ArrayLike | Sequence[object]
"""Cluster labels, one per item, of any kind that can be a key; None or NaN: the item is its own cluster."""


def as_values(values: ArrayLike) -> FloatArray:
    """
    One value per item as an array of float, NaN allowed.

    Raises
    ------
    ValueError
        If the array is not one-dimensional or holds an infinity.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"values have the shape {array.shape}, but must have one dimension")
    if np.isinf(array).any():
        raise ValueError("values hold an infinity; use NaN for a missing value")
    return array


def cluster_codes(clusters: Labels | None, n_items: int) -> CodeArray:
    """
    Number the clusters of items from 0.

    Parameters
    ----------
    clusters : array_like, shape (n_items,), or None
        A label per item; None or NaN: the item is its own cluster.  An array of integers is quickest.
    n_items : int
        Number of items that there must be.

    Returns
    -------
    ndarray of int, shape (n_items,)
        Equal numbers for equal labels.

    Raises
    ------
    ValueError
        If there is not one label per item.

    Examples
    --------
    >>> cluster_codes(["a", None, "a", None], 4).tolist()
    [0, 1, 0, 2]
    """
    if clusters is None:
        return np.arange(n_items, dtype=np.int64)
    is_numbered = isinstance(clusters, np.ndarray) and np.issubdtype(clusters.dtype, np.integer)
    # As objects: numpy would turn NaN among words into the word "nan", one label for many items.
    labels = np.asarray(clusters, dtype=None if is_numbered else object)
    if labels.shape != (n_items,):
        raise ValueError(f"clusters have the shape {labels.shape}, but there are {n_items} items")
    if is_numbered:
        return np.unique(labels, return_inverse=True)[1].astype(np.int64)
    numbers: dict[tuple[bool, Any], int] = {}
    codes = np.empty(n_items, dtype=np.int64)
    for position, label in enumerate(labels.tolist()):
        # Only NaN differs from itself.
        is_alone = label is None or label != label
        codes[position] = numbers.setdefault((is_alone, position if is_alone else label), len(numbers))
    return codes


def count_clusters(codes: CodeArray) -> int:
    """Count the clusters; numbers may be missing among the codes."""
    return int(np.count_nonzero(np.bincount(codes))) if len(codes) else 0


def merge_ties(values: FloatArray, *, scale: float | None = None) -> FloatArray:
    """
    Make numbers equal that only the rounding of numbers tells apart, and those 0 that only it keeps from 0.

    To round them to some decimals is not enough: equal numbers on both sides of a step get further apart,
    above all if they are rounded, divided and rounded again.

    Parameters
    ----------
    values : ndarray of float
        Finite, of any shape.
    scale : float, optional
        Size of the numbers that the values were computed from; by default the largest value.

    Returns
    -------
    ndarray of float
        Of the same shape.  Numbers and their mirror images are treated alike: -x and x stay mirror images.

    Examples
    --------
    >>> merge_ties(np.array([0.1 + 0.2, -0.3, 0.5, 1e-17])).tolist()
    [0.3, -0.3, 0.5, 0.0]
    """
    if values.size == 0:
        return values
    sizes = np.concatenate([[0.0], np.abs(values).ravel()])
    order = np.argsort(sizes, kind="stable")
    ordered = sizes[order]
    is_new = np.diff(ordered, prepend=-np.inf) > TIE * (ordered[-1] if scale is None else scale)
    merged = np.empty_like(sizes)
    merged[order] = ordered[is_new][np.cumsum(is_new) - 1]
    signed: FloatArray = np.copysign(merged[1:].reshape(values.shape), values) + 0.0
    return signed


def is_binary(values: FloatArray) -> bool:
    """Whether every value is 0 or 1."""
    return bool(np.all((values == 0) | (values == 1)))


def check_bounds(values: FloatArray, bounds: tuple[float, float] | None) -> None:
    """
    Refuse values that contradict the bounds, except for a rounding error.

    Raises
    ------
    ValueError
        If a value is below the first bound or above the second.
    """
    if bounds is None or len(values) == 0:
        return
    low, high = float(values.min()), float(values.max())
    if low < bounds[0] - 1e-9 or high > bounds[1] + 1e-9:
        raise ValueError(f"values reach from {low} to {high}, but the bounds are {bounds[0]} and {bounds[1]}")
