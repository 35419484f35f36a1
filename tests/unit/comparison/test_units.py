"""Questions that share a request are one observation."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from scripts.analysis.discordant import exact_mcnemar
from scripts.comparison.item_scores import KEY
from scripts.comparison.units import join_clusters, merge_units
from tests.fakes.scored_trials import Bench, effect_of


def make_items(n, *, dataset="d", clusters=None, unanswerable=()):
    ids = [f"q{place}" for place in range(n)]
    frame = pd.DataFrame({"dataset": dataset, "item_id": ids, "cluster": clusters or list(range(n))})
    return frame.assign(is_unanswerable=[place in unanswerable for place in range(n)])


def make_rows(keys, correct, *, dataset="d"):
    ids = [f"q{place}" for place in range(len(keys))]
    frame = pd.DataFrame({"dataset": dataset, "item_id": ids, "replicate": 0, "request_key": keys})
    return frame.assign(correct=[math.nan if value is None else float(value) for value in correct])


def test_nothing_shared_leaves_every_question_as_it_is():
    items = make_items(3)

    (rows,), units = merge_units([make_rows(["a", "b", None], [1, 0, None])], items)

    assert units[KEY].equals(items[KEY])
    assert units["n_items"].tolist() == [1, 1, 1]
    assert rows["correct"].tolist()[:2] == [1.0, 0.0]


def test_questions_of_one_request_become_one_unit_with_the_mean_of_their_scores():
    (rows,), units = merge_units([make_rows(["a", "a", "b"], [1, 0, 1])], make_items(3))

    assert rows["item_id"].tolist() == ["q0", "q2"]
    assert rows["correct"].tolist() == [0.5, 1.0]
    assert units["n_items"].tolist() == [2, 1]


def test_a_request_shared_in_either_trial_joins_its_questions_in_both():
    trials = [make_rows(["a", "a", "b"], [1, 1, 0]), make_rows(["c", "d", "d"], [0, 1, 1])]

    merged, units = merge_units(trials, make_items(3))

    assert units["n_items"].tolist() == [3]
    assert [rows["correct"].tolist() for rows in merged] == [[pytest.approx(2 / 3)]] * 2


def test_a_unit_lacks_a_score_where_one_of_its_questions_does():
    (rows,), _ = merge_units([make_rows(["a", "a"], [1, None])], make_items(2))

    assert rows["correct"].isna().tolist() == [True]


def test_questions_with_and_without_an_answer_stay_apart_but_in_one_cluster():
    trial = make_rows(["a", "a", "a"], [1, 1, 0])

    _, units = merge_units([trial], make_items(3, unanswerable=[2]))

    assert units["n_items"].tolist() == [2, 1]
    assert units["cluster"].nunique() == 1


def test_a_shared_request_joins_the_clusters_of_its_questions():
    items = make_items(4, clusters=[0, 1, 1, 2])

    joined = join_clusters([make_rows(["a", "a", "b", "c"], [1, 1, 1, 1])], items)

    assert joined.loc[("d", "q0")] == joined.loc[("d", "q1")] == joined.loc[("d", "q2")]
    assert joined.loc[("d", "q3")] != joined.loc[("d", "q0")]


def test_replicates_of_one_question_are_not_shared_requests():
    rows = pd.concat([make_rows(["a0", "b0"], [1, 0]), make_rows(["a1", "b1"], [0, 0]).assign(replicate=1)])

    _, units = merge_units([rows], make_items(2))

    assert len(units) == 2


def test_four_copies_of_a_question_are_one_pair(tmp_path):
    """Ten texts gained and five lost of fifty, each asked four times: the requests decide, not the copies."""
    scores = (
        [1.0] * 10 + [0.0] * 5 + [1.0] * 20 + [0.0] * 15,
        [0.0] * 10 + [1.0] * 5 + [1.0] * 20 + [0.0] * 15,
    )
    bench = Bench(tmp_path, {"d": [None] * 200})

    def asked(values):
        return [
            ("d", f"q{copy * 50 + place}", 0, "answered", value)
            for copy in range(4)
            for place, value in enumerate(values)
        ]

    keys = [f"key {n % 50}" for n in range(200)]
    stats = bench.stats(asked(scores[0]), asked(scores[1]), keys=keys)

    effect = effect_of(stats)
    assert (effect["n_pairs"], effect["n_questions"], effect["n_clusters"]) == (50, 200, 50)
    assert (effect["n_gained"], effect["n_lost"]) == (10, 5)
    assert effect["p_value"] == exact_mcnemar(10, 5)
    assert effect["p_value"] == pytest.approx(0.302, abs=5e-4)
    assert (stats["n_items"], stats["n_units"], stats["metrics"]["correct"]["n"]) == (200, 50, 50)
    assert effect["requests"]["trial"] == {"n_requests": 50, "n_without_score": 0}
