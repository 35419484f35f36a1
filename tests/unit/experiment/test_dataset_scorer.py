"""The scorers of datasets and the metrics of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.comparison.metrics import METRICS, Better
from scripts.errors import ConfigError
from scripts.experiment.dataset_scorer import declared_metrics, run_metrics
from tests.fakes.small_experiments import SmallExperiment


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallExperiment:
    monkeypatch.chdir(tmp_path)
    return SmallExperiment(tmp_path)


OWN = {"helpful": {"better": "higher", "range": [0, 1], "margin": 0.05}, "words": {"better": "none"}}


def several(*scorers: Any) -> dict[str, Any]:
    return {"quiz": {"path": "quiz.jsonl", "scorers": list(scorers)}}


def test_a_run_has_the_built_in_metrics_and_those_that_are_declared(experiment: SmallExperiment) -> None:
    found = run_metrics(experiment.load(metrics=OWN))

    assert found[: len(METRICS)] == METRICS
    helpful, words = found[len(METRICS) :]
    assert (helpful.name, helpful.heading, helpful.better) == ("helpful", "Helpful", Better.HIGHER)
    assert (helpful.range, helpful.margin, helpful.is_share, helpful.is_compared) == (
        (0, 1),
        0.05,
        True,
        True,
    )
    assert (words.better, words.range, words.margin, words.is_compared) == (Better.NONE, None, None, True)


def test_a_further_scorer_adds_its_metrics(experiment: SmallExperiment) -> None:
    settings = experiment.check(datasets=several("short_answer", {"name": "regex", "pattern": "(a)"}))

    names = [metric.name for metric in run_metrics(settings)]
    assert names[len(METRICS) :] == ["regex_correct", "regex_unread"]


def test_the_family_may_hold_declared_metrics_and_those_of_further_scorers(
    experiment: SmallExperiment,
) -> None:
    datasets = several("short_answer", "multiple_choice")
    family = ["correct", "helpful", "multiple_choice_correct"]
    experiment.load(datasets=datasets, metrics=OWN, stats={"family": family})
    run_metrics(experiment.load(datasets=datasets, metrics=OWN, stats={"family": family}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": {"correct": {"better": "lower"}}}, "metrics.correct: 'correct' is built in"),
        ({"metrics": {"own": {"better": "lower", "range": [1, 0]}}}, "metrics.own.range: is \\[1, 0\\]"),
        ({"stats": {"family": ["corect"]}}, "stats.family\\[0\\]: is 'corect'; did you mean 'correct'"),
        ({"stats": {"family": ["abstained"]}}, "stats.family\\[0\\]: is 'abstained'"),
        ({"datasets": several("short_answer", "numerics")}, "datasets.quiz.scorers: unknown scorer"),
        ({"metrics": {"own": {"better": "up"}}}, "metrics.own.better: is 'up'"),
        ({"metrics": {"Own": {"better": "lower"}}}, "'Own' is not a valid"),
    ],
)
def test_a_mistake_is_found_before_anything_is_sent(
    experiment: SmallExperiment, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        experiment.check(**changes)


def test_nothing_declared_is_nothing(experiment: SmallExperiment) -> None:
    assert declared_metrics(experiment.load()) == {}
