"""Intervals and tests that hold at every look at a growing run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.anytime import AnytimeEffect, ConfidenceSequence, anytime_effect, discordant_p_value

SHARE = (0.0, 1.0)
fifths = st.integers(-5, 5).map(lambda k: k / 5)
signs = st.sampled_from([-1.0, 0.0, 1.0])
runs = st.lists(signs, min_size=1, max_size=80) | st.lists(fifths, min_size=1, max_size=80)


def look(values: Any, codes: Any = None, order: Any = None, **options: Any) -> AnytimeEffect:
    array = np.asarray(values, dtype=float)
    n = np.arange(len(array))
    settings: dict[str, Any] = {"confidence_level": 0.95, "bounds": SHARE, **options}
    return anytime_effect(array, n if codes is None else codes, n if order is None else order, **settings)


def plain(rng: np.random.Generator, n: int, chances: tuple[float, float]) -> np.ndarray:
    gained, lost = chances
    return rng.choice([1.0, -1.0, 0.0], p=[gained, lost, 1 - gained - lost], size=n)


@settings(deadline=None)
@given(values=runs, n_more=st.integers(1, 40), seed=st.integers(0, 2**32))
def test_a_later_look_takes_nothing_back(values: list[float], n_more: int, seed: int) -> None:
    more = np.random.default_rng(seed).choice(values, n_more)
    early, late = look(values), look([*values, *more])
    assert early.p_value is not None
    assert late.p_value is not None
    assert late.p_value <= early.p_value
    if None not in (early.low, early.high, late.low, late.high):
        assert early.low <= late.low + 1e-9  # type: ignore[operator]
        assert late.high <= early.high + 1e-9  # type: ignore[operator]


@settings(deadline=None)
@given(values=runs, n_clusters=st.integers(1, 80), seed=st.integers(0, 2**32))
def test_swapping_the_arms_mirrors_it(values: list[float], n_clusters: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, n_clusters, len(values))
    one, other = look(values, codes), look(-np.array(values), codes)
    assert (one.p_value, one.method, one.n) == (pytest.approx(other.p_value), other.method, other.n)
    if one.low is not None and one.high is not None:
        assert (other.low, other.high) == (pytest.approx(-one.high), pytest.approx(-one.low))


@settings(deadline=None)
@given(values=runs, seed=st.integers(0, 2**32))
def test_only_the_order_in_which_items_came_in_counts(values: list[float], seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(len(values))
    one = look(values)
    other = look(np.array(values)[shuffled], shuffled, shuffled)
    assert other.p_value == pytest.approx(one.p_value)
    assert (other.low, other.high) == (pytest.approx(one.low), pytest.approx(one.high))


@settings(deadline=None, max_examples=60)
@given(values=runs, level=st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_holds_what_is_not_rejected(values: list[float], level: float) -> None:
    n = np.arange(len(values))
    found = ConfidenceSequence(np.array(values), n, n, bounds=SHARE)
    interval = found.interval(level)
    assert interval is not None
    for bound in interval:
        if abs(bound) < 1 - 1e-6:
            assert found.p_value(bound) == pytest.approx(1 - level, rel=1e-3)
    assert interval[0] <= np.mean(values) + 1e-9 or found.p_value(float(np.mean(values))) < 1


@settings(deadline=None, max_examples=40)
@given(values=runs)
def test_a_metric_of_another_range_has_the_interval_of_its_shares(values: list[float]) -> None:
    share, scale = look(values), look(4 * np.array(values), bounds=(1.0, 5.0))
    assert scale.p_value == pytest.approx(share.p_value)
    assert share.low is not None
    assert scale.low == pytest.approx(4 * share.low, abs=1e-6)


def test_copies_within_their_cluster_add_no_evidence() -> None:
    values = plain(np.random.default_rng(2), 100, (0.3, 0.1))
    codes = np.repeat(np.arange(100), 3)
    copied = ConfidenceSequence(np.repeat(values, 3), codes, np.arange(300), bounds=SHARE)
    alone = ConfidenceSequence(values, np.arange(100), np.arange(100), bounds=SHARE)
    assert copied.interval(0.95) == pytest.approx(alone.interval(0.95))


def test_a_cluster_comes_in_with_its_last_item() -> None:
    # Cluster 0 is complete last, so its loss comes after the gains of all others.
    values = np.array([-1.0, *[1.0] * 12, -1.0])
    codes = np.array([0, *range(1, 13), 0])
    late = ConfidenceSequence(values, codes, np.arange(14), bounds=SHARE)
    early = ConfidenceSequence(values, codes, np.array([0, *range(2, 14), 1]), bounds=SHARE)
    assert late.p_value(0.0) < early.p_value(0.0)


def test_the_largest_cluster_to_come_counts_from_the_start() -> None:
    values = plain(np.random.default_rng(2), 200, (0.3, 0.1))
    known = look(values, largest_cluster=5)
    larger = look([*values, *[0.0] * 5], [*range(200), *[200] * 5], largest_cluster=5)
    assert (known.low, known.high) != (look(values).low, look(values).high)
    assert larger.low is not None
    assert known.low is not None
    assert larger.low >= known.low - 1e-9


@pytest.mark.parametrize(("gained", "p_value"), [(0, 1.0), (1, 1.0), (12, 35 / 4096)])
def test_discordant_pairs_have_the_capital_of_a_beta_mixture(gained: int, p_value: float) -> None:
    # B(2 + n, 2) / B(2, 2) * 2**n = 6 * 2**n / ((n + 2) (n + 3)).
    assert discordant_p_value(np.ones(gained)) == pytest.approx(p_value)
    assert discordant_p_value(-np.ones(gained)) == pytest.approx(p_value)


def test_pairs_that_agree_do_not_change_the_p_value_of_binary_pairs() -> None:
    values = np.array([1.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    assert look(values).p_value == look(np.repeat(values, 2) * np.tile([1, 0], 8)).p_value


def test_a_p_value_is_never_zero() -> None:
    assert look(np.ones(20_000)).p_value == 2.2250738585072014e-308
    found = ConfidenceSequence(np.full(20_000, 0.5), np.arange(20_000), np.arange(20_000), bounds=SHARE)
    assert found.p_value(-0.5) == 2.2250738585072014e-308


def test_items_that_contradict_the_earlier_ones_have_no_interval() -> None:
    found = look([*[0.5] * 3000, *[-0.5] * 3000])
    assert (found.low, found.high, found.n) == (None, None, 6000)
    assert found.method == "none: early and late items contradict each other"


@pytest.mark.parametrize(
    ("values", "options", "method"),
    [([], {}, "none: no pairs"), ([0.5], {"bounds": None}, "none: the metric has no bounds")],
)
def test_what_has_no_interval_has_a_reason(values: list[float], options: dict[str, Any], method: str) -> None:
    assert look(values, **options) == AnytimeEffect(None, None, None, method, len(values))


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([1.0, 0.0], {"codes": [1]}, "2 differences, 1 codes and 2 places"),
        ([1.5], {}, "not within bounds"),
        ([1.0], {"confidence_level": 95}, "confidence_level is 95"),
    ],
)
def test_wrong_calls_are_refused(values: list[float], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        look(values, **options)


def words(values: np.ndarray, margin: float, looks: range) -> set[str]:
    """Verdicts at these looks, by the rule of `scripts.analysis.verdicts.verdict`."""
    found = set()
    for n in looks:
        effect, narrow = look(values[:n]), look(values[:n], confidence_level=0.9)
        assert effect.p_value is not None
        if effect.p_value < 0.05:
            found.add("different")
        elif (
            narrow.low is not None
            and narrow.high is not None
            and -margin < narrow.low <= narrow.high < margin
        ):
            found.add("equivalent")
    return found


@pytest.mark.parametrize(("difference", "wrong"), [(0.0, "different"), (0.1, "equivalent")])
def test_looks_without_end_err_no_more_often_than_one(difference: float, wrong: str) -> None:
    rng, chances = np.random.default_rng(20250101), ((0.2 + difference) / 2, (0.2 - difference) / 2)
    # Nothing is taken back, so the last look has the verdicts of all looks before it.
    n_wrong = sum(wrong in words(plain(rng, 1000, chances), 0.1, range(1000, 1001)) for _ in range(150))
    # 5 % are 7.5; more than 15 would happen once in two hundred times if it were so.
    assert n_wrong <= 15


def test_ten_looks_have_the_verdicts_of_the_last() -> None:
    values = plain(np.random.default_rng(3), 1000, (0.1, 0.1))
    assert (
        words(values, 0.1, range(100, 1001, 100)) == words(values, 0.1, range(1000, 1001)) == {"equivalent"}
    )


def test_a_difference_that_is_there_is_found_early() -> None:
    rng = np.random.default_rng(20250101)
    found = [look(plain(rng, 600, (0.25, 0.1))).p_value for _ in range(40)]
    assert np.mean([p is not None and p < 0.05 for p in found]) > 0.8
