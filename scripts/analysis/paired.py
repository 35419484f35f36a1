"""The effect of a trial against its baseline, over the items that both have answered."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from scripts.analysis import levels
from scripts.analysis.arrays import Labels
from scripts.analysis.discordant import OddsRatio, conditional_odds_ratio, exact_mcnemar
from scripts.analysis.pairs import Inference, Pairs, infer_difference, pair_up
from scripts.analysis.resampling import sign_flip_test


@dataclasses.dataclass(frozen=True)
class PairedEffect:
    """Trial minus baseline over the same items, with interval and test."""

    n_pairs: int
    """Items with a value in both arms; everything else here is about these."""
    n_unpaired: int
    """Items that fell out because one arm, or both, has no value."""
    n_clusters: int
    """Independent clusters among the pairs; equal to ``n_pairs`` where no two items share one."""
    n_gained: int
    """Pairs with a positive difference."""
    n_lost: int
    """Pairs with a negative difference."""
    difference: float | None
    """Mean of trial minus baseline, in units of the metric; None: no pairs."""
    low: float | None
    """Lower bound of the difference; None: no interval, and ``interval_method`` says why."""
    high: float | None
    """Upper bound of the difference; None exactly where ``low`` is."""
    interval_method: str
    """Name of what was computed, or "none: " and the reason."""
    test: str
    """Name of the test, or "none: " and the reason."""
    p_value: float | None
    """Two-sided, never 0; not adjusted for the number of comparisons."""
    is_p_floor: bool
    """Whether no resample reached the observed difference, so that more of them might give less."""
    odds_ratio: OddsRatio | None
    """Of binary values only."""
    equivalence_low: float | None
    """Lower bound at the equivalence level, for two one-sided tests by inclusion."""
    equivalence_high: float | None
    """Upper bound at the equivalence level."""


def paired_effect(
    trial: ArrayLike,
    baseline: ArrayLike,
    clusters: Labels | None = None,
    *,
    confidence_level: float,
    equivalence_level: float | None = None,
    resamples: int,
    rng: np.random.Generator,
    bounds: tuple[float, float] | None = None,
) -> PairedEffect:
    """
    Compare a trial with its baseline, item by item.

    Average replicates within each item before the call.  Swapping the arms mirrors the effect; the order
    of items does not matter.

    Parameters
    ----------
    trial, baseline : array_like of float, shape (n_items,)
        One value per item; position ``i`` is the same item in both.  NaN means missing: the pair
        falls out and is counted in ``n_unpaired``.
    clusters : array_like, shape (n_items,), optional
        Label of each item's cluster, aligned; None, or a label that is None or NaN: the item is its own.
    confidence_level : float
        Coverage aimed at, within (0, 1).
    equivalence_level : float, optional
        Level of the equivalence interval; by default that of two one-sided tests, 0.9 for 0.95.
    resamples : int
        Sign patterns drawn by the permutation test.
    rng : numpy.random.Generator
        Source of these signs, from `scripts.analysis.resampling.child_rng`.
    bounds : tuple of float, optional
        Smallest and largest possible value of the metric; 0 and 1 mean a share.  A t interval of the
        difference is cut off where no difference can be.

    Returns
    -------
    PairedEffect
        Without a pair, every estimate is None and the counts are 0.

    Raises
    ------
    ValueError
        If the arrays differ in shape, are not one-dimensional, hold an infinity or a value out of
        `bounds`, or if a level or `resamples` is out of range.

    Notes
    -----
    Both arms binary (all 0 or 1) and no two pairs in one cluster: `tango_interval`, `exact_mcnemar` and
    the conditional odds ratio.  Otherwise the sign-flip permutation test, cluster by cluster, and an interval
    (of a metric between 0 and 1 `scripts.analysis.share_differences.ShareDifference`, of another the
    cluster-robust t interval of the differences, with fewer than 20 clusters the wild cluster bootstrap-t).
    Interval and test are of different methods: one may hold 0 where the other just rejects it.
    Binary arms in clusters whose pairs all differ by the same amount show no variation; Tango's interval
    then counts every cluster as one pair, which is conservative.  A difference within 1e-12 of the values'
    size is rounding and counts as none.

    Examples
    --------
    Eight items; the trial gains five and loses none:

    >>> baseline = [1, 0, 0, 0, 0, 0, 1, 0]
    >>> trial = [1, 1, 1, 1, 1, 1, 1, 0]
    >>> effect = paired_effect(trial, baseline, confidence_level=0.95, resamples=1000,
    ...                        rng=np.random.default_rng(1))
    >>> effect.difference, effect.n_gained, effect.n_lost, effect.test, effect.p_value
    (0.625, 5, 0, 'exact mcnemar', 0.0625)
    >>> round(effect.low, 3), round(effect.high, 3), effect.interval_method
    (0.098, 0.863, 'tango score')
    """
    pairs = pair_up(trial, baseline, clusters, bounds=bounds)
    return effect_of_pairs(
        pairs,
        infer_difference(pairs, bounds=bounds) if pairs.n else None,
        confidence_level=confidence_level,
        equivalence_level=equivalence_level,
        resamples=resamples,
        rng=rng,
    )


def effect_of_pairs(
    pairs: Pairs,
    inference: Inference | None,
    *,
    confidence_level: float,
    equivalence_level: float | None = None,
    resamples: int,
    rng: np.random.Generator,
) -> PairedEffect:
    """Compare aligned pairs; `inference` is that of the pairs, None without one.  See `paired_effect`."""
    narrow = levels.equivalence_level(confidence_level) if equivalence_level is None else equivalence_level
    levels.check_level(confidence_level)
    levels.check_level(narrow, name="equivalence_level")
    if inference is None:
        return _no_pairs(pairs.n_unpaired)
    low, high, interval_method = inference.interval(confidence_level)
    equivalence_low, equivalence_high, _ = inference.interval(narrow)
    if inference.test is not None:
        test, p_value, is_p_floor = *inference.test, False
    else:
        test, p_value, is_p_floor = difference_test(pairs, resamples, rng)
    return PairedEffect(
        n_pairs=pairs.n,
        n_unpaired=pairs.n_unpaired,
        n_clusters=pairs.n_clusters,
        n_gained=pairs.n_gained,
        n_lost=pairs.n_lost,
        difference=float(pairs.differences.mean()),
        low=low,
        high=high,
        interval_method=interval_method,
        test=test,
        p_value=p_value,
        is_p_floor=is_p_floor,
        odds_ratio=_odds_ratio(pairs, confidence_level),
        equivalence_low=equivalence_low,
        equivalence_high=equivalence_high,
    )


def difference_test(pairs: Pairs, resamples: int, rng: np.random.Generator) -> tuple[str, float, bool]:
    """
    Test that a trial does as well as its baseline.

    Parameters
    ----------
    pairs : Pairs
        At least one.
    resamples, rng : int, numpy.random.Generator
        Sign patterns to draw, and their source.

    Returns
    -------
    tuple of str, float, bool
        Name of the test, two-sided p-value, and whether that is the smallest that the resamples can give.

    Notes
    -----
    `exact_mcnemar` for binary pairs without clusters, otherwise `sign_flip_test`, cluster by cluster.

    Examples
    --------
    >>> difference_test(pair_up([1, 1, 1, 0], [0, 0, 1, 0]), 100, np.random.default_rng(1))
    ('exact mcnemar', 0.5, False)
    """
    if pairs.is_binary and not pairs.is_clustered:
        return "exact mcnemar", exact_mcnemar(pairs.n_gained, pairs.n_lost), False
    sums = np.bincount(pairs.codes, weights=pairs.differences)
    result = sign_flip_test(sums, resamples=resamples, rng=rng)
    name = "sign-flip permutation by cluster" if pairs.is_clustered else "sign-flip permutation"
    is_floor = not result.is_exact and result.p_value <= 1 / (result.n_permutations + 1)
    return name, result.p_value, is_floor


def _odds_ratio(pairs: Pairs, confidence_level: float) -> OddsRatio | None:
    """The odds ratio of binary pairs; without an interval where pairs are not independent."""
    if not pairs.is_binary:
        return None
    ratio = conditional_odds_ratio(pairs.n_gained, pairs.n_lost, confidence_level=confidence_level)
    if not pairs.is_clustered:
        return ratio
    return OddsRatio(ratio.estimate, None, None, "gained/lost + 0.5 each; none: clustered pairs")


def _no_pairs(n_unpaired: int) -> PairedEffect:
    """What is left to say without a pair."""
    return PairedEffect(
        n_pairs=0,
        n_unpaired=n_unpaired,
        n_clusters=0,
        n_gained=0,
        n_lost=0,
        difference=None,
        low=None,
        high=None,
        interval_method="none: no pairs",
        test="none: no pairs",
        p_value=None,
        is_p_floor=False,
        odds_ratio=None,
        equivalence_low=None,
        equivalence_high=None,
    )
