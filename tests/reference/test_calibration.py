"""Intervals and tests keep their word in data made with a known truth, and a wrong one is caught."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks import calibration
from benchmarks.calibration_analyses import arms, interval_case, null_case
from benchmarks.calibration_families import adjustment_case, family_case
from benchmarks.calibration_joint import holm_of_each, joint_case, verdict_case
from benchmarks.calibration_looks import is_different_at_any_look, looks_case
from benchmarks.calibration_missing import missing_case
from benchmarks.calibration_pairs import (
    CAUTIOUS,
    GAIN,
    Codes,
    Method,
    Table,
    mean_case,
    odds_bounds,
    pairs_case,
    proportion_case,
    sign_flip_p_value,
    table_case,
)
from benchmarks.simulation import USUAL, Case, Design, FloatArray, held, measure
from scripts.analysis.discordant import exact_mcnemar
from scripts.analysis.factorial_tests import factor_tests
from scripts.analysis.intervals import mean_interval, t_interval
from scripts.analysis.resampling import sign_flip_test
from scripts.analysis.score_intervals import tango_interval

SEED = 7
SIMULATIONS = 200
Z = 1.959963984540054


def smallest_cases() -> list[Case]:
    """One case of each method and kind of data, of 200 items at base rates of 0.02 and 0.5, and others."""
    cases = [case for case in calibration.all_cases() if case.base_rate in (0.5, 0.02)]
    return [case for case in cases if case.design.n_items in (200, 10, 400)]


@pytest.mark.slow
@pytest.mark.parametrize("case", smallest_cases(), ids=lambda case: case.name)
def test_a_method_keeps_its_word(case: Case) -> None:
    measured = measure(case, simulations=SIMULATIONS, seed=SEED)
    assert measured.n_silent < measured.n_simulations / 2
    assert measured.verdict == "holds", measured


def test_every_exception_is_explained() -> None:
    for case in calibration.all_cases():
        assert (case.promised != USUAL[case.promise]) == bool(case.exception), case.name


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in calibration.all_cases()]
    assert len(names) == len(set(names)) > 300


# Methods that are wrong --------------------------------------------------------------------------------


def normal_interval(values: FloatArray, codes: Codes) -> tuple[float, float]:
    """The interval that every textbook warns of."""
    reach = Z * np.sqrt(values.mean() * (1 - values.mean()) / len(values))
    return values.mean() - reach, values.mean() + reach


def rows_as_units(values: FloatArray, codes: Codes) -> tuple[float | None, float | None]:
    """Forget the clusters, or that answers belong to the same item."""
    found = mean_interval(values.ravel(), confidence_level=0.95)
    return found.low, found.high


def unpaired_interval(trial: FloatArray, baseline: FloatArray, *_: Any) -> tuple[float, float]:
    """Forget that the items are the same."""
    difference = trial.mean() - baseline.mean()
    reach = Z * np.sqrt(trial.var() / len(trial) + baseline.var() / len(baseline))
    return difference - reach, difference + reach


def one_sided_sign_flip(
    trial: FloatArray, baseline: FloatArray, codes: Codes, rng: np.random.Generator
) -> float:
    """Look at the side first, then test it alone."""
    return sign_flip_test(trial - baseline, resamples=199, rng=rng).p_value / 2


def flipped_rows(trial: FloatArray, baseline: FloatArray, codes: Codes, rng: np.random.Generator) -> float:
    """Flip items in place of clusters."""
    return sign_flip_test(trial - baseline, resamples=199, rng=rng).p_value


def not_significant(trial: FloatArray, baseline: FloatArray, codes: Codes, rng: np.random.Generator) -> float:
    """Take what is not significant for equivalent."""
    return float(sign_flip_p_value(trial, baseline, codes, rng) < 0.05)


def each_alone(data: FloatArray, codes: Codes) -> float:
    """Look at five trials at once, but give each the interval that it would have alone."""
    *trials, baseline = data.mean(axis=2)
    bounds = (mean_interval(trial - baseline, codes, confidence_level=0.95) for trial in trials)
    return min(held(found.low, 0.0, found.high) for found in bounds)


def plain_tests(data: FloatArray, codes: Codes) -> float:
    """Call any two of six trials different whose own test says so; 1 where none of them is, as is right."""
    arms = data.mean(axis=2)
    pairs = itertools.combinations(arms, 2)
    bounds = (mean_interval(one - other, codes, confidence_level=0.95) for one, other in pairs)
    return min(held(found.low, 0.0, found.high) for found in bounds)


def sweep_of_rows(data: FloatArray, codes: Codes) -> float | None:
    """Test a factor as if items of a cluster were independent."""
    cube = data.mean(axis=2).T.reshape(-1, 2, 3)
    rng = np.random.default_rng(int(data.sum()))
    names = ["model", "prompt"]
    return factor_tests(cube, np.arange(len(cube)), names, resamples=199, rng=rng)[0].p_value


def student_t(trial: FloatArray, baseline: FloatArray, *_: Any) -> tuple[float | None, float | None]:
    """Take skewed differences for symmetric."""
    found = t_interval(trial - baseline, np.arange(len(trial)), confidence_level=0.95)
    return found.low, found.high


PLAIN = Design(n_items=200, n_replicates=5)
CLUSTERED = Design(n_items=200, is_clustered=True)

WRONG: dict[str, tuple[Callable[[], Case], str]] = {
    "a normal interval": (lambda: proportion_case(50, 0.1, call=normal_interval), "too short"),
    "a normal interval, rates around": (
        lambda: proportion_case(50, 0.1, reach=0.05, call=normal_interval),
        "too short",
    ),
    "items in place of clusters": (
        lambda: mean_case(Method("", rows_as_units), CLUSTERED, 0.5),
        "too short",
    ),
    "answers in place of items": (
        lambda: interval_case(Method("", rows_as_units), PLAIN, 0.5, arms(PLAIN, 0.5), 0.5),
        "too short",
    ),
    "an interval of one level less": (
        lambda: table_case(
            Method("", lambda t: tango_interval(t.gained, t.lost, t.n, confidence_level=0.9)),
            "coverage",
            200,
            0.5,
            gain=GAIN,
            truth=GAIN,
        ),
        "too short",
    ),
    "an odds ratio that is upside down": (
        lambda: table_case(
            Method("", lambda t: odds_bounds(Table(t.both, t.lost, t.gained, t.n)), CAUTIOUS),
            "coverage",
            200,
            0.5,
            gain=GAIN,
            truth=1.5,
        ),
        "too short",
    ),
    "pairs that are torn apart": (
        lambda: pairs_case(Method("", unpaired_interval), "coverage", PLAIN, 0.5, gain=GAIN),
        "too long",
    ),
    "student's t near 0": (
        lambda: pairs_case(
            Method("", student_t), "coverage", Design(n_items=50, n_replicates=5), 0.001, gain=0.02
        ),
        "too short",
    ),
    "a one-sided mcnemar": (
        lambda: table_case(
            Method("", lambda t: exact_mcnemar(t.gained, t.lost) / 2), "false positives", 1000, 0.5, gain=0.0
        ),
        "too often",
    ),
    "a one-sided sign flip": (
        lambda: pairs_case(Method("", one_sided_sign_flip), "false positives", PLAIN, 0.5, gain=0.0),
        "too often",
    ),
    "flips of items in place of clusters": (
        lambda: pairs_case(Method("", flipped_rows), "false positives", CLUSTERED, 0.5, gain=0.0),
        "too often",
    ),
    "equivalent as it is not significant": (
        lambda: pairs_case(Method("", not_significant), "false positives", PLAIN, 0.5, gain=GAIN),
        "too often",
    ),
    "a family that is not adjusted": (lambda: family_case("none", 200, 0.5), "too often"),
    "intervals of a family that hold one by one": (
        lambda: joint_case(Method("", each_alone, CAUTIOUS), PLAIN, [0.5] * 6, each_alone),
        "too short",
    ),
    "places by tests that are not adjusted": (
        lambda: joint_case(Method("", plain_tests, CAUTIOUS), PLAIN, [0.5] * 6, plain_tests),
        "too short",
    ),
    "equivalence as a family of its own": (lambda: verdict_case("", holm_of_each), "too often"),
    "a sweep that forgets its clusters": (
        lambda: null_case(Method("", sweep_of_rows), CLUSTERED, 0.5, arms(CLUSTERED, *[0.5] * 6)),
        "too often",
    ),
    "ten looks at p-values for one": (
        lambda: looks_case("", is_different_at_any_look, Design(n_items=1000), 0.5),
        "too often",
    ),
    "missing answers without a worst case": (
        lambda: missing_case(400, 0.69, 0.05, gain=0.0, with_worst_case=False),
        "too often",
    ),
    "ten tests that are not adjusted": (lambda: adjustment_case("none", n_true=0), "too often"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_method_is_caught(name: str) -> None:
    make, verdict = WRONG[name]
    assert measure(make(), simulations=1000, seed=SEED).verdict == verdict


# The engine --------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_figures_whatever_else_is_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["--simulations", "20", "--json", "--processes", "1", "--only"]
    calibration.main([*words, "wilson's interval: coverage, n=50"])
    few = capsys.readouterr().out.splitlines()
    calibration.main([*words, "wilson's interval"])
    assert set(few) < set(capsys.readouterr().out.splitlines())
    assert json.loads(few[0])["simulations"] == 40


def test_data_about_which_a_test_says_nothing_count_as_not_rejected() -> None:
    case = pairs_case(Method("", lambda *_: None), "false positives", PLAIN, 0.5, gain=0.0)
    measured = measure(case, simulations=5, seed=SEED)
    assert (measured.rate, measured.n_silent, measured.verdict) == (0.0, 5, "holds")


def test_a_method_that_says_nothing_does_not_hold() -> None:
    case = mean_case(Method("", lambda *_: (None, None)), PLAIN, 0.5)
    measured = measure(case, simulations=5, seed=SEED)
    assert np.isnan(measured.rate)
    assert measured.verdict == "silent"


def test_an_unknown_name_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        calibration.main(["--only", "no such method"])
    assert "no case has 'no such method'" in capsys.readouterr().err
