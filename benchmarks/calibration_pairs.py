"""The methods for means and for paired differences, and the data on which they are measured."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.simulation import (
    USUAL,
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
from scripts.analysis.bootstrap import bca_bootstrap
from scripts.analysis.discordant import conditional_odds_ratio, exact_mcnemar, midp_mcnemar
from scripts.analysis.equivalence import margin_tests
from scripts.analysis.intervals import mean_interval
from scripts.analysis.pairs import Inference, infer_difference, pair_up
from scripts.analysis.posterior import dirichlet_posterior
from scripts.analysis.ranks import hodges_lehmann, wilcoxon_signed_rank
from scripts.analysis.resampling import sign_flip_test
from scripts.analysis.score_intervals import newcombe_interval

LEVEL = 0.95
ALPHA = 0.05
N_ITEMS = 50, 200, 1000
BASE_RATES = 0.1, 0.5, 0.9
GAIN = 0.05
"""True difference, where there is one; also the margin of equivalence."""

RESAMPLES = 199
"""Of a permutation test: its level holds for any number, and is not below 5 % as 0.05 (199 + 1) is whole."""

BOOTSTRAPS = 500

FEW_ITEMS = 200
"""Of which the clusters are few as well: 40."""

CAUTIOUS = 0.94, 1.0
SHORTER = 0.925, 0.965

Codes = NDArray[np.int64] | None
Bounds = tuple[float | None, float | None]

JUMPS = "counts are whole numbers, so coverage jumps about 95 % from one base rate to the next"
TIES = "with ties the interval holds the truth at least as often as it says"
SKEW = "means of few units are skewed where few answers are right, or few wrong; t takes them for symmetric"
HALF = "half an item is added, and few clusters count for less, so it is cautious where few items differ"
SMALL = "a bootstrap knows no more than the units it resamples, and few of them vary too little"
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
    promised: tuple[float, float] | None = None
    """Other rates than usual that keep the promise."""
    few: tuple[float, float] | None = None
    """The same up to `FEW_ITEMS` items; what is said then of more items is `promised`."""
    exception: str = ""
    """Why other rates than usual."""
    needs_both: bool = False
    """Of a paired table: whether the pairs that both arms have right play a part."""


def case_of(method: Method, promise: Promise, design: Design, base_rate: float, simulate: Simulate) -> Case:
    """Put a case together."""
    other = method.few if method.few and design.n_items <= FEW_ITEMS else method.promised
    return Case(
        method=method.name,
        promise=promise,
        design=design,
        base_rate=base_rate,
        simulate=simulate,
        promised=other or USUAL[promise],
        exception=method.exception if other else "",
    )


# Methods -----------------------------------------------------------------------------------------------


def mean_bounds(values: FloatArray, codes: Codes) -> Bounds:
    found = mean_interval(values, codes, confidence_level=LEVEL, bounds=(0.0, 1.0))
    return found.low, found.high


def inferred(trial: FloatArray, baseline: FloatArray, codes: Codes) -> Inference:
    """Interval and p-values of a difference, as in `paired_effect`."""
    bounds = 0.0, 1.0
    return infer_difference(pair_up(trial, baseline, codes, bounds=bounds), bounds=bounds)


def effect_bounds(trial: FloatArray, baseline: FloatArray, codes: Codes, *_: object) -> Bounds:
    return inferred(trial, baseline, codes).interval(LEVEL)[:2]


def sign_flip_p_value(
    trial: FloatArray, baseline: FloatArray, codes: Codes, rng: np.random.Generator
) -> float:
    pairs = pair_up(trial, baseline, codes)
    sums = np.bincount(pairs.codes, weights=pairs.differences)
    return sign_flip_test(sums, resamples=RESAMPLES, rng=rng).p_value


def equivalence_p_value(trial: FloatArray, baseline: FloatArray, codes: Codes, *_: object) -> float:
    """P-value of equivalence; 1 where there is no test."""
    tested = inferred(trial, baseline, codes).p_value
    if tested is None:
        return 1.0
    difference = float(trial.mean() - baseline.mean())
    found = margin_tests(difference, tested, margin=GAIN, higher_is_better=True, method="a run")
    return 1.0 if found.p_equivalence is None else found.p_equivalence


def bootstrap_bounds(
    trial: FloatArray, baseline: FloatArray, codes: Codes, rng: np.random.Generator
) -> Bounds:
    totals = pair_up(trial, baseline, codes).totals
    found = bca_bootstrap(totals, confidence_level=LEVEL, resamples=BOOTSTRAPS, rng=rng)
    return found.low, found.high


def unit_differences(trial: FloatArray, baseline: FloatArray, codes: Codes) -> FloatArray:
    """Differences of items, or their means over clusters."""
    differences = trial - baseline
    if codes is None:
        return differences
    means: FloatArray = np.bincount(codes, weights=differences) / np.bincount(codes)
    return means


def pseudo_median_bounds(trial: FloatArray, baseline: FloatArray, codes: Codes, *_: object) -> Bounds:
    found = hodges_lehmann(unit_differences(trial, baseline, codes), confidence_level=LEVEL)
    return found.low, found.high


def wilcoxon_p_value(trial: FloatArray, baseline: FloatArray, codes: Codes, *_: object) -> float | None:
    return wilcoxon_signed_rank(unit_differences(trial, baseline, codes)).p_value


def not_worse_p_value(trial: FloatArray, baseline: FloatArray, codes: Codes, *_: object) -> float | None:
    """P-value of non-inferiority, by the method of the interval."""
    p_value = inferred(trial, baseline, codes).p_value
    if p_value is None:
        return None
    mean = float(trial.mean() - baseline.mean())
    found = margin_tests(mean, p_value, margin=GAIN, higher_is_better=True, method="of the interval")
    return found.p_non_inferiority


def newcombe_bounds(table: Table) -> Bounds:
    return newcombe_interval(table.both, table.gained, table.lost, table.n, confidence_level=LEVEL)


def posterior_bounds(table: Table) -> Bounds:
    found = dirichlet_posterior(table.gained, table.lost, table.n, confidence_level=LEVEL)
    return found.low, found.high


def on_arms(call: Callable[..., Any]) -> Callable[[Table], Any]:
    """Let a method for two arms take a table; with so many ties nothing is drawn at random."""
    return lambda table: call(*table.arms, None, np.random.default_rng(0))


def odds_bounds(table: Table) -> Bounds:
    found = conditional_odds_ratio(table.gained, table.lost, confidence_level=LEVEL)
    return found.low, found.high


MEANS = [Method("interval of a mean", mean_bounds, few=CAUTIOUS, exception=HALF)]
TABLE_INTERVALS = [
    Method("tango's interval", on_arms(effect_bounds)),
    Method("newcombe's interval", newcombe_bounds, (0.93, 0.985), exception=JUMPS, needs_both=True),
    Method("dirichlet posterior", posterior_bounds),
]
TABLE_TESTS = [
    Method("exact mcnemar", lambda table: exact_mcnemar(table.gained, table.lost)),
    Method("mid-p mcnemar", lambda table: midp_mcnemar(table.gained, table.lost)),
]
ODDS_RATIOS = [Method("conditional odds ratio", odds_bounds, CAUTIOUS, exception=EXACT)]
TABLE_EQUIVALENCE = [Method("equivalence", on_arms(equivalence_p_value))]
TABLE_NOT_WORSE = [Method("non-inferiority", on_arms(not_worse_p_value))]
PAIR_INTERVALS = [
    Method("interval of a difference", effect_bounds, few=CAUTIOUS, exception=HALF),
    Method("bca bootstrap", bootstrap_bounds, SHORTER, few=(0.83, 0.975), exception=SMALL),
]
CENTRES = [Method("hodges-lehmann interval", pseudo_median_bounds, CAUTIOUS, exception=TIES)]
PAIR_TESTS = [
    Method("sign-flip test", sign_flip_p_value),
    Method("wilcoxon signed-rank", wilcoxon_p_value),
]
PAIR_EQUIVALENCE = [Method("equivalence", equivalence_p_value)]
PAIR_NOT_WORSE = [Method("non-inferiority", not_worse_p_value)]


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
        else Method("wilson's interval", call, (0.93, 0.975), exception=JUMPS)
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
                # All signs of few tied differences take a fifth of a second, and hold the level anyway.
                if method.call is wilcoxon_p_value and n == min(N_ITEMS):
                    continue
                yield pairs_case(method, "false positives", design, rate, gain=0.0)
            for method in PAIR_EQUIVALENCE:
                yield pairs_case(method, "false positives", design, rate, gain=GAIN)
            for method in PAIR_NOT_WORSE:
                yield pairs_case(method, "false positives", design, rate, gain=-GAIN)
            for method in CENTRES:
                yield pairs_case(method, "coverage", design, rate, gain=0.0)


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
    for method in TABLE_NOT_WORSE:
        yield table_case(method, "false positives", n, rate, gain=-GAIN)
