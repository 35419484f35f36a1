"""What a correct answer costs, what one more costs, and which trials no other one beats."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from scripts.analysis import arrays
from scripts.analysis.arrays import CodeArray, FloatArray, Labels
from scripts.analysis.levels import check_level

Quadrant = Literal["dominates", "dominated", "better and dearer", "worse and cheaper", "no difference"]
"""Where a trial is relative to its baseline in cost and correctness."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CostPerCorrect:
    """Dollars spent for each correct answer."""

    n_items: int
    """Items with a known cost."""
    n_without_cost: int
    """Items that fell out because their cost is not known."""
    n_without_score: int
    """Items of ``n_items`` without an outcome: their money is spent, and they gave no correct answer."""
    usd_per_correct: float | None = None
    """Dollars per correct answer; None: none, and ``reason`` says why."""
    low: float | None = None
    """Lower bound; None: no interval."""
    high: float | None = None
    """Upper bound; None: no interval, or unbounded, and ``method`` says which."""
    method: str
    """Name of the interval, or "none: " and the reason."""
    reason: str | None = None
    """Why there is no cost per correct answer; None: there is one."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class IncrementalCost:
    """What a trial costs more than its baseline, for what it answers better."""

    n_pairs: int
    """Items with cost and score in both arms."""
    n_unpaired: int
    """Items that fell out."""
    cost_difference_usd: float | None = None
    """Mean of trial minus baseline, dollars per item."""
    correct_difference: float | None = None
    """Mean of trial minus baseline, correct answers per item."""
    quadrant: Quadrant | None = None
    """By the two estimates; not a test."""
    usd_per_additional_correct: float | None = None
    """The ratio of the two; None where one trial is both cheaper and better, or the two do not differ."""
    low: float | None = None
    """Lower bound of the ratio; None: no interval."""
    high: float | None = None
    """Upper bound of the ratio; None: no interval."""
    method: str
    """Name of the interval, or "none: " and the reason."""
    reason: str | None = None
    """Why there is no ratio; None: there is one."""


def cost_per_correct(
    costs_usd: ArrayLike, correct: ArrayLike, clusters: Labels | None = None, *, confidence_level: float
) -> CostPerCorrect:
    """
    Divide the money spent by the correct answers it bought.

    Parameters
    ----------
    costs_usd : array_like of float, shape (n_items,)
        Dollars per item, 0 or more; NaN: not known, the item falls out.
    correct : array_like of float, shape (n_items,)
        Correct answers per item, aligned; NaN: no outcome.  Average or sum both arrays over replicates.
    clusters : array_like, shape (n_items,), optional
        Cluster of each item, as in `scripts.analysis.intervals.mean_interval`.
    confidence_level : float
        Coverage aimed at, within (0, 1).

    Returns
    -------
    CostPerCorrect
        With no upper bound if the number of correct answers may be zero.

    Raises
    ------
    ValueError
        If the arrays differ in length, a cost or a score is negative, or the level is out of range.

    Notes
    -----
    A ratio of two means; Fieller's interval [1]_ holds the ratios ``r`` for which the mean of
    ``cost - r correct`` does not differ from 0 by Student's t, with the cluster-robust error of
    `scripts.analysis.intervals.t_interval`.

    References
    ----------
    .. [1] E. C. Fieller, Some problems in interval estimation, J. R. Stat. Soc. B 16 (1954) 175-185.

    Examples
    --------
    >>> found = cost_per_correct([0.02, 0.02, 0.04, 0.04], [1, 1, 0, 1], confidence_level=0.95)
    >>> round(found.usd_per_correct, 3), found.method
    (0.04, 'fieller; no upper bound')
    """
    check_level(confidence_level)
    costs, right, codes = _aligned(clusters, costs_usd, correct)
    if bool((costs < 0).any()) or bool((right < 0).any()):
        raise ValueError("costs and scores must be 0 or more; use NaN for what is not known")
    there = ~np.isnan(costs)
    costs, right, codes = costs[there], right[there], codes[there]
    found = CostPerCorrect(
        n_items=len(costs),
        n_without_cost=int(np.count_nonzero(~there)),
        n_without_score=int(np.count_nonzero(np.isnan(right))),
        method="none",
    )
    right = np.where(np.isnan(right), 0.0, right)
    if not right.sum() > 0:
        reason = "no correct answer" if len(costs) else "no item with a known cost"
        return dataclasses.replace(found, method=f"none: {reason}", reason=reason)
    low, high, method = _fieller(costs, right, codes, confidence_level)
    ratio = float(costs.sum() / right.sum())
    low = None if low is None else max(0.0, low)
    return dataclasses.replace(found, usd_per_correct=ratio, low=low, high=high, method=method)


def incremental_cost(
    costs_usd: ArrayLike,
    correct: ArrayLike,
    baseline_costs_usd: ArrayLike,
    baseline_correct: ArrayLike,
    clusters: Labels | None = None,
    *,
    confidence_level: float,
) -> IncrementalCost:
    """
    Divide what a trial costs more than its baseline by what it answers better.

    Parameters
    ----------
    costs_usd, correct, baseline_costs_usd, baseline_correct : array_like of float, shape (n_items,)
        Dollars and correct answers per item and arm, averaged over replicates; position ``i`` is the same
        item in all.  An item with NaN in any of them falls out.
    clusters : array_like, shape (n_items,), optional
        Cluster of each item, as in `scripts.analysis.intervals.mean_interval`.
    confidence_level : float
        Coverage aimed at, within (0, 1).

    Returns
    -------
    IncrementalCost
        In the quadrant "worse and cheaper" the ratio is the money saved for each correct answer given up.

    Raises
    ------
    ValueError
        If the arrays differ in length, hold an infinity, or the level is out of range.

    Notes
    -----
    The incremental cost-effectiveness ratio, with Fieller's interval [1]_.  Where the difference in
    correct answers does not differ from zero, the ratios that the data allow do not form an interval, and
    there is none.  A ratio has no meaning where one trial is both cheaper and better.

    References
    ----------
    .. [1] A. R. Willan, B. J. O'Brien, Confidence intervals for cost-effectiveness ratios: an application
       of Fieller's theorem, Health Econ. 5 (1996) 297-305.

    Examples
    --------
    >>> found = incremental_cost([0.03, 0.03], [1, 1], [0.01, 0.01], [1, 0], confidence_level=0.95)
    >>> found.quadrant, round(found.usd_per_additional_correct, 3)
    ('better and dearer', 0.04)
    """
    check_level(confidence_level)
    costs, right, codes = _aligned(clusters, costs_usd, correct)
    costs_before, right_before, _ = _aligned(clusters, baseline_costs_usd, baseline_correct)
    if len(costs) != len(costs_before):
        raise ValueError(f"the trial has {len(costs)} items, but the baseline {len(costs_before)}")
    dollars, answers = costs - costs_before, right - right_before
    there = ~(np.isnan(dollars) | np.isnan(answers))
    dollars, answers, codes = dollars[there], answers[there], codes[there]
    n_unpaired = int(np.count_nonzero(~there))
    if len(dollars) == 0:
        return IncrementalCost(n_pairs=0, n_unpaired=n_unpaired, method="none: no pairs", reason="no pairs")
    means = float(dollars.mean()), float(answers.mean())
    quadrant = _quadrant(*means)
    found = IncrementalCost(
        n_pairs=len(dollars),
        n_unpaired=n_unpaired,
        cost_difference_usd=means[0],
        correct_difference=means[1],
        quadrant=quadrant,
        method=f"none: {quadrant}",
        reason=quadrant,
    )
    if quadrant not in ("better and dearer", "worse and cheaper"):
        return found
    low, high, method = _fieller(dollars, answers, codes, confidence_level)
    if high is None and low is not None:
        low, method = None, "none: correct answers do not surely differ"
    ratio = means[0] / means[1]
    return dataclasses.replace(
        found, usd_per_additional_correct=ratio, low=low, high=high, method=method, reason=None
    )


def pareto_front(costs_usd: Sequence[float | None], scores: Sequence[float | None]) -> list[bool | None]:
    """
    Tell which trials no other one beats in both cost and score.

    Parameters
    ----------
    costs_usd, scores : sequence of float or None, length n_trials
        What a trial costs, and how well it does, more being better.

    Returns
    -------
    list of bool or None, length n_trials
        False: another trial is at least as good in both and better in one.  None: cost or score unknown.
        By the estimates; how sure they are does not enter.

    Raises
    ------
    ValueError
        If the lengths differ.

    Examples
    --------
    >>> pareto_front([1.0, 2.0, 3.0, None], [0.5, 0.9, 0.8, 0.99])
    [True, True, False, None]
    """
    if len(costs_usd) != len(scores):
        raise ValueError(f"there are {len(costs_usd)} costs, but {len(scores)} scores")
    known = [
        (cost, score)
        for cost, score in zip(costs_usd, scores, strict=True)
        if cost is not None and score is not None
    ]
    return [
        None
        if cost is None or score is None
        else not any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in known)
        for cost, score in zip(costs_usd, scores, strict=True)
    ]


def _aligned(
    clusters: Labels | None, costs: ArrayLike, scores: ArrayLike
) -> tuple[FloatArray, FloatArray, CodeArray]:
    usd, right = arrays.as_values(costs), arrays.as_values(scores)
    if len(usd) != len(right):
        raise ValueError(f"there are {len(usd)} costs, but {len(right)} scores")
    return usd, right, arrays.cluster_codes(clusters, len(usd))


def _quadrant(dollars: float, answers: float) -> Quadrant:
    if dollars == answers == 0:
        return "no difference"
    if dollars <= 0 <= answers:
        return "dominates"
    if answers <= 0 <= dollars:
        return "dominated"
    return "better and dearer" if answers > 0 else "worse and cheaper"


def _fieller(
    above: FloatArray, below: FloatArray, codes: CodeArray, confidence_level: float
) -> tuple[float | None, float | None, str]:
    """Bounds of a ratio of means and the method; without the upper one where the denominator may be 0."""
    from scipy.stats import t

    n = len(above)
    centre = np.array([above.mean(), below.mean()])
    residuals = [
        np.bincount(codes, weights=values - mean)
        for values, mean in zip((above, below), centre.tolist(), strict=True)
    ]
    n_clusters = len(np.unique(codes))
    if n_clusters == 1:
        return None, None, "none: one value" if n == 1 else "none: one cluster"
    sums = np.stack(residuals)
    # Not by matrix product: its last digits depend on the number of threads.
    covariance = np.einsum("ac,bc->ab", sums, sums) / n**2 * n_clusters / (n_clusters - 1)
    if np.all(np.sqrt(np.diagonal(covariance)) <= 1e-12 * np.abs(centre)):
        return None, None, "none: no variation"
    quantile = float(t.isf((1 - confidence_level) / 2, n_clusters - 1))
    # Ratios r with square r^2 - 2 middle r + constant <= 0.
    (constant, middle), (_, square) = np.outer(centre, centre) - quantile**2 * covariance
    root = float(np.sqrt(max(0.0, middle**2 - square * constant)))
    if square > 0:
        return float(middle - root) / float(square), float(middle + root) / float(square), "fieller"
    # The ratios above 0 that the data allow reach from the upper root to infinity, or from 0.
    low = float(constant / (middle + root)) if constant > 0 and middle + root > 0 else 0.0
    return low, None, "fieller; no upper bound"
