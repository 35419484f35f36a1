from __future__ import annotations

import dataclasses
import math

import pytest

from tests.fakes.scored_trials import TRIAL, Bench, effect_of, rows


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, {"d": [None] * 8})


def test_means_leave_out_what_has_no_score_and_count_it(bench):
    stats = bench.stats(rows([1, 1, 0, None, 1, 0, 1, 1]))
    assert stats["metrics"]["correct"]["mean"] == pytest.approx(5 / 7)
    assert stats["metrics"]["correct"]["n"] == 7
    assert stats["outcomes"] == {
        "answered": 7,
        "truncated": 0,
        "refused": 0,
        "errored": 1,
        "expired": 0,
        "missing": 0,
    }
    assert stats["effects"] == []
    assert stats["metrics"]["f1"]["mean"] is None


def test_replicates_are_averaged_within_their_item_first(bench):
    stats = bench.stats(rows([[1, 1, 1, 1], [0], [0, 1], [None, 1]]))
    assert stats["metrics"]["correct"]["mean"] == pytest.approx((1 + 0 + 0.5 + 1) / 4)
    assert (stats["n_items"], stats["n_requests"]) == (4, 9)


def test_an_effect_is_the_difference_over_the_items_that_both_answered(bench):
    stats = bench.stats(rows([1, 1, 1, 1, 1, 1, 0, None]), rows([1, 0, 0, 0, 0, 1, 1, 1]))
    effect = effect_of(stats)
    assert effect["difference"] == pytest.approx(3 / 7)
    assert (effect["n_pairs"], effect["n_gained"], effect["n_lost"]) == (7, 4, 1)


def test_effects_are_given_where_the_metric_applies_only(bench):
    stats = bench.stats(rows([1] * 8), rows([0] * 8))
    assert {(e["dataset"], e["metric"]) for e in stats["effects"]} == {("all", "correct"), ("d", "correct")}


def test_nothing_answered_is_no_effect_rather_than_a_crash(bench):
    effect = effect_of(bench.stats(rows([None] * 8), rows([1] * 8)))
    assert (effect["n_pairs"], effect["difference"], effect["p_value"]) == (0, None, None)


def test_the_same_scores_give_the_same_bytes(bench):
    one = rows([[1, 0], [1, 1], [0, 0], [1, 0], [1, 1], [0, 1], [1, 1], [0, 0]])
    two = rows([[0, 0], [1, 0], [0, 0], [0, 0], [1, 1], [0, 0], [1, 1], [0, 1]])
    bench.stats(one, two, name="first")
    bench.stats(one, two, name="second")
    assert (bench.root / "first.json").read_bytes() == (bench.root / "second.json").read_bytes()


def test_trial_and_baseline_swapped_mirror_each_other(bench):
    one, two = rows([1, 1, 1, 1, 0, 1, 1, 1]), rows([0, 1, 0, 1, 1, 0, 0, 1])
    there = effect_of(bench.stats(one, two))
    swapped = dataclasses.replace(TRIAL, name="old", baseline="new")
    back = effect_of(bench.stats(two, one, trial=swapped))
    assert there["difference"] == -back["difference"]
    assert (there["low"], there["high"]) == pytest.approx((-back["high"], -back["low"]))
    assert there["p_value"] == pytest.approx(back["p_value"])
    assert (there["n_gained"], there["n_lost"]) == (back["n_lost"], back["n_gained"])


def test_items_of_a_cluster_are_not_independent(tmp_path):
    values = rows([1, 1, 1, 1, 0, 0, 1, 0])
    alone = Bench(tmp_path / "a", {"d": [None] * 8}).stats(values)["metrics"]["correct"]
    paired = Bench(tmp_path / "b", {"d": ["x", "x", "y", "y", "z", "z", "w", None]}).stats(values)
    clustered = paired["metrics"]["correct"]
    assert alone["n_clusters"] == 8
    assert clustered["n_clusters"] == 5
    assert clustered["mean"] == alone["mean"]
    assert clustered["high"] - clustered["low"] > 0


def test_a_cluster_of_one_dataset_is_not_that_of_another(tmp_path):
    bench = Bench(tmp_path, {"d": ["x"] * 2, "e": ["x"] * 2})
    new = rows([1, 0]) + rows([1, 1], dataset="e")
    stats = bench.stats(new, rows([0, 0]) + rows([1, 0], dataset="e"))
    assert stats["metrics"]["correct"]["n_clusters"] == 2
    assert sorted(stats["by_dataset"]) == ["d", "e"]
    assert stats["by_dataset"]["e"]["metrics"]["correct"]["mean"] == 1
    assert [effect_of(stats, dataset=name)["difference"] for name in ("all", "d", "e")] == [0.5] * 3


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


def test_items_to_which_a_metric_does_not_apply_are_not_missing(tmp_path):
    bench = Bench(tmp_path, {"d": [None] * 8}, unanswerable=(6, 7))
    nan = math.nan
    false_answers = [nan] * 6 + [0, 1]
    new = [(*row, value) for row, value in zip(rows([1] * 8), false_answers, strict=True)]
    old = [(*row, value) for row, value in zip(rows([1] * 6 + [0, None]), [nan] * 6 + [1, nan], strict=True)]
    effect = effect_of(bench.stats(new, old), metric="false_answer")
    # Six items can be answered; of the two others one has no answer of the baseline.
    assert (effect["n_pairs"], effect["n_unpaired"], effect["difference"]) == (1, 1, -1.0)
    assert effect["sensitivity"]["non_inferiority"]["method"] == "two one-sided tests, tango score"


def test_few_clusters_get_the_interval_for_few_clusters(tmp_path):
    bench = Bench(tmp_path, {"d": list("aabbccdd")})
    stats = bench.stats(rows([1, 1, 1, 1, 0, 1, 1, 1]), rows([0, 1, 0, 1, 1, 0, 0, 1]))
    assert stats["metrics"]["correct"]["method"] == "wilson, effective sample size"
    assert effect_of(stats)["interval_method"] == "wild cluster bootstrap-t"


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
