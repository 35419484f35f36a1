from __future__ import annotations

import dataclasses
import json
import math

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sending_fakes import make_settings

from scripts.datasets import item_row, prepared_schema
from scripts.records import Item, Trial
from scripts.score import scores_schema
from scripts.scorers import METRICS
from scripts.stats import stats_trial

TRIAL = Trial("new", "m", "p", {}, baseline="old")


class Bench:
    """Scores of a trial and of its baseline, on items that may come in clusters."""

    def __init__(self, root, clusters, unanswerable=()):
        self.root = root
        self.settings = make_settings(root, seed=7, stats={"resamples": 500})
        self.prepared = []
        for dataset, labels in clusters.items():
            items = [
                Item(f"q{n}", "?", ("a",), cluster=label, is_unanswerable=n in unanswerable)
                for n, label in enumerate(labels)
            ]
            path = root / f"{dataset}.parquet"
            table = pa.Table.from_pylist([item_row(item) for item in items], schema=prepared_schema())
            pq.write_table(table, path)
            self.prepared.append(path)

    def write(self, name, rows):
        columns = ["dataset", "item_id", "replicate", "outcome", "correct"]
        frame = pd.DataFrame([row[:5] for row in rows], columns=columns)
        for metric in METRICS[1:]:
            frame[metric] = math.nan
        frame["false_answer"] = [row[5] if len(row) > 5 else math.nan for row in rows]
        path = self.root / f"{name}.scores.parquet"
        pq.write_table(pa.Table.from_pandas(frame, schema=scores_schema(), preserve_index=False), path)
        return path

    def stats(self, new, old=None, *, trial=TRIAL, name="stats"):
        out = self.root / f"{name}.json"
        baseline = None if old is None else self.write("old", old)
        stats_trial(self.settings, trial, self.write("new", new), baseline, self.prepared, out=out)
        return json.loads(out.read_text())


def rows(values, *, dataset="d"):
    """One row per item and replicate; None is an outcome without an answer."""
    return [
        (dataset, f"q{n}", replicate, "errored" if value is None else "answered", value)
        for n, several in enumerate(values)
        for replicate, value in enumerate(several if isinstance(several, list) else [several])
    ]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, {"d": [None] * 8})


def effect_of(stats, metric="correct", dataset="all"):
    (found,) = [e for e in stats["effects"] if (e["metric"], e["dataset"]) == (metric, dataset)]
    return found


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
