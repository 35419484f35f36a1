from __future__ import annotations

import pytest

from scripts.reporting.scatter import abstention_scatter, cost_scatter


def _trial(name, cost, correct, *, abstained=None, false_answer=None):
    shares = {"correct": correct, "abstained": abstained, "false_answer": false_answer}
    metrics = {key: {"mean": mean, "low": None, "high": None} for key, mean in shares.items()}
    return {"trial": name, "cost_usd": cost, "metrics": metrics}


def test_the_frontier_joins_trials_that_none_beats():
    drawn = cost_scatter([_trial("best", 4, 0.9), _trial("beaten", 3, 0.5), _trial("cheap", 1, 0.6)])

    assert {"best", "cheap"} == {point.trial for point in drawn.points if point.is_efficient}
    assert len(drawn.frontier) == 2
    assert not drawn.is_log


def test_costs_far_apart_get_a_logarithmic_axis():
    drawn = cost_scatter([_trial("a", 0.01, 0.5), _trial("b", 30, 0.9)])

    assert drawn.is_log
    assert [tick.label for tick in drawn.x_ticks] == ["$0.01", "$0.1", "$1", "$10", "$100"]


@pytest.mark.parametrize(
    "trials",
    [
        [],
        [_trial("a", 0.0, 0.5), _trial("b", 0.0, 0.9)],
        [_trial("a", None, 0.5), _trial("b", 1, 0.9)],
        [_trial("a", 2, None), _trial("b", 1, 0.9)],
    ],
)
def test_without_two_costs_there_is_no_scatter(trials):
    assert cost_scatter(trials) is None


def test_abstentions_stand_against_false_answers():
    drawn = abstention_scatter(
        [
            _trial("bold", 1, 0.5, abstained=0.0, false_answer=0.8),
            _trial("shy", 1, 0.5, abstained=0.4, false_answer=0.1),
            _trial("no such questions", 1, 0.5, abstained=0.4),
        ]
    )

    places = {point.trial: (point.x, point.y) for point in drawn.points}
    assert set(places) == {"bold", "shy"}
    assert places["bold"][0] == 0 < places["shy"][0]
    assert places["bold"][1] < places["shy"][1]  # upwards is more
    assert drawn.frontier == ()


def test_labels_of_points_that_are_close_do_not_cover_each_other():
    drawn = cost_scatter(
        [_trial(f"trial number {n}", 3 + n / 100, 0.5 + n / 1000) for n in range(6)] + [_trial("z", 9, 0.9)]
    )

    places = {(point.label_dx, point.label_dy) for point in drawn.points if point.trial != "z"}
    assert len(places) == 6
