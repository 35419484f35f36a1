"""Effects by subgroup: which groups are analysed, and how they are compared."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.multiplicity import adjust
from scripts.analysis.paired import paired_effect
from scripts.analysis.resampling import child_rng
from scripts.analysis.subgroups import MOST_NAMED, LeftOut, SubgroupAnalysis, subgroup_effects

NAN = float("nan")


def analyse(trial: Any, baseline: Any, field: Any, clusters: Any = None, **options: Any) -> SubgroupAnalysis:
    about = {"confidence_level": 0.95, "resamples": 200, "seed": 1, "names": ("test",), "least_pairs": 5}
    return subgroup_effects(trial, baseline, field, clusters, **about | options)


def arms(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(seed).integers(0, 2, (2, n)).astype(float)


def test_each_group_has_the_effect_of_its_own_items() -> None:
    trial, baseline = np.random.default_rng(3).integers(0, 4, (2, 60)) / 3
    field = ["b", "a", "c"] * 20
    found = analyse(trial, baseline, field, bounds=(0, 1))
    assert [group.label for group in found.groups] == ["a", "b", "c"]
    for group in found.groups:
        mine = np.array(field) == group.label
        rng = child_rng(1, "test", group.label)
        expected = paired_effect(
            trial[mine], baseline[mine], confidence_level=0.95, resamples=200, rng=rng, bounds=(0, 1)
        )
        assert group.effect == expected
    raw = [group.effect.p_value for group in found.groups]
    assert [group.p_value_adjusted for group in found.groups] == adjust(raw, "holm")


def test_a_group_does_not_hang_on_which_others_there_are() -> None:
    trial, baseline = np.random.default_rng(3).integers(0, 4, (2, 60)) / 3
    field = np.array(["b", "a", "c"] * 20)
    mine = field != "c"
    before, after = analyse(trial, baseline, field), analyse(trial[mine], baseline[mine], field[mine])
    assert [group.effect for group in before.groups[:2]] == [group.effect for group in after.groups]


def test_small_groups_are_left_out_named_and_counted() -> None:
    trial, baseline = arms(20)
    baseline[0] = NAN  # an item of group "a", which then has four pairs
    found = analyse(trial, baseline, ["a"] * 5 + ["b"] * 10 + ["c"] * 3 + [None, NAN])
    assert [group.label for group in found.groups] == ["b"]
    assert found.left_out == (LeftOut("a", 4, "too small"), LeftOut("c", 3, "too small"))
    assert (found.n_groups_left_out, found.n_pairs_left_out, found.n_pairs_without_value) == (2, 7, 2)
    assert found.interaction.reason == "fewer than two groups"


def test_of_too_many_groups_the_largest_are_kept() -> None:
    trial, baseline = arms(45)
    field = ["a"] * 5 + ["b"] * 10 + ["c"] * 20 + ["d"] * 10
    found = analyse(trial, baseline, field, most_groups=2)
    assert [group.label for group in found.groups] == ["b", "c"]
    assert found.left_out == (LeftOut("d", 10, "too many groups"), LeftOut("a", 5, "too many groups"))


def test_a_field_of_names_is_left_out_without_a_list_of_all() -> None:
    trial, baseline = arms(500)
    found = analyse(trial, baseline, [f"item {i}" for i in range(500)])
    assert (found.groups, len(found.left_out), found.n_groups_left_out) == ((), MOST_NAMED, 500)
    assert found.n_pairs_left_out == 500


def test_no_items_make_no_groups() -> None:
    found = analyse([], [], [])
    assert (found.groups, found.left_out, found.interaction.statistic) == ((), (), None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"least_pairs": 0}, "least_pairs is 0"),
        ({"most_groups": 0}, "most_groups 0"),
        ({"confidence_level": 95}, "between 0 and 1"),
        ({"adjustment": "bh"}, "'bh'"),
    ],
)
def test_options_out_of_range_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        analyse(*arms(10), ["a"] * 10, **change)


def test_unlike_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 trial, 2 baseline values, 1 of the field"):
        analyse([1, 0], [1, 0], ["a"])


def test_a_group_without_variation_leaves_no_interaction_test_and_is_named() -> None:
    trial, baseline = arms(20)
    baseline[10:] = trial[10:]
    found = analyse(trial, baseline, ["a"] * 10 + ["b"] * 10)
    assert found.interaction.reason == "the differences do not vary in b"
    assert len(found.groups) == 2


def test_opposite_effects_interact_and_equal_ones_do_not() -> None:
    rng = np.random.default_rng(2)
    baseline = (rng.random(400) < 0.5).astype(float)
    field = np.repeat(["a", "b"], 200)
    opposite = np.where(field == "a", rng.random(400) < 0.8, rng.random(400) < 0.2).astype(float)
    same = (rng.random(400) < 0.8).astype(float)
    found = analyse(opposite, baseline, field).interaction
    assert (found.method, found.degrees_of_freedom) == ("cochran's q", 1)
    assert found.p_value is not None
    assert found.p_value < 1e-6
    assert analyse(same, baseline, field).interaction.p_value > 0.01  # type: ignore[operator]


def test_clusters_across_groups_are_told_by_the_covariance() -> None:
    rng = np.random.default_rng(4)
    trial, baseline = (rng.random((2, 200)) < 0.5).astype(float)
    found = analyse(trial, baseline, ["a", "b"] * 100, np.repeat(np.arange(50), 4)).interaction
    assert (found.method, found.i_squared) == ("wald, cluster-robust hotelling", None)


@pytest.mark.parametrize(
    ("clusters", "reason"),
    [([0] * 10 + [1] * 10, "the differences do not vary"), ([0, 1] * 10, "not more clusters than groups")],
)
def test_too_few_clusters_leave_no_interaction_test(clusters: list[int], reason: str) -> None:
    found = analyse(*arms(20), ["a"] * 10 + ["b"] * 10, clusters)
    assert found.interaction.reason is not None
    assert found.interaction.reason.startswith(reason)


def test_groups_that_clusters_copy_cannot_be_compared() -> None:
    differences = np.repeat([1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0], 2)
    found = analyse(differences, np.zeros(16), ["a", "b"] * 8, np.repeat(np.arange(8), 2))
    assert found.interaction.reason == "clusters tie the groups together"


value = st.sampled_from([0.0, 0.5, 1.0, NAN])
label = st.sampled_from(["a", "b", "c", None])


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(value, value, label, st.integers(0, 8)), max_size=40), st.booleans())
def test_every_pair_is_in_a_group_left_out_or_without_a_value(rows: list[Any], in_clusters: bool) -> None:
    trial, baseline = (np.array([row[arm] for row in rows], dtype=float) for arm in (0, 1))
    clusters = [row[3] for row in rows] if in_clusters else None
    found = analyse(trial, baseline, [row[2] for row in rows], clusters, least_pairs=3, resamples=20)
    json.dumps(dataclasses.asdict(found), allow_nan=False)
    n_pairs = int(np.count_nonzero(~(np.isnan(trial) | np.isnan(baseline))))
    in_groups = sum(group.effect.n_pairs for group in found.groups)
    assert in_groups + found.n_pairs_left_out + found.n_pairs_without_value == n_pairs
    assert (found.interaction.statistic is None) == (found.interaction.reason is not None)
    if found.interaction.p_value is not None:
        assert 0 < found.interaction.p_value <= 1
