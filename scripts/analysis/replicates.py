"""Scores by item and replicate."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from scripts.analysis.arrays import FloatArray


def as_rows(values: ArrayLike) -> FloatArray:
    """
    Bring scores into rows: an item each, with a column per replicate.

    Parameters
    ----------
    values : array_like of float, shape (n_items,) or (n_items, n_replicates)
        NaN means missing.

    Returns
    -------
    ndarray of float, shape (n_items, n_replicates)
        One column where `values` has one dimension.

    Raises
    ------
    ValueError
        If the shape is different, there is no column, or a value is infinite.

    Examples
    --------
    >>> as_rows([1, 0]).tolist()
    [[1.0], [0.0]]
    """
    array = np.asarray(values, dtype=np.float64)
    rows = array[:, np.newaxis] if array.ndim == 1 else array
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError(f"values have the shape {array.shape}, but need a row per item")
    if np.isinf(rows).any():
        raise ValueError("values hold an infinity; use NaN for a missing value")
    return rows


def item_means(rows: FloatArray) -> FloatArray:
    """
    Average each item's replicates over those that have a value.

    Examples
    --------
    >>> item_means(as_rows([[1, 0], [1, float("nan")], [float("nan"), float("nan")]])).tolist()
    [0.5, 1.0, nan]
    """
    counts = np.count_nonzero(~np.isnan(rows), axis=1)
    means = np.full(len(rows), np.nan)
    np.divide(np.nansum(rows, axis=1), counts, out=means, where=counts > 0)
    return means
