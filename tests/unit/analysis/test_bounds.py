"""Worst-case bounds for missing outcomes."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.bounds import DifferenceBounds, difference_bounds, mean_bounds
from scripts.analysis.discordant import exact_mcnemar
from scripts.analysis.equivalence import margin_tests
from scripts.analysis.intervals import mean_interval
from scripts.analysis.paired import paired_effect
from scripts.analysis.pairs import infer_difference, pair_up
from scripts.analysis.resampling import child_rng

NAN = float("nan")
values = st.sampled_from([0.0, 1.0, NAN])
arms = st.lists(st.tuples(values, values), min_size=1, max_size=25)


def bound(trial: Any, baseline: Any, clusters: Any = None, **options: Any) -> DifferenceBounds:
    about = {"confidence_level": 0.95, "resamples": 100, "seed": 1, "names": ("test",)}
    about |= {"margin": 0.02, **options}
    return difference_bounds(trial, baseline, clusters, **about)


def test_nothing_missing_leaves_the_observed_mean_and_interval() -> None:
    found = mean_bounds([1, 0, 1, 1], confidence_level=0.95)
    expected = mean_interval([1, 0, 1, 1], confidence_level=0.95)
    assert (found.lowest, found.highest, found.n_incomplete) == (0.75, 0.75, 0)
    assert (found.low, found.high, found.method) == (expected.low, expected.high, "wilson")


def test_missing_values_count_as_none_right_and_as_all_right() -> None:
    found = mean_bounds([1, 0, NAN, NAN], confidence_level=0.95)
    assert (found.lowest, found.highest, found.n_items, found.n_incomplete) == (0.25, 0.75, 4, 2)
    assert found.low == mean_interval([1, 0, 0, 0], confidence_level=0.95).low
    assert found.high == mean_interval([1, 0, 1, 1], confidence_level=0.95).high


def test_a_missing_replicate_counts_for_its_share_of_the_item() -> None:
    found = mean_bounds([[1, NAN], [0, 0]], confidence_level=0.95)
    assert (found.lowest, found.highest, found.n_incomplete) == (0.25, 0.5, 1)


def test_all_missing_can_be_anything() -> None:
    found = mean_bounds([NAN] * 30, confidence_level=0.95)
    assert (found.lowest, found.highest, found.low, found.high) == (0, 1, 0, 1)


def test_no_items_have_no_bounds() -> None:
    found = mean_bounds([], confidence_level=0.95)
    assert (found.lowest, found.highest, found.method) == (None, None, "none: no values")


@pytest.mark.parametrize("wrong", [np.zeros((2, 2, 2)), np.empty((3, 0)), [2.0], [float("inf")]])
def test_values_of_a_wrong_shape_or_size_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="values"):
        mean_bounds(wrong, confidence_level=0.95)


def test_a_clear_difference_survives_a_few_missing_outcomes() -> None:
    found = bound([1] * 60 + [NAN] * 2, [0] * 50 + [1] * 12)
    assert found.p_lowest is not None
    assert found.p_lowest == exact_mcnemar(50, 2)
    assert found.p_highest == exact_mcnemar(50, 0)
    assert found.sign_survives


def test_a_small_difference_does_not_survive_many_missing_outcomes() -> None:
    found = bound([1] * 12 + [0] * 20 + [NAN] * 30, [0] * 12 + [0] * 20 + [1] * 30)
    assert (found.p_lowest, found.p_highest) == (exact_mcnemar(12, 30), exact_mcnemar(12, 0))
    assert not found.sign_survives
    assert found.observed == pytest.approx(12 / 32)


def test_equivalence_is_tested_with_the_missing_scores_filled_in() -> None:
    found = bound([1] * 500 + [NAN] * 5, [1] * 505, margin=0.05)
    for completed, p_equivalence in (
        ([1] * 500 + [0] * 5, found.p_equivalence_lowest),
        ([1] * 505, found.p_equivalence_highest),
    ):
        pairs = pair_up(completed, [1] * 505)
        tested = infer_difference(pairs).p_value
        assert tested is not None
        expected = margin_tests(
            float(pairs.differences.mean()), tested, margin=0.05, higher_is_better=True, method="filled in"
        )
        assert p_equivalence == expected.p_equivalence
    assert bound([1, NAN], [1, 1], margin=None).p_equivalence_lowest is None


def test_nothing_observed_has_bounds_but_no_conclusion() -> None:
    found = bound([NAN, 1], [1, NAN])
    assert (found.lowest, found.observed, found.highest) == (-0.5, None, 0.5)
    assert (found.sign_survives, found.reason) == (None, "no pairs")


def test_no_items_have_no_bounds_of_a_difference() -> None:
    found = bound([], [])
    assert (found.n_items, found.lowest, found.highest, found.reason) == (0, None, None, "no pairs")


def test_arms_of_unlike_length_are_refused() -> None:
    with pytest.raises(ValueError, match="the trial has 1 items, but the baseline 2"):
        bound([1], [1, 0])


def test_clusters_are_kept() -> None:
    clusters = ["a"] * 6 + ["b"] * 6 + ["c"] * 6 + ["d"] * 6
    trial, baseline = [1, 1, 0, 1, 1, NAN] * 4, [0, 1, 1, 0, 1, 0] * 4
    found = bound(trial, baseline, clusters)
    expected = paired_effect(
        np.nan_to_num(trial, nan=0.0),
        np.array(baseline, dtype=float),
        clusters,
        confidence_level=0.95,
        resamples=100,
        rng=child_rng(1, "test", "bounds", "lowest"),
        bounds=(0, 1),
    )
    assert (found.lowest, found.low) == (expected.difference, expected.low)


@settings(deadline=None)
@given(arms, st.data())
def test_whatever_the_missing_values_are_the_difference_lies_within_the_bounds(
    rows: list[tuple[float, float]], data: st.DataObject
) -> None:
    array = np.array(rows)
    truth = np.array(
        [[data.draw(st.sampled_from([0.0, 1.0])) if np.isnan(x) else x for x in row] for row in rows]
    )
    found = bound(array[:, 0], array[:, 1])
    json.dumps(dataclasses.asdict(found), allow_nan=False)
    assert found.lowest is not None
    assert found.highest is not None
    difference = float((truth[:, 0] - truth[:, 1]).mean())
    assert found.lowest - 1e-12 <= difference <= found.highest + 1e-12
    for arm in range(2):
        mean = mean_bounds(array[:, arm], confidence_level=0.9)
        assert mean.lowest is not None
        assert mean.highest is not None
        assert mean.lowest - 1e-12 <= truth[:, arm].mean() <= mean.highest + 1e-12
        assert mean.low is None or mean.low <= mean.lowest


@settings(deadline=None)
@given(arms)
def test_swapping_the_arms_mirrors_the_bounds(rows: list[tuple[float, float]]) -> None:
    array = np.array(rows)
    there, back = bound(array[:, 0], array[:, 1]), bound(array[:, 1], array[:, 0])
    assert there.lowest == pytest.approx(-(back.highest or 0.0))
    assert there.sign_survives == back.sign_survives


def test_with_nothing_missing_there_is_one_case() -> None:
    found = bound([1] * 10 + [0] * 10, [1] * 10 + [0] * 10)
    assert found.lowest == found.observed == found.highest == 0
    assert (found.p_lowest, found.p_highest, found.sign_survives) == (None, None, True)
