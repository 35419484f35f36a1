"""What missing outcomes could change: the worst and the best that they can have been."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import ArrayLike

from scripts.analysis.arrays import FloatArray, Labels
from scripts.analysis.equivalence import margin_tests
from scripts.analysis.intervals import mean_interval
from scripts.analysis.paired import effect_of_pairs
from scripts.analysis.pairs import Inference, Pairs, infer_difference, infer_growing, pair_up
from scripts.analysis.replicates import as_rows, item_means
from scripts.analysis.resampling import child_rng


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeanBounds:
    """The range of a mean, whatever the missing values are."""

    n_items: int
    """Items asked, those with missing values included."""
    n_incomplete: int
    """Items with at least one missing value."""
    lowest: float | None = None
    """Mean if every missing value is the smallest possible; None: no items."""
    highest: float | None = None
    """Mean if every missing value is the largest possible."""
    low: float | None = None
    """Lower end of the interval of `lowest`; None: it has none."""
    high: float | None = None
    """Upper end of the interval of `highest`; None: it has none."""
    method: str
    """Name of the intervals, or "none: " and the reason."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DifferenceBounds:
    """The range of a paired difference, whatever the missing values of both arms are."""

    n_items: int
    """Items asked, those with missing values included."""
    n_incomplete: int
    """Items with at least one missing value in either arm."""
    lowest: float | None = None
    """Difference if the missing are worst for the trial and best for the baseline; None: no items."""
    observed: float | None = None
    """Difference over the items that have a value in both; None: there are none."""
    highest: float | None = None
    """Difference if the missing are best for the trial and worst for the baseline."""
    low: float | None = None
    """Lower end of the interval of `lowest`; None: it has none."""
    high: float | None = None
    """Upper end of the interval of `highest`; None: it has none."""
    p_lowest: float | None = None
    """P-value of the test of the difference at the lowest; not adjusted."""
    p_highest: float | None = None
    """The same at the highest."""
    p_equivalence_lowest: float | None = None
    """P-value of the two one-sided tests against the margin at the lowest; None: no margin, or no test."""
    p_equivalence_highest: float | None = None
    """The same at the highest."""
    sign_survives: bool | None = None
    """Whether the difference has the same sign throughout; None: nothing was observed."""
    reason: str | None = None
    """Why something is not known; None: all of it is."""


def mean_bounds(
    values: ArrayLike,
    clusters: Labels | None = None,
    *,
    confidence_level: float,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> MeanBounds:
    """
    Bound a mean over all items, those without an outcome included.

    Parameters
    ----------
    values : array_like of float, shape (n_items,) or (n_items, n_replicates)
        Scores; NaN is an outcome that is missing.  Leave out items to which the metric does not apply.
    clusters : array_like, shape (n_items,), optional
        Cluster of each item, as in `scripts.analysis.intervals.mean_interval`.
    confidence_level : float
        Coverage aimed at, within (0, 1).
    bounds : tuple of float
        Smallest and largest possible value of the metric.

    Returns
    -------
    MeanBounds
        With nothing missing, both means are the observed one.

    Raises
    ------
    ValueError
        If a value is out of `bounds` or infinite, the shape is wrong, or the level is out of range.

    Notes
    -----
    Bounds without any assumption on why values are missing [1]_.  The interval from `low` to `high` covers
    the whole range between the two means, which is more than it need for one point in it.

    References
    ----------
    .. [1] J. L. Horowitz, C. F. Manski, Nonparametric analysis of randomized experiments with missing
       covariate and outcome data, J. Am. Stat. Assoc. 95 (2000) 77-84.

    Examples
    --------
    >>> found = mean_bounds([1, 0, 1, float("nan")], confidence_level=0.95)
    >>> found.lowest, found.highest, found.n_incomplete
    (0.5, 0.75, 1)
    """
    rows = as_rows(values)
    n_incomplete = int(np.count_nonzero(np.isnan(rows).any(axis=1)))
    summarise = functools.partial(
        mean_interval, clusters=clusters, confidence_level=confidence_level, bounds=bounds
    )
    bottom, top = summarise(_filled(rows, bounds[0])), summarise(_filled(rows, bounds[1]))
    methods = dict.fromkeys((bottom.method, top.method))
    return MeanBounds(
        n_items=len(rows),
        n_incomplete=n_incomplete,
        lowest=bottom.mean,
        highest=top.mean,
        low=bottom.low,
        high=top.high,
        method=" and ".join(methods),
    )


def difference_bounds(
    trial: ArrayLike,
    baseline: ArrayLike,
    clusters: Labels | None = None,
    *,
    confidence_level: float,
    resamples: int,
    seed: int,
    names: tuple[str, ...],
    margin: float | None,
    bounds: tuple[float, float] = (0.0, 1.0),
    is_growing: bool = False,
) -> DifferenceBounds:
    """
    Bound a paired difference over all items and tell whether the conclusion depends on the missing ones.

    Parameters
    ----------
    trial, baseline : array_like of float, shape (n_items,) or (n_items, n_replicates)
        Scores; row ``i`` is the same item in both; NaN is an outcome that is missing.  Leave out items to
        which the metric does not apply.
    clusters : array_like, shape (n_items,), optional
        Cluster of each item, as in `scripts.analysis.paired.paired_effect`.
    confidence_level : float
        Coverage aimed at, within (0, 1).
    resamples : int
        Sign patterns drawn by each permutation test.
    seed, names : int, tuple of str
        The run's seed and the path of this block, for `scripts.analysis.resampling.child_rng`.
    margin : float or None
        Half the width of the equivalence band, above 0.
    bounds : tuple of float
        Smallest and largest possible value of the metric.
    is_growing : bool
        Whether tests and intervals must hold at every look; items are then in the order in which they came.

    Returns
    -------
    DifferenceBounds
        With nothing missing, `lowest` and `highest` are the observed difference, and have no tests of their
        own.

    Raises
    ------
    ValueError
        As `scripts.analysis.paired.paired_effect`.

    Notes
    -----
    As `mean_bounds`; of a difference the worst for one arm goes with the best for the other.

    Examples
    --------
    >>> found = difference_bounds([1, 1, 1, float("nan")], [0, 0, 0, 0], confidence_level=0.95,
    ...     resamples=100, seed=1, names=("example",), margin=None)
    >>> found.lowest, found.observed, found.highest, found.sign_survives
    (0.75, 1.0, 1.0, True)
    """
    arms = as_rows(trial), as_rows(baseline)
    if len(arms[0]) != len(arms[1]):
        raise ValueError(f"the trial has {len(arms[0])} items, but the baseline {len(arms[1])}")

    observed = pair_up(item_means(arms[0]), item_means(arms[1]), clusters, bounds=bounds)
    incomplete = np.isnan(arms[0]).any(axis=1) | np.isnan(arms[1]).any(axis=1)
    difference = float(observed.differences.mean()) if observed.n else None
    found = DifferenceBounds(
        n_items=len(arms[0]),
        n_incomplete=int(np.count_nonzero(incomplete)),
        observed=difference,
        reason=None if observed.n else "no pairs",
    )
    if not incomplete.any():
        is_signed = difference is not None
        return dataclasses.replace(
            found, lowest=difference, highest=difference, sign_survives=is_signed or None
        )

    def complete(part: str, after: FloatArray, before: FloatArray) -> _Completion:
        pairs = pair_up(after, before, clusters, bounds=bounds)
        return _complete(
            pairs,
            infer_growing(pairs, bounds=bounds) if is_growing else infer_difference(pairs, bounds=bounds),
            confidence_level=confidence_level,
            resamples=resamples,
            rng=child_rng(seed, *names, "bounds", part),
            margin=margin,
        )

    worst = complete("lowest", _filled(arms[0], bounds[0]), _filled(arms[1], bounds[1]))
    best = complete("highest", _filled(arms[0], bounds[1]), _filled(arms[1], bounds[0]))
    cases = [case for case in (worst.difference, difference, best.difference) if case is not None]
    return dataclasses.replace(
        found,
        lowest=worst.difference,
        highest=best.difference,
        low=worst.low,
        high=best.high,
        p_lowest=worst.p_value,
        p_highest=best.p_value,
        p_equivalence_lowest=worst.p_equivalence,
        p_equivalence_highest=best.p_equivalence,
        sign_survives=len({float(np.sign(case)) for case in cases}) == 1 if observed.n else None,
    )


@dataclasses.dataclass(frozen=True)
class _Completion:
    """An effect with every missing score filled in."""

    difference: float
    low: float | None
    high: float | None
    p_value: float | None
    p_equivalence: float | None


def _complete(
    pairs: Pairs,
    inference: Inference,
    *,
    confidence_level: float,
    resamples: int,
    rng: np.random.Generator,
    margin: float | None,
) -> _Completion:
    effect = effect_of_pairs(
        pairs, inference, confidence_level=confidence_level, resamples=resamples, rng=rng
    )
    difference = float(pairs.differences.mean())
    p_equivalence = None
    if margin is not None and inference.p_value is not None:
        tests = margin_tests(
            difference, inference.p_value, margin=margin, higher_is_better=True, method="as filled in"
        )
        p_equivalence = tests.p_equivalence
    return _Completion(difference, effect.low, effect.high, effect.p_value, p_equivalence)


def _filled(rows: FloatArray, value: float) -> FloatArray:
    """Means of the items with every missing value set to `value`."""
    means: FloatArray = np.where(np.isnan(rows), value, rows).mean(axis=1)
    return means
