from __future__ import annotations

import json

import pytest

from scripts.reporting.summary import (
    Together,
    TrialResult,
    build_summary,
    effect_rows,
)
from scripts.reporting.tables import csv_text
from tests.fakes import synthetic_reports as synthetic


def _summary(results, **settings):
    return build_summary(results, run_id="r", confidence_level=0.95, **settings)


def _with_effects(*groups):
    return [
        synthetic.result(f"t{place}", baseline="control", effects=list(effects))
        for place, effects in enumerate(groups)
    ]


def test_effects_over_all_datasets_of_all_trials_are_one_holm_family():
    results = _with_effects(*[[synthetic.effect(p)] for p in (0.01, 0.04, 0.03, 0.005)])

    effects = _summary(results)["effects"]

    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") gives 0.03 0.06 0.06 0.02
    assert pytest.approx([0.03, 0.06, 0.06, 0.02]) == [effect["p_adjusted"] for effect in effects]
    assert {"holm"} == {effect["adjustment"] for effect in effects}


def test_benjamini_hochberg_runs_its_minimum_from_the_largest_p_value():
    results = _with_effects(*[[synthetic.effect(p)] for p in (0.187, 1e-8, 0.02)])

    effects = _summary(results, adjustment="fdr_bh")["effects"]

    assert pytest.approx([0.187, 3e-8, 0.03]) == [effect["p_adjusted"] for effect in effects]


def test_all_datasets_together_and_each_are_one_family():
    results = _with_effects(
        [synthetic.effect(0.02), synthetic.effect(0.03, dataset="a"), synthetic.effect(0.001, dataset="b")],
        [synthetic.effect(0.01), synthetic.effect(0.04, dataset="a"), synthetic.effect(0.9, dataset="b")],
    )

    effects = _summary(results)["effects"]

    # R: p.adjust(c(0.02, 0.03, 0.001, 0.01, 0.04, 0.9), "holm")
    expected = [0.08, 0.09, 0.006, 0.05, 0.09, 0.9]
    assert [row["p_adjusted"] for row in effects] == pytest.approx(expected)
    assert {row["n_family"] for row in effects} == {6}


def test_the_only_dataset_counts_once():
    results = _with_effects(*[[synthetic.effect(p), synthetic.effect(p, dataset="a")] for p in (0.01, 0.03)])

    effects = _summary(results)["effects"]

    assert [row["p_adjusted"] for row in effects] == [0.02, 0.02, 0.03, 0.03]
    assert {row["n_family"] for row in effects} == {2}


def test_metrics_of_the_family_are_adjusted_together_and_the_others_among_themselves():
    rows = [
        synthetic.effect(0.01),
        synthetic.effect(0.03, metric="f1"),
        synthetic.effect(0.02, metric="false_answer"),
        synthetic.effect(0.0001, metric="abstained"),
    ]

    effects = _summary(_with_effects(rows), family=("correct", "f1"))["effects"]

    assert [effect["p_adjusted"] for effect in effects] == [0.02, 0.03, 0.02, 0.0002]
    assert [effect["family"] for effect in effects] == ["declared"] * 2 + ["exploratory"] * 2


def test_an_effect_without_a_p_value_does_not_count_in_the_family():
    results = _with_effects([synthetic.effect(0.03)], [synthetic.effect(None, difference=None)])

    first, second = _summary(results)["effects"]

    assert (first["p_adjusted"], first["adjustment"]) == (0.03, "holm")
    assert (second["p_adjusted"], second["adjustment"]) == (None, "none")
    assert (second["difference"], second["verdict"]) == (None, "inconclusive")


def test_the_verdict_is_given_by_the_adjusted_p_value():
    results = _with_effects([synthetic.effect(0.03)], [synthetic.effect(0.04)])

    assert [row["verdict"] for row in _summary(results)["effects"]] == ["inconclusive"] * 2
    assert [row["verdict"] for row in _summary(results, adjustment="none")["effects"]] == ["better"] * 2


@pytest.mark.parametrize(
    ("better", "expected"), [("higher", "better"), ("lower", "worse"), ("none", "inconclusive")]
)
def test_the_direction_of_the_metric_decides_the_verdict(better, expected):
    results = _with_effects([{**synthetic.effect(0.001, metric="own", difference=0.1), "better": better}])

    assert expected == _summary(results)["effects"][0]["verdict"]


def test_equivalence_is_adjusted_within_the_family():
    rows = [synthetic.effect(0.9, difference=0.0, p_equivalence=p) for p in (0.03, 0.04)]

    alone = _summary(_with_effects(rows[:1]))["effects"]
    both = _summary(_with_effects(*[[row] for row in rows]))["effects"]

    assert [row["verdict"] for row in alone] == ["equivalent"]
    assert [row["p_equivalence_adjusted"] for row in both] == [0.06, 0.08]
    assert [row["verdict"] for row in both] == ["inconclusive"] * 2


def test_the_summary_has_the_fields_of_the_contract():
    summary = _summary([synthetic.result("control"), *_with_effects([synthetic.effect(0.01)])])

    assert list(summary) == [
        "schema_version",
        "run_id",
        "confidence_level",
        "trials",
        "effects",
        "omnibus",
        "leaderboard",
        "design",
    ]
    trial = summary["trials"][0]
    assert list(trial)[:7] == ["trial", "model", "prompt", "temperature", "top_p", "replicates", "baseline"]
    assert {"n_items", "n_requests", "outcomes", "metrics", "by_dataset", "cost_usd"} <= set(trial)
    assert set(trial["analyses"]) == {"variance", "selective", "bounds"}
    assert list(synthetic.OUTCOMES) == list(trial["outcomes"])
    described = {"better", "is_share", "unit"}
    contract = {"mean", "low", "high", "method", "n", "n_clusters"}
    assert contract | described == set(trial["metrics"]["correct"])
    contract = (
        "trial baseline dataset metric n_pairs n_gained n_lost difference low high interval_method test"
    )
    contract += " p_value p_adjusted adjustment odds_ratio verdict"
    added = "n_unpaired unbalanced unbalanced_reason sensitivity variance selective gee meta subgroups"
    added += " better is_share unit simultaneous is_p_floor n_questions requests"
    added += " family n_family p_equivalence p_equivalence_adjusted verdicts"
    assert {*contract.split(), *added.split()} == set(summary["effects"][0])


def _missing(n, *, p_lowest, p_highest, p_value=0.001):
    worst = {"n_incomplete": n, "lowest": 0.05 - n / 100, "observed": 0.05, "highest": 0.05 + n / 100}
    worst |= {"p_lowest": p_lowest, "p_highest": p_highest, "low": None, "high": None}
    arms = {"trial": {"n_requests": 100, "n_without_score": n}}
    arms["baseline"] = {"n_requests": 100, "n_without_score": 0}
    return {**synthetic.effect(p_value), "requests": arms, "sensitivity": {"worst_case": worst}}


def test_requests_without_a_score_make_a_comparison_unbalanced():
    row = _missing(10, p_lowest=0.9, p_highest=0.0001)

    (effect,) = _summary(_with_effects([row]))["effects"]

    assert (effect["unbalanced"], effect["verdict"]) == (True, "inconclusive")
    reason = "10 of 100 requests of the trial have no score, which is more than max_unpaired (2%)"
    assert effect["unbalanced_reason"] == reason
    (allowed,) = _summary(_with_effects([row]), max_unpaired=0.1)["effects"]
    assert "could move the difference" in allowed["unbalanced_reason"]
    assert allowed["verdict"] == "inconclusive"


@pytest.mark.parametrize(("p_lowest", "verdict"), [(0.04, "better"), (0.06, "inconclusive")])
@pytest.mark.parametrize("n", [1, 3])
def test_whatever_is_missing_the_worst_case_must_bear_the_verdict_out(n, p_lowest, verdict):
    row = _missing(n, p_lowest=p_lowest, p_highest=0.0001)

    (effect,) = _summary(_with_effects([row]))["effects"]

    assert effect["verdict"] == verdict
    assert effect["verdicts"] == {"lowest": verdict, "observed": "better", "highest": "better"}


def test_the_worst_cases_of_a_family_are_adjusted_together():
    rows = [_missing(1, p_lowest=p, p_highest=0.0001) for p in (0.03, 0.04)]

    assert [row["verdict"] for row in _summary(_with_effects(*[[row] for row in rows]))["effects"]] == [
        "inconclusive",
        "inconclusive",
    ]


def test_a_comparison_with_missing_scores_and_no_worst_case_has_no_verdict():
    row = {**_missing(10, p_lowest=0.9, p_highest=0.9), "sensitivity": None}

    (effect,) = _summary(_with_effects([row]))["effects"]

    assert (effect["unbalanced"], effect["verdict"]) == (True, "inconclusive")


def test_the_tests_of_all_trials_stand_in_the_summary():
    test = {"dataset": "all", "metric": "correct", "p_value": 0.2}

    assert _summary([synthetic.result("control")], together=Together(omnibus=[test]))["omnibus"] == [test]


def test_no_number_that_json_cannot_hold_gets_into_the_summary():
    nan, infinity = float("nan"), float("inf")
    row = {**synthetic.effect(nan, difference=nan), "low": -infinity, "equivalence_low": nan}
    row["odds_ratio"] = {"estimate": infinity, "low": 1.0, "high": infinity, "method": "exact"}
    broken = synthetic.stats(
        "t", baseline="b", effects=[row], metrics={"correct": {**synthetic.metric(0.5), "high": nan}}
    )

    summary = _summary([TrialResult(synthetic.factors(), broken, synthetic.costs("t", nan))])

    assert json.dumps(summary, allow_nan=False)
    trial = summary["trials"][0]
    assert trial["metrics"]["correct"]["high"] is None
    assert (trial["cost_usd"], trial["cost_reason"]) == (None, "the cost is not known")
    assert tuple(trial["metrics"]["f1"][name] for name in ("mean", "n", "method")) == (
        None,
        0,
        "none: not scored",
    )


def test_an_unknown_cost_stays_unknown_with_its_reason():
    unpriced = TrialResult(
        synthetic.factors(),
        synthetic.stats("t"),
        synthetic.costs("t", None, reason="no price for small-2025"),
    )

    trial = _summary([unpriced])["trials"][0]

    assert (trial["cost_usd"], trial["cost_reason"]) == (None, "no price for small-2025")


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([synthetic.result("t"), synthetic.result("t")], "every trial must be there once"),
        ([synthetic.result("t", confidence_level=0.9)], "intervals at 0.9, but the run's are at 0.95"),
        (
            [TrialResult(synthetic.factors(metrics=3), synthetic.stats("t"), None)],
            "a factor may not be called metrics",
        ),
    ],
)
def test_what_does_not_belong_together_is_refused(results, message):
    with pytest.raises(ValueError, match=message):
        _summary(results)


def test_effects_become_flat_rows_with_empty_cells_for_what_is_not_there():
    row = synthetic.effect(0.01)
    row["odds_ratio"] = {"estimate": 3.5, "low": 2.0, "high": None, "method": "exact"}
    summary = _summary(_with_effects([row], [synthetic.effect(None, difference=None)]))

    first, second = effect_rows(summary)

    assert tuple(first[f"odds_ratio{end}"] for end in ("", "_low", "_high", "_method")) == (
        3.5,
        2.0,
        None,
        "exact",
    )
    text = csv_text([second], ["trial", "difference", "odds_ratio", "p_adjusted", "verdict"])
    assert text == "trial,difference,odds_ratio,p_adjusted,verdict\nt1,,,,inconclusive\n"
