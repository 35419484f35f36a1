"""Intervals and p-values that hold for a whole family of effects at once, their correlation kept."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

from scripts.analysis.arrays import CodeArray, FloatArray
from scripts.analysis.joint_flips import ClusterSums, joint_max_t
from scripts.analysis.levels import check_level, significance_level
from scripts.analysis.max_t import Studentiser
from scripts.analysis.sign_flips import rounded

METHOD = "max-t sign flips"
"""Name of what is computed."""

PlainInterval = Callable[[float], tuple[float | None, float | None, str]]
"""Bounds and method at a level, as of `scripts.analysis.pairs.Inference`; no bounds: the method says why."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FamilyMember:
    """One effect of a family: what each of its clusters adds.  Made by `family_member`."""

    clusters: CodeArray
    """Number of each cluster that has an item here, rising; equal numbers in all members are one cluster."""
    sums: FloatArray
    """Sum of the cluster's differences."""
    sizes: FloatArray
    """Items of the cluster that are here."""
    bounds: tuple[float, float] | None = None
    """Smallest and largest possible difference."""
    interval: PlainInterval | None = None
    """The effect's own method; None: mean plus or minus standard errors."""

    @property
    def n_items(self) -> int:
        """Pairs of this effect."""
        return int(self.sizes.sum())


@dataclasses.dataclass(frozen=True, kw_only=True)
class SimultaneousEffect:
    """One effect of a family, with what is said of it while all others are looked at, too."""

    n_items: int
    """Pairs."""
    n_clusters: int
    """Independent clusters among them."""
    difference: float | None = None
    """Mean difference; None: no pairs."""
    standard_error: float | None = None
    """Robust to clusters; None where one cluster or no variation shows none."""
    low: float | None = None
    """Lower bound; all intervals of the family hold their truths together at the level."""
    high: float | None = None
    """Upper bound; None exactly where ``low`` is."""
    p_single_step: float | None = None
    """Adjusted, never 0; below 1 - level exactly where an interval of standard errors excludes 0."""
    p_step_down: float | None = None
    """Adjusted with more power, never above ``p_single_step``; holds for verdicts, not for the interval."""
    reason: str | None = None
    """Why there is no interval or p-value; None: there are both."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Simultaneous:
    """All effects of a family."""

    effects: tuple[SimultaneousEffect, ...]
    """Aligned with the members."""
    n_tested: int
    """Members that can vary: the size of the family."""
    critical_value: float | None = None
    """Normal deviate that the intervals reach to, 1.96 for a large family of one; None: no intervals."""
    single_level: float | None = None
    """Level of a plain interval that reaches as far: other methods at this level hold for the family."""
    n_patterns: int = 0
    """Patterns of signs looked at."""
    is_exact: bool = False
    """Whether these were all patterns."""
    method: str
    """Name of what was computed, or "none: " and the reason."""


def family_member(
    differences: FloatArray,
    codes: CodeArray,
    *,
    bounds: tuple[float, float] | None = None,
    interval: PlainInterval | None = None,
) -> FamilyMember:
    """
    Add up the differences of one effect by cluster.

    Parameters
    ----------
    differences : ndarray of float, shape (n_items,)
        Trial minus baseline, finite.
    codes : ndarray of int, shape (n_items,)
        Cluster of each item, numbered alike in all members of the family.
    bounds : tuple of float, optional
        Smallest and largest possible difference; intervals are cut off there.
    interval : callable, optional
        The method of the plain interval, from `scripts.analysis.pairs.infer_difference`: better than standard
        errors for shares near 0 and 1.

    Examples
    --------
    >>> member = family_member(np.array([1.0, 0.0, -1.0]), np.array([4, 2, 4]))
    >>> member.clusters.tolist(), member.sums.tolist(), member.sizes.tolist()
    ([2, 4], [0.0, 0.0], [1.0, 2.0])
    """
    clusters, numbers = np.unique(codes, return_inverse=True)
    sums = np.bincount(numbers, weights=differences, minlength=len(clusters)).astype(np.float64)
    sizes = np.bincount(numbers, minlength=len(clusters)).astype(np.float64)
    return FamilyMember(
        clusters=clusters.astype(np.int64),
        sums=rounded(sums),
        sizes=sizes,
        bounds=bounds,
        interval=interval,
    )


def simultaneous_effects(
    members: Sequence[FamilyMember], *, confidence_level: float, resamples: int, rng: np.random.Generator
) -> Simultaneous:
    """
    Give the effects of a family intervals that hold together, and p-values adjusted for each other.

    Whatever is shown together belongs into one family: trials, datasets, metrics.  Members whose effects go
    together, such as trials against one baseline, cost less than Bonferroni's or Holm's method asks.

    Parameters
    ----------
    members : sequence of FamilyMember
        The effects; a cluster that several of them share has the same number in each.
    confidence_level : float
        Chance aimed at that all intervals hold their truths, within (0, 1).
    resamples : int
        Patterns of signs to draw; above ``1 / (1 - confidence_level)``, better ten thousand.
    rng : numpy.random.Generator
        Source of the signs, from `scripts.analysis.resampling.child_rng`.

    Returns
    -------
    Simultaneous
        Members of one cluster, without variation, or with too few clusters for any verdict at this level have
        neither interval nor p-value, say why, and do not count in the family.

    Raises
    ------
    ValueError
        If the level or `resamples` is out of range.

    Notes
    -----
    The statistic of a member is its mean over its cluster-robust standard error
    (`scripts.analysis.intervals.standard_error`).  Each cluster gets one random sign, the same for all
    members, so that the largest statistic of the family is drawn as it would be without an effect [1]_; a
    single-step p-value is the share of patterns whose largest statistic reaches the member's, a step-down
    one compares the member with those members only that are no more significant [1]_ [2]_.  Statistics
    of unlike numbers of clusters are compared as normal deviates, by Wallace's approximation [3]_.

    Signs are given both to the differences and to their deviations from the member's mean.  The first keeps
    the level, whatever the number of clusters, if differences are symmetric where there is no effect; the
    second keeps the correlation that the errors of the means have where there are effects, so that the
    intervals hold.  Of both critical values and p-values the larger one is taken.  An interval is the mean
    plus or minus so many standard errors, or that of the member's own method at the level of a single
    interval that reaches as far.

    References
    ----------
    .. [1] P. H. Westfall, S. S. Young, Resampling-Based Multiple Testing, Wiley, 1993, section 2.3 to 2.6.
    .. [2] J. P. Romano, M. Wolf, Exact and approximate stepdown methods for multiple hypothesis testing,
       J. Am. Stat. Assoc. 100 (2005) 94-108.
    .. [3] D. L. Wallace, Bounds on normal approximations to Student's and the chi-square distributions,
       Ann. Math. Stat. 30 (1959) 1121-1130.

    Examples
    --------
    Two trials against one baseline, twelve items each:

    >>> items = np.arange(12)
    >>> one = np.array([1.0, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1])
    >>> other = np.array([1.0, 0, 0, 1, -1, 0, 1, -1, 0, 1, 0, -1])
    >>> found = simultaneous_effects([family_member(one, items), family_member(other, items)],
    ...                              confidence_level=0.95, resamples=10_000, rng=np.random.default_rng(1))
    >>> [round(effect.p_single_step, 3) for effect in found.effects], found.is_exact
    ([0.004, 1.0], True)
    """
    check_level(confidence_level)
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}, but must be at least 1")
    alpha = significance_level(confidence_level)
    plain = [_plain(member, alpha) for member in members]
    tested = [number for number, effect in enumerate(plain) if effect.reason is None]
    if not tested:
        return Simultaneous(effects=tuple(plain), n_tested=0, method="none: no effect that can be tested")
    sums = [ClusterSums(member.clusters, member.sums, member.sizes) for member in members]
    found = joint_max_t([sums[number] for number in tested], resamples=resamples, rng=rng)
    critical = found.critical_value(alpha)
    effects = list(plain)
    for place, number in enumerate(tested):
        effects[number] = _with_interval(plain[number], members[number], critical)
        effects[number] = dataclasses.replace(
            effects[number],
            p_single_step=float(found.p_single_step[place]),
            p_step_down=float(found.p_step_down[place]),
        )
    return Simultaneous(
        effects=tuple(effects),
        n_tested=len(tested),
        critical_value=None if math.isinf(critical) else critical,
        single_level=None if math.isinf(critical) else _single_level(critical),
        n_patterns=found.n_patterns,
        is_exact=found.is_exact,
        method=METHOD,
    )


def adjust_verdicts(
    p_difference: Sequence[float | None], p_equivalence: Sequence[float | None]
) -> tuple[list[float | None], list[float | None]]:
    """
    Adjust the p-values of "differs" and of "is equivalent" of a family together.

    Parameters
    ----------
    p_difference, p_equivalence : sequence of float or None, length n_effects
        Raw p-values of each effect; None: the test could not be made.

    Returns
    -------
    tuple of two lists
        Adjusted p-values, aligned: the chance of any false verdict, "better", "worse" or "equivalent", is at
        most the level at which they are read.

    Raises
    ------
    ValueError
        If the lengths differ or a p-value is not within [0, 1].

    Notes
    -----
    Holm's method, with as many hypotheses as can be true together [1]_: an effect cannot be 0 and beyond the
    margin at once, so one of its two hypotheses is false, and both together count once until both are
    rejected.  A family of one needs no adjustment.

    References
    ----------
    .. [1] J. P. Shaffer, Modified sequentially rejective multiple test procedures, J. Am. Stat. Assoc. 81
       (1986) 826-831.

    Examples
    --------
    >>> adjust_verdicts([0.01, 0.8], [0.9, 0.02])
    ([0.02, 1.0], [1.0, 0.04])
    """
    raw = [(p, place) for place, p in enumerate([*p_difference, *p_equivalence]) if p is not None]
    if len(p_difference) != len(p_equivalence):
        raise ValueError(f"{len(p_difference)} p-values of differences, {len(p_equivalence)} of equivalence")
    if not all(0 <= p <= 1 for p, _ in raw):
        raise ValueError("p-values must be within [0, 1]; use None for a test that could not be made")
    n = len(p_difference)
    adjusted: list[float | None] = [None] * (2 * n)
    left = [sum(p is not None for p in both) for both in zip(p_difference, p_equivalence, strict=True)]
    largest = 0.0
    for p, place in sorted(raw):
        largest = max(largest, min(1.0, p * sum(count > 0 for count in left)))
        adjusted[place] = largest
        left[place % n] -= 1
    return adjusted[:n], adjusted[n:]


def _plain(member: FamilyMember, alpha: float) -> SimultaneousEffect:
    """Mean and error of one member, or why it cannot be tested."""
    n, n_clusters = member.n_items, len(member.clusters)
    effect = SimultaneousEffect(n_items=n, n_clusters=n_clusters)
    if n == 0:
        return dataclasses.replace(effect, reason="no pairs")
    mean = math.fsum(member.sums) / n
    effect = dataclasses.replace(effect, difference=mean)
    if n_clusters == 1:
        return dataclasses.replace(effect, reason="one pair" if n == 1 else "one cluster")
    squares = float(np.sum((member.sums - mean * member.sizes) ** 2))
    error = math.sqrt(squares * n_clusters / (n_clusters - 1)) / n
    if error <= 1e-12 * float(np.abs(member.sums).max()):
        return dataclasses.replace(effect, reason="no variation")
    effect = dataclasses.replace(effect, standard_error=error)
    # All signs alike, or all exchanged, leave the statistic as it is: no p-value is below their share.
    if 2.0 ** (1 - n_clusters) >= alpha:
        return dataclasses.replace(effect, reason="too few clusters for this level")
    return effect


def _with_interval(effect: SimultaneousEffect, member: FamilyMember, critical: float) -> SimultaneousEffect:
    if math.isinf(critical):
        return dataclasses.replace(effect, reason="too few resamples or clusters for this level")
    assert effect.difference is not None, "tested"
    assert effect.standard_error is not None, "tested"
    if member.interval is not None:
        low, high, method = member.interval(_single_level(critical))
        reason = None if low is not None else method.removeprefix("none: ")
        return dataclasses.replace(effect, low=low, high=high, reason=reason)
    reach = Studentiser.quantile(critical, effect.n_clusters) * effect.standard_error
    floor, ceiling = member.bounds if member.bounds is not None else (-math.inf, math.inf)
    return dataclasses.replace(
        effect, low=max(effect.difference - reach, floor), high=min(effect.difference + reach, ceiling)
    )


def _single_level(critical: float) -> float:
    """Chance that a normal deviate is within the critical value."""
    return math.erf(critical / math.sqrt(2))
