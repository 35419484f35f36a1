"""One table of metrics, and everything that follows it."""

import dataclasses

import pytest

from scripts.comparison.metrics import (
    BY_NAME,
    COMPARED,
    COMPLETE,
    METRICS,
    NAMES,
    USAGE,
    Better,
    Metric,
    heading,
    higher_is_better,
    margin_of,
)
from scripts.reporting.leaderboard import LEADERBOARD_TAIL
from scripts.score import scores_schema
from scripts.scorers import Score


def test_a_score_holds_every_metric_what_was_read_and_more() -> None:
    assert tuple(field.name for field in dataclasses.fields(Score)) == (*NAMES, "read", "more")


def test_a_metric_that_trials_are_compared_on_has_a_direction() -> None:
    assert [name for name in COMPARED if BY_NAME[name].better is Better.NONE] == []


def test_every_metric_has_a_name_of_its_own_a_heading_a_meaning_and_a_range() -> None:
    known = (*METRICS, *USAGE)
    assert len(BY_NAME) == len({metric.heading for metric in known}) == len(known)
    assert all(metric.meaning for metric in known)
    assert all(metric.range is None or metric.range[0] < metric.range[1] for metric in known)
    assert set(COMPARED) <= set(COMPLETE)


def test_scores_and_leaderboard_follow_the_table() -> None:
    assert set(NAMES) <= set(LEADERBOARD_TAIL)
    assert set(NAMES) <= set(scores_schema().names)


@pytest.mark.parametrize(("name", "expected"), [("correct", True), ("false_answer", False), ("mine", True)])
def test_the_direction_of_a_metric(name: str, expected: bool) -> None:
    assert higher_is_better(name) is expected


def test_an_unknown_metric_is_called_by_its_own_name() -> None:
    assert (heading("false_answer"), heading("mine")) == ("False answers", "mine")


def test_the_margin_of_the_run_is_that_of_shares() -> None:
    own = Metric("own", "Own", "", Better.HIGHER, range=(0.0, 100.0))
    assert margin_of(BY_NAME["correct"], 0.02) == 0.02
    assert margin_of(own, 0.02) is None
    assert margin_of(dataclasses.replace(own, margin=5.0), 0.02) == 5.0
    assert margin_of(BY_NAME["output_tokens"], 0.02) is None
