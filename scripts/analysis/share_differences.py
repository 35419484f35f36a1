"""A difference of two shares whose pairs are no simple table: averaged replicates, F1, items in clusters."""

from __future__ import annotations

import math
import sys
from typing import NamedTuple

import numpy as np

from scripts.analysis.arrays import CodeArray, FloatArray
from scripts.analysis.effective_size import cautious_variation, effective_freedom
from scripts.analysis.score_intervals import tango_bounds, tango_statistic

NORMAL_SKEW = math.pi / 4
"""Square of the mean square over the product of mean size and mean cubed size, of a normal distribution."""


class _Table(NamedTuple):
    """The paired table that would say as much."""

    gained: float
    """Pairs that only the trial has right; not whole."""
    lost: float
    """Pairs that only the baseline has right."""
    n: float
    """All pairs: the effective sample size."""


class ShareDifference:
    """
    Tango's score interval of a paired difference of shares, on an effective sample size.

    Parameters
    ----------
    differences : ndarray of float, shape (n_items,)
        Trial minus baseline, within [-1, 1], not all alike.
    codes : ndarray of int, shape (n_items,)
        Number of each item's cluster; more than one cluster, and their sums must vary.

    Notes
    -----
    Student's t takes differences for symmetric and their variance for the same whatever their mean is.
    Where few answers are right, or few wrong, neither holds.  Tango's score statistic [1]_ lets the
    variance grow with the hypothetical difference.  It needs a table: here it is the one that has the
    observed mean ``d`` and its variance.  Let ``d_i`` be the differences of ``n`` items, ``S_c`` their sums
    over clusters, ``A_c`` the sums of ``|d_i|``, and ``e`` the mean of these.

    - Variation: ``V`` and ``m`` from `scripts.analysis.effective_size.cautious_variation`, where an item is
      expected to contribute ``|d_i|``.
    - Effective sample size, as of a share [2]_ [3]_: ``N = n (n (e - d^2) + m / 2) / V``, which gives a table
      with ``e N`` discordant pairs the variance ``V / n^2``.
    - Clusters differ by more than one pair at a time: ``N`` is multiplied by ``q^(1 - f)``, the discordant
      pairs made fewer so that the variance stays, ``q = 4 (sum S^2)^2 / (pi sum(A) sum(|S|^3))``, at
      most 1, and ``f`` the share of items that differ: where nearly all of them do, the variance does
      not depend on how many.
    - Critical values are those of Student's t with `scripts.analysis.effective_size.effective_freedom`.

    Shape and constants were chosen by simulation: docs/statistics.md.  Both arms are treated alike.

    References
    ----------
    .. [1] T. Tango, Equivalence test and confidence interval for the difference in proportions for the
       paired-sample design, Stat. Med. 17 (1998) 891-908.
    .. [2] E. L. Korn, B. I. Graubard, Confidence intervals for proportions with small expected number of
       positive counts estimated from survey data, Surv. Methodol. 24 (1998) 193-201.
    .. [3] N. Dean, M. Pagano, Evaluating confidence interval methods for binomial proportions in clustered
       surveys, J. Surv. Stat. Methodol. 3 (2015) 484-503.

    Examples
    --------
    >>> differences = np.array([0.2, 0.0, 0.0, -0.2, 0.4, 0.0, 0.2, 0.0, 0.2, 0.0])
    >>> found = ShareDifference(differences, np.arange(10))
    >>> [round(bound, 3) for bound in found.interval(0.95)], round(found.p_value(0.0), 3)
    ([-0.176, 0.337], 0.404)
    """

    method = "tango score, effective sample size"

    def __init__(self, differences: FloatArray, codes: CodeArray) -> None:
        clusters = np.unique(codes, return_inverse=True)[1]
        self._freedom = effective_freedom(clusters)
        self._table = _table(differences, clusters)

    def interval(self, confidence_level: float) -> tuple[float, float]:
        """Differences that are not rejected."""
        from scipy.stats import t

        critical = float(t.isf((1 - confidence_level) / 2, self._freedom))
        return tango_bounds(*self._table, squared_critical_value=critical**2)

    def p_value(self, hypothesis: float) -> float:
        """Two-sided p-value of the hypothesis that the difference is this; never 0."""
        from scipy.stats import t

        inside = min(max(hypothesis, -1 + 1e-12), 1 - 1e-12)
        statistic = tango_statistic(*self._table, difference=inside)
        return max(2 * float(t.sf(abs(statistic), self._freedom)), sys.float_info.min)


def _table(differences: FloatArray, clusters: CodeArray) -> _Table:
    n, mean, absolute = len(differences), float(differences.mean()), np.abs(differences)
    variation, added = cautious_variation(differences - mean, clusters, absolute)
    # No pair differs by more than 1, so there is no more variance than this.
    spread = min(n * (float(absolute.mean()) - mean**2) + added, n * (1 - mean**2))
    rare = float(np.mean(differences == 0))
    size = n * spread / variation * _unevenness(differences, clusters) ** rare
    # Fewer pairs than this could not have the mean, were they all discordant to one side.
    size = max(size, n * n * (abs(mean) - mean**2) / variation)
    discordant = size * variation / n**2 + mean**2
    gained, lost = max(discordant + mean, 0.0) / 2, max(discordant - mean, 0.0) / 2
    return _Table(gained * size, lost * size, size)


def _unevenness(differences: FloatArray, clusters: CodeArray) -> float:
    """How much fewer discordant pairs there are as clusters differ by several at a time; at most 1."""
    sums = np.abs(np.bincount(clusters, weights=differences))
    found = float(np.sum(sums**2)) ** 2 / (float(np.abs(differences).sum()) * float(np.sum(sums**3)))
    return min(1.0, found / NORMAL_SKEW)
