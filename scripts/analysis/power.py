"""
What a paired comparison can show, in large samples: from assumed variances, or from a standard error.

The power that a run "had" for the difference it found is not computed: it is the p-value in other words.
"""

from __future__ import annotations

import dataclasses
import math
import statistics

import numpy as np
from numpy.typing import ArrayLike

from scripts.analysis.arrays import FloatArray
from scripts.analysis.levels import check_level, significance_level

ITEM_VARIANCE = 1 / 9
"""Between items, of the difference of two trials' expected scores: the example of Miller (2024)."""

REPLICATE_VARIANCE = 1 / 6
"""Within an item, of one trial's score: the mean of p (1 - p) where p is uniform over [0, 1]."""

NORMAL = statistics.NormalDist()


@dataclasses.dataclass(frozen=True)
class DifferenceVariance:
    """What makes the difference between a trial and its baseline vary from item to item."""

    item: float
    """Between items, of the difference of the expected scores; see ``is_split``."""
    trial: float
    """Within an item, between replicates of the trial."""
    baseline: float
    """Within an item, between replicates of the baseline."""
    is_split: bool
    """Whether the parts are known separately; if not, all of the variance is in ``item``."""
    n_items: int
    """Items with a value in both trials."""


def smallest_detectable_difference(
    n_items: int,
    *,
    confidence_level: float = 0.95,
    power: float = 0.8,
    item_variance: float = ITEM_VARIANCE,
    trial_variance: float = REPLICATE_VARIANCE,
    baseline_variance: float | None = None,
    replicates: int = 1,
    baseline_replicates: int | None = None,
) -> float:
    """
    Smallest true difference that a two-sided paired comparison finds with probability `power`.

    Parameters
    ----------
    n_items : int
        Items that both trials answer; they count as independent.
    confidence_level, power : float
        Within (0, 1); one minus the first is the significance level.
    item_variance : float
        Variance between items of the difference of the two expected scores, in squared units of the metric.
    trial_variance, baseline_variance : float
        Variance between replicates within an item, of each trial; by default the baseline's is the trial's.
    replicates, baseline_replicates : int
        Answers per item; by default the baseline has as many as the trial.

    Returns
    -------
    float
        In units of the metric; more than the metric's range means that no difference is detectable.

    Raises
    ------
    ValueError
        If a level is not within (0, 1), a count below 1 or a variance negative or not finite.

    Notes
    -----
    The solution for ``d`` of ``n = (z_{a/2} + z_b)^2 (w^2 + s_A^2 / K_A + s_B^2 / K_B) / d^2`` [1]_.  It is
    of large samples; with fewer than some 30 items the true figure is larger.

    References
    ----------
    .. [1] E. Miller, Adding error bars to evals: a statistical approach to language model evaluations,
       arXiv:2411.00640 (2024).

    Examples
    --------
    >>> round(smallest_detectable_difference(969, power=0.8, replicates=1), 3)
    0.06
    >>> round(smallest_detectable_difference(969, power=0.8, trial_variance=0), 3)
    0.03
    """
    _check_count("n_items", n_items)
    variance = _variance_per_item(
        item_variance, (trial_variance, baseline_variance), (replicates, baseline_replicates)
    )
    return detectable_difference(
        math.sqrt(variance / n_items), confidence_level=confidence_level, power=power
    )


def needed_items(
    difference: float,
    *,
    confidence_level: float = 0.95,
    power: float = 0.8,
    item_variance: float = ITEM_VARIANCE,
    trial_variance: float = REPLICATE_VARIANCE,
    baseline_variance: float | None = None,
    replicates: int = 1,
    baseline_replicates: int | None = None,
) -> int:
    """
    Count the items that a paired comparison needs to find `difference` with probability `power`.

    Parameters, errors and source: see `smallest_detectable_difference`.

    Raises
    ------
    ValueError
        Also if `difference` is not above 0.

    Examples
    --------
    >>> needed_items(0.03, power=0.8), needed_items(0.03, power=0.8, replicates=3)
    (3876, 1938)
    """
    if not 0 < difference < math.inf:
        raise ValueError(f"difference is {difference}, but must be above 0")
    variance = _variance_per_item(
        item_variance, (trial_variance, baseline_variance), (replicates, baseline_replicates)
    )
    exact = _reach(confidence_level, power) ** 2 * variance / difference**2
    return max(1, math.ceil(exact * (1 - 1e-12)))  # rounding must not ask for one item more


def detectable_difference(
    standard_error: float, *, confidence_level: float = 0.95, power: float = 0.8
) -> float:
    """
    Smallest true difference that a comparison with this standard error finds with probability `power`.

    What a finished run could have shown by the rule of its verdict is another question:
    `scripts.analysis.detectable`.

    Raises
    ------
    ValueError
        If a level is not within (0, 1) or the standard error negative or not finite.

    Notes
    -----
    ``(z_{a/2} + z_b) SE``; the estimate itself plays no part [1]_.

    References
    ----------
    .. [1] J. M. Hoenig, D. M. Heisey, The abuse of power, Am. Stat. 55 (2001) 19-24 (why not the "observed
       power").

    Examples
    --------
    >>> round(detectable_difference(0.01), 4)
    0.028
    """
    _check_size("standard_error", standard_error)
    return _reach(confidence_level, power) * standard_error


def estimate_variance(trial: ArrayLike, baseline: ArrayLike) -> DifferenceVariance:
    """
    Estimate the variances of a comparison from a finished run.

    Parameters
    ----------
    trial, baseline : array_like of float, shape (n_items, n_replicates)
        Scores; row ``i`` is the same item in both, NaN means missing.  The numbers of columns may differ.

    Returns
    -------
    DifferenceVariance
        Without replicates in both trials only the variance of the difference as a whole is known
        (``is_split`` is false): right for as many replicates, too large for more.

    Raises
    ------
    ValueError
        If the arrays are not two-dimensional, differ in their rows, or share fewer than two items.

    Notes
    -----
    Within: squared deviations from the item's mean over their degrees of freedom.  Between: the variance of
    the items' mean differences less what the replicates contribute to it, at least 0.  Method of moments,
    as for one-way random effects.

    Examples
    --------
    >>> found = estimate_variance([[1, 1], [1, 0], [1, 1]], [[0, 0], [1, 0], [1, 1]])
    >>> round(found.item, 3), round(found.trial, 3), found.is_split
    (0.167, 0.167, True)
    """
    arms = np.asarray(trial, dtype=float), np.asarray(baseline, dtype=float)
    if any(arm.ndim != 2 for arm in arms) or len(arms[0]) != len(arms[1]):
        raise ValueError(f"the arms have shapes {arms[0].shape} and {arms[1].shape}, but need the same rows")
    there = np.logical_and(*(~np.isnan(arm).all(axis=1) for arm in arms))
    after, before = arms[0][there], arms[1][there]
    n_items = len(after)
    if n_items < 2:
        raise ValueError(f"a variance needs two or more items that both trials answered; seen: {n_items}")
    differences = np.nanmean(after, axis=1) - np.nanmean(before, axis=1)
    total = float(np.var(differences, ddof=1))
    within, within_baseline = _variance_within(after), _variance_within(before)
    if within is None or within_baseline is None:
        return DifferenceVariance(total, 0.0, 0.0, is_split=False, n_items=n_items)
    noise = within * _mean_inverse_count(after) + within_baseline * _mean_inverse_count(before)
    between = max(0.0, total - noise)
    return DifferenceVariance(between, within, within_baseline, is_split=True, n_items=n_items)


def _variance_within(values: FloatArray) -> float | None:
    """Variance of one answer within its item; None where no item has two."""
    freedom = np.count_nonzero(~np.isnan(values), axis=1) - 1
    if not freedom.sum():
        return None
    deviations = values - np.nanmean(values, axis=1, keepdims=True)
    return float(np.nansum(deviations**2) / freedom.sum())


def _mean_inverse_count(values: FloatArray) -> float:
    return float(np.mean(1 / np.count_nonzero(~np.isnan(values), axis=1)))


def _reach(confidence_level: float, power: float) -> float:
    """How many standard errors a difference must have."""
    check_level(confidence_level)
    check_level(power, name="power")
    reach = -NORMAL.inv_cdf(significance_level(confidence_level) / 2) + NORMAL.inv_cdf(power)
    if reach <= 0:
        raise ValueError(f"power is {power}, less than chance at confidence_level {confidence_level}")
    return reach


def _variance_per_item(
    item: float, within: tuple[float, float | None], replicates: tuple[int, int | None]
) -> float:
    """Variance of one item's difference; the baseline is as the trial where nothing else is said."""
    baseline = within[0] if within[1] is None else within[1]
    baseline_replicates = replicates[0] if replicates[1] is None else replicates[1]
    _check_count("replicates", replicates[0])
    _check_count("baseline_replicates", baseline_replicates)
    for name, value in (
        ("item_variance", item),
        ("trial_variance", within[0]),
        ("baseline_variance", baseline),
    ):
        _check_size(name, value)
    return item + within[0] / replicates[0] + baseline / baseline_replicates


def _check_count(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} is {value}, but must be at least 1")


def _check_size(name: str, value: float) -> None:
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} is {value}, but must be 0 or more")
