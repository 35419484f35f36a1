"""The split of a variance: edges, and what must hold for all numbers."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.intervals import t_interval
from scripts.analysis.power import estimate_variance
from scripts.analysis.variance import (
    DesignEffect,
    VarianceSplit,
    design_effect,
    split_difference,
    split_variance,
)

NAN = float("nan")
answers = st.lists(st.sampled_from([0.0, 1.0, NAN]), min_size=3, max_size=3)
arms = st.lists(st.tuples(answers, answers), min_size=2, max_size=30)


def test_items_without_a_value_do_not_count() -> None:
    found = split_variance([[1, 0], [NAN, NAN], [1, 1], [0, NAN]])
    assert found.n_items == 3
    assert found.replicate_variance == 0.25


def test_one_answer_per_item_gives_the_variance_of_the_mean_and_no_parts() -> None:
    found = split_variance([[1], [0], [1], [1]])
    assert found == VarianceSplit(
        n_items=4,
        variance_of_mean=0.0625,
        with_twice_the_items=0.03125,
        reason="no item has two answers",
    )


@pytest.mark.parametrize("scores", [np.empty((0, 2)), [[1, 0]], [[1, 0], [NAN, NAN]]])
def test_fewer_than_two_items_have_no_variance(scores: object) -> None:
    assert split_variance(scores).reason == "fewer than two items"


def test_scores_that_do_not_vary_leave_nothing_to_split() -> None:
    found = split_variance(np.ones((5, 3)))
    assert (found.variance_of_mean, found.replicate_share, found.intraclass_correlation) == (0, None, None)
    assert (found.more_of, found.reason) == ("either", "no variation")


def test_items_that_do_not_differ_make_more_of_either_equally_good() -> None:
    found = split_variance([[1, 0], [0, 1], [1, 0]])
    assert (found.item_variance, found.more_of, found.replicate_share) == (0, "either", 1)
    assert found.with_twice_the_items == pytest.approx(found.with_twice_the_replicates)


def test_answers_that_always_agree_make_more_replicates_useless() -> None:
    found = split_variance(np.repeat([[0.0], [1.0], [1.0]], 4, axis=1))
    assert (found.replicate_variance, found.replicate_share, found.more_of) == (0, 0, "items")
    assert found.with_twice_the_replicates == found.variance_of_mean
    assert found.intraclass_correlation == 1


def test_one_dimension_or_unlike_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes"):
        split_variance([1, 0, 1])
    with pytest.raises(ValueError, match="same rows"):
        split_difference([[1, 0]], [[1, 0], [0, 0]])


def test_the_parts_of_a_difference_are_those_that_the_power_calculation_takes() -> None:
    rng = np.random.default_rng(5)
    trial, baseline = rng.integers(0, 2, (2, 40, 4)).astype(float)
    found, expected = split_difference(trial, baseline), estimate_variance(trial, baseline)
    assert (found.item_variance, found.replicate_variance) == (expected.item, expected.trial)
    assert found.baseline_replicate_variance == expected.baseline


def test_the_parts_add_up_to_the_squared_standard_error_of_the_reported_mean() -> None:
    rng = np.random.default_rng(11)
    scores = (rng.random((60, 5)) < rng.beta(1, 1, (60, 1))).astype(float)
    scores[rng.random(scores.shape) < 0.2] = NAN
    scores[:, 0] = 1.0
    found = split_variance(scores)
    interval = t_interval(np.nanmean(scores, axis=1), np.arange(60), confidence_level=0.5)
    assert interval.high is not None
    assert interval.mean is not None
    reach = interval.high - interval.mean
    assert found.variance_of_mean is not None
    assert np.sqrt(found.variance_of_mean) * 0.6787 == pytest.approx(reach, rel=1e-3)  # t of 59 degrees, 75 %


@settings(deadline=None)
@given(arms)
def test_twice_the_items_are_never_worse_than_twice_the_replicates(
    rows: list[tuple[list[float], list[float]]],
) -> None:
    trial, baseline = (np.array(arm) for arm in zip(*rows, strict=True))
    for found in (split_difference(trial, baseline), split_variance(trial)):
        json.dumps(dataclasses.asdict(found), allow_nan=False)
        if found.with_twice_the_replicates is None:
            assert found.reason is not None
            continue
        assert found.variance_of_mean is not None
        assert found.with_twice_the_items is not None
        assert found.with_twice_the_items <= found.with_twice_the_replicates * (1 + 1e-12)
        assert found.with_twice_the_replicates <= found.variance_of_mean * (1 + 1e-12)
        assert found.replicate_share is None or 0 <= found.replicate_share <= 1


def test_without_clusters_the_design_effect_is_one() -> None:
    found = design_effect([1, 0, NAN, 1], None)
    assert (found.n_items, found.n_clusters, found.design_effect, found.effective_items) == (3, 3, 1, 3)


@pytest.mark.parametrize(
    ("values", "clusters", "reason"),
    [([], None, "no values"), ([NAN], ["a"], "no values"), ([1, 0], ["a", "a"], "one cluster")],
)
def test_a_design_effect_that_cannot_be_known_says_why(
    values: list[float], clusters: list[str] | None, reason: str
) -> None:
    found = design_effect(values, clusters)
    assert (found.design_effect, found.reason) == (None, reason)


def test_equal_values_show_no_correlation() -> None:
    found = design_effect([0.1] * 6, ["a", "a", "b", "b", "c", "c"])
    assert found == DesignEffect(n_items=6, n_clusters=3, mean_cluster_size=2.0, reason="no variation")


def test_a_negative_correlation_does_not_make_clusters_better_than_independent_items() -> None:
    found = design_effect([0, 1, 0, 1, 0, 1], ["a", "a", "b", "b", "c", "c"])
    assert found.intraclass_correlation == -1
    assert found.design_effect == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, NAN]), st.integers(0, 5)), max_size=40))
def test_the_effective_items_are_at_most_the_items(rows: list[tuple[float, int]]) -> None:
    found = design_effect([value for value, _ in rows], [label for _, label in rows])
    json.dumps(dataclasses.asdict(found), allow_nan=False)
    assert (found.design_effect is None) == (found.reason is not None)
    if found.effective_items is not None:
        assert 1 - 1e-9 <= found.effective_items <= found.n_items


def test_fifty_thousand_items_in_small_clusters_need_no_large_table() -> None:
    rng = np.random.default_rng(1)
    found = design_effect(rng.integers(0, 2, 50_000), np.arange(50_000) // 2)
    assert found.design_effect == pytest.approx(1, abs=0.05)
