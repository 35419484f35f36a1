import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.ranks import hodges_lehmann, wilcoxon_signed_rank

differences = st.lists(
    st.integers(-8, 8).map(lambda k: k / 8) | st.floats(-1, 1, allow_subnormal=False), min_size=1, max_size=70
)


def means_of_two(values: np.ndarray) -> np.ndarray:
    one, other = np.triu_indices(len(values))
    return np.sort((values[one] + values[other]) / 2)


@settings(deadline=None)
@given(values=differences)
def test_the_estimate_and_its_bounds_are_among_the_means_of_two(values: list[float]) -> None:
    array = np.array(values)
    found = hodges_lehmann(array, confidence_level=0.95)
    means = means_of_two(array)
    assert found.estimate == pytest.approx(float(np.median(means)), abs=1e-12)
    if found.low is None or found.high is None:
        assert len(values) < 6
        return
    below = np.count_nonzero(means < found.low - 1e-12)
    above = np.count_nonzero(means > found.high + 1e-12)
    assert np.min(np.abs(means - found.low)) < 1e-12
    assert np.min(np.abs(means - found.high)) < 1e-12
    # As many means lie outside on one side as on the other, but for ties at the bounds.
    at_low = np.count_nonzero(np.abs(means - found.low) <= 1e-12)
    at_high = np.count_nonzero(np.abs(means - found.high) <= 1e-12)
    assert max(below, above) < min(below + at_low, above + at_high)


@settings(deadline=None, max_examples=50)  # all signs of up to 13 tied values are looked at
@given(values=differences, seed=st.integers(0, 2**32))
def test_neither_order_nor_direction_matters_to_ranks(values: list[float], seed: int) -> None:
    array = np.array(values)
    order = np.random.default_rng(seed).permutation(len(array))
    assert wilcoxon_signed_rank(-array[order]).p_value == pytest.approx(wilcoxon_signed_rank(array).p_value)
    one, other = (hodges_lehmann(a, confidence_level=0.9) for a in (array, -array[order]))
    assert one.estimate == pytest.approx(-(other.estimate or 0.0), abs=1e-12)
    if one.low is not None and other.high is not None:
        assert one.low == pytest.approx(-other.high, abs=1e-12)


@pytest.mark.parametrize("values", [[], [0.0, 0.0]])
def test_without_a_difference_the_signed_rank_pvalue_is_one(values: list[float]) -> None:
    found = wilcoxon_signed_rank(values)
    assert (found.p_value, found.n, found.statistic) == (1.0, 0, 0.0)


def test_an_underflow_does_not_make_the_signed_rank_pvalue_zero() -> None:
    assert wilcoxon_signed_rank(np.ones(5000)).p_value == 2.2250738585072014e-308


@pytest.mark.parametrize(
    ("values", "how"),
    [
        ([0.1, 0.2, -0.3], "exact"),
        ([0.1, 0.1, -0.3], "exact"),
        ([*[0.1] * 13, 0.2], "normal approximation, no continuity correction"),
        (list(range(1, 51)), "exact"),
        (list(range(1, 52)), "normal approximation, no continuity correction"),
    ],
)
def test_the_signed_rank_test_says_how_its_pvalue_was_made(values: list[float], how: str) -> None:
    assert wilcoxon_signed_rank(values).method == f"wilcoxon signed-rank, zeros dropped, {how}"


def test_tied_ranks_are_exact_in_small_samples() -> None:
    # Of the 16 sign patterns of four equal differences two have all signs alike.
    assert wilcoxon_signed_rank([0.5] * 4).p_value == 2 / 16


def test_no_differences_have_no_centre() -> None:
    found = hodges_lehmann([], confidence_level=0.95)
    assert (found.estimate, found.low, found.method) == (None, None, "none: no differences")


def test_too_few_differences_have_an_estimate_but_no_interval() -> None:
    found = hodges_lehmann([1.0, 2.0, 3.0], confidence_level=0.95)
    assert (found.estimate, found.low, found.high) == (2.0, None, None)
    assert found.method == "none: too few differences for this level"


def test_many_differences_need_no_list_of_pairs() -> None:
    # The list would have 20 billion entries.
    values = np.random.default_rng(5).integers(-20, 30, 200_000) / 20
    found = hodges_lehmann(values, confidence_level=0.95)
    assert found.estimate is not None
    assert found.estimate == pytest.approx(0.225, abs=0.01)


@pytest.mark.parametrize("values", [[[1.0]], [float("nan")], [float("inf")]])
def test_ranks_of_what_is_no_list_of_numbers_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        wilcoxon_signed_rank(values)
    with pytest.raises(ValueError, match="finite"):
        hodges_lehmann(values, confidence_level=0.95)
