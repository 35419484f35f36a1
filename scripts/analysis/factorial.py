"""Trials as a factorial design: main effects, interactions and trends, on the differences within items."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from scripts.analysis import arrays, intervals
from scripts.analysis.arrays import CodeArray, FloatArray, Labels
from scripts.analysis.factorial_design import Cross, LeftOutCell, Level, full_cross, is_numeric
from scripts.analysis.factorial_tests import FactorTest, Share, factor_tests, shares
from scripts.analysis.intervals import MeanInterval
from scripts.analysis.levels import check_level
from scripts.analysis.paired import difference_test
from scripts.analysis.pairs import Pairs, infer_difference, pair_up
from scripts.analysis.simultaneous import PlainInterval, family_member, simultaneous_effects

Kind = Literal["main effect", "interaction", "trend"]
"""Every kind of contrast."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Factor:
    """What is varied."""

    name: str
    """Its name."""
    levels: tuple[Level, ...]
    """Its levels, numbers rising."""
    reference: Level
    """Level that the others are compared with."""
    means: tuple[MeanInterval, ...]
    """Mean at each level, over all levels of the other factors."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contrast:
    """A weighted sum of cells, per item."""

    kind: Kind
    """Main effect: level minus reference.  Interaction: how much larger that is at one level of another
    factor than at its reference.  Trend: change per unit of a numeric factor, on a straight line."""
    factors: tuple[str, ...]
    """One factor, or two."""
    levels: tuple[Level, ...]
    """Level of each that is compared; of a trend the smallest and the largest."""
    references: tuple[Level, ...]
    """Level of each that it is compared with; of a trend none."""
    estimate: float
    """Mean over the items; averaged over all levels of the other factors."""
    standard_error: float | None
    """Robust to clusters; None where one cluster or no variation shows none."""
    low: float | None
    """Lower bound of this contrast alone; None: no interval, and ``interval_method`` says why."""
    high: float | None
    """Upper bound of this contrast alone."""
    interval_method: str
    """Name of what was computed, or "none: " and the reason."""
    test: str
    """Name of the test of this contrast alone."""
    p_value: float
    """Two-sided, not adjusted; never 0."""
    is_p_floor: bool
    """Whether ``p_value`` is the smallest that the resamples can give."""
    p_adjusted: float | None
    """Adjusted for all contrasts of the design, by `scripts.analysis.simultaneous`, step-down."""
    simultaneous_low: float | None
    """Lower bound; all these intervals hold their truths together at the level."""
    simultaneous_high: float | None
    """Upper bound of the same."""
    reason: str | None
    """Why the last three are missing; None: they are there."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FactorialAnalysis:
    """All that a factorial design says."""

    factors: tuple[Factor, ...] = ()
    """Factors of the cross."""
    contrasts: tuple[Contrast, ...] = ()
    """Main effects and trends of each factor, then interactions of each pair of factors."""
    tests: tuple[FactorTest, ...] = ()
    """Whether a factor, or the interaction of two, does anything at all."""
    shares: tuple[Share, ...] = ()
    """What part of the variation between cells each of these makes."""
    n_items: int
    """Items with a value in every cell of the cross; everything is about these."""
    n_incomplete: int
    """Items that fell out because a cell has no value, another has."""
    n_clusters: int
    """Independent clusters."""
    n_cells: int
    """Cells of the cross."""
    left_out: tuple[LeftOutCell, ...]
    """Cells that are not part of it, and why."""
    reason: str | None = None
    """Why there is no analysis; None: there is one."""


class _Data(NamedTuple):
    """Values of complete items with an axis for the items, and one for each factor."""

    values: FloatArray
    codes: CodeArray
    bounds: tuple[float, float] | None


class _Weighted(NamedTuple):
    """What a contrast is made of."""

    kind: Kind
    factors: tuple[str, ...]
    levels: tuple[Level, ...]
    references: tuple[Level, ...]
    weights: FloatArray
    """Of the cells; an axis per factor."""
    unit: float = 1.0
    """What to divide results by: the range of a numeric factor."""


class _Prepared(NamedTuple):
    """What a contrast comes to in each item."""

    items: FloatArray
    reach: tuple[float, float] | None
    pairs: Pairs
    interval: PlainInterval


def factorial_effects(
    scores: ArrayLike,
    levels: Sequence[Mapping[str, Level]],
    clusters: Labels | None = None,
    *,
    confidence_level: float,
    resamples: int,
    rng: np.random.Generator,
    references: Mapping[str, Level] | None = None,
    bounds: tuple[float, float] | None = None,
) -> FactorialAnalysis:
    """
    Analyse trials as a factorial design, item by item.

    Parameters
    ----------
    scores : array_like of float, shape (n_items, n_cells)
        One value per item and trial, replicates averaged; NaN: missing.
    levels : sequence of mapping, length n_cells
        Each trial's level of each factor, all with the same factors.
    clusters : array_like, shape (n_items,), optional
        Label of each item's cluster; None, or a label that is None or NaN: the item is its own.
    confidence_level : float
        Coverage aimed at, within (0, 1).
    resamples : int
        Sign patterns drawn by each test.
    rng : numpy.random.Generator
        Source of these signs, from `scripts.analysis.resampling.child_rng`.
    references : mapping, optional
        Level of a factor that others are compared with; where there is none, or it is not in the cross, the
        first one.
    bounds : tuple of float, optional
        Smallest and largest possible value; intervals are cut off where no contrast can be.

    Returns
    -------
    FactorialAnalysis
        Of the trials that form a full cross (`scripts.analysis.factorial_design.full_cross`), and the items
        that all of them have.  Factors beyond the second are averaged over: there are interactions of
        two factors, none of three.

    Raises
    ------
    ValueError
        If shapes do not fit, a value is infinite or out of `bounds`, cells name unlike factors, or the level
        or `resamples` is out of range.

    Notes
    -----
    Every contrast is a sum of an item's values with fixed weights, so the items (or their clusters) are its
    units, and what an item has in all cells drops out [1]_.  A main effect is a paired comparison of two
    means over cells, and treated as one (`scripts.analysis.paired`).  Others: `intervals.robust_interval` and
    sign flips by cluster.  A trend's weights are the levels' deviations from their mean, over the sum
    of their squares: the slope of each item's least-squares line.

    References
    ----------
    .. [1] S. E. Maxwell, H. D. Delaney, K. Kelley, Designing Experiments and Analyzing Data, 3rd ed.,
       Routledge, 2018, chapters 11 to 13.

    Examples
    --------
    The prompt gains one item of four for one model, three for the other:

    >>> scores = [[0, 1, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1], [1, 1, 1, 1]]
    >>> cells = [{"model": model, "prompt": prompt} for model in "ab" for prompt in "AB"]
    >>> found = factorial_effects(scores, cells, confidence_level=0.95, resamples=99,
    ...                           rng=np.random.default_rng(1))
    >>> [(*one.factors, one.estimate) for one in found.contrasts]
    [('model', 0.25), ('prompt', 0.5), ('model', 'prompt', 0.5)]
    >>> [(*share.factors, round(share.share, 2)) for share in found.shares]
    [('model', 0.17), ('prompt', 0.67), ('model', 'prompt', 0.17)]
    """
    check_level(confidence_level)
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != len(levels):
        raise ValueError(f"scores have the shape {array.shape}, but must have {len(levels)} columns")
    there = ~np.isnan(array)
    cross = full_cross(levels, [bool(column.any()) for column in there.T])
    kept = there[:, cross.cells.ravel()]
    is_complete = kept.all(axis=1)
    codes = arrays.cluster_codes(clusters, len(array))[is_complete]
    values = array[is_complete][:, cross.cells.ravel()]
    arrays.check_bounds(arrays.as_values(values.ravel()), bounds)
    counted = FactorialAnalysis(
        n_items=len(values),
        n_incomplete=int(np.count_nonzero(kept.any(axis=1) & ~is_complete)),
        n_clusters=arrays.count_clusters(codes),
        n_cells=cross.cells.size if cross.names else 0,
        left_out=cross.left_out,
    )
    if not cross.names:
        reason = "no two trials with scores differ in their levels of a factor"
        return dataclasses.replace(counted, n_items=0, n_clusters=0, reason=reason)
    if len(values) == 0:
        return dataclasses.replace(counted, reason="no item has a value in every trial")
    data = _Data(values.reshape(len(values), *cross.cells.shape), codes, bounds)
    chosen = _references(cross, references or {})
    return dataclasses.replace(
        counted,
        factors=tuple(_factors(data, cross, chosen, confidence_level)),
        contrasts=tuple(_contrasts(data, list(_weighted(cross, chosen)), confidence_level, resamples, rng)),
        tests=factor_tests(data.values, codes, cross.names, resamples=resamples, rng=rng),
        shares=shares(data.values.mean(axis=0), cross.names),
    )


def _references(cross: Cross, wanted: Mapping[str, Level]) -> list[int]:
    """Number of the reference level of each factor."""
    chosen = []
    for name, levels in zip(cross.names, cross.levels, strict=True):
        level = wanted.get(name, levels[0])
        chosen.append(levels.index(level) if level in levels else 0)
    return chosen


def _factors(
    data: _Data, cross: Cross, references: Sequence[int], confidence_level: float
) -> Iterator[Factor]:
    for axis, (name, levels) in enumerate(zip(cross.names, cross.levels, strict=True)):
        others = tuple(1 + other for other in range(len(cross.names)) if other != axis)
        at_levels = data.values.mean(axis=others)
        yield Factor(
            name=name,
            levels=levels,
            reference=levels[references[axis]],
            means=tuple(
                intervals.mean_interval(
                    column, data.codes, confidence_level=confidence_level, bounds=data.bounds
                )
                for column in at_levels.T
            ),
        )


def _weighted(cross: Cross, references: Sequence[int]) -> Iterator[_Weighted]:
    """Weights of all contrasts: main effects and trend of each factor, then interactions."""
    differences = []
    for axis, (name, levels) in enumerate(zip(cross.names, cross.levels, strict=True)):
        reference = references[axis]
        others = [number for number in range(len(levels)) if number != reference]
        differences.append([(number, _unit(levels, number) - _unit(levels, reference)) for number in others])
        for number, weights in differences[axis]:
            placed = _place(cross, {axis: weights})
            yield _Weighted("main effect", (name,), (levels[number],), (levels[reference],), placed)
        if is_numeric(levels):
            numbers = np.array(levels, dtype=np.float64)
            scaled = (numbers - numbers.mean()) / (numbers[-1] - numbers[0])
            placed = _place(cross, {axis: scaled / np.sum(scaled**2)})
            unit = float(numbers[-1] - numbers[0])
            yield _Weighted("trend", (name,), (levels[0], levels[-1]), (), placed, unit)
    for one, other in itertools.combinations(range(len(cross.names)), 2):
        for (first, weights), (second, more) in itertools.product(differences[one], differences[other]):
            yield _Weighted(
                "interaction",
                (cross.names[one], cross.names[other]),
                (cross.levels[one][first], cross.levels[other][second]),
                (cross.levels[one][references[one]], cross.levels[other][references[other]]),
                _place(cross, {one: weights, other: more}),
            )


def _unit(levels: Sequence[Level], number: int) -> FloatArray:
    unit: FloatArray = np.eye(len(levels))[number]
    return unit


def _place(cross: Cross, weights: Mapping[int, FloatArray]) -> FloatArray:
    """Weights of the cells from those of levels; other factors are averaged over."""
    placed: FloatArray = np.ones(())
    for axis, levels in enumerate(cross.levels):
        n = len(levels)
        placed = np.multiply.outer(placed, weights.get(axis, np.full(n, 1 / n)))
    return placed


def _contrasts(
    data: _Data,
    weighted: Sequence[_Weighted],
    confidence_level: float,
    resamples: int,
    rng: np.random.Generator,
) -> Iterator[Contrast]:
    """Estimate each contrast, alone and in the family of all of them."""
    prepared = [_prepare(data, one) for one in weighted]
    family = simultaneous_effects(
        [family_member(one.items, data.codes, bounds=one.reach, interval=one.interval) for one in prepared],
        confidence_level=confidence_level,
        resamples=resamples,
        rng=rng,
    )
    for one, found, effect in zip(weighted, prepared, family.effects, strict=True):
        error = intervals.standard_error(found.items, data.codes)
        low, high, interval_method = found.interval(confidence_level)
        test, p_value, is_floor = difference_test(found.pairs, resamples, rng)
        yield Contrast(
            kind=one.kind,
            factors=one.factors,
            levels=one.levels,
            references=one.references,
            estimate=float(found.items.mean()) / one.unit,
            standard_error=_over(error, one.unit),
            low=_over(low, one.unit),
            high=_over(high, one.unit),
            interval_method=interval_method,
            test=test,
            p_value=p_value,
            is_p_floor=is_floor,
            p_adjusted=effect.p_step_down,
            simultaneous_low=_over(effect.low, one.unit),
            simultaneous_high=_over(effect.high, one.unit),
            reason=effect.reason,
        )


def _over(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit


def _item_values(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted sum of each item's cells, without rounding errors that would look like differences."""
    # Not by matrix product: its last digits depend on the number of threads.
    flat = values.reshape(len(values), -1)
    found: FloatArray = np.einsum("nc,c->n", flat, weights.ravel())
    largest = np.einsum("nc,c->n", np.abs(flat), np.abs(weights.ravel()))
    found[np.abs(found) <= 1e-12 * largest] = 0.0
    return found


def _reach(weights: FloatArray, bounds: tuple[float, float] | None) -> tuple[float, float] | None:
    """Smallest and largest possible contrast of values within bounds, as weights add up to 0."""
    if bounds is None:
        return None
    reach = float(weights[weights > 0].sum()) * (bounds[1] - bounds[0])
    return -reach, reach


def _prepare(data: _Data, one: _Weighted) -> _Prepared:
    """Items' values of a contrast, and its methods."""
    items, reach = _item_values(data.values, one.weights), _reach(one.weights, data.bounds)
    # The means at a level and at the reference are two arms like any others; of other contrasts the parts
    # with either sign are no means, so their difference alone is looked at.
    if one.kind == "main effect":
        after, before = (_item_values(data.values, np.maximum(sign * one.weights, 0.0)) for sign in (1, -1))
        pairs = pair_up(after, before, data.codes, bounds=data.bounds)
        return _Prepared(items, reach, pairs, infer_difference(pairs, bounds=data.bounds).interval)
    pairs = dataclasses.replace(pair_up(items, np.zeros(len(items)), data.codes), is_binary=False)

    def interval(level: float) -> tuple[float | None, float | None, str]:
        found = intervals.robust_interval(items, data.codes, confidence_level=level, bounds=reach)
        return found.low, found.high, found.method

    return _Prepared(items, reach, pairs, interval)
