"""
Where the variance of a mean comes from: items that differ, or replicates of the same item that do.

It answers which of the two a larger run should buy.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from scripts.analysis import arrays
from scripts.analysis.arrays import FloatArray, Labels
from scripts.analysis.power import DifferenceVariance, estimate_variance

MoreOf = Literal["items", "either"]
"""What lowers the variance more for the same number of requests."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class VarianceSplit:
    """The variance of a mean over items, or of a paired difference, and its parts."""

    n_items: int
    """Items with a value (in both arms)."""
    item_variance: float | None = None
    """Between items, of the expected score (or of the difference of the two); omega squared."""
    replicate_variance: float | None = None
    """Within an item, of one of the trial's answers; sigma squared."""
    baseline_replicate_variance: float | None = None
    """Within an item, of one of the baseline's answers; None: no baseline here, or not known."""
    intraclass_correlation: float | None = None
    """Share of one answer's variance that is between items; None for a difference, or if unknown."""
    variance_of_mean: float | None = None
    """Squared standard error of the mean; items count as independent."""
    with_twice_the_items: float | None = None
    """The same for twice as many items."""
    with_twice_the_replicates: float | None = None
    """The same for twice as many answers to each item, in both arms."""
    replicate_share: float | None = None
    """Share of ``variance_of_mean`` that replicates cause, and that ever more of them would take away."""
    more_of: MoreOf | None = None
    """What to buy next; "either" where items do not differ at all."""
    reason: str | None = None
    """Why something is not known; None: all of it is."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DesignEffect:
    """How much clusters of items cost: the variance of the mean against that of independent items."""

    n_items: int
    """Items with a value."""
    n_clusters: int
    """Clusters that they come in."""
    mean_cluster_size: float | None = None
    """Size of the cluster of an item taken at random: the sum of squared sizes over the number of items."""
    intraclass_correlation: float | None = None
    """Correlation of two items of a cluster; below 0 where they differ more than items of any two."""
    design_effect: float | None = None
    """Factor on the variance of the mean, at least 1; None: not known, and ``reason`` says why."""
    effective_items: float | None = None
    """Independent items that would give as much information."""
    reason: str | None = None
    """Why there is no design effect; None: there is one."""


def split_variance(scores: ArrayLike) -> VarianceSplit:
    """
    Split the variance of one arm's mean.

    Parameters
    ----------
    scores : array_like of float, shape (n_items, n_replicates)
        A row per item; NaN means missing, and items may have unlike numbers of answers.

    Returns
    -------
    VarianceSplit
        Without two answers to any item the parts are not known, and ``reason`` says so.

    Raises
    ------
    ValueError
        If `scores` is not two-dimensional.

    Notes
    -----
    One-way random effects by the method of moments with unweighted means [1]_: the items' means count
    equally, as in the mean that is reported, so the parts add up to its squared standard error wherever
    the estimate between items is not negative (it is then 0).  With equal numbers of answers this is the
    analysis of variance.  For the same number of requests, twice the items halve both parts, twice the
    replicates only the second: more items are never worse [2]_.

    References
    ----------
    .. [1] S. R. Searle, G. Casella, C. E. McCulloch, Variance Components, Wiley, 1992, chapter 3.
    .. [2] E. Miller, Adding error bars to evals, arXiv:2411.00640, 2024, section 3.

    Examples
    --------
    >>> found = split_variance([[1, 1], [1, 0], [0, 0], [1, 1]])
    >>> round(found.item_variance, 3), found.replicate_variance, found.more_of
    (0.167, 0.125, 'items')
    """
    array = np.asarray(scores, dtype=np.float64)
    # An arm against a constant that is known without error: its difference varies as the arm itself.
    split = split_difference(array, np.zeros((len(array), 2)))
    if split.item_variance is None or split.replicate_variance is None:
        return dataclasses.replace(split, baseline_replicate_variance=None)
    total = split.item_variance + split.replicate_variance
    correlation = split.item_variance / total if total > 0 else None
    return dataclasses.replace(split, baseline_replicate_variance=None, intraclass_correlation=correlation)


def split_difference(trial: ArrayLike, baseline: ArrayLike) -> VarianceSplit:
    """
    Split the variance of a paired difference.

    Parameters
    ----------
    trial, baseline : array_like of float, shape (n_items, n_replicates)
        Scores; row ``i`` is the same item in both, NaN means missing.  The numbers of columns may differ.

    Returns
    -------
    VarianceSplit
        As `split_variance`; only items with a value in both arms count.

    Raises
    ------
    ValueError
        If the arrays are not two-dimensional or differ in their rows.

    Notes
    -----
    The parts are those of `scripts.analysis.power.estimate_variance`, which also say how many items the
    next run needs: ``(omega^2 + sigma_A^2 / K_A + sigma_B^2 / K_B) / n`` is the variance of the mean.

    Examples
    --------
    >>> found = split_difference([[1, 1], [1, 0], [1, 1]], [[0, 0], [1, 0], [1, 1]])
    >>> round(found.variance_of_mean, 4), round(found.with_twice_the_replicates, 4)
    (0.1111, 0.0833)
    """
    arms = np.asarray(trial, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    if any(arm.ndim != 2 for arm in arms) or len(arms[0]) != len(arms[1]):
        raise ValueError(f"the arms have shapes {arms[0].shape} and {arms[1].shape}, but need the same rows")
    there = ~(np.isnan(arms[0]).all(axis=1) | np.isnan(arms[1]).all(axis=1))
    after, before = arms[0][there], arms[1][there]
    if len(after) < 2:
        return VarianceSplit(n_items=len(after), reason="fewer than two items")
    found = estimate_variance(after, before)
    if not found.is_split:
        variance = found.item / found.n_items
        return VarianceSplit(
            n_items=found.n_items,
            variance_of_mean=variance,
            with_twice_the_items=variance / 2,
            reason="no item has two answers",
        )
    noise = found.trial * _mean_inverse_count(after) + found.baseline * _mean_inverse_count(before)
    return _split(found, noise)


def design_effect(values: ArrayLike, clusters: Labels | None) -> DesignEffect:
    """
    Estimate what clusters cost.

    Parameters
    ----------
    values : array_like of float, shape (n_items,)
        One value per item (or the item's paired difference); NaN drops out.
    clusters : array_like, shape (n_items,), or None
        Label of each item's cluster; None or NaN: the item is its own.

    Returns
    -------
    DesignEffect
        1 where no two items share a cluster.

    Raises
    ------
    ValueError
        If `values` is not one-dimensional or holds an infinity, or the labels are not as many.

    Notes
    -----
    ``1 + (m - 1) rho`` [1]_ with the size ``m`` of the cluster of a random item, which is the right one
    where clusters are of unlike size, and ``rho`` from the analysis of variance.  A negative ``rho`` counts
    as 0 in the factor.

    References
    ----------
    .. [1] L. Kish, Survey Sampling, Wiley, 1965, section 5.4.

    Examples
    --------
    Two clusters of two copies each are worth two items:

    >>> found = design_effect([1, 1, 0, 0], ["a", "a", "b", "b"])
    >>> found.intraclass_correlation, found.design_effect, found.effective_items
    (1.0, 2.0, 2.0)
    """
    array = arrays.as_values(values)
    codes = arrays.cluster_codes(clusters, len(array))
    there = ~np.isnan(array)
    array = array[there]
    numbers = np.unique(codes[there], return_inverse=True)[1]
    n, sizes = len(array), np.bincount(numbers)
    n_clusters = len(sizes) if n else 0
    if n_clusters < 2:
        reason = "no values" if n == 0 else "one cluster"
        return DesignEffect(n_items=n, n_clusters=n_clusters, reason=reason)
    size = float(sizes @ sizes) / n
    found = DesignEffect(n_items=n, n_clusters=n_clusters, mean_cluster_size=size)
    if n_clusters == n:
        return dataclasses.replace(found, design_effect=1.0, effective_items=float(n))
    correlation = _cluster_correlation(array, numbers)
    if correlation is None:
        return dataclasses.replace(found, reason="no variation")
    factor = 1 + (size - 1) * max(0.0, correlation)
    return dataclasses.replace(
        found, intraclass_correlation=correlation, design_effect=factor, effective_items=n / factor
    )


def _cluster_correlation(values: FloatArray, numbers: arrays.CodeArray) -> float | None:
    """Intraclass correlation by the analysis of variance; None where all values are equal."""
    n, sizes = len(values), np.bincount(numbers)
    means = np.bincount(numbers, weights=values) / sizes
    within = float(np.sum((values - means[numbers]) ** 2)) / (n - len(sizes))
    # Not as a product of vectors: its last digit depends on the number of threads.
    between = float(np.sum(sizes * (means - values.mean()) ** 2)) / (len(sizes) - 1)
    typical = (n - float(sizes @ sizes) / n) / (len(sizes) - 1)
    total = between + (typical - 1) * within
    return (between - within) / total if total > 1e-24 * float(np.max(np.abs(values))) ** 2 else None


def _split(found: DifferenceVariance, noise: float) -> VarianceSplit:
    """All parts, given what the replicates contribute to the variance of one item's mean."""
    n, total = found.n_items, found.item + noise
    twice_items, twice_replicates = total / n / 2, (found.item + noise / 2) / n
    return VarianceSplit(
        n_items=n,
        item_variance=found.item,
        replicate_variance=found.trial,
        baseline_replicate_variance=found.baseline,
        variance_of_mean=total / n,
        with_twice_the_items=twice_items,
        with_twice_the_replicates=twice_replicates,
        replicate_share=noise / total if total > 0 else None,
        more_of="items" if found.item > 0 else "either",
        reason=None if total > 0 else "no variation",
    )


def _mean_inverse_count(values: FloatArray) -> float:
    return float(np.mean(1 / np.count_nonzero(~np.isnan(values), axis=1)))
