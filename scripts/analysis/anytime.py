"""
Intervals and tests of a paired difference that hold at every look at a growing run.

An ordinary interval holds for one look: who looks ten times at a growing run and stops as soon as there is
something to see finds it three times as often as the level allows.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import sys
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.analysis.arrays import CodeArray, FloatArray, merge_ties
from scripts.analysis.levels import check_level, significance_level

LARGEST_BET = 0.9
"""Share of the capital that is staked at most: a loss of all of it could not be made good."""

N_BETS = 12
"""Stakes, each half of the one before: the smallest are for some millions of items."""

PRIOR = 2.0
"""Both parameters of the beta distribution over the share of gained ones among discordant pairs."""

NEXT_TO_END = 1e-9
"""As near to the end of all differences as a hypothesis comes."""


@dataclasses.dataclass(frozen=True)
class AnytimeEffect:
    """A paired difference, however often the growing run was looked at before."""

    low: float | None
    """Lower bound; None: no interval, and ``method`` says why."""
    high: float | None
    """Upper bound; None exactly where ``low`` is."""
    p_value: float | None
    """Two-sided, of no difference; never 0, and never above that of an earlier look."""
    method: str
    """Name of what was computed, or "none: " and the reason."""
    n: int
    """Pairs."""


class _Units(NamedTuple):
    """What comes up at once: items, or clusters, in the order in which they are complete."""

    sums: FloatArray
    """Sum of the unit's differences, in units of the metric's range."""
    sizes: FloatArray
    """Items of the unit."""
    largest: float
    """Items that a unit can have."""


class ConfidenceSequence:
    """
    A confidence sequence of a bounded mean by betting.

    Parameters
    ----------
    differences, codes, order, bounds, largest_cluster
        As for `anytime_effect`; at least one item.

    Notes
    -----
    See `anytime_effect`.  Interval and p-value agree: the interval holds what is not rejected.
    """

    method = "confidence sequence by betting"

    def __init__(
        self,
        differences: FloatArray,
        codes: CodeArray,
        order: ArrayLike,
        *,
        bounds: tuple[float, float],
        largest_cluster: int | None = None,
    ) -> None:
        self._range = bounds[1] - bounds[0]
        scaled = np.clip(differences / self._range, -1.0, 1.0)
        self._units = _units(scaled, codes, np.asarray(order), largest_cluster)

    def interval(self, confidence_level: float) -> tuple[float, float] | None:
        """Differences never rejected so far; None: every one was, as early and late items contradict."""
        check_level(confidence_level)
        limit = math.log(2 / significance_level(confidence_level))
        low, high = self._lower(1, limit), -self._lower(-1, limit)
        return (low * self._range, high * self._range) if low <= high else None

    def p_value(self, hypothesis: float) -> float:
        """Two-sided p-value of the hypothesis that the difference is this, at any look; never 0."""
        inside = min(max(hypothesis / self._range, -1 + NEXT_TO_END), 1 - NEXT_TO_END)
        capital = max(self._capital(sign, sign * inside) for sign in (1, -1))
        return min(1.0, max(2 * math.exp(-capital), sys.float_info.min))

    def _lower(self, sign: int, limit: float) -> float:
        """Smallest difference, of the arms swapped if `sign` is -1, against which no bet has paid enough."""
        from scipy.optimize import brentq

        excess = functools.partial(self._excess, sign, limit)
        if excess(-1 + NEXT_TO_END) <= 0:
            return -1.0
        return float(brentq(excess, -1 + NEXT_TO_END, 1.0, xtol=1e-9))

    def _excess(self, sign: int, limit: float, hypothesis: float) -> float:
        return self._capital(sign, hypothesis) - limit

    def _capital(self, sign: int, hypothesis: float) -> float:
        """Logarithm of the largest capital so far of one who bets on a larger difference than this."""
        from scipy.special import logsumexp

        units = self._units
        gains = (sign * units.sums - hypothesis * units.sizes) / (units.largest * (1 + hypothesis))
        stakes, weights = _bets()
        logarithms = np.cumsum(np.log1p(stakes[:, np.newaxis] * gains), axis=1)
        return max(0.0, float(logsumexp(logarithms, axis=0, b=weights[:, np.newaxis]).max()))


def anytime_effect(
    differences: FloatArray,
    codes: CodeArray,
    order: ArrayLike,
    *,
    confidence_level: float,
    bounds: tuple[float, float] | None,
    largest_cluster: int | None = None,
) -> AnytimeEffect:
    """
    Estimate a paired difference with an interval and a p-value that hold at every look.

    Call it at each look with all items that have come in so far.  Swapping the arms mirrors the effect.

    Parameters
    ----------
    differences : ndarray of float, shape (n_items,)
        Trial minus baseline, item by item; finite.
    codes : ndarray of int, shape (n_items,)
        Number of each item's cluster.
    order : array_like of float, shape (n_items,)
        When an item came in, a rank or the number of the look; equal ones in the order given.  It must not
        depend on the answers, and an earlier look must be a beginning of a later one.
    confidence_level : float
        Probability that all intervals, at all looks, hold the truth, within (0, 1).
    bounds : tuple of float or None
        Smallest and largest possible value of the metric; without them no such interval is possible.
    largest_cluster : int, optional
        Items of the largest cluster of the whole dataset, those that have not come in included; by default
        of those that have.

    Returns
    -------
    AnytimeEffect
        Wider than an interval for one look, by about one half; see docs/statistics.md.

    Raises
    ------
    ValueError
        If the arrays differ in length, the level is out of range, or a difference is larger than `bounds`
        allow.

    Notes
    -----
    Who doubts that the mean is ``m`` bets on it: a capital of 1 is multiplied by ``1 + b (x - m) / (1 + m)``
    with each ``x`` within [-1, 1] and a stake ``b`` within (0, 1), and by the mirror image for a smaller
    mean.  If the mean is ``m``, neither capital grows on average, so either reaches ``2 / a`` at any time
    with a probability of at most ``a / 2`` (Ville).  The interval holds every ``m`` against which neither
    has done so up to now [1]_.  The capital is spread over twelve stakes, 0.9, 0.45, 0.225, ... with weights
    as 1, 1/2, 1/3, ...; so no stake has to be guessed from the number of items that there will be.

    Clusters bet as a whole when their last item has come in: ``x`` is their sum, ``m`` is multiplied by their
    size, and both are divided by `largest_cluster`, so that the mean is that over items.  Clusters should be
    complete when the run is looked at.  A few large clusters among small ones make the interval wide.

    Binary pairs, no two in one cluster: the p-value is that of the discordant pairs alone, whose number of
    gained ones is binomial with a chance of one half if there is no difference.  The likelihood ratio of a
    beta mixture of other chances, here Beta(2, 2), is such a capital, too [2]_; it is more powerful, and it
    may reject no difference while the interval still holds 0.

    References
    ----------
    .. [1] I. Waudby-Smith, A. Ramdas, Estimating means of bounded random variables by betting, J. R. Stat.
       Soc. B 86 (2024) 1-27.
    .. [2] H. Robbins, Statistical methods related to the law of the iterated logarithm, Ann. Math. Stat. 41
       (1970) 1397-1409.

    Examples
    --------
    >>> differences = np.tile([1.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 1.0, 0.0], 20)
    >>> found = anytime_effect(differences, np.arange(200), np.arange(200), confidence_level=0.95,
    ...                        bounds=(0.0, 1.0))
    >>> round(found.low, 3), round(found.high, 3), round(found.p_value, 4)
    (0.063, 0.342, 0.0002)
    """
    check_level(confidence_level)
    n = len(differences)
    if not n == len(codes) == len(np.asarray(order)):
        raise ValueError(f"there are {n} differences, {len(codes)} codes and {len(np.asarray(order))} places")
    if n == 0:
        return AnytimeEffect(None, None, None, "none: no pairs", 0)
    if bounds is None:
        return AnytimeEffect(None, None, None, "none: the metric has no bounds", n)
    reach = bounds[1] - bounds[0]
    if np.abs(differences).max() > reach + 1e-9:
        raise ValueError(f"a difference of {np.abs(differences).max()} is not within bounds {bounds}")
    found = ConfidenceSequence(differences, codes, order, bounds=bounds, largest_cluster=largest_cluster)
    is_table = len(np.unique(codes)) == n and bool(np.all(np.isin(differences / reach, (-1.0, 0.0, 1.0))))
    ordered = differences[np.argsort(np.asarray(order), kind="stable")]
    p_value = discordant_p_value(ordered) if is_table else found.p_value(0.0)
    method = f"{found.method}, beta mixture of discordant pairs" if is_table else found.method
    interval = found.interval(confidence_level)
    if interval is None:
        return AnytimeEffect(None, None, p_value, "none: early and late items contradict each other", n)
    return AnytimeEffect(*interval, p_value, method, n)


def discordant_p_value(differences: FloatArray) -> float:
    """
    P-value of as many gained as lost pairs, valid at any look.

    Parameters
    ----------
    differences : ndarray of float, shape (n_pairs,)
        Of which only the signs count, in the order in which they came in.

    Returns
    -------
    float
        Two-sided, never 0; 1 with no discordant pair.

    Notes
    -----
    Formula and source: see `anytime_effect`.

    Examples
    --------
    >>> round(discordant_p_value(np.ones(12)), 4)
    0.0085
    """
    from scipy.special import betaln

    signs = np.sign(differences[differences != 0])
    gained, lost = np.cumsum(signs > 0), np.cumsum(signs < 0)
    ratios = betaln(PRIOR + gained, PRIOR + lost) - betaln(PRIOR, PRIOR) + (gained + lost) * math.log(2)
    return min(1.0, max(math.exp(-max(0.0, float(ratios.max(initial=0.0)))), sys.float_info.min))


@functools.cache
def _bets() -> tuple[FloatArray, FloatArray]:
    """Stakes, and the share of the capital that each has at the start."""
    numbers = np.arange(N_BETS)
    weights = (1 / (numbers + 1)).astype(np.float64)
    return (LARGEST_BET * 0.5**numbers).astype(np.float64), weights / float(weights.sum())


def _units(
    scaled: FloatArray, codes: CodeArray, order: NDArray[np.generic], largest_cluster: int | None
) -> _Units:
    """Clusters in the order of their last item."""
    places = np.empty(len(scaled), dtype=np.int64)
    places[np.argsort(order, kind="stable")] = np.arange(len(scaled))
    clusters = np.unique(codes, return_inverse=True)[1]
    sizes = np.bincount(clusters).astype(np.float64)
    last = np.zeros(len(sizes), dtype=np.int64)
    np.maximum.at(last, clusters, places)
    sums = merge_ties(np.bincount(clusters, weights=scaled).astype(np.float64), scale=float(sizes.max()))
    in_turn = np.argsort(last)
    largest = max(float(sizes.max()), float(largest_cluster or 1))
    return _Units(sums[in_turn], sizes[in_turn], largest)
