"""What is said of one trial: variance, abstentions and bounds; each example can be checked by hand."""

from __future__ import annotations

import pytest

from tests.fakes.scored_trials import NAN, Bench, effect_of, rows, with_abstentions


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, {"d": [None] * 8})


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


def test_a_mean_is_bounded_by_what_is_missing(tmp_path):
    bench = Bench(tmp_path, {"d": [None] * 4}, unanswerable=(3,))
    values = zip(rows([1, 0, None, 1]), [NAN, NAN, NAN, 0], strict=True)
    stats = bench.stats([(*row, false_answer) for row, false_answer in values])
    bounds = stats["bounds"]
    assert (bounds["correct"]["lowest"], bounds["correct"]["highest"]) == (0.5, 0.75)
    assert bounds["correct"]["low"] < 0.5 < 0.75 < bounds["correct"]["high"]
    assert (bounds["false_answer"]["n_items"], bounds["false_answer"]["n_incomplete"]) == (1, 0)
    assert (bounds["f1"]["lowest"], bounds["f1"]["method"]) == (None, "none: not scored")
