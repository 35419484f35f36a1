"""One test of several trials at once: does any of them differ?"""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
from numpy.typing import ArrayLike

from scripts.analysis.arrays import (
    CodeArray,
    FloatArray,
    Labels,
    cluster_codes,
    count_clusters,
    is_binary,
    merge_ties,
)


@dataclasses.dataclass(frozen=True)
class OmnibusTest:
    """What a test of several trials over the same items found."""

    n_items: int
    """Complete items: those with a value in every trial."""
    n_incomplete: int
    """Items that fell out because a trial has no value, another has."""
    n_clusters: int
    """Independent clusters among the complete items."""
    statistic: float | None
    """Chi-squared under the hypothesis; None: no test, and ``method`` says why."""
    df: int | None
    """Degrees of freedom: trials less one."""
    p_value: float | None
    """Of the hypothesis that no trial differs from another; never 0."""
    method: str
    """Name of what was computed, or "none: " and the reason."""


def omnibus_test(values: ArrayLike, clusters: Labels | None = None) -> OmnibusTest:
    """
    Test that several trials do equally well over the same items.

    It does not say which trial differs; and where it finds nothing, no pair needs to be looked at.

    Parameters
    ----------
    values : array_like of float, shape (n_items, n_trials)
        One value per item and trial, replicates averaged; NaN: missing, and the item is left out.
    clusters : array_like, shape (n_items,), optional
        Label of each item's cluster; None, or a label that is None or NaN: the item is its own.

    Returns
    -------
    OmnibusTest
        Where no item tells two trials apart, ``statistic`` is 0 and ``p_value`` 1.

    Raises
    ------
    ValueError
        If there are fewer than three trials or `values` is not two-dimensional.

    Notes
    -----
    Binary values, no two items in one cluster: Cochran's Q [1]_.  Otherwise Friedman's test [2]_, corrected
    for ties, on the means of the clusters; for binary values and clusters of one it is the same.

    References
    ----------
    .. [1] W. G. Cochran, The comparison of percentages in matched samples, Biometrika 37 (1950) 256-266.
    .. [2] M. Friedman, The use of ranks to avoid the assumption of normality implicit in the analysis of
       variance, J. Am. Stat. Assoc. 32 (1937) 675-701.

    Examples
    --------
    >>> found = omnibus_test([[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 1, 1]])
    >>> round(found.statistic, 3), found.df, round(found.p_value, 3), found.method
    (4.667, 2, 0.097, "cochran's q")
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] < 3:
        raise ValueError(f"values have the shape {array.shape}, but need three or more columns")
    there = ~np.isnan(array)
    is_complete = there.all(axis=1)
    codes = cluster_codes(clusters, len(array))[is_complete]
    complete = array[is_complete]
    n_incomplete = int(np.count_nonzero(there.any(axis=1) & ~is_complete))
    n_clusters = count_clusters(codes)
    if len(complete) == 0:
        return OmnibusTest(0, n_incomplete, 0, None, None, None, "none: no item has a value in every trial")
    statistic, method = _statistic(complete, codes, is_clustered=n_clusters < len(complete))
    df = array.shape[1] - 1
    return OmnibusTest(
        len(complete), n_incomplete, n_clusters, statistic, df, _upper_tail(statistic, df), method
    )


def _statistic(complete: FloatArray, codes: CodeArray, *, is_clustered: bool) -> tuple[float, str]:
    from scipy.stats import friedmanchisquare
    from statsmodels.stats.contingency_tables import cochrans_q

    is_cochran = is_binary(complete.ravel()) and not is_clustered
    blocks = complete if is_cochran else _cluster_means(complete, codes)
    place = " on cluster means" if is_clustered else ""
    method = "cochran's q" if is_cochran else f"friedman{place}"
    if bool(np.all(blocks == blocks[:, :1])):
        return 0.0, method
    found = cochrans_q(blocks) if is_cochran else friedmanchisquare(*blocks.T)
    return float(found.statistic), method


def _cluster_means(complete: FloatArray, codes: CodeArray) -> FloatArray:
    """Means of the clusters, shape (n_clusters, n_trials), without the last digits that make false ranks."""
    sizes = np.bincount(codes)
    sums = np.column_stack([np.bincount(codes, weights=column) for column in complete.T])
    return merge_ties(sums[sizes > 0] / sizes[sizes > 0, np.newaxis])


def _upper_tail(statistic: float, df: int) -> float:
    from scipy.stats import chi2

    return max(float(chi2.sf(statistic, df)), sys.float_info.min)
