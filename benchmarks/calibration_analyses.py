"""The further analyses, and the data on which they are measured."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.calibration_pairs import (
    BASE_RATES,
    CAUTIOUS,
    GAIN,
    LEVEL,
    N_ITEMS,
    SHORTER,
    SKEW,
    Bounds,
    Codes,
    Method,
    case_of,
)
from benchmarks.simulation import (
    Case,
    Design,
    FloatArray,
    answers,
    chance_of_both,
    held,
    one_by_one,
    rejected,
)
from scripts.analysis.bounds import difference_bounds, mean_bounds
from scripts.analysis.cost_effectiveness import cost_per_correct, incremental_cost
from scripts.analysis.gee import GeeEffect, gee_effect
from scripts.analysis.selective import selective_accuracy, selective_accuracy_difference

MANY = "it covers whatever the missing answers are, so it holds the truth more often"
RARE = "a ratio over a gain of a few answers is hardly known"

Draw = Callable[[np.random.Generator], Any]


def few_units(name: str, call: Callable[..., Any]) -> Method:
    """A method whose interval is somewhat short in few clusters."""
    return Method(name, call, few=SHORTER, exception=SKEW)


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
        yield interval_case(
            Method("gee, difference", difference),
            design,
            rate,
            gains,
            GAIN,
        )
        yield interval_case(
            Method("gee, odds ratio", odds_ratio),
            design,
            rate,
            gains,
            ratio,
        )
        yield null_case(
            Method("gee, test", p_value),
            design,
            rate,
            arms(design, rate, rate),
        )


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
            yield interval_case(
                Method("coverage of items", coverage),
                design,
                rate,
                data,
                0.8,
            )
        accurate = share_right(rate, 0.8)
        yield interval_case(
            Method("selective accuracy", accuracy),
            design,
            rate,
            data,
            accurate,
        )
        both = arms(design, rate + GAIN, 0.7, rate, 0.9)
        yield interval_case(few_units("selective accuracy, difference", difference), design, rate, both, gain)


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
        yield interval_case(
            Method("bounds of a mean", mean, CAUTIOUS, exception=MANY),
            design,
            rate,
            data,
            rate + GAIN,
        )
        if not is_clustered:
            yield interval_case(
                Method("bounds of a difference", difference, CAUTIOUS, exception=MANY),
                design,
                rate,
                data,
                GAIN,
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
        yield interval_case(few_units("cost per correct answer", per_correct), design, rate, one, price)
        added = 0.01 * (1 + better - rate) / (better - rate)
        method = Method("cost per additional answer", per_additional, few=(0.93, 0.985), exception=RARE)
        yield interval_case(method, design, rate, two, added)


def analysis_cases() -> Iterator[Case]:
    """All cases of this module."""
    for n, rate in itertools.product(N_ITEMS, BASE_RATES):
        for cases in (gee_cases, selective_cases, bounds_cases, cost_cases):
            yield from cases(n, rate)
