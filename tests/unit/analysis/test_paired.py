import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.paired import PairedEffect, paired_effect
from scripts.analysis.resampling import child_rng
from scripts.analysis.score_intervals import tango_interval

NAN = float("nan")
binary = st.sampled_from([0.0, 1.0, NAN])
thirds = st.sampled_from([0.0, 1 / 3, 2 / 3, 1.0, NAN])
ranges = st.sampled_from([None, (0.0, 1.0)])
arms = st.lists(st.tuples(binary, binary), max_size=40) | st.lists(st.tuples(thirds, thirds), max_size=40)


def compare(trial: Any, baseline: Any, clusters: Any = None, **options: Any) -> PairedEffect:
    settings = {"confidence_level": 0.95, "resamples": 500, "rng": child_rng(1, "test"), **options}
    return paired_effect(trial, baseline, clusters, **settings)


def split(rows: Sequence[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    array = np.array(rows, dtype=float).reshape(-1, 2)
    return array[:, 0], array[:, 1]


@pytest.mark.parametrize(
    ("trial", "baseline", "n_unpaired"), [([], [], 0), ([NAN, 1.0], [1.0, NAN], 2), ([NAN], [NAN], 1)]
)
def test_no_pairs_give_no_number(trial: list[float], baseline: list[float], n_unpaired: int) -> None:
    effect = compare(trial, baseline, bounds=(0, 1))
    assert effect == PairedEffect(
        n_pairs=0,
        n_unpaired=n_unpaired,
        n_clusters=0,
        n_gained=0,
        n_lost=0,
        difference=None,
        low=None,
        high=None,
        interval_method="none: no pairs",
        test="none: no pairs",
        p_value=None,
        is_p_floor=False,
        odds_ratio=None,
        equivalence_low=None,
        equivalence_high=None,
    )


def test_pairs_without_a_value_in_one_arm_fall_out_and_are_counted() -> None:
    effect = compare([1, NAN, 1, 0, 1], [0, 1, NAN, 0, 0])
    assert (effect.n_pairs, effect.n_unpaired, effect.n_gained, effect.n_lost) == (3, 2, 2, 0)
    assert effect.difference == pytest.approx(2 / 3)


def test_binary_arms_get_tango_and_exact_mcnemar() -> None:
    effect = compare([1] * 9 + [0] * 3 + [1] * 20, [0] * 9 + [1] * 3 + [1] * 20)
    assert (effect.interval_method, effect.test) == ("tango score", "exact mcnemar")
    assert (effect.low, effect.high) == tango_interval(9, 3, 32, confidence_level=0.95)
    assert (effect.equivalence_low, effect.equivalence_high) == tango_interval(9, 3, 32, confidence_level=0.9)
    assert effect.odds_ratio is not None
    assert effect.odds_ratio.estimate == 9.5 / 3.5


def test_the_equivalence_level_can_be_given() -> None:
    effect = compare([1, 1, 0, 1], [0, 1, 1, 0], equivalence_level=0.5)
    assert (effect.equivalence_low, effect.equivalence_high) == tango_interval(2, 1, 4, confidence_level=0.5)


def test_identical_binary_arms_have_pvalue_one_and_an_interval_with_a_width() -> None:
    effect = compare([1, 0] * 50, [1, 0] * 50)
    assert (effect.difference, effect.p_value) == (0.0, 1.0)
    assert effect.low is not None
    assert effect.low < 0
    assert effect.odds_ratio is not None
    assert (effect.odds_ratio.low, effect.odds_ratio.high) == (None, None)


def test_averaged_replicates_get_t_and_sign_flips() -> None:
    effect = compare([1, 2 / 3, 1 / 3, 1], [0, 1 / 3, 2 / 3, 1 / 3])
    assert (effect.interval_method, effect.test) == ("t", "sign-flip permutation")
    assert (effect.n_gained, effect.n_lost, effect.odds_ratio) == (3, 1, None)


def test_averaged_replicates_of_a_share_get_a_score_interval() -> None:
    effect = compare([1, 2 / 3, 1 / 3, 1], [0, 1 / 3, 2 / 3, 1 / 3], bounds=(0, 1))
    assert (effect.interval_method, effect.test) == (
        "tango score, effective sample size",
        "sign-flip permutation",
    )


def test_one_arm_that_is_not_binary_is_enough_for_the_general_test() -> None:
    assert compare([1, 0.5, 0], [0, 1, 1]).test == "sign-flip permutation"


def test_binary_arms_in_clusters_flip_whole_clusters() -> None:
    clusters = np.repeat(np.arange(6), 4)
    effect = compare([1] * 24, [0, 1, 0, 1] * 6, clusters)
    assert effect.test == "sign-flip permutation by cluster"
    # Six clusters, all in one direction, however many items they hold.
    assert effect.p_value == 2 / 2**6
    assert effect.odds_ratio is not None
    assert (effect.odds_ratio.estimate, effect.odds_ratio.low) == (25.0, None)
    assert effect.odds_ratio.method == "gained/lost + 0.5 each; none: clustered pairs"


@pytest.mark.parametrize("gain", [0.0, 1.0])
def test_uniform_binary_pairs_in_clusters_count_the_clusters(gain: float) -> None:
    effect = compare([gain] * 30, [0.0] * 30, np.repeat(np.arange(10), 3))
    assert effect.interval_method == "tango score on clusters"
    assert (effect.low, effect.high) == tango_interval(10 if gain else 0, 0, 10, confidence_level=0.95)


def test_one_cluster_gives_no_interval_and_pvalue_one() -> None:
    effect = compare([1, 1, 0], [0, 0, 0], ["a", "a", "a"])
    assert (effect.low, effect.high, effect.interval_method) == (None, None, "none: one cluster")
    assert effect.p_value == 1.0


def test_identical_averaged_arms_have_pvalue_one_and_no_interval() -> None:
    effect = compare([0.5, 0.25, 1], [0.5, 0.25, 1])
    assert (effect.difference, effect.p_value) == (0.0, 1.0)
    assert (effect.low, effect.equivalence_low, effect.interval_method) == (None, None, "none: no variation")


def test_a_difference_in_the_last_digit_is_no_gain() -> None:
    effect = compare([0.1 + 0.2, 0.5], [0.3, 0.25])
    assert (effect.n_gained, effect.n_lost) == (1, 0)
    assert compare([0.3, 0.5], [0.1 + 0.2, 0.25]).n_lost == 0


def test_an_interval_never_reaches_where_no_difference_can_be() -> None:
    free = compare([2, 1.8, 0.4], [0, 0.2, 0.6])
    cut = compare([2, 1.8, 0.4], [0, 0.2, 0.6], bounds=(0, 2))
    assert free.high is not None
    assert free.high > 2
    assert cut.high == 2.0
    assert cut.low == free.low


@pytest.mark.parametrize(
    ("trial", "baseline", "options", "message"),
    [
        ([1, 0], [1], {}, "the trial has 2 items, but the baseline 1"),
        ([[1, 0]], [[1, 0]], {}, "one dimension"),
        ([1, 0], [1, 0], {"clusters": ["a"]}, "but there are 2 items"),
        ([1, 0], [1, 2], {"bounds": (0, 1)}, "but the bounds are 0 and 1"),
        ([1, 0], [1, 0], {"confidence_level": 95}, "confidence_level is 95"),
        ([1, 0], [1, 0], {"equivalence_level": 0.0}, r"equivalence_level is 0\.0"),
        ([1, 0.5], [0, 0], {"resamples": 0}, "resamples is 0"),
    ],
)
def test_wrong_calls_are_refused(trial: Any, baseline: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare(trial, baseline, **options)


@settings(deadline=None)
@given(rows=arms, seed=st.integers(0, 2**32), is_clustered=st.booleans(), bounds=ranges)
def test_swapping_the_arms_mirrors_the_effect(
    rows: list[tuple[float, float]], seed: int, is_clustered: bool, bounds: tuple[float, float] | None
) -> None:
    trial, baseline = split(rows)
    clusters = np.random.default_rng(seed).integers(0, 10, len(rows)) if is_clustered else None
    one = compare(trial, baseline, clusters, bounds=bounds)
    other = compare(baseline, trial, clusters, bounds=bounds)
    assert (one.n_gained, one.n_lost) == (other.n_lost, other.n_gained)
    assert (one.test, one.interval_method, one.p_value) == (other.test, other.interval_method, other.p_value)
    for name, mirror in (
        ("difference", "difference"),
        ("low", "high"),
        ("equivalence_low", "equivalence_high"),
    ):
        value = getattr(one, name)
        expected = None if value is None else pytest.approx(-value, abs=1e-12)
        assert getattr(other, mirror) == expected


@settings(deadline=None)
@given(rows=arms, seed=st.integers(0, 2**32), is_clustered=st.booleans(), bounds=ranges)
def test_the_order_of_items_does_not_matter_to_an_effect(
    rows: list[tuple[float, float]], seed: int, is_clustered: bool, bounds: tuple[float, float] | None
) -> None:
    trial, baseline = split(rows)
    rng = np.random.default_rng(seed)
    clusters = rng.integers(0, 10, len(rows)) if is_clustered else np.arange(len(rows))
    order = rng.permutation(len(rows))
    one = dataclasses.asdict(compare(trial, baseline, clusters, bounds=bounds))
    other = dataclasses.asdict(compare(trial[order], baseline[order], clusters[order], bounds=bounds))
    for name, value in one.items():
        assert other[name] == (pytest.approx(value, abs=1e-12) if isinstance(value, float) else value), name


@settings(deadline=None)
@given(rows=st.lists(st.tuples(thirds, thirds), min_size=2, max_size=30), copies=st.integers(2, 4))
def test_copies_of_a_pair_in_its_own_cluster_add_no_evidence(
    rows: list[tuple[float, float]], copies: int
) -> None:
    # A first pair that is not binary, so that both runs take the general path.
    trial, baseline = split([(0.4, 0.3), *rows])
    alone = compare(trial, baseline)
    clusters = np.repeat(np.arange(len(trial)), copies)
    copied = compare(np.repeat(trial, copies), np.repeat(baseline, copies), clusters)
    again = compare(np.repeat(trial, 2 * copies), np.repeat(baseline, 2 * copies), np.repeat(clusters, 2))
    assert copied.difference == pytest.approx(alone.difference, abs=1e-12)
    assert copied.p_value == alone.p_value == again.p_value
    assert (again.low, again.high) == (
        pytest.approx(copied.low, abs=1e-9),
        pytest.approx(copied.high, abs=1e-9),
    )
    if copied.interval_method == "cluster-robust t":
        assert (copied.low, copied.high) == (
            pytest.approx(alone.low, abs=1e-12),
            pytest.approx(alone.high, abs=1e-12),
        )


@settings(deadline=None)
@given(rows=arms.filter(bool), bounds=ranges)
def test_a_pvalue_is_above_zero_and_the_interval_holds_the_difference(
    rows: list[tuple[float, float]], bounds: tuple[float, float] | None
) -> None:
    effect = compare(*split(rows), bounds=bounds)
    if effect.p_value is None or effect.difference is None:
        assert effect.n_pairs == 0
        return
    assert 0 < effect.p_value <= 1
    assert effect.n_pairs + effect.n_unpaired == len(rows)
    if effect.low is not None and effect.high is not None:
        assert effect.low <= effect.difference <= effect.high
