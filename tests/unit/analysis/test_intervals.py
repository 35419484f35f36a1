import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from scripts.analysis.intervals import MeanInterval, mean_interval, t_interval

NAN = float("nan")
scores = st.lists(st.floats(0, 1, allow_subnormal=False) | st.just(NAN), max_size=40)


def at_95(
    values: object, clusters: object = None, *, bounds: tuple[float, float] | None = None
) -> MeanInterval:
    return mean_interval(values, clusters, confidence_level=0.95, bounds=bounds)  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [[], [NAN], [NAN, NAN]])
def test_no_value_gives_none_and_neither_nan_nor_zero(values: list[float]) -> None:
    assert at_95(values) == MeanInterval(None, None, None, "none: no values", 0, 0)


def test_a_value_that_is_not_there_is_not_a_zero() -> None:
    assert at_95([1, 1, NAN, 0]) == at_95([1, 1, 0])
    assert at_95([1, 1, NAN, 0]).n == 3


def test_binary_values_get_the_wilson_interval() -> None:
    result = at_95([1] * 15 + [0] * 5)
    assert (result.mean, result.method, result.n, result.n_clusters) == (0.75, "wilson", 20, 20)


def test_clusters_of_one_item_are_no_clusters() -> None:
    assert at_95([1, 0, 1], ["a", "b", "c"]) == at_95([1, 0, 1])
    assert at_95([0.1, 0.2, 0.6], ["a", "b", "c"]).method == "t"


def test_a_cluster_that_is_one_item_once_nan_is_dropped_is_no_cluster() -> None:
    assert at_95([1, 0, NAN, 1], ["a", "b", "b", "c"]).method == "wilson"


EFFECTIVE = "wilson, effective sample size"


def test_shares_in_clusters_or_of_replicates_get_wilsons_interval_on_the_effective_sample_size() -> None:
    result = at_95([1, 1, 0, 0, 1, 0], ["a", "a", "b", "b", "c", "c"])
    assert (result.mean, result.method, result.n, result.n_clusters) == (0.5, EFFECTIVE, 6, 3)
    assert at_95([0.2, 0.9, 0.4], bounds=(0, 1)).method == EFFECTIVE
    assert at_95([0.2, 0.9, 0.4], ["a", "a", "b"], bounds=(0.0, 1.0)).method == EFFECTIVE


def test_with_many_clusters_the_effective_sample_size_is_that_of_korn_and_graubard() -> None:
    # Clusters of equal size, so that the degrees of freedom are one less than clusters.
    values, clusters = np.array([1, 1, 1, 1, 0, 1, 0, 0, 0, 0] * 1000), np.repeat(np.arange(2000), 5)
    means = values.reshape(2000, 5).mean(axis=1)
    size = values.mean() * (1 - values.mean()) / (means.var(ddof=1) / 2000)
    assert size < 10_000
    size *= (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 1999)) ** 2
    expected = proportion_confint(values.mean() * size, size, method="wilson")
    result = at_95(values, clusters)
    assert (result.low, result.high) == pytest.approx(expected, abs=1e-4)


def test_with_few_clusters_the_effective_sample_size_is_smaller() -> None:
    values, clusters = np.array([1, 1, 1, 0, 1, 0, 0, 0, 1, 0] * 3) / 2, np.repeat(np.arange(6), 5)
    means = values.reshape(6, 5).mean(axis=1)
    size = values.mean() * (1 - values.mean()) / (means.var(ddof=1) / 6)
    size *= (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 5)) ** 2
    low, high = proportion_confint(values.mean() * size, size, method="wilson")
    result = at_95(values, clusters, bounds=(0.0, 1.0))
    assert result.low is not None
    assert result.high is not None
    assert result.low < low
    assert result.high > high


def test_answers_that_are_right_or_wrong_count_for_no_more_than_they_are() -> None:
    # All clusters are alike by chance: their error is zero, and the sample size would be infinite.
    result = at_95([1, 0] * 20, np.repeat(np.arange(20), 2))
    size = 40 * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 19)) ** 2
    expected = proportion_confint(size / 2, size, method="wilson")
    assert (result.low, result.high) == pytest.approx(expected, rel=1e-9)


def test_a_cluster_with_most_of_the_items_widens_the_interval() -> None:
    values = np.tile([1.0, 0.0, 1.0], 20)
    values[::7] = 0.0
    large = np.concatenate([np.zeros(30, int), 1 + np.arange(30) // 3])
    by_size = t_interval(values, large, confidence_level=0.95)
    result = at_95(values, large)
    assert result.high - result.low > 1.2 * (by_size.high - by_size.low)  # type: ignore[operator]


def test_twenty_clusters_are_enough_for_the_t_interval() -> None:
    values = 3 * np.tile([1.0, 0.0, 1.0, 1.0, 0.0], 8)
    clusters = np.repeat(np.arange(20), 2)
    assert at_95(values, clusters).method == "cluster-robust t"
    assert at_95(values[:38], clusters[:38]).method == "wild cluster bootstrap-t"


def test_two_clusters_bound_no_interval_at_95_percent_but_that_of_shares() -> None:
    clusters = ["a", "a", "b", "b"]
    result = at_95([2, 0, 2, 2], clusters)
    assert (result.low, result.high) == (None, None)
    assert result.method == "none: too few clusters for this level"
    shares = at_95([1, 0, 1, 1], clusters)
    assert shares.high - shares.low > 0.9  # type: ignore[operator]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_uniform_binary_values_in_clusters_count_the_clusters(value: float) -> None:
    result = at_95([value] * 60, np.repeat(np.arange(20), 3))
    alone = at_95([value] * 20)
    assert (result.low, result.high) == (alone.low, alone.high)
    assert (result.mean, result.method, result.n, result.n_clusters) == (value, "wilson on clusters", 60, 20)


@pytest.mark.parametrize(
    ("values", "clusters", "method"),
    [
        ([0.2, 0.9], ["a", "a"], "none: one cluster"),
        ([1, 0], ["a", "a"], "none: one cluster"),
        ([1, 1], ["a", "a"], "none: one cluster"),
        ([0.2], None, "none: one value"),
        ([0.5] * 30, None, "none: no variation"),
        # Their mean is not exactly 0.1: the rounding error is no variation.
        ([0.1] * 30, None, "none: no variation"),
        # Every cluster has the same mean, so the formula's error is zero.
        ([2, 0, 2, 0], ["a", "a", "b", "b"], "none: no variation"),
    ],
)
def test_an_interval_that_would_claim_certainty_is_none_with_a_reason(
    values: list[float], clusters: list[str] | None, method: str
) -> None:
    result = at_95(values, clusters)
    assert result.mean == pytest.approx(np.mean(values))
    assert (result.low, result.high, result.method) == (None, None, method)


def test_bounds_cut_a_t_interval_off() -> None:
    values = [1.9, 2.0, 1.4]
    free, cut = at_95(values), at_95(values, bounds=(0.0, 2.0))
    assert free.high is not None
    assert free.high > 2
    assert (cut.low, cut.high) == (free.low, 2.0)


@pytest.mark.parametrize("values", [[0.5, 1.5], [-0.5, 0.5], [0, 1, 2]])
def test_a_value_out_of_bounds_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="but the bounds are 0 and 1"):
        at_95(values, bounds=(0, 1))


@pytest.mark.parametrize(
    ("values", "clusters", "message"),
    [
        ([[0.5, 1.0]], None, "one dimension"),
        ([float("inf"), 1.0], None, "infinity"),
        ([0.5, 1.0], ["a"], "but there are 2 items"),
    ],
)
def test_wrong_arrays_are_refused(values: object, clusters: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        at_95(values, clusters)


@settings(deadline=None)
@given(values=scores, seed=st.integers(0, 2**32))
def test_the_order_of_items_does_not_matter_to_a_mean(values: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    clusters = rng.integers(0, 8, len(values))
    order = rng.permutation(len(values))
    one, other = at_95(values, clusters), at_95(np.array(values)[order], clusters[order])
    assert (one.method, one.n, one.n_clusters) == (other.method, other.n, other.n_clusters)
    for before, after in ((one.mean, other.mean), (one.low, other.low), (one.high, other.high)):
        assert after == (None if before is None else pytest.approx(before, abs=1e-9))


@settings(deadline=None)
@given(values=st.lists(st.integers(0, 1000), min_size=2, max_size=30), copies=st.integers(2, 5))
def test_copies_of_an_item_in_its_own_cluster_add_no_certainty(values: list[int], copies: int) -> None:
    array = 0.25 + np.array(values) / 2000
    alone = at_95(array)
    copied, codes = np.repeat(array, copies), np.repeat(np.arange(len(array)), copies)
    robust = t_interval(copied, codes, confidence_level=0.95)
    assert (robust.low, robust.high) == (
        pytest.approx(alone.low, abs=1e-12),
        pytest.approx(alone.high, abs=1e-12),
    )
    # With few clusters it is another method, which copies do not make surer of itself either.
    chosen, again = at_95(copied, codes), at_95(np.repeat(copied, 2), np.repeat(codes, 2))
    assert (again.low, again.high) == (
        pytest.approx(chosen.low, abs=1e-9),
        pytest.approx(chosen.high, abs=1e-9),
    )


@settings(deadline=None)
@given(values=scores)
def test_an_interval_holds_its_mean_or_says_why_there_is_none(values: list[float]) -> None:
    result = at_95(values, bounds=(0.0, 1.0))
    if result.low is None or result.high is None or result.mean is None:
        assert (result.low, result.high) == (None, None)
        assert result.method.startswith("none: ")
    else:
        assert 0 <= result.low <= result.mean <= result.high <= 1
