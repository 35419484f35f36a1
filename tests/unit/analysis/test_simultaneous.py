import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.equivalence import margin_tests
from scripts.analysis.pairs import infer_difference, pair_up
from scripts.analysis.resampling import child_rng, sign_flip_test
from scripts.analysis.simultaneous import (
    FamilyMember,
    Simultaneous,
    adjust_verdicts,
    family_member,
    simultaneous_effects,
)


def simultaneous(members: list[FamilyMember], *, level: float = 0.95, resamples: int = 1999) -> Simultaneous:
    return simultaneous_effects(
        members, confidence_level=level, resamples=resamples, rng=child_rng(1, "test")
    )


def members_of(values: np.ndarray, codes: np.ndarray | None = None) -> list[FamilyMember]:
    """One member per column; all share their clusters."""
    numbers = np.arange(len(values)) if codes is None else codes
    return [family_member(column, numbers) for column in values.T]


def draw(seed: int, n_items: int = 60, n_members: int = 4) -> np.ndarray:
    """Trials against one baseline, the first with an effect."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (n_items, n_members)) - rng.normal(0, 1, (n_items, 1))
    values[:, 0] += 0.6
    return values


# Interval and p-values ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_an_interval_excludes_zero_exactly_where_the_single_step_pvalue_is_significant(seed: int) -> None:
    found = simultaneous(members_of(draw(seed)), resamples=199)
    for effect in found.effects:
        assert effect.low is not None and effect.high is not None  # noqa: PT018
        assert (not effect.low <= 0 <= effect.high) == (effect.p_single_step < 0.05)


@pytest.mark.parametrize("seed", range(8))
def test_step_down_never_says_less_and_agrees_on_the_most_significant(seed: int) -> None:
    effects = simultaneous(members_of(draw(seed))).effects
    assert all(effect.p_step_down <= effect.p_single_step for effect in effects)
    first = min(effects, key=lambda effect: effect.p_single_step)
    assert first.p_step_down == first.p_single_step


def test_a_family_of_one_is_the_sign_flip_test_where_all_patterns_are_used() -> None:
    values = np.array([0.3, 1.2, -0.4, 0.9, 0.2, 1.1, 0.8, -0.1, 0.6, 0.5])
    plain = sign_flip_test(values, resamples=2000, rng=child_rng(1, "test"))
    found = simultaneous(members_of(values[:, np.newaxis]), resamples=2000)
    assert (found.is_exact, found.n_patterns) == (True, 1024)
    assert found.effects[0].p_single_step >= plain.p_value
    assert found.effects[0].p_single_step == pytest.approx(plain.p_value, abs=0.02)


def test_copies_of_an_effect_cost_nothing() -> None:
    values = draw(1)[:, :1]
    alone, copied = simultaneous(members_of(values)), simultaneous(members_of(np.repeat(values, 5, axis=1)))
    assert copied.critical_value == pytest.approx(alone.critical_value, abs=0.15)
    assert {effect.p_single_step for effect in copied.effects} == {copied.effects[0].p_single_step}


def test_effects_on_other_datasets_cost_what_independent_ones_do() -> None:
    rng = np.random.default_rng(3)
    members = [family_member(rng.normal(0, 1, 200), np.arange(200) + 200 * number) for number in range(10)]
    found = simultaneous(members, resamples=9999)
    # Sidak: ten independent intervals that hold together 95 times in 100.
    assert found.single_level == pytest.approx(0.95**0.1, abs=0.002)
    assert found.critical_value == pytest.approx(2.80, abs=0.06)


def test_few_clusters_elsewhere_do_not_widen_the_intervals_of_many() -> None:
    rng = np.random.default_rng(4)
    many = [family_member(rng.normal(0, 1, 300), np.arange(300) + 300 * k) for k in range(4)]
    few = family_member(rng.normal(0, 1, 90), 2000 + np.arange(90) % 9)
    without, together = simultaneous(many, resamples=9999), simultaneous([*many, few], resamples=9999)
    assert together.critical_value < without.critical_value + 0.25
    reach = [(effect.high - effect.low) / effect.standard_error for effect in together.effects]
    assert reach[-1] > 1.3 * reach[0]


def test_members_may_share_some_clusters_only() -> None:
    values = draw(5, n_items=80, n_members=2)
    members = [family_member(values[:50, 0], np.arange(50)), family_member(values[30:, 1], np.arange(30, 80))]
    found = simultaneous(members)
    assert [effect.n_items for effect in found.effects] == [50, 50]
    assert all(effect.p_single_step is not None for effect in found.effects)


def test_mean_and_error_are_those_of_the_plain_interval() -> None:
    values, codes = draw(6)[:, 0], np.arange(60) % 25
    effect = simultaneous([family_member(values, codes)]).effects[0]
    from scripts.analysis.intervals import standard_error

    assert effect.difference == pytest.approx(values.mean(), rel=1e-9)
    assert effect.standard_error == pytest.approx(standard_error(values, codes), rel=1e-9)


def test_the_order_of_items_does_not_matter_and_swapping_the_arms_mirrors() -> None:
    values, codes = draw(7), np.arange(60) % 25
    order = np.random.default_rng(8).permutation(60)
    found = simultaneous(members_of(values, codes))
    assert simultaneous(members_of(values[order], codes[order] * 3 + 1)) == found
    mirrored = simultaneous(members_of(-values, codes))
    for one, other in zip(found.effects, mirrored.effects, strict=True):
        assert (one.low, one.high) == (-other.high, -other.low)
        assert (one.p_single_step, one.p_step_down) == (other.p_single_step, other.p_step_down)


@pytest.mark.parametrize("unit", [1e-6, 1e4])
def test_the_unit_of_a_metric_does_not_matter(unit: float) -> None:
    values = draw(9)
    one, other = simultaneous(members_of(values)), simultaneous(members_of(values * unit))
    assert [effect.p_step_down for effect in one.effects] == [effect.p_step_down for effect in other.effects]
    assert other.effects[0].low == pytest.approx(one.effects[0].low * unit, rel=1e-9)


def test_intervals_are_cut_at_the_bounds() -> None:
    values = np.tile([1.0, 1.0, 1.0, 0.5], 5)
    found = simultaneous([family_member(values, np.arange(20), bounds=(-1, 1)), *members_of(draw(1))])
    assert found.effects[0].high <= 1
    assert simultaneous([family_member(values, np.arange(20), bounds=(-1, 0.9))]).effects[0].high == 0.9


def test_a_method_of_its_own_is_used_at_the_level_that_holds_for_the_family() -> None:
    rng = np.random.default_rng(6)
    baseline = rng.random(150) < 0.05
    pairs = [pair_up(rng.random(150) < 0.06, baseline) for _ in range(3)]
    methods = [infer_difference(one).interval for one in pairs]
    plain = [family_member(one.differences, one.codes) for one in pairs]
    own = [dataclasses.replace(one, interval=method) for one, method in zip(plain, methods, strict=True)]
    expected, found = simultaneous(plain), simultaneous(own)
    assert found.single_level == expected.single_level > 0.97
    for effect, other, method in zip(found.effects, expected.effects, methods, strict=True):
        assert (effect.low, effect.high, "tango score") == method(found.single_level)
        assert (effect.p_single_step, effect.p_step_down) == (other.p_single_step, other.p_step_down)


def test_a_method_of_its_own_that_has_no_interval_says_why() -> None:
    values = draw(1)[:, 0]
    member = family_member(values, np.arange(60), interval=lambda level: (None, None, f"none: {level > 0.9}"))
    effect = simultaneous([member]).effects[0]
    assert (effect.low, effect.high, effect.reason) == (None, None, "True")
    assert effect.p_single_step is not None


# What cannot be tested ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "codes", "reason"),
    [
        ([], [], "no pairs"),
        ([1.0], [0], "one pair"),
        ([1.0, 0.0], [3, 3], "one cluster"),
        ([0.0] * 30, range(30), "no variation"),
        ([1.0] * 30, range(30), "no variation"),
        ([1.0, 0.0, 0.5, 0.2, 0.9] * 4, list(range(5)) * 4, "too few clusters for this level"),
    ],
)
def test_what_cannot_vary_says_why_and_does_not_count(
    values: list[float], codes: list[int], reason: str
) -> None:
    still = family_member(np.array(values), np.array(codes, dtype=np.int64) + 1000)
    with_others, others = (simultaneous([*members_of(draw(1)), *more]) for more in ([still], []))
    effect = with_others.effects[-1]
    assert (effect.reason, effect.low, effect.p_single_step, effect.p_step_down) == (reason, None, None, None)
    assert with_others.effects[:-1] == others.effects
    assert with_others.n_tested == others.n_tested == 4


def test_a_family_without_anything_to_test_has_no_critical_value() -> None:
    found = simultaneous([family_member(np.zeros(9), np.arange(9))])
    assert (found.n_tested, found.critical_value, found.single_level) == (0, None, None)
    assert found.method == "none: no effect that can be tested"
    assert simultaneous([]).effects == ()


def test_too_few_resamples_for_the_level_give_pvalues_but_no_interval() -> None:
    found = simultaneous(members_of(draw(1)), resamples=10)
    effect = found.effects[0]
    assert (effect.low, effect.reason) == (None, "too few resamples or clusters for this level")
    assert effect.p_single_step >= 1 / 11
    assert (found.critical_value, found.single_level) == (None, None)


def test_no_pvalue_is_zero() -> None:
    values = np.random.default_rng(1).normal(50, 1, (100, 2))
    assert [effect.p_step_down for effect in simultaneous(members_of(values)).effects] == [1 / 2000] * 2


def test_a_wrong_level_or_number_of_resamples_is_refused() -> None:
    with pytest.raises(ValueError, match="must be between 0 and 1"):
        simultaneous(members_of(draw(1)), level=95)
    with pytest.raises(ValueError, match="resamples is 0, but must be at least 1"):
        simultaneous(members_of(draw(1)), resamples=0)


def test_other_cluster_numbers_change_nothing() -> None:
    member = members_of(draw(1))[0]
    moved = dataclasses.replace(member, clusters=member.clusters + 10**6)
    assert simultaneous([moved]) == simultaneous([member])


# Equivalence -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("margin", [0.02, 0.05, 0.1, 0.2])
def test_equivalence_is_significant_exactly_where_the_interval_is_within_the_margin(margin: float) -> None:
    rng = np.random.default_rng(2)
    pairs = pair_up(rng.integers(0, 2, 400), rng.integers(0, 2, 400))
    inference = infer_difference(pairs)
    low, high, _ = inference.interval(0.9)
    difference = float(pairs.differences.mean())
    found = margin_tests(difference, inference.p_value, margin=margin, higher_is_better=True, method="tango")
    assert (found.p_equivalence < 0.05) == (-margin < low and high < margin)


def test_a_family_of_one_needs_no_adjustment_of_its_verdicts() -> None:
    assert adjust_verdicts([0.04], [0.7]) == ([0.04], [0.7])


def test_both_hypotheses_of_an_effect_count_once_until_both_are_rejected() -> None:
    # Three effects; the first is significant and equivalent, so two are left for the others.
    assert adjust_verdicts([0.001, 0.02, 0.9], [0.002, 0.9, 0.02]) == (
        [0.003, 0.04, 1.0],
        [0.006, 1.0, 0.04],
    )


def test_a_missing_pvalue_leaves_the_family_smaller() -> None:
    assert adjust_verdicts([0.01, None], [None, None]) == ([0.01, None], [None, None])
    assert adjust_verdicts([], []) == ([], [])


def test_what_is_no_family_is_refused() -> None:
    with pytest.raises(ValueError, match="1 p-values of differences, 2 of equivalence"):
        adjust_verdicts([0.1], [0.1, 0.2])
    with pytest.raises(ValueError, match="within"):
        adjust_verdicts([math.nan], [0.1])


probabilities = st.none() | st.floats(0, 1)


@settings(deadline=None)
@given(st.lists(st.tuples(probabilities, probabilities), max_size=12))
def test_no_adjusted_verdict_is_below_its_raw_pvalue_nor_above_bonferroni(
    family: list[tuple[float | None, float | None]],
) -> None:
    raw = [p for p, _ in family], [p for _, p in family]
    adjusted = adjust_verdicts(*raw)
    pairs = [
        (p, q) for kind in (0, 1) for p, q in zip(raw[kind], adjusted[kind], strict=True) if p is not None
    ]
    assert all(p <= q <= 1 for p, q in pairs)
    after = [q for _, q in sorted(pairs)]
    assert after == sorted(after)
