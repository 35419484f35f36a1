"""Effects within groups of items, and whether the groups differ in their effect."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from scripts.analysis import arrays
from scripts.analysis.arrays import FloatArray, Labels
from scripts.analysis.group_means import GroupMeans, group_means
from scripts.analysis.grouping import group_items
from scripts.analysis.levels import check_level
from scripts.analysis.multiplicity import adjust
from scripts.analysis.paired import PairedEffect, paired_effect
from scripts.analysis.resampling import child_rng

MOST_NAMED = 20
"""Groups left out that are named; all are counted."""

MOST_CONDITION = 1e12
"""Condition number of a covariance beyond which its inverse is rounding error."""


@dataclasses.dataclass(frozen=True)
class Subgroup:
    """The effect within one group of items."""

    label: str
    """The field's value, or its range."""
    effect: PairedEffect
    """Trial minus baseline over the group's items."""
    p_value_adjusted: float | None
    """Adjusted within this family of subgroups."""


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """A group that was not analysed."""

    label: str
    """The field's value, or its range."""
    n_pairs: int
    """Its items with a value in both arms."""
    reason: str
    """"too small" or "too many groups"."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interaction:
    """Test that the effect is the same in all groups."""

    statistic: float | None = None
    """Cochran's Q, or its like for clusters, Wald's chi-squared; None: no test, and ``reason`` says why."""
    degrees_of_freedom: int | None = None
    """Groups less one."""
    p_value: float | None = None
    """Not adjusted; never 0."""
    i_squared: float | None = None
    """Share of the variation between groups that chance does not explain; None in clusters."""
    method: str
    """Name of the test, or "none: " and the reason."""
    reason: str | None = None
    """Why there is no test; None: there is one."""


@dataclasses.dataclass(frozen=True)
class SubgroupAnalysis:
    """Effects by the values of one field."""

    groups: tuple[Subgroup, ...]
    """Groups analysed, in the order of their values."""
    left_out: tuple[LeftOut, ...]
    """Groups not analysed, the largest first; at most `MOST_NAMED` are named."""
    n_groups_left_out: int
    """All groups not analysed."""
    n_pairs_left_out: int
    """Their items with a value in both arms."""
    n_pairs_without_value: int
    """Pairs whose item has no value in the field."""
    interaction: Interaction
    """Whether the groups analysed differ in their effect."""
    adjustment: str
    """Method of ``p_value_adjusted``."""


def subgroup_effects(
    trial: ArrayLike,
    baseline: ArrayLike,
    field: Sequence[object],
    clusters: Labels | None = None,
    *,
    confidence_level: float,
    resamples: int,
    seed: int,
    names: tuple[str, ...],
    bounds: tuple[float, float] | None = None,
    adjustment: str = "holm",
    least_pairs: int = 30,
    most_groups: int = 12,
) -> SubgroupAnalysis:
    """
    Compare a trial with its baseline within the groups that a field of the items makes.

    Look at the interaction first: an effect that is significant in one group and not in another is no
    sign that it differs between them.

    Parameters
    ----------
    trial, baseline : array_like of float, shape (n_items,)
        One value per item, averaged over its replicates; NaN: the pair falls out.
    field : sequence of object, length n_items
        The field's value for each item: text, true or false, or a number; None or NaN: it has none.
        Five or more different numbers are cut at the quartiles of all items' numbers.
    clusters : array_like, shape (n_items,), optional
        Cluster of each item, as in `scripts.analysis.paired.paired_effect`; may reach across groups.
    confidence_level : float
        Coverage aimed at, within (0, 1).
    resamples : int
        Sign patterns drawn by the permutation tests.
    seed, names : int, tuple of str
        The run's seed and the path of this block, for `scripts.analysis.resampling.child_rng`; each group
        draws from a stream of its own.
    bounds : tuple of float, optional
        Smallest and largest possible value of the metric.
    adjustment : str
        One of `scripts.analysis.multiplicity.METHODS`.
    least_pairs, most_groups : int
        Groups with fewer pairs, and all but the largest ones, are left out, named and counted.

    Returns
    -------
    SubgroupAnalysis
        With no group left, ``groups`` is empty.

    Raises
    ------
    ValueError
        If the lengths differ, the field holds lists or the like, or an option is out of range.

    Notes
    -----
    Effects as in `scripts.analysis.paired.paired_effect`.  The interaction test without clusters is Cochran's
    Q of the groups' mean differences [1]_; in clusters, Wald's test of equal means with their cluster-robust
    covariance, referred to Hotelling's T-squared [2]_ for as many observations as there are clusters: with
    few of them, the covariance is itself an estimate.

    References
    ----------
    .. [1] W. G. Cochran, The combination of estimates from different experiments, Biometrics 10 (1954)
       101-129.
    .. [2] H. Hotelling, The generalization of Student's ratio, Ann. Math. Stat. 2 (1931) 360-378.

    Examples
    --------
    >>> found = subgroup_effects([1, 1, 1, 0, 1, 0], [0, 1, 0, 0, 1, 1], ["easy"] * 3 + ["hard"] * 3,
    ...     confidence_level=0.95, resamples=100, seed=1, names=("example",), least_pairs=2)
    >>> [(group.label, round(group.effect.difference, 3)) for group in found.groups]
    [('easy', 0.667), ('hard', -0.333)]
    >>> round(found.interaction.statistic, 9)
    4.5
    """
    check_level(confidence_level)
    if least_pairs < 1 or most_groups < 1:
        raise ValueError(f"least_pairs is {least_pairs}, most_groups {most_groups}; both must be 1 or more")
    arms = arrays.as_values(trial), arrays.as_values(baseline)
    if not len(arms[0]) == len(arms[1]) == len(field):
        raise ValueError(f"{len(arms[0])} trial, {len(arms[1])} baseline values, {len(field)} of the field")
    codes = arrays.cluster_codes(clusters, len(field))
    labels, groups = group_items(field)
    paired = ~(np.isnan(arms[0]) | np.isnan(arms[1]))
    counts = np.bincount(groups[paired & (groups >= 0)], minlength=len(labels))
    kept, left_out = _choose(labels, counts.tolist(), least_pairs, most_groups)
    effects = [
        paired_effect(
            arms[0][groups == number],
            arms[1][groups == number],
            codes[groups == number],
            confidence_level=confidence_level,
            resamples=resamples,
            rng=child_rng(seed, *names, labels[number]),
            bounds=bounds,
        )
        for number in kept
    ]
    adjusted = adjust([effect.p_value for effect in effects], adjustment)
    shown = paired & np.isin(groups, kept)
    return SubgroupAnalysis(
        groups=tuple(
            Subgroup(labels[number], effect, p_value)
            for number, effect, p_value in zip(kept, effects, adjusted, strict=True)
        ),
        left_out=tuple(left_out[:MOST_NAMED]),
        n_groups_left_out=len(left_out),
        n_pairs_left_out=sum(group.n_pairs for group in left_out),
        n_pairs_without_value=int(np.count_nonzero(paired & (groups < 0))),
        interaction=_interaction(
            (arms[0] - arms[1])[shown],
            np.searchsorted(kept, groups[shown]),
            codes[shown],
            [labels[number] for number in kept],
        ),
        adjustment=adjustment,
    )


def _choose(
    labels: Sequence[str], counts: Sequence[int], least_pairs: int, most_groups: int
) -> tuple[list[int], list[LeftOut]]:
    """Numbers of the groups to analyse, rising, and the groups left out, the largest first."""
    by_size = sorted(range(len(labels)), key=lambda number: (-counts[number], number))
    n_large = sum(count >= least_pairs for count in counts)
    kept = by_size[: min(n_large, most_groups)]
    left_out = [
        LeftOut(
            label=labels[number],
            n_pairs=counts[number],
            reason="too many groups" if counts[number] >= least_pairs else "too small",
        )
        for number in by_size[len(kept) :]
    ]
    return sorted(kept), left_out


def _interaction(
    differences: FloatArray, groups: arrays.CodeArray, codes: arrays.CodeArray, labels: list[str]
) -> Interaction:
    """Test that all groups have the same mean difference."""
    if len(labels) < 2:
        return _no_interaction("fewer than two groups")
    found = group_means(differences, groups, codes)
    still = [label for label, does_not in zip(labels, found.does_not_vary, strict=True) if does_not]
    if still:
        return _no_interaction(f"the differences do not vary in {', '.join(still[:5])}")
    n_clusters = len(np.unique(codes))
    return _cochran(found) if n_clusters == len(codes) else _wald(found, n_clusters)


def _cochran(found: GroupMeans) -> Interaction:
    """Cochran's Q of independent groups."""
    from scipy.stats import chi2

    weights = 1 / np.diagonal(found.covariance)
    freedom = len(weights) - 1
    q = float(weights @ (found.means - weights @ found.means / weights.sum()) ** 2)
    return Interaction(
        statistic=q,
        degrees_of_freedom=freedom,
        p_value=max(float(chi2.sf(q, freedom)), sys.float_info.min),
        i_squared=max(0.0, 1 - freedom / q) if q > 0 else 0.0,
        method="cochran's q",
    )


def _wald(found: GroupMeans, n_clusters: int) -> Interaction:
    """Wald's test of equal means of groups that clusters may tie together."""
    from scipy.stats import f

    freedom = len(found.means) - 1
    if n_clusters <= freedom + 1:
        return _no_interaction("not more clusters than groups")
    contrasts = np.hstack([np.eye(freedom), -np.ones((freedom, 1))])
    covariance = contrasts @ found.covariance @ contrasts.T
    if np.linalg.cond(covariance) > MOST_CONDITION or np.trace(covariance) < 1e-24:
        return _no_interaction("clusters tie the groups together")
    apart = contrasts @ found.means
    statistic = float(apart @ np.linalg.solve(covariance, apart))
    second = n_clusters - freedom
    return Interaction(
        statistic=statistic,
        degrees_of_freedom=freedom,
        p_value=max(
            float(f.sf(statistic * second / (freedom * (n_clusters - 1)), freedom, second)),
            sys.float_info.min,
        ),
        method="wald, cluster-robust hotelling",
    )


def _no_interaction(reason: str) -> Interaction:
    return Interaction(method=f"none: {reason}", reason=reason)
