"""A trial against its baseline: the effect, what other methods say of it, and its subgroups."""

from __future__ import annotations

import dataclasses
import json

import pytest

from scripts.analysis.gee import gee_effect
from scripts.analysis.meta import combine_datasets
from tests.fakes.scored_trials import TRIAL, Bench, effect_of, rows, with_abstentions


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, {"d": [None] * 8})


def test_the_variance_of_a_difference_has_the_replicates_of_both_trials(tmp_path):
    bench = Bench(tmp_path, {"d": [None] * 3})
    stats = bench.stats(rows([[1, 1], [1, 0], [1, 1]]), rows([[0, 0], [1, 0], [1, 1]]))
    variance = effect_of(stats)["variance"]
    # Differences 1, 0, 0: variance 1/3; each trial spreads by 1/2 within one of three items.
    assert variance["variance_of_mean"] == pytest.approx(1 / 9)
    assert variance["replicate_variance"] == variance["baseline_replicate_variance"] == pytest.approx(1 / 6)


def test_two_trials_are_compared_by_what_they_answer(tmp_path):
    bench = Bench(tmp_path, {"d": [None] * 4})
    new, old = with_abstentions([1, 1, 0, 0], [0, 0, 0, 1]), with_abstentions([1, 0, 0, 0], [0] * 4)
    selective = effect_of(bench.stats(new, old))["selective"]
    assert selective["mean"] == pytest.approx(2 / 3 - 1 / 4)
    assert selective["method"] == "linearised t"


def test_single_answers_are_compared_by_estimating_equations(tmp_path):
    new, old = [[1, 1], [1, 0], [0, 1]] * 8, [[1, 0], [0, 0], [0, 1]] * 8
    effect = effect_of(Bench(tmp_path, {"d": [None] * 24}).stats(rows(new), rows(old)))
    expected = json.loads(json.dumps(dataclasses.asdict(gee_effect(new, old, confidence_level=0.95))))
    assert effect["gee"] == pytest.approx(expected)
    # Right are 32 of 48 and 16 of 48: odds of 2 against 1/2.
    assert effect["gee"]["odds_ratio"] == pytest.approx(4)


def test_datasets_are_combined_where_there_are_several(tmp_path):
    bench = Bench(tmp_path, {"d": [None] * 3, "e": [None] * 3})
    new, old = [1, 1, 0, 1, 0, 1], [0, 1, 0, 0, 1, 0]
    both = [rows(v[:3]) + rows(v[3:], dataset="e") for v in (new, old)]
    effect = effect_of(bench.stats(*both))
    expected = combine_datasets(new, old, list("dddeee"), confidence_level=0.95)
    assert effect["meta"] == pytest.approx(dataclasses.asdict(expected))
    assert effect["meta"]["effect"] == pytest.approx(1 / 3)
    assert [group["field"] for group in effect["subgroups"]] == ["dataset"]


def test_one_dataset_is_not_combined_and_makes_no_groups(bench):
    stats = bench.stats(rows([1] * 8), rows([0] * 8))
    assert effect_of(stats)["meta"]["reason"] == "fewer than two datasets"
    assert effect_of(stats)["subgroups"] == []
    assert "meta" not in effect_of(stats, dataset="d")


def test_subgroups_are_made_by_the_fields_asked_for_and_by_kinds_of_items(tmp_path):
    fields = {n: {"topic": "odd" if n % 2 else "even", "correct": n} for n in range(78)}
    bench = Bench(tmp_path, {"d": [None] * 80}, range(40, 80), fields, subgroups=["topic", "correct"])
    found = effect_of(bench.stats(rows([1, 0] * 40), rows([0, 0] * 40)))["subgroups"]
    assert [analysis["field"] for analysis in found] == ["is_unanswerable", "topic", "correct"]
    kinds, topics, quartiles = found
    assert {g["label"]: g["effect"]["difference"] for g in kinds["groups"]} == {"false": 0.5, "true": 0.5}
    assert {g["label"]: g["effect"]["difference"] for g in topics["groups"]} == {"even": 1.0, "odd": 0.0}
    assert topics["n_pairs_without_value"] == 2
    assert topics["interaction"]["method"] == "none: the differences do not vary in even, odd"
    assert (quartiles["n_groups_left_out"], quartiles["left_out"][0]["reason"]) == (4, "too small")


def test_a_field_that_items_of_one_dataset_have_makes_subgroups_of_these(tmp_path):
    bench = Bench(tmp_path, {"d": [None] * 2}, fields={0: {"topic": "a"}}, subgroups=["topic", "level"])
    topic, level = effect_of(bench.stats(rows([1, 0]), rows([0, 0])))["subgroups"]
    assert (topic["n_pairs_without_value"], level["n_pairs_without_value"]) == (1, 2)
    assert level["interaction"]["reason"] == "fewer than two groups"


def test_an_effect_is_the_difference_over_the_items_that_both_answered(bench):
    stats = bench.stats(rows([1, 1, 1, 1, 1, 1, 0, None]), rows([1, 0, 0, 0, 0, 1, 1, 1]))
    effect = effect_of(stats)
    assert effect["difference"] == pytest.approx(3 / 7)
    assert (effect["n_pairs"], effect["n_gained"], effect["n_lost"]) == (7, 4, 1)


def test_effects_are_given_where_the_metric_applies_only(bench):
    stats = bench.stats(rows([1] * 8), rows([0] * 8))
    named = {(e["dataset"], e["metric"]) for e in stats["effects"]}
    assert named == {(name, metric) for name in ("all", "d") for metric in ("correct", "characters")}


def test_nothing_answered_is_no_effect_rather_than_a_crash(bench):
    effect = effect_of(bench.stats(rows([None] * 8), rows([1] * 8)))
    assert (effect["n_pairs"], effect["difference"], effect["p_value"]) == (0, None, None)


def test_trial_and_baseline_swapped_mirror_each_other(bench):
    one, two = rows([1, 1, 1, 1, 0, 1, 1, 1]), rows([0, 1, 0, 1, 1, 0, 0, 1])
    there = effect_of(bench.stats(one, two))
    swapped = dataclasses.replace(TRIAL, name="old", baseline="new")
    back = effect_of(bench.stats(two, one, trial=swapped))
    assert there["difference"] == -back["difference"]
    assert (there["low"], there["high"]) == pytest.approx((-back["high"], -back["low"]))
    assert there["p_value"] == pytest.approx(back["p_value"])
    assert (there["n_gained"], there["n_lost"]) == (back["n_lost"], back["n_gained"])


def test_an_effect_carries_what_other_methods_say(bench):
    effect = effect_of(bench.stats(rows([1, 1, 1, 1, 1, 1, 0, 0]), rows([1, 0, 0, 0, 0, 1, 1, 0])))
    checks = effect["sensitivity"]
    assert set(checks) == {
        "mid_p",
        "wilcoxon",
        "hodges_lehmann",
        "newcombe",
        "bootstrap",
        "posterior",
        "effect_sizes",
        "non_inferiority",
        "detectable_difference",
        "worst_case",
    }
    assert checks["mid_p"]["p_value"] == pytest.approx(effect["p_value"] - 5 / 2**5)
    assert checks["bootstrap"]["estimate"] == pytest.approx(effect["difference"])
    assert checks["bootstrap"]["resamples"] == 500
    assert checks["posterior"]["p_better"] > 0.9
    assert checks["non_inferiority"]["margin"] == 0.02
    assert checks["hodges_lehmann"] == {
        "estimate": None,
        "low": None,
        "high": None,
        "n": 8,
        "method": "none: values are 0 or 1",
    }


def test_averaged_replicates_are_looked_at_by_rank(bench):
    new = rows([[1, 0], [1, 1], [0, 1], [1, 1], [1, 1], [0, 1], [1, 1], [1, 0]])
    checks = effect_of(bench.stats(new, rows([[0, 0]] * 8)))["sensitivity"]
    assert checks["hodges_lehmann"]["estimate"] == 0.75
    assert checks["mid_p"]["method"] == "none: values are not all 0 or 1"


def test_where_nothing_was_answered_every_check_says_so(bench):
    checks = effect_of(bench.stats(rows([None] * 8), rows([1] * 8)))["sensitivity"]
    assert checks["wilcoxon"]["method"] == checks["bootstrap"]["method"] == "none: no pairs"


def test_few_clusters_get_the_interval_for_few_clusters(tmp_path):
    bench = Bench(tmp_path, {"d": list("aabbccdd")})
    stats = bench.stats(rows([1, 1, 1, 1, 0, 1, 1, 1]), rows([0, 1, 0, 1, 1, 0, 0, 1]))
    assert stats["metrics"]["correct"]["method"] == "wilson, effective sample size"
    assert effect_of(stats)["interval_method"] == "tango score, effective sample size"


def test_the_worst_case_counts_what_was_not_answered(bench):
    effect = effect_of(bench.stats(rows([1] * 7 + [None]), rows([0] * 8)))
    worst = effect["sensitivity"]["worst_case"]
    assert (worst["lowest"], worst["highest"], worst["n_incomplete"]) == (7 / 8, 1.0, 1)
    assert worst["low"] < effect["low"]


def test_the_worst_case_counts_a_replicate_that_was_not_answered(bench):
    new = rows([[1, None], *[[1, 1]] * 7])
    effect = effect_of(bench.stats(new, rows([[0, 0]] * 8)))
    worst = effect["sensitivity"]["worst_case"]
    assert effect["n_unpaired"] == 0
    assert (worst["lowest"], worst["highest"], worst["n_incomplete"]) == (7.5 / 8, 1.0, 1)
