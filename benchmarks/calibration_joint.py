"""What is said of several trials together, and the data on which it is measured."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.calibration_analyses import arms, null_case
from benchmarks.calibration_pairs import (
    BASE_RATES,
    CAUTIOUS,
    GAIN,
    LEVEL,
    RESAMPLES,
    Codes,
    Method,
    case_of,
    inferred,
)
from benchmarks.simulation import Case, Design, FloatArray, answers, held, one_by_one, rejected
from scripts.analysis.factorial import factorial_effects
from scripts.analysis.factorial_tests import factor_tests
from scripts.analysis.multiplicity import adjust
from scripts.analysis.places import Places, places
from scripts.analysis.simultaneous import (
    Simultaneous,
    adjust_verdicts,
    family_member,
    simultaneous_effects,
)

TOGETHER = "signs are tried in two ways and the longer interval is taken, so all of them hold more often"
APART = "places of trials that differ are held more often than those of trials that tie"

SIZES = 50, 200
"""Items: with more of them all of this takes long, and comes nearer to what it promises."""

N_TRIALS = 5
"""Trials against one baseline."""

MODELS, PROMPTS = 2, 3
"""Levels of the factors of a sweep."""


def designs(n: int) -> Iterator[Design]:
    """Kinds of data for all cases here."""
    yield Design(n_items=n)
    yield Design(n_items=n, n_replicates=3)
    yield Design(n_items=n, is_clustered=True)


def family(data: FloatArray, codes: Codes, *, has_own_method: bool = False) -> Simultaneous:
    """All trials against the last one."""
    *trials, baseline = data.mean(axis=2)
    numbers = np.arange(len(baseline)) if codes is None else codes
    methods = [inferred(one, baseline, codes).interval if has_own_method else None for one in trials]
    members = [
        family_member(trial - baseline, numbers, bounds=(-1.0, 1.0), interval=method)
        for trial, method in zip(trials, methods, strict=True)
    ]
    rng = np.random.default_rng(int(data.sum()))
    return simultaneous_effects(members, confidence_level=LEVEL, resamples=RESAMPLES, rng=rng)


def joint_case(
    method: Method, design: Design, rates: Sequence[float], judge: Callable[[FloatArray, Codes], float]
) -> Case:
    """Give a case in which all statements about trials of these rates have to hold at once."""

    def once(rng: np.random.Generator) -> float:
        return judge(answers(rng, design, tuple(rates)), design.clusters)

    return case_of(method, "coverage", design, rates[-1], one_by_one(once))


def simultaneous_cases(n: int, rate: float) -> Iterator[Case]:
    """Five trials against one baseline; none of them differs, or two do."""
    rates = [rate + GAIN] * 2 + [rate] * (N_TRIALS - 2)

    def smallest(data: FloatArray, codes: Codes) -> float:
        found = [effect.p_step_down for effect in family(data, codes).effects]
        return min((p for p in found if p is not None), default=1.0)

    def all_held(data: FloatArray, codes: Codes, *, has_own_method: bool = False) -> float:
        effects = family(data, codes, has_own_method=has_own_method).effects
        truths = [one - rate for one in rates]
        found = [held(one.low, truth, one.high) for one, truth in zip(effects, truths, strict=True)]
        return float(np.nanmin(found)) if not np.isnan(found).all() else np.nan

    by_own_method = functools.partial(all_held, has_own_method=True)
    for design in designs(n):
        same = arms(design, *[rate] * (N_TRIALS + 1))
        yield null_case(Method("any of five trials, max-t", smallest), design, rate, same)
        for name, judge in (
            ("simultaneous intervals", by_own_method),
            ("simultaneous t intervals", all_held),
        ):
            method = Method(name, judge, CAUTIOUS, few=(0.925, 1.0), exception=TOGETHER)
            yield joint_case(method, design, [*rates, rate], judge)


def holm_of_each(different: list[float], alike: list[float]) -> tuple[list[Any], list[Any]]:
    """Adjust the two kinds of p-values apart; as a family of both it does not keep the level."""
    return adjust(different, "holm"), adjust(alike, "holm")


def verdict_case(name: str, call: Callable[..., tuple[list[Any], list[Any]]]) -> Case:
    """Three effects of 0 and three as large as the margin, all known well: each verdict of them is false."""
    margin = 6.0
    truths = np.repeat([0.0, margin], 3)

    def judge(rng: np.random.Generator) -> float:
        from scipy.special import ndtr

        # In units of their standard error; one baseline ties them together.
        effects = truths + np.sqrt(0.5) * (rng.standard_normal(6) + rng.standard_normal())
        different = 2 * ndtr(-np.abs(effects))
        alike = np.maximum(ndtr(-margin - effects), ndtr(effects - margin))
        adjusted = call(different.tolist(), alike.tolist())
        return rejected(min([*adjusted[0][:3], *adjusted[1][3:]]))

    method = Method(name, call)
    return case_of(method, "false positives", Design(n_items=10), 0.5, one_by_one(judge))


def place_cases(n: int, rate: float) -> Iterator[Case]:
    """Six trials of the same rate, or of three."""

    def ranked(data: FloatArray, codes: Codes) -> Places:
        rng = np.random.default_rng(int(data.sum()))
        scores = data.mean(axis=2).T
        return places(scores, codes, confidence_level=LEVEL, resamples=RESAMPLES, rng=rng)

    def judge_of(rates: Sequence[float]) -> Callable[[FloatArray, Codes], float]:
        # Trials that tie may stand at any place among them.
        best = [1 + sum(other > one for other in rates) for one in rates]
        worst = [len(rates) - sum(other < one for other in rates) for one in rates]

        def judge(data: FloatArray, codes: Codes) -> float:
            found = ranked(data, codes).places
            return min(
                held(place.low, first, place.high) * held(place.low, last, place.high)
                for place, first, last in zip(found, best, worst, strict=True)
            )

        return judge

    for name, rates in (
        ("places, all tie", [rate] * 6),
        ("places, three kinds", [rate + GAIN, rate + GAIN, rate, rate, rate - GAIN, rate]),
    ):
        for design in designs(n):
            method = Method(name, ranked, CAUTIOUS, exception=APART)
            yield joint_case(method, design, rates, judge_of(rates))


def factorial_cases(n: int, rate: float) -> Iterator[Case]:
    """Two models and three prompts; nothing differs, or the models do."""
    cells = [{"model": m, "prompt": p} for m in range(MODELS) for p in map(str, range(PROMPTS))]

    def any_contrast(data: FloatArray, codes: Codes) -> float:
        found = factorial_effects(
            data.mean(axis=2).T,
            cells,
            codes,
            confidence_level=LEVEL,
            resamples=RESAMPLES,
            rng=np.random.default_rng(int(data.sum())),
            bounds=(0.0, 1.0),
        )
        adjusted = (one.p_adjusted for one in found.contrasts)
        return min((p for p in adjusted if p is not None), default=1.0)

    def test(number: int) -> Callable[[FloatArray, Codes], float | None]:
        def p_value(data: FloatArray, codes: Codes) -> float | None:
            cube = data.mean(axis=2).T.reshape(n, MODELS, PROMPTS)
            numbers = np.arange(n) if codes is None else codes
            rng = np.random.default_rng(int(data.sum()))
            names = ["model", "prompt"]
            return factor_tests(cube, numbers, names, resamples=RESAMPLES, rng=rng)[number].p_value

        return p_value

    for design in designs(n):
        same = arms(design, *[rate] * (MODELS * PROMPTS))
        models = arms(design, *[rate] * PROMPTS, *[rate + GAIN] * PROMPTS)
        yield null_case(Method("any contrast of a sweep", any_contrast), design, rate, same)
        yield null_case(Method("factor of a sweep", test(1)), design, rate, models)
        yield null_case(Method("interaction of a sweep", test(2)), design, rate, models)


def joint_cases() -> Iterator[Case]:
    """All cases of this module."""
    for n, rate in itertools.product(SIZES, BASE_RATES):
        yield from simultaneous_cases(n, rate)
        yield from place_cases(n, rate)
        yield from factorial_cases(n, rate)
    yield verdict_case("any false verdict of six effects", adjust_verdicts)
