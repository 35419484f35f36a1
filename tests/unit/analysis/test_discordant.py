import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.discordant import conditional_odds_ratio, exact_mcnemar, midp_mcnemar

counts = st.integers(0, 3000)


def test_no_discordant_item_gives_pvalue_one() -> None:
    assert exact_mcnemar(0, 0) == 1.0


def test_as_many_gained_as_lost_gives_pvalue_one() -> None:
    assert exact_mcnemar(7, 7) == 1.0


def test_a_pvalue_too_small_for_a_float_is_not_zero() -> None:
    assert exact_mcnemar(5000, 0) == sys.float_info.min
    assert exact_mcnemar(0, 1_000_000) == sys.float_info.min


@settings(deadline=None)
@given(n_gained=counts, n_lost=counts)
def test_an_exact_pvalue_is_above_zero_and_blind_to_direction(n_gained: int, n_lost: int) -> None:
    assert 0 < exact_mcnemar(n_gained, n_lost) <= 1
    assert exact_mcnemar(n_gained, n_lost) == exact_mcnemar(n_lost, n_gained)


def test_no_discordant_pair_has_no_odds_interval() -> None:
    ratio = conditional_odds_ratio(0, 0, confidence_level=0.95)
    assert (ratio.estimate, ratio.low, ratio.high) == (1.0, None, None)
    assert ratio.method == "gained/lost + 0.5 each; none: no discordant pair"


def test_odds_without_a_lost_item_have_no_upper_bound_instead_of_infinity() -> None:
    ratio = conditional_odds_ratio(10, 0, confidence_level=0.95)
    assert ratio.estimate == 21.0
    assert ratio.low is not None
    assert ratio.low > 1
    assert ratio.high is None


def test_odds_without_a_gained_item_start_at_zero() -> None:
    ratio = conditional_odds_ratio(0, 10, confidence_level=0.95)
    assert ratio.low == 0.0
    assert ratio.high is not None
    assert ratio.high < 1


@settings(deadline=None)
@given(n_gained=st.integers(1, 3000), n_lost=st.integers(1, 3000))
def test_swapping_the_arms_inverts_the_odds(n_gained: int, n_lost: int) -> None:
    one = conditional_odds_ratio(n_gained, n_lost, confidence_level=0.95)
    other = conditional_odds_ratio(n_lost, n_gained, confidence_level=0.95)
    assert one.low is not None
    assert one.high is not None
    assert one.low < n_gained / n_lost < one.high
    assert one.estimate == pytest.approx(1 / other.estimate)
    assert (1 / one.high, 1 / one.low) == pytest.approx((other.low, other.high))


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="not counts"):
        exact_mcnemar(-1, 3)
    with pytest.raises(ValueError, match="not counts"):
        conditional_odds_ratio(3, -1, confidence_level=0.95)


@pytest.mark.parametrize(("n_gained", "n_lost"), [(0, 0), (4, 4), (5, 0), (3, 9), (100, 20)])
def test_the_mid_pvalue_is_not_above_the_exact_one_and_the_same_for_swapped_arms(
    n_gained: int, n_lost: int
) -> None:
    mid_p = midp_mcnemar(n_gained, n_lost)
    assert 0 < mid_p <= exact_mcnemar(n_gained, n_lost)
    assert mid_p == midp_mcnemar(n_lost, n_gained)


def test_no_discordant_pair_gives_mid_pvalue_one() -> None:
    assert midp_mcnemar(0, 0) == 1.0


def test_an_underflow_does_not_make_the_mid_pvalue_zero() -> None:
    assert midp_mcnemar(5000, 0) == sys.float_info.min


def test_negative_counts_have_no_mid_pvalue() -> None:
    with pytest.raises(ValueError, match="are not counts"):
        midp_mcnemar(-1, 2)
