"""Intervals of a mean over items that may come in clusters."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike

from scripts.analysis.arrays import (
    CodeArray,
    FloatArray,
    Labels,
    as_values,
    check_bounds,
    cluster_codes,
    count_clusters,
    is_binary,
)
from scripts.analysis.clusters import cluster_totals
from scripts.analysis.effective_size import cautious_variation, effective_freedom
from scripts.analysis.few_clusters import FEW, WildClusters
from scripts.analysis.levels import check_level
from scripts.analysis.score_intervals import wilson_interval

NO_ERROR = 1e-12
"""A standard error of a share below this is the rounding of numbers, not variation."""


@dataclasses.dataclass(frozen=True)
class MeanInterval:
    """A mean and how far it can be trusted."""

    mean: float | None
    """Mean over the items that have a value; None: there are none."""
    low: float | None
    """Lower bound; None: no interval, and ``method`` says why."""
    high: float | None
    """Upper bound; None exactly where ``low`` is."""
    method: str
    """Name of what was computed, or "none: " and the reason."""
    n: int
    """Items that have a value."""
    n_clusters: int
    """Independent clusters among them; equal to ``n`` where no two items share one."""


def mean_interval(
    values: ArrayLike,
    clusters: Labels | None = None,
    *,
    confidence_level: float,
    bounds: tuple[float, float] | None = None,
) -> MeanInterval:
    """
    Estimate a mean over items and its confidence interval.

    Average replicates within each item before the call: the item, or its cluster, is the unit.

    Parameters
    ----------
    values : array_like of float, shape (n_items,)
        One value per item; NaN means missing and is left out; it is not a zero.
    clusters : array_like, shape (n_items,), optional
        Label of each item's cluster, aligned with `values`; None, or a label that is None or NaN: the
        item is its own cluster.
    confidence_level : float
        Coverage aimed at, within (0, 1).
    bounds : tuple of float, optional
        Smallest and largest possible value.  Values between 0 and 1 are shares; an interval of others is
        cut off at their bounds.

    Returns
    -------
    MeanInterval
        ``method`` is "wilson", "wilson on clusters", "wilson, effective sample size"; of values that are not
        shares "t", "cluster-robust t" or "wild cluster bootstrap-t"; or "none: ..." where the values do not
        show how much they vary.

    Raises
    ------
    ValueError
        If `values` is not one-dimensional, holds an infinity or a value out of `bounds`, if `clusters`
        has another shape, or if the level is out of range.

    Notes
    -----
    Values that are all 0 or 1, no two in one cluster: Wilson's score interval, since an interval from the
    central limit theorem is too short for fewer than some hundred items [2]_.  Other shares, in clusters or
    averaged over replicates: `share_interval`, for the same reason.  Anything else: `robust_interval`.
    Values that are all 0, or all 1, in clusters show no variation for that formula; Wilson's interval
    then counts every cluster as one item, which is conservative: it takes the items of a cluster to be
    copies of each other.

    References
    ----------
    .. [1] E. Miller, Adding error bars to evals, arXiv:2411.00640, 2024.
    .. [2] S. Bowyer, L. Aitchison, D. R. Ivanova, Position: don't use the CLT in LLM evals with fewer than
       a few hundred datapoints, arXiv:2503.01747, ICML 2025.

    Examples
    --------
    Three items right, one wrong, one missing:

    >>> result = mean_interval([1, 0, 1, 1, float("nan")], confidence_level=0.95)
    >>> result.mean, round(result.low, 3), round(result.high, 3), result.method, result.n
    (0.75, 0.301, 0.954, 'wilson', 4)
    """
    check_level(confidence_level)
    array = as_values(values)
    codes = cluster_codes(clusters, len(array))
    there = ~np.isnan(array)
    array, codes = array[there], codes[there]
    check_bounds(array, bounds)
    if len(array) == 0:
        return MeanInterval(None, None, None, "none: no values", 0, 0)
    n_clusters = count_clusters(codes)
    has_clusters = n_clusters < len(array)
    if not is_binary(array) and bounds != (0, 1):
        return robust_interval(array, codes, confidence_level=confidence_level, bounds=bounds)
    is_uniform = n_clusters > 1 and bool(np.all(array == array[0]))
    if not is_binary(array) or (has_clusters and not is_uniform):
        return share_interval(array, codes, confidence_level=confidence_level)
    mean = float(array.mean())
    # Uniform values are all 0 or all 1, so the count of clusters is whole there too.
    low, high = wilson_interval(round(mean * n_clusters), n_clusters, confidence_level=confidence_level)
    method = "wilson on clusters" if has_clusters else "wilson"
    return MeanInterval(mean, low, high, method, len(array), n_clusters)


def share_interval(values: FloatArray, codes: CodeArray, *, confidence_level: float) -> MeanInterval:
    """
    Wilson's interval of a mean of shares, on the sample size that their variation shows.

    Parameters
    ----------
    values : ndarray of float, shape (n_items,)
        One share per item, within [0, 1]; at least one.
    codes : ndarray of int, shape (n_items,)
        Number of each item's cluster, from `cluster_codes`.
    confidence_level : float
        Coverage aimed at, within (0, 1).

    Returns
    -------
    MeanInterval
        Without bounds where there is one cluster, or shares other than 0 and 1 do not vary.

    Notes
    -----
    The effective sample size ``n (n p (1 - p) + m / 2) / V`` is multiplied by ``(z / t)**2`` [1]_ and put
    into Wilson's formula, as [2]_ recommend.  The variation ``V``, ``m`` and the degrees of freedom of t are
    those of `scripts.analysis.effective_size`, where a value ``x`` is expected to contribute as an answer
    does that is right with this chance, ``x (1 - p) + (1 - x) p``; with many items that is
    ``p (1 - p) / se**2``, from the cluster-robust error of `t_interval`.  Values that are 0 or 1 count for no
    more than they are, which also bounds the interval where clusters do not differ by chance.

    References
    ----------
    .. [1] E. L. Korn, B. I. Graubard, Confidence intervals for proportions with small expected number of
       positive counts estimated from survey data, Surv. Methodol. 24 (1998) 193-201.
    .. [2] N. Dean, M. Pagano, Evaluating confidence interval methods for binomial proportions in clustered
       surveys, J. Surv. Stat. Methodol. 3 (2015) 484-503.

    Examples
    --------
    >>> result = share_interval(np.array([0.0, 0.0, 0.2, 0.4]), np.arange(4), confidence_level=0.95)
    >>> round(result.low, 3), round(result.high, 3), result.method
    (0.012, 0.725, 'wilson, effective sample size')
    """
    from scipy.stats import norm, t

    values = np.clip(values, 0.0, 1.0)
    found = t_interval(values, codes, confidence_level=confidence_level)
    if found.n_clusters == 1:
        return found
    size, mean = _effective_size(values, codes), float(values.mean())
    if math.isinf(size):
        return dataclasses.replace(found, low=None, high=None, method="none: no variation")
    tail = (1 - confidence_level) / 2
    size *= (float(norm.isf(tail)) / float(t.isf(tail, effective_freedom(codes)))) ** 2
    low, high = wilson_interval(mean * size, size, confidence_level=confidence_level)
    return dataclasses.replace(found, low=low, high=high, method="wilson, effective sample size")


def _effective_size(values: FloatArray, codes: CodeArray) -> float:
    """Sample size that the variation of shares shows; infinite without any, but of counts at most theirs."""
    n, mean = len(values), float(values.mean())
    most = float(n) if is_binary(values) else math.inf
    if (standard_error(values, codes) or 0.0) < NO_ERROR:
        return most
    clusters = np.unique(codes, return_inverse=True)[1]
    expected = values * (1 - mean) + (1 - values) * mean
    variation, added = cautious_variation(values - mean, clusters, expected)
    return min(n * (n * mean * (1 - mean) + added) / variation, most)


def robust_interval(
    values: FloatArray,
    codes: CodeArray,
    *,
    confidence_level: float,
    bounds: tuple[float, float] | None = None,
) -> MeanInterval:
    """
    Interval of a mean over items or clusters: `t_interval`, or with few clusters the wild bootstrap.

    Parameters, errors and bounds: see `t_interval`.  Fewer than 20 clusters, of more than one item, get
    `scripts.analysis.few_clusters.WildClusters`, as the t interval is then too short.
    """
    result = t_interval(values, codes, confidence_level=confidence_level, bounds=bounds)
    if result.low is None or not is_few(result.n_clusters, result.n):
        return result
    wild = WildClusters(cluster_totals(values, codes))
    bounded = wild.interval(confidence_level, bounds)
    low, high = (None, None) if bounded is None else bounded
    method = "none: too few clusters for this level" if bounded is None else wild.method
    return dataclasses.replace(result, low=low, high=high, method=method)


def is_few(n_clusters: int, n_items: int) -> bool:
    """Whether there are clusters, but too few of them for large-sample formulas."""
    return n_clusters < min(FEW, n_items)


def t_interval(
    values: FloatArray,
    codes: CodeArray,
    *,
    confidence_level: float,
    bounds: tuple[float, float] | None = None,
) -> MeanInterval:
    """
    Interval of a mean from Student's t with a standard error that is robust to clusters.

    Parameters
    ----------
    values : ndarray of float, shape (n_items,)
        One finite value per item; at least one.
    codes : ndarray of int, shape (n_items,)
        Number of each item's cluster, from `cluster_codes`.
    confidence_level : float
        Coverage aimed at, within (0, 1).
    bounds : tuple of float, optional
        Smallest and largest possible mean; the interval is cut off there.

    Returns
    -------
    MeanInterval
        Without bounds where one cluster, or no variation between clusters, leaves nothing to estimate a
        standard error from; a width of zero would claim a certainty that does not exist.

    Raises
    ------
    ValueError
        If `bounds` are given and a value is outside.

    Notes
    -----
    The squared standard error is the sum over clusters of the squared sum of residuals, divided by
    ``n_items**2`` [1]_ and multiplied by ``G / (G - 1)`` for ``G`` clusters (the correction "CR1" [2]_);
    the degrees of freedom are ``G - 1``.  With every item its own cluster this is the ordinary t interval.
    With fewer than about 20 clusters of unlike size it is too short [2]_.

    References
    ----------
    .. [1] E. Miller, Adding error bars to evals, arXiv:2411.00640, 2024, section 2.2.
    .. [2] A. C. Cameron, D. L. Miller, A practitioner's guide to cluster-robust inference,
       J. Hum. Resour. 50 (2015) 317-372.

    Examples
    --------
    >>> result = t_interval(np.array([0.2, 0.4, 0.9]), np.array([0, 1, 2]), confidence_level=0.95)
    >>> round(result.low, 3), round(result.high, 3), result.method
    (-0.396, 1.396, 't')
    """
    from scipy.stats import t

    check_bounds(values, bounds)
    n, n_clusters = len(values), count_clusters(codes)
    mean = float(values.mean())
    if n_clusters == 1:
        method = "none: one value" if n == 1 else "none: one cluster"
        return MeanInterval(mean, None, None, method, n, n_clusters)
    error = standard_error(values, codes)
    if error is None:
        return MeanInterval(mean, None, None, "none: no variation", n, n_clusters)
    reach = float(t.isf((1 - confidence_level) / 2, n_clusters - 1)) * error
    floor, ceiling = bounds if bounds is not None else (-math.inf, math.inf)
    method = "t" if n_clusters == n else "cluster-robust t"
    return MeanInterval(mean, max(mean - reach, floor), min(mean + reach, ceiling), method, n, n_clusters)


def standard_error(values: FloatArray, codes: CodeArray) -> float | None:
    """
    Standard error of a mean, robust to clusters; None where one cluster or no variation shows none.

    Parameters, formula and source: see `t_interval`.

    Examples
    --------
    >>> standard_error(np.array([0.0, 1.0, 0.0, 1.0]), np.arange(4)) == (1 / 3 / 4) ** 0.5
    True
    """
    n, n_clusters = len(values), count_clusters(codes)
    if n_clusters < 2:
        return None
    residuals = np.bincount(codes, weights=values - float(values.mean()))
    # Not as a product of vectors: its last digit depends on the number of threads.
    error = math.sqrt(float(np.sum(residuals**2)) * n_clusters / (n_clusters - 1)) / n
    return error if error > 1e-12 * float(np.abs(values).max()) else None
