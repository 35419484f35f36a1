"""Verdicts where answers are missing, and whether one is depends on what it would have been."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from benchmarks.calibration_pairs import LEVEL, RESAMPLES, Method, case_of
from benchmarks.simulation import Case, Design, FloatArray, answers, one_by_one
from scripts.analysis.bounds import difference_bounds
from scripts.analysis.equivalence import margin_tests
from scripts.analysis.paired import effect_of_pairs
from scripts.analysis.pairs import Inference, Pairs, infer_difference, pair_up
from scripts.analysis.resampling import child_rng
from scripts.analysis.verdicts import Verdict
from scripts.reporting.family import judge_effects

N_ITEMS = 400, 1000, 2000
SHARES = 0.02, 0.05
BASE_RATES = 0.5, 0.69
MARGIN = 0.02
"""Of equivalence, as in the default configuration."""


def strike_out(rng: np.random.Generator, values: FloatArray, share: float, *, struck: float) -> FloatArray:
    """
    Take answers of one value away: a share of all items, as far as there are as many.

    Parameters
    ----------
    rng : numpy.random.Generator
        Which of them.
    values : ndarray of float, shape (n_items,)
        Answers that would have been given.
    share : float
        Of all items, how many are missing.
    struck : float
        What a missing answer would have been.

    Returns
    -------
    ndarray of float, shape (n_items,)
        NaN where an answer is missing.
    """
    places = np.flatnonzero(values == struck)
    n_missing = min(len(places), round(share * len(values)))
    left = values.copy()
    left[rng.choice(places, n_missing, replace=False)] = np.nan
    return left


def judge_with_missing(trial: FloatArray, baseline: FloatArray, *, with_worst_case: bool = True) -> Verdict:
    """Judge as a run does; whatever is missing, the worst case must bear out every word."""
    rng = child_rng(1, "missing")
    pairs = pair_up(trial, baseline, bounds=(0.0, 1.0))
    inference = infer_difference(pairs, bounds=(0.0, 1.0))
    effect = effect_of_pairs(pairs, inference, confidence_level=LEVEL, resamples=RESAMPLES, rng=rng)
    worst = difference_bounds(
        trial,
        baseline,
        confidence_level=LEVEL,
        resamples=RESAMPLES,
        seed=1,
        names=("missing",),
        margin=MARGIN,
    )
    equivalence = equivalence_p_value(pairs, inference)
    row: dict[str, Any] = {"trial": "trial", "dataset": "all", "metric": "correct", "better": "higher"}
    row |= {"difference": effect.difference, "p_value": effect.p_value}
    row["sensitivity"] = {
        "non_inferiority": {"p_equivalence": equivalence},
        "worst_case": dataclasses.asdict(worst) if with_worst_case else None,
    }
    (judged,) = judge_effects([row], adjustment="holm", family=["correct"], confidence_level=LEVEL)
    return cast(Verdict, judged["verdict"])


def equivalence_p_value(pairs: Pairs, inference: Inference) -> float | None:
    """P-value of the two one-sided tests against the margin."""
    if inference.p_value is None:
        return None
    difference = float(pairs.differences.mean())
    return margin_tests(
        difference, inference.p_value, margin=MARGIN, higher_is_better=True, method="a run"
    ).p_equivalence


def missing_case(n: int, rate: float, share: float, *, gain: float, with_worst_case: bool = True) -> Case:
    """
    A share of the trial's answers is missing, all of one value, so that a false word comes easiest.

    Without a true difference, wrong answers are missing, and "better" is false; with a difference of the
    margin, right ones, and "equivalent" is false.
    """
    false: set[Verdict] = {"equivalent"} if gain else {"better", "worse"}

    def judge(rng: np.random.Generator) -> float:
        trial, baseline = answers(rng, Design(n_items=n), (rate + gain, rate))[:, :, 0]
        left = strike_out(rng, trial, share, struck=1.0 if gain else 0.0)
        return float(judge_with_missing(left, baseline, with_worst_case=with_worst_case) in false)

    word = "equivalent" if gain else "better or worse"
    method = Method(f"{word}, {share:.0%} missing by their value", judge_with_missing)
    return case_of(method, "false positives", Design(n_items=n), rate, one_by_one(judge))


def missing_cases() -> Iterator[Case]:
    """All cases of this module."""
    for n, rate, share in itertools.product(N_ITEMS, BASE_RATES, SHARES):
        for gain in (0.0, MARGIN):
            yield missing_case(n, rate, share, gain=gain)
