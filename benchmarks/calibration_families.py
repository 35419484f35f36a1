"""Methods for several datasets, groups and trials, and the data on which they are measured."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from benchmarks.calibration_analyses import Draw, arms, interval_case, null_case
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
    sign_flip_p_value,
)
from benchmarks.simulation import (
    Case,
    Design,
    FloatArray,
    Promise,
    answers,
    one_by_one,
)
from scripts.analysis.meta import MetaEffect, combine_datasets
from scripts.analysis.multiplicity import adjust
from scripts.analysis.omnibus import omnibus_test
from scripts.analysis.subgroups import SubgroupAnalysis, subgroup_effects

WIDE = "never shorter than the usual interval, so it may hold the truth more often"
ALIKE = "where datasets differ little, the variance between them is often estimated as 0"
N_FAMILY = 10
"""Tests in a family."""

LEAST_PAIRS = 30
"""Of a subgroup."""

N_DATASETS = 6
SPREAD = 0.04
"""True effects of datasets lie this far about their mean."""


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
    yield interval_case(
        Method("mean over datasets", mean, CAUTIOUS, exception=WIDE), design, rate, gains, GAIN
    )
    yield interval_case(
        Method("prediction interval", one_more, (0.88, 1.0), exception=ALIKE),
        design,
        rate,
        gains,
        true_effect,
    )
    yield null_case(Method("mean over datasets", p_value), design, rate, draw(0.0))


def subgroup_cases(n: int, rate: float) -> Iterator[Case]:
    """Four groups that clusters reach across, of the same effect."""
    if n / 4 < LEAST_PAIRS:
        return
    field = [f"group {k % 4}" for k in range(n)]

    def interaction(data: FloatArray, codes: Codes) -> float | None:
        return _subgroups(data, field, codes, resamples=1).interaction.p_value

    def smallest(data: FloatArray, codes: Codes) -> float:
        found = _subgroups(data, field, codes, resamples=RESAMPLES)
        return min(group.p_value_adjusted or 1.0 for group in found.groups)

    for design in (
        Design(n_items=n),
        Design(n_items=n, n_replicates=3, is_clustered=True),
    ):
        same, none = arms(design, rate + GAIN, rate), arms(design, rate, rate)
        yield null_case(
            Method("interaction of subgroups", interaction),
            design,
            rate,
            same,
        )
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
        least_pairs=LEAST_PAIRS,
    )


def omnibus_cases(n: int, rate: float) -> Iterator[Case]:
    """Four trials, none of which differs."""

    def p_value(data: FloatArray, codes: Codes) -> float | None:
        return omnibus_test(data.mean(axis=2).T, codes).p_value

    for design in (
        Design(n_items=n),
        Design(n_items=n, n_replicates=3),
        Design(n_items=n, is_clustered=True),
    ):
        yield null_case(Method("omnibus test", p_value), design, rate, arms(design, *[rate] * 4))


def family_case(adjustment: str, n: int, rate: float) -> Case:
    """Five trials against one baseline, none of which differs; does any of them seem to?"""

    def smallest(data: FloatArray, codes: Codes) -> float:
        rng = np.random.default_rng(int(data.sum()))
        *trials, baseline = data.mean(axis=2)
        raw = [sign_flip_p_value(trial, baseline, codes, rng) for trial in trials]
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


def family_cases() -> Iterator[Case]:
    """All cases of this module."""
    for n, rate in itertools.product(N_ITEMS, BASE_RATES):
        for cases in (meta_cases, subgroup_cases, omnibus_cases):
            yield from cases(n, rate)
        yield family_case("holm", n, rate)
    for adjustment, n_true in itertools.product(("holm", "bonferroni", "fdr_bh", "fdr_by"), (0, 3)):
        yield adjustment_case(adjustment, n_true=n_true)
