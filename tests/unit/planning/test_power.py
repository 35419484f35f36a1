"""What a planned run can detect."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.analysis.power import needed_items, smallest_detectable_difference
from tests.fakes.planned_experiments import (
    BRIEF,
    PLAIN,
    make_experiment,
    plan_of,
)
from tests.fakes.small_experiments import SmallExperiment


@pytest.fixture
def experiment(tmp_path: Path) -> SmallExperiment:
    return make_experiment(tmp_path)


def test_the_power_is_that_of_the_planned_items_and_replicates(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment.config["sampling"]["replicates"] = 3
    power = plan_of(experiment, capsys)["power"]
    (comparison,) = power["comparisons"]
    assert (comparison["trial"], comparison["baseline"]) == (BRIEF, PLAIN)
    expected = smallest_detectable_difference(3, replicates=3, power=0.9)
    assert comparison["smallest"]["all"] == {
        "n_items": 3,
        "power_80": pytest.approx(smallest_detectable_difference(3, replicates=3)),
        "power_90": pytest.approx(expected),
    }
    assert [entry["difference"] for entry in comparison["needed_items"]] == [0.01, 0.02, 0.03, 0.05]
    assert comparison["needed_items"][2] == {
        "difference": 0.03,
        "power_80": 1938,
        "power_90": needed_items(0.03, power=0.9, replicates=3),
    }
    assert (comparison["smallest_adjusted"], power["n_tests"]) == (None, 1)


def test_several_comparisons_are_told_at_the_strictest_step_too(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment.config["trials"]["sweep"]["model"] = ["sim", "twin"]
    power = plan_of(experiment, capsys)["power"]
    assert (power["n_tests"], power["strictest_level"]) == (2, pytest.approx(0.975))
    for comparison in power["comparisons"]:
        assert comparison["smallest_adjusted"]["power_80"] > comparison["smallest"]["all"]["power_80"]
    experiment.config["stats"] = {"adjustment": "fdr_by", "family": ["correct"]}
    assert plan_of(experiment, capsys)["power"]["strictest_level"] == pytest.approx(1 - 0.025 / 1.5)
    experiment.config["stats"] = {"adjustment": "none"}
    assert plan_of(experiment, capsys)["power"]["strictest_level"] is None


def test_every_dataset_of_the_report_counts_among_the_tests(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    quiz = experiment.config["datasets"]["quiz"]
    experiment.config["datasets"] = {"quiz": quiz, "again": quiz}
    assert plan_of(experiment, capsys)["power"]["n_tests"] == 3  # all, quiz, again
    experiment.config["stats"] = {"family": ["correct", "f1"]}
    assert plan_of(experiment, capsys)["power"]["n_tests"] == 6
