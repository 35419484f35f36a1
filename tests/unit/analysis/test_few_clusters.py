import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.clusters import cluster_totals
from scripts.analysis.few_clusters import WildClusters
from scripts.analysis.intervals import t_interval


def wild(values: np.ndarray, codes: np.ndarray) -> WildClusters:
    return WildClusters(cluster_totals(values, codes))


def sample(seed: int, n_clusters: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(n_clusters), rng.integers(2, 30, n_clusters))
    return rng.normal(0.1, 0.5, len(codes)) + rng.normal(0, 0.3, n_clusters)[codes], codes


def robust_t(values: np.ndarray, codes: np.ndarray, hypothesis: float) -> float:
    fit = sm.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": codes})
    return abs(float((fit.params[0] - hypothesis) / fit.bse[0]))


@pytest.mark.parametrize("hypothesis", [0.0, 0.3, -0.2])
def test_the_pvalue_is_that_of_regressions_on_every_pattern_of_signs(hypothesis: float) -> None:
    values, codes = sample(3, 6)
    observed = robust_t(values, codes, hypothesis)
    reached = 0
    for number in range(2**6):
        signs = np.array([1 if number >> place & 1 else -1 for place in range(6)])
        drawn = hypothesis + signs[codes] * (values - hypothesis)
        reached += robust_t(drawn, codes, hypothesis) >= observed * (1 - 1e-9)
    assert wild(values, codes).p_value(hypothesis) == reached / 2**6


@pytest.mark.parametrize("n_clusters", [3, 5, 6, 13, 14, 19])
def test_the_interval_holds_what_is_not_rejected(n_clusters: int) -> None:
    found = wild(*sample(n_clusters, n_clusters))
    bounds = found.interval(0.95)
    assert bounds is not None
    low, high = bounds
    width = high - low
    assert found.p_value(low + 1e-6 * width) > 0.05
    assert found.p_value(high - 1e-6 * width) > 0.05
    assert found.p_value(low - 1e-6 * width) <= 0.05
    assert found.p_value(high + 1e-6 * width) <= 0.05


def test_bounds_cut_the_interval_off() -> None:
    found = wild(*sample(1, 3))
    free = found.interval(0.95)
    assert free is not None
    assert free[0] < -0.5
    assert found.interval(0.95, (-0.5, 0.5)) == (-0.5, 0.5)


@pytest.mark.parametrize(("n_clusters", "level"), [(2, 0.95), (2, 0.9), (3, 0.99)])
def test_too_few_clusters_bound_nothing(n_clusters: int, level: float) -> None:
    assert wild(*sample(2, n_clusters)).interval(level) is None


@pytest.mark.slow
def test_it_covers_where_the_t_interval_does_not() -> None:
    # One cluster of 80 items among seven of 8: the t interval holds the truth about 80 times in 100.
    rng = np.random.default_rng(20250101)
    codes = np.repeat(np.arange(8), [80, *[8] * 7])
    n_covered = {"wild": 0, "t": 0}
    for _ in range(400):
        values = rng.normal(0, 1, len(codes)) + rng.normal(0, 0.3, 8)[codes]
        n_covered["wild"] += wild(values, codes).p_value(0.0) > 0.05
        plain = t_interval(values, codes, confidence_level=0.95)
        assert plain.low is not None
        assert plain.high is not None
        n_covered["t"] += plain.low <= 0 <= plain.high
    assert n_covered["t"] < 0.86 * 400
    assert 0.92 * 400 < n_covered["wild"] < 0.98 * 400


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32), n_clusters=st.integers(3, 19))
def test_neither_order_nor_direction_matters(seed: int, n_clusters: int) -> None:
    values, codes = sample(seed, n_clusters)
    order = np.random.default_rng(seed + 1).permutation(len(values))
    expected = wild(values, codes).interval(0.95)
    assert expected is not None
    assert wild(values[order], codes[order]).interval(0.95) == pytest.approx(expected, abs=1e-9)
    mirrored = wild(-values, codes).interval(0.95)
    assert mirrored == pytest.approx((-expected[1], -expected[0]), abs=1e-9)
