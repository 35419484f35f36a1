"""The further analyses in ``stats.json``: each on an example that can be checked by hand."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.analysis.gee import gee_effect
from scripts.analysis.meta import combine_datasets
from scripts.stats import warm_up
from tests.fakes.scored_trials import TRIAL, Bench, effect_of, rows

NAN = math.nan


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, {"d": [None] * 8})


def with_abstentions(values, abstained, *, dataset="d"):
    """Rows of items that can be answered; an abstention is wrong on them."""
    return [(*row, NAN, silent) for row, silent in zip(rows(values, dataset=dataset), abstained, strict=True)]


def test_the_variance_of_a_mean_is_split_into_items_and_replicates(tmp_path):
    stats = Bench(tmp_path, {"d": ["x", "x", "y", "y"]}).stats(rows([[1, 1], [1, 0], [0, 0], [1, 1]]))
    variance = stats["variance"]
    # Means 1, 1/2, 0, 1: variance 11/48.  One of four items spreads by 1/2: 1/8 within, 1/16 in a mean.
    assert variance["metric"] == "correct"
    assert variance["replicate_variance"] == pytest.approx(1 / 8)
    assert variance["item_variance"] == pytest.approx(11 / 48 - 1 / 16)
    assert variance["variance_of_mean"] == pytest.approx(11 / 48 / 4)
    assert variance["more_of"] == "items"
    assert variance["design_effect"]["n_clusters"] == 2
    assert variance["design_effect"]["mean_cluster_size"] == 2
    assert stats["by_dataset"]["d"]["variance"] == variance


def test_one_answer_to_each_item_cannot_be_split_and_says_so(bench):
    stats = bench.stats(rows([1, 1, 0, 0, 1, 0, 1, 1]), rows([0, 1, 0, 0, 1, 0, 1, 1]))
    for variance in (stats["variance"], effect_of(stats)["variance"]):
        assert variance["item_variance"] is None
        assert variance["reason"] == "no item has two answers"


def test_the_variance_of_a_difference_has_the_replicates_of_both_trials(tmp_path):
    bench = Bench(tmp_path, {"d": [None] * 3})
    stats = bench.stats(rows([[1, 1], [1, 0], [1, 1]]), rows([[0, 0], [1, 0], [1, 1]]))
    variance = effect_of(stats)["variance"]
    # Differences 1, 0, 0: variance 1/3; each trial spreads by 1/2 within one of three items.
    assert variance["variance_of_mean"] == pytest.approx(1 / 9)
    assert variance["replicate_variance"] == variance["baseline_replicate_variance"] == pytest.approx(1 / 6)


def test_what_a_trial_answers_and_how_often_it_is_then_right(bench):
    # Five answers, four of them right; two abstentions; one request that failed.
    values, silent = [1, 1, 1, 1, 0, 0, 0, None], [0, 0, 0, 0, 0, 1, 1, NAN]
    selective = bench.stats(with_abstentions(values, silent))["selective"]
    counts = ("n_items", "n_answers", "n_abstentions", "n_without_outcome", "n_left_out")
    assert [selective[name] for name in counts] == [8, 5, 2, 1, 0]
    assert selective["coverage"]["mean"] == 5 / 8
    assert selective["accuracy"]["mean"] == 4 / 5
    assert selective["risk_coverage"]["reason"] == "fewer than two replicates"


def test_replicates_that_abstain_tell_how_sure_an_answer_is(tmp_path):
    values, silent = [[1, 1], [0, 1], [0, 0]], [0, 0, 0, 1, 1, 1]
    stats = Bench(tmp_path, {"d": [None] * 3}).stats(with_abstentions(values, silent))
    curve = stats["selective"]["risk_coverage"]
    # The first item is always answered, and right; the second once, and wrong; the third never.
    assert curve["curve"] == [[1 / 3, 0.0], [2 / 3, 0.5]]
    assert (curve["aurc"], curve["best_aurc"], curve["max_coverage"]) == (0.25, 0.25, 2 / 3)


def test_a_scorer_that_tells_no_abstentions_leaves_its_items_out(tmp_path):
    bench = Bench(tmp_path, {"d": [None] * 2, "e": [None] * 2})
    stats = bench.stats(with_abstentions([1, 0], [0, 1]) + rows([1, 1], dataset="e"))
    assert (stats["selective"]["n_left_out"], stats["selective"]["accuracy"]["mean"]) == (2, 1.0)
    assert stats["by_dataset"]["e"]["selective"] == {
        "n_left_out": 2,
        "reason": "no item whose scorer tells abstentions apart",
        "coverage": None,
        "accuracy": None,
    }


def test_two_trials_are_compared_by_what_they_answer(tmp_path):
    bench = Bench(tmp_path, {"d": [None] * 4})
    new, old = with_abstentions([1, 1, 0, 0], [0, 0, 0, 1]), with_abstentions([1, 0, 0, 0], [0] * 4)
    selective = effect_of(bench.stats(new, old))["selective"]
    assert selective["mean"] == pytest.approx(2 / 3 - 1 / 4)
    assert selective["method"] == "linearised t"


def test_a_mean_is_bounded_by_what_is_missing(tmp_path):
    bench = Bench(tmp_path, {"d": [None] * 4}, unanswerable=(3,))
    values = zip(rows([1, 0, None, 1]), [NAN, NAN, NAN, 0], strict=True)
    stats = bench.stats([(*row, false_answer) for row, false_answer in values])
    bounds = stats["bounds"]
    assert (bounds["correct"]["lowest"], bounds["correct"]["highest"]) == (0.5, 0.75)
    assert bounds["correct"]["low"] < 0.5 < 0.75 < bounds["correct"]["high"]
    assert (bounds["false_answer"]["n_items"], bounds["false_answer"]["n_incomplete"]) == (1, 0)
    assert (bounds["f1"]["lowest"], bounds["f1"]["method"]) == (None, "none: not scored")


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


SCORE = st.sampled_from([0.0, 1.0, None])
ARM = st.lists(st.lists(SCORE, min_size=2, max_size=2), min_size=1, max_size=5)


def mirrored(values, n_items):
    silent = [NAN if score is None else 1 - score for several in values[:n_items] for score in several]
    return with_abstentions(values[:n_items], silent)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(new=ARM, old=ARM, is_clustered=st.booleans())
def test_any_scores_give_valid_json_and_swapped_arms_mirror_each_other(tmp_path, new, old, is_clustered):
    n_items = min(len(new), len(old))
    bench = Bench(tmp_path, {"d": (["x"] if is_clustered else [None]) * n_items}, unanswerable=(0,))
    arms = mirrored(new, n_items), mirrored(old, n_items)
    there = bench.stats(*arms)
    back = bench.stats(*arms[::-1], trial=dataclasses.replace(TRIAL, name="old", baseline="new"))
    for name in ("there", "back"):
        assert json.dumps(locals()[name], allow_nan=False)
    one, two = (effect_of(stats) for stats in (there, back))
    for analysis, mean in (("selective", "mean"), ("gee", "difference"), ("meta", "effect")):
        seen = one[analysis][mean], two[analysis][mean]
        assert seen == (None, None) or seen[0] == pytest.approx(-seen[1])
    for part in ("variance_of_mean", "item_variance", "replicate_share"):
        assert one["variance"][part] == pytest.approx(two["variance"][part])
    worst, best = one["sensitivity"]["worst_case"], two["sensitivity"]["worst_case"]
    assert worst["lowest"] == pytest.approx(-best["highest"])


def test_a_trial_without_a_baseline_has_its_own_analyses_and_no_effects(bench):
    stats = bench.stats(rows([None] * 8))
    assert stats["effects"] == []
    assert (stats["variance"]["reason"], stats["variance"]["design_effect"]["reason"]) == (
        "fewer than two items",
        "no values",
    )
    assert (stats["bounds"]["correct"]["lowest"], stats["bounds"]["correct"]["highest"]) == (0, 1)
    assert stats["selective"]["coverage"]["mean"] == 0


def test_warming_up_works():
    warm_up()
