"""What a trial scored item by item: means, clusters, and what does not apply."""

from __future__ import annotations

import math

import pytest

from tests.fakes.scored_trials import Bench, effect_of, rows


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
