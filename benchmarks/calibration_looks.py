"""Ten looks at a growing run: how often does any of them say what is false?"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.calibration_pairs import ALPHA, BASE_RATES, GAIN, LEVEL, Codes, Method, case_of
from benchmarks.simulation import SIZES, Case, Design, FloatArray, answers, one_by_one
from scripts.analysis.anytime import AnytimeEffect, anytime_effect
from scripts.analysis.discordant import exact_mcnemar
from scripts.analysis.levels import equivalence_level
from scripts.analysis.pairs import pair_up

N_ITEMS = 1000
LOOKS = range(100, N_ITEMS + 1, 100)


def at_last_look(trial: FloatArray, baseline: FloatArray, codes: Codes, level: float) -> AnytimeEffect:
    """Look at all items: what was said at any earlier look is not taken back."""
    pairs = pair_up(trial, baseline, codes)
    return anytime_effect(
        pairs.differences,
        pairs.codes,
        np.arange(pairs.n),
        confidence_level=level,
        bounds=(0.0, 1.0),
        largest_cluster=1 if codes is None else max(SIZES),
    )


def is_different(trial: FloatArray, baseline: FloatArray, codes: Codes) -> bool:
    p_value = at_last_look(trial, baseline, codes, LEVEL).p_value
    return p_value is not None and p_value < ALPHA


def is_equivalent(trial: FloatArray, baseline: FloatArray, codes: Codes) -> bool:
    found = at_last_look(trial, baseline, codes, equivalence_level(LEVEL))
    return found.low is not None and found.high is not None and found.low > -GAIN and found.high < GAIN


def is_different_at_any_look(trial: FloatArray, baseline: FloatArray, codes: Codes) -> bool:
    """Look again and again with a p-value that holds for one look, and stop where it pleases."""
    differences = trial - baseline
    gained, lost = np.cumsum(differences > 0), np.cumsum(differences < 0)
    return any(exact_mcnemar(int(gained[n - 1]), int(lost[n - 1])) < ALPHA for n in LOOKS)


def looks_case(
    name: str, call: Callable[..., bool], design: Design, rate: float, *, gain: float = 0.0
) -> Case:
    """A word that is false with this true difference."""

    def judge(rng: np.random.Generator) -> float:
        return float(call(*answers(rng, design, (rate + gain, rate)).mean(axis=2), design.clusters))

    return case_of(Method(name, call), "false positives", design, rate, one_by_one(judge))


def looks_cases() -> Iterator[Case]:
    """All cases of this module."""
    designs = (
        Design(n_items=N_ITEMS),
        Design(n_items=N_ITEMS, n_replicates=5),
        Design(n_items=N_ITEMS, is_clustered=True),
    )
    for design, rate in itertools.product(designs, BASE_RATES):
        yield looks_case("ten looks, better or worse", is_different, design, rate)
        yield looks_case("ten looks, equivalent", is_equivalent, design, rate, gain=GAIN)
