"""The further analyses, and the data on which they are measured."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.calibration_pairs import (
    ALPHA,
    BASE_RATES,
    CAUTIOUS,
    GAIN,
    LEVEL,
    N_ITEMS,
    RESAMPLES,
    Bounds,
    Codes,
    Method,
    case_of,
    effect_p_value,
)
from benchmarks.simulation import (
    Case,
    Design,
    FloatArray,
    Promise,
    answers,
    chance_of_both,
    held,
    one_by_one,
    rejected,
)
from scripts.analysis.bounds import difference_bounds, mean_bounds
from scripts.analysis.cost_effectiveness import cost_per_correct, incremental_cost
from scripts.analysis.gee import GeeEffect, gee_effect
from scripts.analysis.meta import MetaEffect, combine_datasets
from scripts.analysis.multiplicity import adjust
from scripts.analysis.selective import selective_accuracy, selective_accuracy_difference
from scripts.analysis.subgroups import SubgroupAnalysis, subgroup_effects

MANY = "it covers whatever the missing answers are, so it holds the truth more often"
WIDE = "never shorter than the usual interval, so it may hold the truth more often"
N_FAMILY = 10
"""Tests in a family."""

N_DATASETS = 6
SPREAD = 0.04
"""True effects of datasets lie this far about their mean."""

Draw = Callable[[np.random.Generator], Any]


def interval_case(
    method: Method, design: Design, rate: float, draw: Draw, truth: float | Callable[..., float]
) -> Case:
    """An interval that is to hold `truth`; where that is a function, of the random numbers."""

    def judge(rng: np.random.Generator) -> float:
        low, high = method.call(draw(rng), design.clusters)
        return held(low, truth(rng) if callable(truth) else truth, high)

    return case_of(method, "coverage", design, rate, one_by_one(judge))


def null_case(method: Method, design: Design, rate: float, draw: Draw) -> Case:
    """A test of data in which there is nothing to find."""

    def judge(rng: np.random.Generator) -> float:
        return rejected(method.call(draw(rng), design.clusters))

    return case_of(method, "false positives", design, rate, one_by_one(judge))


def arms(design: Design, *rates: float) -> Draw:
    """Draw answers of several arms."""
    return lambda rng: answers(rng, design, rates)


# Single answers ----------------------------------------------------------------------------------------


def gee_cases(n: int, rate: float) -> Iterator[Case]:
    def fit(data: FloatArray, codes: Codes) -> GeeEffect:
        return gee_effect(data[0], data[1], codes, confidence_level=LEVEL)

    def difference(data: FloatArray, codes: Codes) -> Bounds:
        found = fit(data, codes)
        return found.low, found.high

    def odds_ratio(data: FloatArray, codes: Codes) -> Bounds:
        found = fit(data, codes)
        return found.odds_ratio_low, found.odds_ratio_high

    def p_value(data: FloatArray, codes: Codes) -> float | None:
        found = fit(data, codes)
        return found.p_value

    other = rate + GAIN
    ratio = other / (1 - other) * (1 - rate) / rate
    for is_clustered in (False, True):
        design = Design(n_items=n, n_replicates=3, is_clustered=is_clustered)
        if design.n_clusters is not None and design.n_clusters < 20:
            continue
        gains = arms(design, other, rate)
        yield interval_case(Method("gee, difference", difference), design, rate, gains, GAIN)
        yield interval_case(Method("gee, odds ratio", odds_ratio), design, rate, gains, ratio)
        yield null_case(Method("gee, test", p_value), design, rate, arms(design, rate, rate))


# Abstentions -------------------------------------------------------------------------------------------


def selective_cases(n: int, rate: float) -> Iterator[Case]:
    def coverage(data: FloatArray, codes: Codes) -> Bounds:
        found = selective_accuracy(data[0], 1 - data[1], codes, confidence_level=LEVEL).coverage
        return found.low, found.high

    def accuracy(data: FloatArray, codes: Codes) -> Bounds:
        found = selective_accuracy(data[0], 1 - data[1], codes, confidence_level=LEVEL).accuracy
        return found.low, found.high

    def difference(data: FloatArray, codes: Codes) -> Bounds:
        found = selective_accuracy_difference(
            data[0], 1 - data[1], data[2], 1 - data[3], codes, confidence_level=LEVEL
        )
        return found.low, found.high

    def share_right(right: float, answered: float) -> float:
        return chance_of_both(right, answered) / answered

    gain = share_right(rate + GAIN, 0.7) - share_right(rate, 0.9)
    for n_replicates, is_clustered in ((1, False), (3, False), (3, True)):
        design = Design(n_items=n, n_replicates=n_replicates, is_clustered=is_clustered)
        data = arms(design, rate, 0.8)
        if n_replicates > 1:
            yield interval_case(Method("coverage of items", coverage), design, rate, data, 0.8)
        accurate = share_right(rate, 0.8)
        yield interval_case(Method("selective accuracy", accuracy), design, rate, data, accurate)
        both = arms(design, rate + GAIN, 0.7, rate, 0.9)
        yield interval_case(Method("selective accuracy, difference", difference), design, rate, both, gain)


# Missing outcomes --------------------------------------------------------------------------------------


def bounds_cases(n: int, rate: float) -> Iterator[Case]:
    """Every tenth wrong answer, and the trial's fifth, is not there."""

    def spoil(rng: np.random.Generator, values: FloatArray, share: float) -> FloatArray:
        return np.where((values == 0) & (rng.random(values.shape) < share), np.nan, values)

    def mean(data: FloatArray, codes: Codes) -> Bounds:
        found = mean_bounds(data[0], codes, confidence_level=LEVEL)
        return found.low, found.high

    def difference(data: FloatArray, codes: Codes) -> Bounds:
        found = difference_bounds(
            data[0],
            data[1],
            codes,
            confidence_level=LEVEL,
            resamples=1,
            seed=1,
            names=(),
            margin=None,
            higher_is_better=True,
        )
        return found.low, found.high

    def draw(design: Design) -> Draw:
        def spoiled(rng: np.random.Generator) -> FloatArray:
            trial, baseline = answers(rng, design, (rate + GAIN, rate))[:, :, 0]
            return np.stack([spoil(rng, trial, 0.2), spoil(rng, baseline, 0.1)])

        return spoiled

    for is_clustered in (False, True):
        design = Design(n_items=n, is_clustered=is_clustered)
        data = draw(design)
        yield interval_case(Method("bounds of a mean", mean, CAUTIOUS, MANY), design, rate, data, rate + GAIN)
        yield interval_case(
            Method("bounds of a difference", difference, CAUTIOUS, MANY), design, rate, data, GAIN
        )


# Cost --------------------------------------------------------------------------------------------------


def cost_cases(n: int, rate: float) -> Iterator[Case]:
    """An answer costs a cent for its length, which is exponential, and a cent more if it is right."""

    def spent(rng: np.random.Generator, right: FloatArray) -> FloatArray:
        return 0.01 * (rng.standard_exponential(right.shape) + right)

    def per_correct(data: FloatArray, codes: Codes) -> Bounds:
        found = cost_per_correct(data[0], data[1], codes, confidence_level=LEVEL)
        return found.low, found.high

    def per_additional(data: FloatArray, codes: Codes) -> Bounds:
        found = incremental_cost(data[0], data[1], data[2], data[3], codes, confidence_level=LEVEL)
        return found.low, found.high

    better = min(rate + 0.3, 0.99)
    for is_clustered in (False, True):
        design = Design(n_items=n, is_clustered=is_clustered)

        def one(rng: np.random.Generator, design: Design = design) -> FloatArray:
            right = answers(rng, design, (rate,))[0, :, 0]
            return np.stack([spent(rng, right), right])

        def two(rng: np.random.Generator, design: Design = design) -> FloatArray:
            trial, baseline = answers(rng, design, (better, rate))[:, :, 0]
            return np.stack([spent(rng, trial) + 0.01, trial, spent(rng, baseline), baseline])

        price = 0.01 * (1 + rate) / rate
        yield interval_case(Method("cost per correct answer", per_correct), design, rate, one, price)
        added = 0.01 * (1 + better - rate) / (better - rate)
        yield interval_case(Method("cost per additional answer", per_additional), design, rate, two, added)


# Several datasets, groups and trials -------------------------------------------------------------------


def meta_cases(n: int, rate: float) -> Iterator[Case]:
    """Six datasets of `n` items each, with a true effect each."""
    names = np.repeat([f"dataset {k}" for k in range(N_DATASETS)], n).tolist()

    def combine(data: FloatArray, codes: Codes) -> MetaEffect:
        return combine_datasets(data[0], data[1], names, codes, confidence_level=LEVEL)

    def mean(data: FloatArray, codes: Codes) -> Bounds:
        found = combine(data, codes)
        return found.low, found.high

    def one_more(data: FloatArray, codes: Codes) -> Bounds:
        found = combine(data, codes)
        return found.prediction_low, found.prediction_high

    def p_value(data: FloatArray, codes: Codes) -> float | None:
        return combine(data, codes).p_value

    def true_effect(rng: np.random.Generator, gain: float = GAIN) -> float:
        return float(rng.uniform(gain - SPREAD, gain + SPREAD))

    def draw(gain: float) -> Draw:
        def datasets(rng: np.random.Generator) -> FloatArray:
            effects = [true_effect(rng, gain) for _ in range(N_DATASETS)]
            parts = [answers(rng, Design(n_items=n), (rate + one, rate))[:, :, 0] for one in effects]
            return np.concatenate(parts, axis=1)

        return datasets

    design, gains = Design(n_items=n), draw(GAIN)
    yield interval_case(Method("mean over datasets", mean, CAUTIOUS, WIDE), design, rate, gains, GAIN)
    yield interval_case(
        Method("prediction interval", one_more, CAUTIOUS, WIDE), design, rate, gains, true_effect
    )
    yield null_case(Method("mean over datasets", p_value), design, rate, draw(0.0))


def subgroup_cases(n: int, rate: float) -> Iterator[Case]:
    """Four groups that clusters reach across, of the same effect."""
    field = [f"group {k % 4}" for k in range(n)]

    def interaction(data: FloatArray, codes: Codes) -> float | None:
        return _subgroups(data, field, codes, resamples=1).interaction.p_value

    def smallest(data: FloatArray, codes: Codes) -> float:
        found = _subgroups(data, field, codes, resamples=RESAMPLES)
        return min(group.p_value_adjusted or 1.0 for group in found.groups)

    for design in (
        Design(n_items=n),
        Design(n_items=n, n_replicates=3),
        Design(n_items=n, is_clustered=True),
    ):
        same, none = arms(design, rate + GAIN, rate), arms(design, rate, rate)
        yield null_case(Method("interaction of subgroups", interaction), design, rate, same)
        yield null_case(Method("any subgroup, holm", smallest), design, rate, none)


def _subgroups(data: FloatArray, field: list[str], codes: Codes, *, resamples: int) -> SubgroupAnalysis:
    return subgroup_effects(
        data[0].mean(axis=1),
        data[1].mean(axis=1),
        field,
        codes,
        confidence_level=LEVEL,
        resamples=resamples,
        seed=1,
        names=(),
        bounds=(0.0, 1.0),
        least_pairs=10,
    )


def family_case(adjustment: str, n: int, rate: float) -> Case:
    """Five trials against one baseline, none of which differs; does any of them seem to?"""

    def smallest(data: FloatArray, codes: Codes) -> float:
        rng = np.random.default_rng(int(data.sum()))
        *trials, baseline = data.mean(axis=2)
        raw = [effect_p_value(trial, baseline, codes, rng) for trial in trials]
        return min(p for p in adjust(raw, adjustment) if p is not None)

    design = Design(n_items=n, n_replicates=3)
    method = Method(f"any of five trials, {adjustment}", smallest)
    return null_case(method, design, rate, arms(design, *[rate] * 6))


def adjustment_case(adjustment: str, *, n_true: int) -> Case:
    """Ten tests, their statistics correlated by one baseline; in so many of them there is something."""
    from scipy.special import ndtr

    shift = np.where(np.arange(N_FAMILY) < n_true, 3.0, 0.0)
    is_rate = adjustment.startswith("fdr")

    def judge(rng: np.random.Generator) -> float:
        statistics = np.sqrt(0.5) * (rng.standard_normal(N_FAMILY) + rng.standard_normal()) + shift
        adjusted = adjust((2 * ndtr(-np.abs(statistics))).tolist(), adjustment)
        is_found = np.array(adjusted, dtype=np.float64) <= ALPHA
        n_false = int(np.count_nonzero(is_found[n_true:]))
        return n_false / max(1, int(np.count_nonzero(is_found))) if is_rate else float(n_false > 0)

    method = Method(f"{adjustment}, {n_true} of {N_FAMILY} true", adjust)
    promise: Promise = "false discoveries" if is_rate else "false positives"
    return case_of(method, promise, Design(n_items=N_FAMILY), 0.5, one_by_one(judge))


def further_cases() -> Iterator[Case]:
    """All cases of this module."""
    for n, rate in itertools.product(N_ITEMS, BASE_RATES):
        for family in (gee_cases, selective_cases, bounds_cases, cost_cases, meta_cases, subgroup_cases):
            yield from family(n, rate)
        yield from (family_case(adjustment, n, rate) for adjustment in ("holm", "fdr_bh", "fdr_by"))
    for adjustment, n_true in itertools.product(("holm", "bonferroni", "fdr_bh", "fdr_by"), (0, 3)):
        yield adjustment_case(adjustment, n_true=n_true)
