"""Signed ranks of paired differences: Wilcoxon's test and the Hodges-Lehmann estimate."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from scripts.analysis.arrays import FloatArray, merge_ties
from scripts.analysis.levels import check_level
from scripts.analysis.resampling import sign_flip_test

MAX_EXACT = 50
"""Differences up to which the exact distribution is used, as R does."""

MAX_TIED = 13
"""Differences up to which that is done with ties too: all their 8,192 signs are looked at."""


@dataclasses.dataclass(frozen=True)
class SignedRankTest:
    """What Wilcoxon's signed-rank test found."""

    statistic: float | None
    """Sum of the ranks of the negative or of the positive differences, whichever is smaller."""
    p_value: float | None
    """Two-sided, never 0; 1 with no difference at all."""
    n: int
    """Differences that are not zero."""
    method: str
    """Name of what was computed, or "none: " and the reason."""


@dataclasses.dataclass(frozen=True)
class PseudoMedian:
    """Hodges and Lehmann's estimate of the centre of the differences."""

    estimate: float | None
    """In units of the metric; None: there are none, or they are binary."""
    low: float | None
    """Lower bound; None: no interval, and ``method`` says why."""
    high: float | None
    """Upper bound; None exactly where ``low`` is."""
    n: int
    """Differences, zeros included."""
    method: str
    """Name of what was computed, or "none: " and the reason."""


def wilcoxon_signed_rank(differences: ArrayLike) -> SignedRankTest:
    """
    Test that independent differences are symmetric about zero, by the ranks of their sizes.

    Pass one value per independent unit: average a cluster's differences first.

    Parameters
    ----------
    differences : array_like of float, shape (n_units,)
        Trial minus baseline; finite.  Zeros are dropped; what differs by a rounding error is tied.

    Returns
    -------
    SignedRankTest
        Exact for up to 50 differences without ties, or 13 with ties; otherwise from the normal
        distribution, with the variance corrected for ties and no correction for continuity.

    Raises
    ------
    ValueError
        If `differences` is not one-dimensional or not finite.

    Notes
    -----
    Computed by ``scipy.stats.wilcoxon`` [1]_, and the exact distribution with ties by flipping the signs of
    the ranks in all ways (`scripts.analysis.resampling.sign_flip_test`), which is the same.  Binary
    differences are all tied; the statistic is then that of McNemar's test without continuity correction.

    References
    ----------
    .. [1] F. Wilcoxon, Individual comparisons by ranking methods, Biometrics Bull. 1 (1945) 80-83.

    Examples
    --------
    >>> wilcoxon_signed_rank([0.5, 0.25, 0.0, 1.0]).p_value
    0.25
    """
    from scipy.stats import rankdata, wilcoxon

    values = merge_ties(_finite(differences))
    values = values[values != 0]
    if len(values) == 0:
        return SignedRankTest(0.0, 1.0, 0, "wilcoxon signed-rank, zeros dropped; no difference is left")
    has_ties = len(np.unique(np.abs(values))) < len(values)
    is_exact = len(values) <= (MAX_TIED if has_ties else MAX_EXACT)
    how = "exact" if is_exact else "normal approximation, no continuity correction"
    name = f"wilcoxon signed-rank, zeros dropped, {how}"
    if has_ties and is_exact:
        ranks = np.sign(values) * rankdata(np.abs(values))
        flipped = sign_flip_test(ranks, resamples=2**MAX_TIED, rng=np.random.default_rng(0))
        statistic = min(float(ranks[ranks > 0].sum()), float(-ranks[ranks < 0].sum()))
        return SignedRankTest(statistic, flipped.p_value, len(values), name)
    method: Any = "exact" if is_exact else "asymptotic"
    found = wilcoxon(values, zero_method="wilcox", correction=False, method=method)
    p_value = min(1.0, max(float(found.pvalue), sys.float_info.min))
    return SignedRankTest(float(found.statistic), p_value, len(values), name)


def hodges_lehmann(differences: ArrayLike, *, confidence_level: float) -> PseudoMedian:
    """
    Estimate the centre of independent differences: the median of the means of all their pairs.

    Outliers hardly move it.  Where most differences are zero it is zero, whatever the mean is.

    Parameters
    ----------
    differences : array_like of float, shape (n_units,)
        Trial minus baseline, one per independent unit; finite.  Zeros are kept.
    confidence_level : float
        Coverage aimed at, within (0, 1).

    Returns
    -------
    PseudoMedian
        Without an interval where the differences are too few for the level.

    Raises
    ------
    ValueError
        If `differences` is not one-dimensional or not finite, or the level is out of range.

    Notes
    -----
    Of the ``M = n (n + 1) / 2`` means of two differences (each with itself too) the median is the estimate
    [1]_; the bounds are the ``k``-th smallest and the ``k``-th largest, with ``k`` from the distribution
    of Wilcoxon's statistic: exact up to 50 differences, normal above [2]_.  With ties the interval covers
    at least as often.  The means are not written down: an order statistic is found by halving an
    interval and counting, ``O(n log n)`` a step, up to 1e-14 of the largest difference.

    References
    ----------
    .. [1] J. L. Hodges, E. L. Lehmann, Estimates of location based on rank tests, Ann. Math. Stat. 34 (1963)
       598-611.
    .. [2] M. Hollander, D. A. Wolfe, Nonparametric Statistical Methods, 2nd ed., Wiley, 1999, sections 3.2
       and 3.3.

    Examples
    --------
    >>> found = hodges_lehmann([0.0, 0.5, 0.25, 1.0, 0.75, 0.5, -0.25], confidence_level=0.95)
    >>> found.estimate, found.low, found.high
    (0.375, 0.0, 0.75)
    """
    check_level(confidence_level)
    values = np.sort(merge_ties(_finite(differences)))
    n = len(values)
    if n == 0:
        return PseudoMedian(None, None, None, 0, "none: no differences")
    walsh = _walsh_order(values)
    n_means = n * (n + 1) // 2
    middle = {(n_means + 1) // 2, n_means // 2 + 1}
    estimate = sum(walsh(k) for k in sorted(middle)) / len(middle)
    rank = _lower_rank(n, confidence_level)
    if rank < 1:
        return PseudoMedian(estimate, None, None, n, "none: too few differences for this level")
    name = "hodges-lehmann, zeros kept; signed-rank interval, " + ("exact" if n <= MAX_EXACT else "normal")
    return PseudoMedian(estimate, walsh(rank), walsh(n_means + 1 - rank), n, name)


def _walsh_order(values: FloatArray) -> Callable[[int], float]:
    """Give the k-th smallest mean of two of the sorted values: each pair once, each with itself."""
    distinct, counts = np.unique(values, return_counts=True)
    below = np.concatenate([[0], np.cumsum(counts)])
    slack = 4e-15 * float(np.abs(distinct).max())

    def n_up_to(total: float) -> int:
        """How many pairs have a sum that is not above this."""
        places = np.searchsorted(distinct, total + slack - distinct, side="right")
        alone = int(below[np.searchsorted(distinct, (total + slack) / 2, side="right")])
        return (int(counts @ below[places]) + alone) // 2

    def order(k: int) -> float:
        low, high = 2 * float(distinct[0]) - 4 * slack, 2 * float(distinct[-1])
        while high - low > 2 * slack:
            middle = low + (high - low) / 2
            if not low < middle < high:
                break
            low, high = (low, middle) if n_up_to(middle) >= k else (middle, high)
        # The sum itself, rather than the bound that halving has come to.
        places = np.searchsorted(distinct, high + slack - distinct, side="right") - 1
        sums = (distinct + distinct[np.maximum(places, 0)])[places >= 0]
        return float(sums.max()) / 2

    return order


def _lower_rank(n: int, confidence_level: float) -> int:
    """Rank of the lower bound among the means of two; 0: there is none."""
    from scipy.stats import norm

    tail = (1 - confidence_level) / 2
    if n > MAX_EXACT:
        error = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return max(0, math.floor(n * (n + 1) / 4 - float(norm.isf(tail)) * error + 0.5))
    # The probability of each rank sum: every rank is in it or not.
    chances = np.ones(1)
    for rank in range(1, n + 1):
        padded = np.concatenate([chances, np.zeros(rank)])
        padded[rank:] += chances
        chances = padded / 2
    return int(np.count_nonzero(np.cumsum(chances) <= tail))


def _finite(differences: ArrayLike) -> FloatArray:
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError("differences must be finite and have one dimension")
    return values
