"""Aligned pairs of a trial's and its baseline's values, and what can be inferred about their difference."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from scripts.analysis import arrays, intervals
from scripts.analysis.anytime import ConfidenceSequence, anytime_effect
from scripts.analysis.arrays import CodeArray, FloatArray, Labels
from scripts.analysis.clusters import ClusterTotals, cluster_totals
from scripts.analysis.few_clusters import WildClusters
from scripts.analysis.score_intervals import tango_interval, tango_statistic
from scripts.analysis.share_differences import ShareDifference


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Items that both arms have a value for."""

    differences: FloatArray
    """Trial minus baseline, item by item."""
    codes: CodeArray
    """Number of each item's cluster."""
    n_clusters: int
    """Independent clusters."""
    n_unpaired: int
    """Items that fell out because one arm, or both, has no value."""
    is_binary: bool
    """Whether every value of both arms is 0 or 1."""
    trial_mean: float | None
    """Mean of the trial over the pairs; None: there are none."""
    baseline_mean: float | None
    """Mean of the baseline over the pairs; None: there are none."""

    @property
    def n(self) -> int:
        """Pairs."""
        return len(self.differences)

    @property
    def is_clustered(self) -> bool:
        """Whether any two pairs share a cluster."""
        return self.n_clusters < self.n

    @property
    def n_gained(self) -> int:
        """Pairs with a positive difference."""
        return int(np.count_nonzero(self.differences > 0))

    @property
    def n_lost(self) -> int:
        """Pairs with a negative difference."""
        return int(np.count_nonzero(self.differences < 0))

    @property
    def totals(self) -> ClusterTotals:
        """What each cluster adds to the difference."""
        return cluster_totals(self.differences, self.codes)


@dataclasses.dataclass(frozen=True)
class Inference:
    """Interval and p-value of one method, which agree: the interval holds what is not rejected."""

    interval: Callable[[float], tuple[float | None, float | None, str]]
    """Lower bound, upper bound and method at a confidence level; no bounds: the method says why."""
    p_value: Callable[[float], float] | None
    """Two-sided p-value of the hypothesis that the difference is this, never 0; None: no method applies."""
    test: tuple[str, float] | None = None
    """Name and p-value of the test of no difference that goes with it; None: the usual one."""


def pair_up(
    trial: ArrayLike,
    baseline: ArrayLike,
    clusters: Labels | None = None,
    *,
    bounds: tuple[float, float] | None = None,
) -> Pairs:
    """
    Keep the items that both arms have, and count those that fall out.

    Parameters and errors: see `scripts.analysis.paired.paired_effect`.

    Examples
    --------
    >>> pairs = pair_up([1, 0, 1], [0, 0, float("nan")])
    >>> pairs.differences.tolist(), pairs.n_unpaired, pairs.is_binary
    ([1.0, 0.0], 1, True)
    """
    arms = arrays.as_values(trial), arrays.as_values(baseline)
    if len(arms[0]) != len(arms[1]):
        raise ValueError(f"the trial has {len(arms[0])} items, but the baseline {len(arms[1])}")
    codes = arrays.cluster_codes(clusters, len(arms[0]))
    there = ~(np.isnan(arms[0]) | np.isnan(arms[1]))
    after, before = arms[0][there], arms[1][there]
    arrays.check_bounds(np.concatenate([after, before]), bounds)
    differences = after - before
    # Means of the same replicates in another order may differ in the last digit.
    differences[np.abs(differences) <= 1e-12 * np.maximum(np.abs(after), np.abs(before))] = 0.0
    return Pairs(
        differences,
        codes[there],
        n_clusters=arrays.count_clusters(codes[there]),
        n_unpaired=int(np.count_nonzero(~there)),
        is_binary=arrays.is_binary(after) and arrays.is_binary(before),
        trial_mean=float(after.mean()) if len(after) else None,
        baseline_mean=float(before.mean()) if len(before) else None,
    )


def infer_growing(pairs: Pairs, *, bounds: tuple[float, float]) -> Inference:
    """
    Give the interval and the test that hold at every look at a growing run.

    Parameters
    ----------
    pairs : Pairs
        At least one, in the order in which the items came in.
    bounds : tuple of float
        Smallest and largest possible value of the metric.

    Notes
    -----
    See `scripts.analysis.anytime.anytime_effect`.
    """
    order = np.arange(pairs.n)
    found = ConfidenceSequence(pairs.differences, pairs.codes, order, bounds=bounds)

    def interval(confidence_level: float) -> tuple[float | None, float | None, str]:
        ends = found.interval(confidence_level)
        if ends is None:
            return None, None, "none: early and late items contradict each other"
        return *ends, found.method

    effect = anytime_effect(pairs.differences, pairs.codes, order, confidence_level=0.95, bounds=bounds)
    name = "beta mixture of discordant pairs" if "beta mixture" in effect.method else found.method
    return Inference(interval, found.p_value, test=(name, effect.p_value or 1.0))


def infer_difference(pairs: Pairs, *, bounds: tuple[float, float] | None = None) -> Inference:
    """
    Choose the method for the difference of these pairs, at least one.

    Binary pairs, no two in one cluster: Tango's score interval.  Binary pairs in clusters that all differ
    alike: the same, every cluster counted as one pair.  Other values with bounds of 0 and 1: Tango's
    interval on an effective sample size.  Anything else: Student's t, robust to clusters, or with fewer
    than 20 clusters the wild cluster bootstrap-t.  Pairs that do not vary have no interval.
    """
    if pairs.is_binary and not pairs.is_clustered:
        return _tango(pairs.n_gained, pairs.n_lost, pairs.n, "tango score")
    if pairs.is_binary and pairs.n_clusters > 1 and bool(np.all(pairs.differences == pairs.differences[0])):
        # All pairs are alike, so each count is either all of them or none.
        gained, lost = pairs.n_clusters * (pairs.n_gained > 0), pairs.n_clusters * (pairs.n_lost > 0)
        return _tango(gained, lost, pairs.n_clusters, "tango score on clusters")
    error = intervals.standard_error(pairs.differences, pairs.codes)
    if bounds == (0.0, 1.0) and error is not None:
        shares = ShareDifference(pairs.differences, pairs.codes)
        return Inference(lambda level: (*shares.interval(level), shares.method), shares.p_value)
    reach = None if bounds is None else (bounds[0] - bounds[1], bounds[1] - bounds[0])

    def interval(confidence_level: float) -> tuple[float | None, float | None, str]:
        found = intervals.robust_interval(
            pairs.differences, pairs.codes, confidence_level=confidence_level, bounds=reach
        )
        return found.low, found.high, found.method

    return Inference(interval, None if error is None else _p_value_of_mean(pairs, error))


def _tango(n_gained: int, n_lost: int, n_pairs: int, method: str) -> Inference:
    from scipy.stats import norm

    def interval(confidence_level: float) -> tuple[float | None, float | None, str]:
        return *tango_interval(n_gained, n_lost, n_pairs, confidence_level=confidence_level), method

    def p_value(hypothesis: float) -> float:
        inside = min(max(hypothesis, -1 + 1e-12), 1 - 1e-12)
        if inside == 0 and n_gained == n_lost:
            return 1.0
        statistic = tango_statistic(n_gained, n_lost, n_pairs, difference=inside)
        return max(2 * float(norm.sf(abs(statistic))), sys.float_info.min)

    return Inference(interval, p_value)


def _p_value_of_mean(pairs: Pairs, error: float) -> Callable[[float], float]:
    """Give the p-value that belongs to `intervals.robust_interval`."""
    from scipy.stats import t

    if intervals.is_few(pairs.n_clusters, pairs.n):
        return WildClusters(pairs.totals).p_value
    mean, freedom = float(pairs.differences.mean()), pairs.n_clusters - 1

    def p_value(hypothesis: float) -> float:
        return max(2 * float(t.sf(abs(mean - hypothesis) / error, freedom)), sys.float_info.min)

    return p_value
