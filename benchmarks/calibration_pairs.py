"""The methods for means and for paired differences, and the data on which they are measured."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation import (
    Case,
    Design,
    FloatArray,
    Promise,
    Simulate,
    answers,
    by_counts,
    held,
    one_by_one,
    rejected,
    table_chances,
)
from scripts.analysis.discordant import conditional_odds_ratio
from scripts.analysis.intervals import mean_interval
from scripts.analysis.paired import PairedEffect, paired_effect
from scripts.analysis.verdicts import verdict

LEVEL = 0.95
ALPHA = 0.05
N_ITEMS = 50, 200, 1000
BASE_RATES = 0.1, 0.5, 0.9
GAIN = 0.05
"""True difference, where there is one; also the margin of equivalence."""

RESAMPLES = 199
"""Of a permutation test: its level holds for any number, and is not below 5 % as 0.05 (199 + 1) is whole."""

COVERAGE = 0.94, 0.965
CAUTIOUS = 0.94, 1.0
LEVEL_OF_TESTS = 0.0, ALPHA

Codes = NDArray[np.int64] | None
Bounds = tuple[float | None, float | None]

JUMPS = "counts are whole numbers, so coverage jumps about 95 % from one base rate to the next"
EXACT = "exact methods hold at least their level, and more with few discordant pairs"


class Table(NamedTuple):
    """Counts of a paired comparison."""

    both: int
    gained: int
    lost: int
    n: int

    @property
    def arms(self) -> tuple[FloatArray, FloatArray]:
        """Answers of trial and baseline with these counts."""
        cells = [self.both, self.gained, self.lost, self.n - self.both - self.gained - self.lost]
        return np.repeat([1.0, 1.0, 0.0, 0.0], cells), np.repeat([1.0, 0.0, 1.0, 0.0], cells)


class Method(NamedTuple):
    """A method by name, and the exception that is known for it."""

    name: str
    call: Callable[..., Any]
    """Gives bounds, or a p-value."""
    promised: tuple[float, float] = COVERAGE
    exception: str = ""
    needs_both: bool = False
    """Of a paired table: whether the pairs that both arms have right play a part."""


def case_of(method: Method, promise: Promise, design: Design, base_rate: float, simulate: Simulate) -> Case:
    """Put a case together; an exception in the promised range is one of intervals alone."""
    return Case(
        method=method.name,
        promise=promise,
        design=design,
        base_rate=base_rate,
        simulate=simulate,
        promised=method.promised if promise == "coverage" else LEVEL_OF_TESTS,
        exception=method.exception,
    )


# Methods -----------------------------------------------------------------------------------------------


def mean_bounds(values: FloatArray, codes: Codes) -> Bounds:
    found = mean_interval(values, codes, confidence_level=LEVEL, bounds=(0.0, 1.0))
    return found.low, found.high


def effect(
    trial: FloatArray,
    baseline: FloatArray,
    codes: Codes,
    rng: np.random.Generator,
    *,
    resamples: int = 1,
) -> PairedEffect:
    """Compare two arms as the pipeline does; the interval needs no resamples."""
    return paired_effect(
        trial, baseline, codes, confidence_level=LEVEL, resamples=resamples, rng=rng, bounds=(0.0, 1.0)
    )


def effect_bounds(trial: FloatArray, baseline: FloatArray, codes: Codes, rng: np.random.Generator) -> Bounds:
    found = effect(trial, baseline, codes, rng)
    return found.low, found.high


def effect_p_value(
    trial: FloatArray, baseline: FloatArray, codes: Codes, rng: np.random.Generator
) -> float | None:
    return effect(trial, baseline, codes, rng, resamples=RESAMPLES).p_value


def equivalence_p_value(
    trial: FloatArray, baseline: FloatArray, codes: Codes, rng: np.random.Generator
) -> float:
    """0 where the difference is taken for equivalent, so that it counts as a test that rejects, else 1."""
    found = effect(trial, baseline, codes, rng)
    word = verdict(
        difference=found.difference,
        p_value=1.0,
        confidence_level=LEVEL,
        equivalence_low=found.equivalence_low,
        equivalence_high=found.equivalence_high,
        margin=GAIN,
        higher_is_better=True,
    )
    return 0.0 if word == "equivalent" else 1.0


def on_arms(call: Callable[..., Any]) -> Callable[[Table], Any]:
    """Let a method for two arms take a table; with so many ties nothing is drawn at random."""
    return lambda table: call(*table.arms, None, np.random.default_rng(0))


def odds_bounds(table: Table) -> Bounds:
    found = conditional_odds_ratio(table.gained, table.lost, confidence_level=LEVEL)
    return found.low, found.high


MEANS = [Method("interval of a mean", mean_bounds)]
TABLE_INTERVALS = [Method("tango's interval", on_arms(effect_bounds))]
TABLE_TESTS = [
    Method("exact mcnemar", on_arms(effect_p_value)),
]
ODDS_RATIOS = [Method("conditional odds ratio", odds_bounds, CAUTIOUS, EXACT)]
TABLE_EQUIVALENCE = [Method("verdict equivalent, tango", on_arms(equivalence_p_value))]
PAIR_INTERVALS = [Method("interval of a difference", effect_bounds)]
PAIR_TESTS = [Method("sign-flip test", effect_p_value)]
PAIR_EQUIVALENCE = [Method("verdict equivalent, t", equivalence_p_value)]


# Cases -------------------------------------------------------------------------------------------------


def proportion_case(
    n: int, rate: float, *, reach: float = 0.0, call: Callable[..., Any] = mean_bounds
) -> Case:
    """Independent items, asked once; the base rate is drawn anew each time from within `reach` of `rate`."""

    def draw(rng: np.random.Generator, size: int) -> NDArray[np.int64]:
        rates = np.round(rng.uniform(rate - reach, rate + reach, size), 2 if reach else 9)
        return np.stack([rng.binomial(n, rates), np.round(1000 * rates).astype(np.int64)], axis=1)

    def judge(n_right: int, per_mille: int) -> float:
        low, high = call((np.arange(n) < n_right).astype(np.float64), None)
        return held(low, per_mille / 1000, high)

    method = (
        Method("wilson's interval, base rates around", call)
        if reach
        else Method("wilson's interval", call, (0.93, 0.975), JUMPS)
    )
    return case_of(method, "coverage", Design(n_items=n), rate, by_counts(draw, judge))


def mean_case(method: Method, design: Design, rate: float) -> Case:
    """Mean over items in clusters, or of their replicates."""

    def judge(rng: np.random.Generator) -> float:
        low, high = method.call(answers(rng, design, (rate,))[0].mean(axis=1), design.clusters)
        return held(low, rate, high)

    return case_of(method, "coverage", design, rate, one_by_one(judge))


def table_case(
    method: Method,
    promise: Promise,
    n: int,
    rate: float,
    *,
    gain: float,
    truth: float | None = None,
) -> Case:
    """Independent binary pairs: an interval that is to hold `truth`, or a test."""
    chances = table_chances(rate + gain, rate)

    def draw(rng: np.random.Generator, size: int) -> NDArray[np.int64]:
        counts = rng.multinomial(n, chances, size)[:, :3]
        return counts if method.needs_both else counts * np.array([0, 1, 1])

    def judge(both: int, gained: int, lost: int) -> float:
        found = method.call(Table(both, gained, lost, n))
        return rejected(found) if truth is None else held(found[0], truth, found[1])

    return case_of(method, promise, Design(n_items=n), rate, by_counts(draw, judge))


def pairs_case(method: Method, promise: Promise, design: Design, rate: float, *, gain: float) -> Case:
    """Pairs of replicates or in clusters: an interval that is to hold `gain`, or a test."""

    def judge(rng: np.random.Generator) -> float:
        trial, baseline = answers(rng, design, (rate + gain, rate)).mean(axis=2)
        found = method.call(trial, baseline, design.clusters, rng)
        return held(found[0], gain, found[1]) if promise == "coverage" else rejected(found)

    return case_of(method, promise, design, rate, one_by_one(judge))


def pair_cases() -> Iterator[Case]:
    """All cases of this module."""
    for n, rate in itertools.product(N_ITEMS, BASE_RATES):
        yield proportion_case(n, rate)
        yield proportion_case(n, rate, reach=0.05)
        yield from table_cases(n, rate)
        for design in (
            Design(n_items=n, n_replicates=5),
            Design(n_items=n, is_clustered=True),
            Design(n_items=n, n_replicates=5, is_clustered=True),
        ):
            yield from (mean_case(method, design, rate) for method in MEANS)
            for method in PAIR_INTERVALS:
                yield pairs_case(method, "coverage", design, rate, gain=GAIN)
            for method in PAIR_TESTS:
                yield pairs_case(method, "false positives", design, rate, gain=0.0)
            for method in PAIR_EQUIVALENCE:
                yield pairs_case(method, "false positives", design, rate, gain=GAIN)


def table_cases(n: int, rate: float) -> Iterator[Case]:
    """Methods for independent binary pairs."""
    _, gained, lost, _ = table_chances(rate + GAIN, rate)
    for method in TABLE_INTERVALS:
        yield table_case(method, "coverage", n, rate, gain=GAIN, truth=GAIN)
    for method in ODDS_RATIOS:
        yield table_case(method, "coverage", n, rate, gain=GAIN, truth=gained / lost)
    for method in TABLE_TESTS:
        yield table_case(method, "false positives", n, rate, gain=0.0)
    for method in TABLE_EQUIVALENCE:
        yield table_case(method, "false positives", n, rate, gain=GAIN)
