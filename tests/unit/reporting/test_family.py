"""Verdicts of a family of comparisons, and intervals that agree with them."""

from __future__ import annotations

import pytest

from scripts.reporting.family import agreeing, judge_effects


def row(trial="t", dataset="all", metric="correct", *, difference=0.1, p_value=0.01, **worst):
    effect = {"trial": trial, "dataset": dataset, "metric": metric}
    effect |= {"difference": difference, "p_value": p_value}
    return effect | ({"sensitivity": {"worst_case": {"n_incomplete": 1, **worst}}} if worst else {})


def judge(*rows, adjustment="holm", family=("correct",), **options):
    return judge_effects(rows, adjustment=adjustment, family=family, confidence_level=0.95, **options)


def test_a_dataset_without_an_effect_over_all_counts_by_itself():
    found = judge(row(dataset="a"), row(dataset="b", p_value=0.04))

    assert [effect["p_adjusted"] for effect in found] == [0.02, 0.04]


def test_no_adjustment_leaves_p_values_and_says_so():
    (found,) = judge(row(), adjustment="none")

    assert (found["p_adjusted"], found["adjustment"], found["verdict"]) == (None, "none", "better")


def test_an_exploratory_metric_has_no_verdict_by_its_raw_p_value():
    rows = [row(f"t{n}", metric="f1", p_value=0.03) for n in range(3)]

    found = judge(row(), *rows)

    assert [effect["verdict"] for effect in found] == ["better", *["inconclusive"] * 3]
    assert [effect["n_family"] for effect in found] == [1, 3, 3, 3]


def test_the_missing_scores_of_one_comparison_leave_the_others_alone():
    worst = {"lowest": -0.1, "observed": 0.1, "highest": 0.2, "p_lowest": 0.001, "p_highest": 0.001}
    turned, clear = judge(row("a", p_value=0.001, **worst), row("b", p_value=0.001))

    assert (turned["verdict"], clear["verdict"]) == ("inconclusive", "better")
    assert turned["verdicts"] == {"lowest": "worse", "observed": "better", "highest": "better"}


@pytest.mark.parametrize(
    ("ends", "word", "difference", "expected"),
    [
        ((0.01, 0.2), "better", 0.1, (0.01, 0.2)),
        ((-0.01, 0.2), "better", 0.1, (0.0, 0.2)),
        ((-0.2, 0.01), "better", -0.1, (-0.2, 0.0)),
        ((0.01, 0.2), "inconclusive", 0.1, (0.0, 0.2)),
        ((-0.03, 0.01), "equivalent", -0.01, (-0.02, 0.01)),
        ((-0.01, 0.01), "equivalent", 0.0, (-0.01, 0.01)),
    ],
)
def test_an_interval_agrees_with_the_verdict(ends, word, difference, expected):
    interval = {"low": ends[0], "high": ends[1], "method": "m"}

    found = agreeing(interval, {"difference": difference, "verdicts": {"observed": word}}, 0.02)

    assert (found["low"], found["high"]) == expected
    assert (found["method"] == "m") is (ends == expected)


def test_where_there_is_no_interval_the_reason_stays():
    nothing = {"low": None, "high": None, "method": "none: one cluster"}

    assert agreeing(nothing, {"difference": 0.1, "verdicts": {"observed": "better"}}, 0.02) == nothing
