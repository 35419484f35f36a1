"""Coverage and selective accuracy: edges and properties."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.intervals import mean_interval, t_interval
from scripts.analysis.selective import (
    selective_accuracy,
    selective_accuracy_difference,
)

NAN = float("nan")
score = st.sampled_from([0.0, 0.5, 1.0, NAN])
silence = st.sampled_from([0.0, 1.0, NAN])


def test_abstentions_scored_as_correct_do_not_raise_the_accuracy_of_answers() -> None:
    # Two answers, one right; three abstentions on unanswerable items, which are scored as correct.
    found = selective_accuracy([1, 0, 1, 1, 1], [0, 0, 1, 1, 1], confidence_level=0.95)
    assert (found.accuracy.mean, found.coverage.mean) == (0.5, 0.4)
    assert (found.n_items, found.n_answers, found.n_abstentions, found.n_without_outcome) == (5, 2, 3, 0)


def test_failed_requests_lower_the_coverage_and_leave_the_accuracy() -> None:
    found = selective_accuracy([1, NAN, 0, NAN], [0, NAN, 0, NAN], confidence_level=0.95)
    assert (found.coverage.mean, found.accuracy.mean, found.n_without_outcome) == (0.5, 0.5, 2)


def test_single_answers_have_wilsons_interval() -> None:
    found = selective_accuracy([1, 1, 0, 0], [0, 0, 0, 1], confidence_level=0.9)
    assert found.accuracy == mean_interval([1, 1, 0], confidence_level=0.9)
    assert found.coverage == mean_interval([1, 1, 1, 0], confidence_level=0.9)


def test_the_replicates_of_an_item_are_one_cluster() -> None:
    scores = np.array([[1, 1], [0, 1], [1, 0], [1, 1]])
    silent = np.array([[0, 0], [0, 1], [0, 0], [1, 1]])
    found = selective_accuracy(scores, silent, confidence_level=0.95)
    expected = mean_interval([1, 1, 0, 1, 0], [0, 0, 1, 2, 2], confidence_level=0.95, bounds=(0, 1))
    assert found.accuracy == expected
    assert found.coverage.mean == 5 / 8


def test_who_answers_nothing_has_a_coverage_and_no_accuracy() -> None:
    found = selective_accuracy([0, 0], [1, 1], confidence_level=0.95)
    assert (found.coverage.mean, found.accuracy.mean, found.accuracy.method) == (0, None, "none: no values")
    nothing = selective_accuracy([], [], confidence_level=0.95)
    assert (nothing.n_items, nothing.coverage.mean) == (0, None)


@pytest.mark.parametrize(
    ("correct", "abstained", "message"),
    [([1], [0, 1], "shape"), ([1], [0.5], "0, 1 or NaN"), ([2], [0], "bounds")],
)
def test_what_is_no_score_or_no_abstention_is_refused(correct: Any, abstained: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        selective_accuracy(correct, abstained, confidence_level=0.95)


@settings(deadline=None)
@given(st.lists(st.tuples(score, score, silence, silence), min_size=1, max_size=25))
def test_coverage_and_accuracy_are_shares(rows: list[tuple[float, ...]]) -> None:
    array = np.array(rows)
    found = selective_accuracy(array[:, :2], array[:, 2:], confidence_level=0.95)
    json.dumps(dataclasses.asdict(found), allow_nan=False)
    assert found.n_answers + found.n_abstentions + found.n_without_outcome == 2 * len(rows)
    assert found.coverage.mean == pytest.approx(found.n_answers / (2 * len(rows)))
    for part in (found.coverage, found.accuracy):
        for value in (part.mean, part.low, part.high):
            assert value is None or 0 <= value <= 1


def test_where_everything_is_answered_the_difference_is_the_paired_one() -> None:
    rng = np.random.default_rng(1)
    trial, baseline = rng.integers(0, 2, (2, 50, 3)).astype(float)
    clusters = np.arange(50) // 2
    found = selective_accuracy_difference(
        trial, np.zeros((50, 3)), baseline, np.zeros((50, 3)), clusters, confidence_level=0.9
    )
    expected = t_interval((trial - baseline).mean(axis=1), clusters, confidence_level=0.9)
    assert (found.mean, found.low, found.high) == pytest.approx((expected.mean, expected.low, expected.high))
    assert found.method == "linearised cluster-robust t"


def test_the_difference_is_that_of_the_two_accuracies_and_mirrors_when_swapped() -> None:
    rng = np.random.default_rng(2)
    scores, silent = rng.integers(0, 2, (2, 2, 60, 2)).astype(float)
    scores[0, :5] = NAN
    there = selective_accuracy_difference(scores[0], silent[0], scores[1], silent[1], confidence_level=0.95)
    back = selective_accuracy_difference(scores[1], silent[1], scores[0], silent[0], confidence_level=0.95)
    means = [
        selective_accuracy(scores[arm], silent[arm], confidence_level=0.95).accuracy.mean for arm in (0, 1)
    ]
    assert there.mean == pytest.approx(means[0] - means[1])  # type: ignore[operator]
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))  # type: ignore[operator]


def test_a_trial_that_answers_nothing_cannot_be_compared() -> None:
    found = selective_accuracy_difference([1, 0], [1, 1], [1, 0], [0, 0], confidence_level=0.95)
    assert (found.mean, found.low, found.method) == (None, None, "none: a trial answers nothing")
    with pytest.raises(ValueError, match="the trial has 1 items, but the baseline 2"):
        selective_accuracy_difference([1], [0], [1, 0], [0, 0], confidence_level=0.95)


def test_answers_that_do_not_vary_leave_a_difference_without_an_interval() -> None:
    found = selective_accuracy_difference([1, 1], [0, 0], [0, 0], [0, 0], confidence_level=0.95)
    assert (found.mean, found.low, found.high, found.method) == (1, None, None, "none: no variation")
