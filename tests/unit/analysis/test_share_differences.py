"""The interval of a difference of shares that are no simple table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.pairs import Pairs, infer_difference, pair_up
from scripts.analysis.score_intervals import tango_interval
from scripts.analysis.share_differences import ShareDifference

fifths = st.integers(-5, 5).map(lambda k: k / 5)
rows_of_pairs = st.lists(st.tuples(fifths, st.integers(0, 9)), min_size=2, max_size=60)


def vary(rows: list[tuple[float, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Differences and clusters of which at least two vary."""
    values = np.array([*(value for value, _ in rows), 0.2, 0.0])
    return values, np.array([*(cluster for _, cluster in rows), 10, 11])


def shares(n: int, rate: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.random.default_rng(seed).binomial(5, rate, (2, n)) / 5)


@settings(deadline=None)
@given(rows=rows_of_pairs, level=st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_the_interval_ends_where_the_p_value_is_its_level(
    rows: list[tuple[float, int]], level: float
) -> None:
    found = ShareDifference(*vary(rows))
    low, high = found.interval(level)
    mean = float(vary(rows)[0].mean())
    assert -1 <= low < mean < high <= 1
    for bound, outward in ((low, -1), (high, 1)):
        # Within 1e-9 of the end of all differences there is nothing further out.
        if abs(bound) < 1 - 1e-9:
            assert found.p_value(bound) == pytest.approx(1 - level, rel=1e-6)
            assert found.p_value(bound - outward * 1e-3) > 1 - level
            assert found.p_value(bound + outward * 1e-3) < 1 - level


@settings(deadline=None)
@given(rows=rows_of_pairs, hypothesis=st.floats(-1, 1))
def test_swapping_the_arms_mirrors_interval_and_p_value(
    rows: list[tuple[float, int]], hypothesis: float
) -> None:
    values, codes = vary(rows)
    one, other = ShareDifference(values, codes), ShareDifference(-values, codes)
    low, high = one.interval(0.95)
    assert other.interval(0.95) == pytest.approx((-high, -low), abs=1e-12)
    assert other.p_value(-hypothesis) == pytest.approx(one.p_value(hypothesis), rel=1e-9)


@settings(deadline=None)
@given(rows=rows_of_pairs, copies=st.integers(2, 5))
def test_copies_within_their_cluster_add_no_evidence(rows: list[tuple[float, int]], copies: int) -> None:
    values = vary(rows)[0]
    alone = ShareDifference(values, np.arange(len(values)))
    copied = ShareDifference(np.repeat(values, copies), np.repeat(np.arange(len(values)), copies))
    assert copied.interval(0.95) == pytest.approx(alone.interval(0.95), abs=1e-9)


@pytest.mark.parametrize(("gained", "lost"), [(150, 100), (12, 40), (40, 0)])
def test_many_binary_pairs_have_nearly_their_tango_interval(gained: int, lost: int) -> None:
    values = np.repeat([1.0, -1.0, 0.0], [gained, lost, 2000 - gained - lost])
    found = ShareDifference(values, np.arange(2000)).interval(0.95)
    expected = tango_interval(gained, lost, 2000, confidence_level=0.95)
    assert found == pytest.approx(expected, abs=0.1 * (expected[1] - expected[0]))


def test_in_large_samples_it_is_the_t_interval() -> None:
    trial, baseline = shares(20_000, 0.5, 1)
    pairs = pair_up(trial, baseline)
    expected, found = (infer_difference(pairs, bounds=b).interval(0.95)[:2] for b in (None, (0.0, 1.0)))
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("pairs", "bounds", "method"),
    [
        (pair_up([0.2, 0.4, 1], [0, 0, 1]), (0.0, 1.0), "tango score, effective sample size"),
        (pair_up([1, 1, 0], [0, 1, 1], [1, 1, 2]), (0.0, 1.0), "tango score, effective sample size"),
        (pair_up([1, 1, 0], [0, 1, 1]), (0.0, 1.0), "tango score"),
        (pair_up([1, 1, 1], [0, 0, 0], [1, 1, 2]), (0.0, 1.0), "tango score on clusters"),
        (pair_up([0.2, 0.4, 1], [0, 0, 1]), None, "t"),
        (pair_up([0.2, 0.4, 3], [0, 0, 1]), (0.0, 5.0), "t"),
        (pair_up([0.2, 0.4, 0.4], [0, 0.2, 0.2]), (0.0, 1.0), "none: no variation"),
        (pair_up([0.2, 0.4, 0.4], [0.2, 0.4, 0.4]), (0.0, 1.0), "none: no variation"),
        # The items differ, and their clusters do not.
        (pair_up([1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 2, 2]), (0.0, 1.0), "none: no variation"),
        (pair_up([0.2, 0.4], [0, 0], [1, 1]), (0.0, 1.0), "none: one cluster"),
    ],
)
def test_the_method_is_chosen_by_values_clusters_and_bounds(
    pairs: Pairs, bounds: tuple[float, float] | None, method: str
) -> None:
    inference = infer_difference(pairs, bounds=bounds)
    low, high, found = inference.interval(0.95)
    assert found == method
    assert (low is None) == (high is None) == (inference.p_value is None) == method.startswith("none")


@pytest.mark.parametrize("n", [30, 100])
def test_one_small_difference_among_few_items_is_no_equivalence(n: int) -> None:
    # Two per cent of items that flip as a whole are still likely to be absent.
    values = np.zeros(n)
    values[0] = 0.2
    low, high = ShareDifference(values, np.arange(n)).interval(0.9)
    assert low < -0.02
    assert high > 0.02


def test_what_hardly_varies_is_nearly_as_good_as_pairs_that_all_agree() -> None:
    values = np.zeros(1000)
    values[0] = 0.01
    found = ShareDifference(values, np.arange(1000)).interval(0.9)
    low, high = tango_interval(0, 0, 1000, confidence_level=0.9)
    assert found == (pytest.approx(1.08 * low, rel=0.02), pytest.approx(1.08 * high, rel=0.02))


def test_no_p_value_is_zero() -> None:
    values = np.array([*[1.0] * 5000, 0.5])
    assert 0 < ShareDifference(values, np.arange(5001)).p_value(-0.99) < 1e-300


def coverage_and_false_equivalence(
    rate: float, gain: float, sizes: np.ndarray, runs: int
) -> tuple[float, float]:
    """Of five replicates in clusters; equivalence with a margin of the true difference is false."""
    from scipy.special import ndtri

    rng, codes = np.random.default_rng(20250101), np.repeat(np.arange(len(sizes)), sizes)
    held = equivalent = made = 0
    for _ in range(runs):
        easy = np.sqrt(0.3) * rng.standard_normal(len(sizes))[codes]
        easy += np.sqrt(0.7) * rng.standard_normal(len(codes))
        latent = np.sqrt(0.6) * easy + np.sqrt(0.4) * rng.standard_normal((2, 5, len(codes)))
        trial, baseline = (latent < ndtri([rate + gain, rate])[:, None, None]).mean(axis=1)
        low, high, _ = (
            inference := infer_difference(pair_up(trial, baseline, codes), bounds=(0, 1))
        ).interval(0.95)
        narrow_low, narrow_high, _ = inference.interval(0.9)
        if low is None or high is None or narrow_low is None or narrow_high is None:
            continue
        made += 1
        held += low <= gain <= high
        equivalent += -abs(gain) < narrow_low and narrow_high < abs(gain)
    return held / made, equivalent / runs


@pytest.mark.parametrize(("rate", "gain"), [(0.02, 0.02), (0.98, -0.02)])
def test_shares_near_the_ends_are_held_and_not_taken_for_equivalent(rate: float, gain: float) -> None:
    sizes = np.array([3, 4, 4, 5, 6, 7, 8, 9, 10, 12, 12, 13, 14, 15, 16, 18, 20, 23, 35, 44])
    held, equivalent = coverage_and_false_equivalence(rate, gain, sizes, 500)
    # Of Student's t it was 0.92 and 0.10; three standard errors are 0.03.
    assert held > 0.945
    assert equivalent < 0.055
