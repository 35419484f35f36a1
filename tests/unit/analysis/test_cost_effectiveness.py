"""Dollars per correct answer: edges, Fieller's definition, and the Pareto front."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scripts.analysis.cost_effectiveness import (
    cost_per_correct,
    incremental_cost,
    pareto_front,
)

NAN = float("nan")
costs = st.sampled_from([0.0, 0.01, 0.02, 0.5, NAN])
scores = st.sampled_from([0.0, 0.5, 1.0, NAN])


def t_statistic(values: np.ndarray) -> float:
    return float(stats.ttest_1samp(values, 0).statistic)


def test_money_without_an_outcome_is_spent_all_the_same() -> None:
    found = cost_per_correct([0.02, 0.02, 0.02, NAN], [1, NAN, 1, 1], confidence_level=0.95)
    assert found.usd_per_correct == pytest.approx(0.03)
    assert (found.n_items, found.n_without_cost, found.n_without_score) == (3, 1, 1)


@pytest.mark.parametrize(
    ("money", "correct", "reason"),
    [
        ([0.1, 0.1], [0, 0], "no correct answer"),
        ([0.1], [NAN], "no correct answer"),
        ([], [], "no item with a known cost"),
        ([NAN], [1], "no item with a known cost"),
    ],
)
def test_no_correct_answer_has_no_price(money: list[float], correct: list[float], reason: str) -> None:
    found = cost_per_correct(money, correct, confidence_level=0.95)
    assert (found.usd_per_correct, found.low, found.high, found.reason) == (None, None, None, reason)


@pytest.mark.parametrize(
    ("money", "correct", "clusters", "method"),
    [
        ([0.1], [1], None, "none: one value"),
        ([0.1, 0.2], [1, 1], ["a", "a"], "none: one cluster"),
        ([0.1, 0.1, 0.1], [1, 1, 1], None, "none: no variation"),
    ],
)
def test_a_price_without_an_interval_says_why(money: Any, correct: Any, clusters: Any, method: str) -> None:
    found = cost_per_correct(money, correct, clusters, confidence_level=0.95)
    assert found.usd_per_correct is not None
    assert (found.low, found.high, found.method) == (None, None, method)


def test_the_bounds_are_the_prices_that_a_t_test_would_just_not_reject() -> None:
    rng = np.random.default_rng(4)
    correct = rng.integers(0, 2, 80).astype(float)
    money = 0.01 + 0.02 * rng.random(80) - 0.004 * correct
    found = cost_per_correct(money, correct, confidence_level=0.9)
    quantile = stats.t.ppf(0.95, 79)
    assert found.method == "fieller"
    assert t_statistic(money - found.low * correct) == pytest.approx(quantile, rel=1e-9)
    assert t_statistic(money - found.high * correct) == pytest.approx(-quantile, rel=1e-9)


def test_where_correct_answers_are_rare_there_is_no_upper_bound_but_the_lower_one_is_fiellers() -> None:
    rng = np.random.default_rng(4)
    correct = np.array([1.0] + [0.0] * 19)
    money = 0.01 + 0.002 * rng.random(20)
    found = cost_per_correct(money, correct, confidence_level=0.95)
    assert (found.high, found.method) == (None, "fieller; no upper bound")
    assert t_statistic(money - found.low * correct) == pytest.approx(stats.t.ppf(0.975, 19), rel=1e-9)


def test_where_nothing_is_sure_the_price_may_be_anything() -> None:
    found = cost_per_correct([0.0] * 19 + [1.0], [1.0] + [0.0] * 19, confidence_level=0.95)
    assert (found.usd_per_correct, found.low, found.high) == (1, 0, None)


def test_clusters_widen_the_interval_of_the_price() -> None:
    rng = np.random.default_rng(9)
    correct = np.repeat(rng.integers(0, 2, 30), 4).astype(float)
    money = np.full(120, 0.01)
    plain = cost_per_correct(money, correct, confidence_level=0.95)
    clustered = cost_per_correct(money, correct, np.repeat(np.arange(30), 4), confidence_level=0.95)
    assert plain.usd_per_correct == clustered.usd_per_correct
    assert clustered.high > plain.high  # type: ignore[operator]


def test_negative_costs_and_unlike_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        cost_per_correct([-0.1], [1], confidence_level=0.95)
    with pytest.raises(ValueError, match="2 costs, but 1 scores"):
        cost_per_correct([0.1, 0.1], [1], confidence_level=0.95)
    with pytest.raises(ValueError, match="the trial has 1 items, but the baseline 2"):
        incremental_cost([0.1], [1], [0.1, 0.1], [1, 0], confidence_level=0.95)


@settings(deadline=None)
@given(st.lists(st.tuples(costs, scores), max_size=30))
def test_a_price_lies_within_its_interval(rows: list[tuple[float, float]]) -> None:
    array = np.array(rows, dtype=float).reshape(-1, 2)
    found = cost_per_correct(array[:, 0], array[:, 1], confidence_level=0.95)
    json.dumps(dataclasses.asdict(found), allow_nan=False)
    assert found.n_items + found.n_without_cost == len(rows)
    assert (found.usd_per_correct is None) == (found.reason is not None)
    if found.usd_per_correct is not None and found.low is not None:
        assert 0 <= found.low <= found.usd_per_correct * (1 + 1e-9)
        assert found.high is None or found.high >= found.usd_per_correct * (1 - 1e-9)


@pytest.mark.parametrize(
    ("money", "correct", "quadrant"),
    [
        ([0.1, 0.1], [1, 1], "dominates"),
        ([0.3, 0.3], [0, 0], "dominated"),
        ([0.3, 0.3], [1, 1], "better and dearer"),
        ([0.1, 0.1], [0, 0], "worse and cheaper"),
        ([0.2, 0.2], [1, 0], "no difference"),
        ([0.2, 0.2], [1, 1], "dominates"),
        ([0.3, 0.2], [1, 0], "dominated"),
    ],
)
def test_the_quadrant_says_whether_a_ratio_has_a_meaning(
    money: list[float], correct: list[float], quadrant: str
) -> None:
    found = incremental_cost(money, correct, [0.2, 0.2], [1, 0], confidence_level=0.95)
    assert found.quadrant == quadrant
    has_ratio = quadrant in ("better and dearer", "worse and cheaper")
    assert (found.usd_per_additional_correct is not None) == has_ratio
    assert found.reason == (None if has_ratio else quadrant)


def test_the_incremental_price_has_fiellers_interval() -> None:
    rng = np.random.default_rng(6)
    before, after = (rng.random((2, 200)) < np.array([[0.4], [0.7]])).astype(float)
    money_before, money_after = rng.uniform(0.01, 0.02, 200), rng.uniform(0.03, 0.05, 200)
    found = incremental_cost(money_after, after, money_before, before, confidence_level=0.95)
    dollars, answers = money_after - money_before, after - before
    quantile = stats.t.ppf(0.975, 199)
    assert found.usd_per_additional_correct == pytest.approx(dollars.mean() / answers.mean())
    assert t_statistic(dollars - found.low * answers) == pytest.approx(quantile, rel=1e-9)
    assert t_statistic(dollars - found.high * answers) == pytest.approx(-quantile, rel=1e-9)


def test_a_gain_that_is_not_sure_gives_a_ratio_without_an_interval() -> None:
    found = incremental_cost([0.2, 0.3, 0.2], [1, 1, 0], [0.1] * 3, [0, 1, 0], confidence_level=0.95)
    assert found.usd_per_additional_correct == pytest.approx(0.4)
    assert (found.low, found.high, found.method) == (None, None, "none: correct answers do not surely differ")


def test_pairs_with_anything_missing_fall_out_and_are_counted() -> None:
    found = incremental_cost(
        [0.1, NAN, 0.1, 0.1], [1, 1, NAN, 1], [0.1, 0.1, 0.1, NAN], [1, 1, 1, 1], confidence_level=0.95
    )
    assert (found.n_pairs, found.n_unpaired) == (1, 3)
    nothing = incremental_cost([NAN], [1], [0.1], [1], confidence_level=0.95)
    assert (nothing.n_pairs, nothing.reason, nothing.quadrant) == (0, "no pairs", None)


def test_swapping_the_arms_keeps_the_ratio_and_mirrors_the_quadrant() -> None:
    first = ([0.2, 0.3, 0.25], [1, 1, 0]), ([0.1, 0.1, 0.1], [0, 1, 0])
    there = incremental_cost(*first[0], *first[1], confidence_level=0.95)
    back = incremental_cost(*first[1], *first[0], confidence_level=0.95)
    assert there.usd_per_additional_correct == pytest.approx(back.usd_per_additional_correct)
    assert (there.quadrant, back.quadrant) == ("better and dearer", "worse and cheaper")


def test_trials_that_tie_in_both_are_both_on_the_front() -> None:
    assert pareto_front([1, 1, 2], [0.5, 0.5, 0.5]) == [True, True, False]
    assert pareto_front([None, 1], [0.5, None]) == [None, None]
    with pytest.raises(ValueError, match="1 costs, but 2 scores"):
        pareto_front([1], [1, 2])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20))
def test_some_trial_is_always_on_the_front_and_beats_all_that_are_not(rows: list[tuple[int, int]]) -> None:
    money, correct = zip(*rows, strict=True)
    front = pareto_front(money, correct)
    assert True in front
    winners = [row for row, is_on in zip(rows, front, strict=True) if is_on]
    for row, is_on in zip(rows, front, strict=True):
        beaten = any(cost <= row[0] and score >= row[1] and (cost, score) != row for cost, score in winners)
        assert beaten != is_on
