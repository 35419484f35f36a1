import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from scripts.analysis.score_intervals import (
    newcombe_interval,
    tango_interval,
    tango_statistic,
    wilson_interval,
)

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.9999)


@st.composite
def paired_counts(draw: st.DrawFn) -> tuple[int, int, int]:
    """Gained, lost and all pairs; the corners (none, all) come up often."""
    n_pairs = draw(st.integers(1, 1_000_000))
    n_gained = draw(st.sampled_from([0, 1, n_pairs]) | st.integers(0, n_pairs))
    rest = n_pairs - n_gained
    return n_gained, draw(st.sampled_from([0, min(1, rest), rest]) | st.integers(0, rest)), n_pairs


@settings(deadline=None)
@given(counts=paired_counts(), level=st.sampled_from(LEVELS))
def test_tango_bounds_solve_the_score_equation(counts: tuple[int, int, int], level: float) -> None:
    low, high = tango_interval(*counts, confidence_level=level)
    z = float(norm.isf((1 - level) / 2))
    if low > -1:
        assert tango_statistic(*counts, difference=low) == pytest.approx(z, rel=1e-6)
    if high < 1:
        assert tango_statistic(*counts, difference=high) == pytest.approx(-z, rel=1e-6)


@settings(deadline=None)
@given(counts=paired_counts(), level=st.sampled_from(LEVELS))
def test_tango_interval_holds_the_estimate_within_its_range(
    counts: tuple[int, int, int], level: float
) -> None:
    n_gained, n_lost, n_pairs = counts
    low, high = tango_interval(*counts, confidence_level=level)
    assert -1 <= low <= (n_gained - n_lost) / n_pairs <= high <= 1
    assert low < high


@settings(deadline=None)
@given(counts=paired_counts())
def test_swapping_gained_and_lost_mirrors_the_tango_interval(counts: tuple[int, int, int]) -> None:
    n_gained, n_lost, n_pairs = counts
    low, high = tango_interval(n_gained, n_lost, n_pairs, confidence_level=0.95)
    assert tango_interval(n_lost, n_gained, n_pairs, confidence_level=0.95) == (-high, -low)


@pytest.mark.parametrize("counts", [(9, 3, 32), (0, 1, 44), (5, 0, 8), (3, 3, 6), (250_000, 1, 1_000_000)])
def test_the_score_statistic_falls_as_the_difference_grows(counts: tuple[int, int, int]) -> None:
    statistics = [tango_statistic(*counts, difference=step / 500) for step in range(-499, 500)]
    assert all(after < before for before, after in itertools.pairwise(statistics))


def test_no_discordant_pair_gives_a_symmetric_interval_with_a_width() -> None:
    low, high = tango_interval(0, 0, 100, confidence_level=0.95)
    assert low == -high
    assert high == pytest.approx(1.959963984540054**2 / (100 + 1.959963984540054**2))


def test_nothing_but_gains_reaches_up_to_one_and_not_down_to_it() -> None:
    low, high = tango_interval(20, 0, 20, confidence_level=0.95)
    assert high == 1.0
    assert 0 < low < 1


def test_nearly_no_discordant_pair_is_close_to_none() -> None:
    none = tango_interval(0, 0, 1_000_000, confidence_level=0.95)
    two = tango_interval(1, 1, 1_000_000, confidence_level=0.95)
    assert two == pytest.approx(none, abs=3e-6)
    assert two[0] < none[0] < none[1] < two[1]


@pytest.mark.parametrize("counts", [(-1, 0, 5), (0, -1, 5), (3, 3, 5), (0, 0, 0)])
def test_impossible_paired_counts_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="not possible"):
        tango_interval(*counts, confidence_level=0.95)


@pytest.mark.parametrize(("n_successes", "n_trials"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_proportions_are_refused(n_successes: int, n_trials: int) -> None:
    with pytest.raises(ValueError, match="not a proportion"):
        wilson_interval(n_successes, n_trials, confidence_level=0.95)


@pytest.mark.parametrize("n_trials", [1, 2, 7, 20, 1319, 1_000_000])
def test_wilson_bounds_at_the_ends_are_exactly_zero_and_one(n_trials: int) -> None:
    low, high = wilson_interval(0, n_trials, confidence_level=0.95)
    assert low == 0.0
    assert 0 < high < 1
    low, high = wilson_interval(n_trials, n_trials, confidence_level=0.95)
    assert 0 < low < 1
    assert high == 1.0


@given(
    cells=st.tuples(*[st.integers(0, 40)] * 4).filter(any),
    level=st.sampled_from([0.8, 0.95, 0.99]),
)
def test_newcombes_interval_holds_the_difference_within_its_range_and_mirrors(
    cells: tuple[int, int, int, int], level: float
) -> None:
    n_both, n_gained, n_lost, _ = cells
    n_pairs = sum(cells)
    low, high = newcombe_interval(n_both, n_gained, n_lost, n_pairs, confidence_level=level)
    difference = (n_gained - n_lost) / n_pairs
    assert -1 - 1e-12 <= low <= difference <= high <= 1 + 1e-12
    mirrored = newcombe_interval(n_both, n_lost, n_gained, n_pairs, confidence_level=level)
    assert mirrored == pytest.approx((-high, -low), abs=1e-12)


@pytest.mark.parametrize("counts", [(-1, 0, 0, 5), (3, 2, 1, 5), (0, 0, 0, 0)])
def test_impossible_counts_have_no_newcombe_interval(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="is not possible"):
        newcombe_interval(*counts, confidence_level=0.95)
