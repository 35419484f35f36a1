from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.stats import warm_up
from tests.fakes.scored_trials import NAN, TRIAL, Bench, effect_of, rows, with_abstentions


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, {"d": [None] * 8})


def test_the_same_scores_give_the_same_bytes(bench):
    one = rows([[1, 0], [1, 1], [0, 0], [1, 0], [1, 1], [0, 1], [1, 1], [0, 0]])
    two = rows([[0, 0], [1, 0], [0, 0], [0, 0], [1, 1], [0, 0], [1, 1], [0, 1]])
    bench.stats(one, two, name="first")
    bench.stats(one, two, name="second")
    assert (bench.root / "first.json").read_bytes() == (bench.root / "second.json").read_bytes()


SCORE = st.sampled_from([0.0, 1.0, None])


ARM = st.lists(st.lists(SCORE, min_size=2, max_size=2), min_size=1, max_size=5)


def mirrored(values, n_items):
    silent = [NAN if score is None else 1 - score for several in values[:n_items] for score in several]
    return with_abstentions(values[:n_items], silent)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
