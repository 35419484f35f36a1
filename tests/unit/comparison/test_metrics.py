"""One table of metrics, and everything that follows it."""

import dataclasses

import pytest

from scripts.comparison.metrics import (
    BY_NAME,
    COMPARED,
    COMPLETE,
    METRICS,
    NAMES,
    Better,
    heading,
    higher_is_better,
)
from scripts.experiment.schema import config_schema
from scripts.reporting.summary import LEADERBOARD_TAIL
from scripts.score import scores_schema
from scripts.scorers import Score


def test_a_score_holds_every_metric_what_was_read_and_more() -> None:
    assert tuple(field.name for field in dataclasses.fields(Score)) == (*NAMES, "read", "more")


def test_a_metric_that_trials_are_compared_on_has_a_direction() -> None:
    assert [name for name in COMPARED if BY_NAME[name].better is Better.NONE] == []


def test_every_metric_has_a_name_of_its_own_a_heading_a_meaning_and_a_range() -> None:
    assert len(BY_NAME) == len({metric.heading for metric in METRICS}) == len(METRICS)
    assert all(metric.meaning and metric.range[0] < metric.range[1] for metric in METRICS)
    assert set(COMPARED) <= set(COMPLETE)


def test_scores_leaderboard_and_schema_follow_the_table() -> None:
    family = config_schema()["properties"]["stats"]["properties"]["family"]
    assert family["items"]["enum"] == list(COMPARED)
    assert set(NAMES) <= set(LEADERBOARD_TAIL)
    assert set(NAMES) <= set(scores_schema().names)


@pytest.mark.parametrize(("name", "expected"), [("correct", True), ("false_answer", False), ("mine", True)])
def test_the_direction_of_a_metric(name: str, expected: bool) -> None:
    assert higher_is_better(name) is expected


def test_an_unknown_metric_is_called_by_its_own_name() -> None:
    assert (heading("false_answer"), heading("mine")) == ("False answers", "mine")
