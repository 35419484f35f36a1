"""Generalised estimating equations: what stands in their way, and what must hold."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.gee import METHOD, gee_effect

NAN = float("nan")
answer = st.sampled_from([0.0, 1.0, NAN])


def simulate(seed: int, n_items: int = 200, replicates: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    easy = rng.beta(2, 1, (n_items, 1))
    trial = (rng.random((n_items, replicates)) < easy**0.7).astype(float)
    baseline = (rng.random((n_items, replicates)) < easy).astype(float)
    return trial, baseline


@pytest.mark.parametrize(
    ("trial", "baseline", "reason"),
    [
        ([0.5] * 30, [1, 0] * 15, "scores other than 0 and 1"),
        ([1, 0] * 9, [0, 1] * 9, "fewer than 20 independent groups"),
        ([], [], "fewer than 20 independent groups"),
        ([NAN] * 30, [1, 0] * 15, "an arm without an answer"),
        ([[1, 0]] + [[NAN, NAN]] * 29, [[1, 0]] * 30, "an arm with answers from one group only"),
        ([1] * 30, [1, 0] * 15, "an arm is always right or always wrong"),
        ([0, 1] * 15, [0] * 30, "an arm is always right or always wrong"),
        ([1, 0] * 15, [1, 0] * 15, "the working correlation is 1.0"),
        ([1, 0] * 15, [0, 1] * 15, "the working correlation is -1.0"),
    ],
)
def test_data_that_allow_no_estimate_give_the_reason_and_no_number(
    trial: Any, baseline: Any, reason: str
) -> None:
    found = gee_effect(trial, baseline, confidence_level=0.95)
    assert found.reason is not None
    assert found.reason.startswith(reason)
    assert found.method == f"none: {found.reason}"
    assert (found.odds_ratio, found.difference, found.low, found.p_value) == (None, None, None, None)


def test_few_clusters_are_refused_however_many_items_they_hold() -> None:
    trial, baseline = simulate(1)
    found = gee_effect(trial, baseline, np.arange(200) % 19, confidence_level=0.95)
    assert (found.n_groups, found.reason) == (19, "fewer than 20 independent groups")


def test_arms_of_unlike_length_are_refused() -> None:
    with pytest.raises(ValueError, match="the trial has 1 items, but the baseline 2"):
        gee_effect([1], [1, 0], confidence_level=0.95)


def test_with_equal_numbers_of_answers_the_difference_is_that_of_the_means() -> None:
    trial, baseline = simulate(2)
    found = gee_effect(trial, baseline, confidence_level=0.95)
    assert found.difference == pytest.approx(trial.mean() - baseline.mean(), rel=1e-9)
    assert (found.n_answers, found.n_groups, found.method) == (1200, 200, METHOD)


def test_identical_arms_with_replicates_that_differ_show_no_effect() -> None:
    trial, _ = simulate(3)
    found = gee_effect(trial, trial, confidence_level=0.95)
    assert (found.odds_ratio, found.reason) == (None, "the arms do not differ in any group")


def test_an_item_that_one_arm_lacks_still_counts() -> None:
    trial, baseline = simulate(4)
    trial[:10] = NAN
    found = gee_effect(trial, baseline, confidence_level=0.95)
    assert (found.n_answers, found.n_groups, found.reason) == (1170, 200, None)


def test_clusters_widen_the_interval() -> None:
    rng = np.random.default_rng(6)
    lift = np.repeat(rng.choice([-0.3, 0.4], 40), 10)[:, None]
    trial = (rng.random((400, 2)) < 0.5 + lift).astype(float)
    baseline = (rng.random((400, 2)) < 0.5).astype(float)
    plain = gee_effect(trial, baseline, confidence_level=0.95)
    clustered = gee_effect(trial, baseline, np.repeat(np.arange(40), 10), confidence_level=0.95)
    assert clustered.high - clustered.low > 1.5 * (plain.high - plain.low)  # type: ignore[operator]


def test_swapping_the_arms_inverts_the_odds_ratio() -> None:
    trial, baseline = simulate(5)
    there = gee_effect(trial, baseline, confidence_level=0.95)
    back = gee_effect(baseline, trial, confidence_level=0.95)
    assert there.odds_ratio == pytest.approx(1 / back.odds_ratio, rel=1e-9)  # type: ignore[operator]
    assert there.odds_ratio_low == pytest.approx(1 / back.odds_ratio_high, rel=1e-9)  # type: ignore[operator]
    assert there.p_value == pytest.approx(back.p_value, rel=1e-6)


@settings(deadline=None)
@given(st.lists(st.tuples(answer, answer, answer, answer), min_size=20, max_size=40), st.booleans())
def test_every_answer_pattern_gives_numbers_or_a_reason(rows: list[Any], in_clusters: bool) -> None:
    array = np.array(rows)
    clusters = np.arange(len(rows)) // 2 if in_clusters else None
    found = gee_effect(array[:, :2], array[:, 2:], clusters, confidence_level=0.95)
    json.dumps(dataclasses.asdict(found), allow_nan=False)
    assert (found.odds_ratio is None) == (found.reason is not None)
    if found.odds_ratio is not None:
        assert found.odds_ratio_low < found.odds_ratio < found.odds_ratio_high  # type: ignore[operator]
        assert -1 <= found.low <= found.difference <= found.high <= 1  # type: ignore[operator]
        assert 0 < found.p_value <= 1  # type: ignore[operator]


def test_fifty_thousand_items_are_no_trouble() -> None:
    trial, baseline = simulate(7, n_items=50_000, replicates=2)
    assert gee_effect(trial, baseline, confidence_level=0.95).reason is None
