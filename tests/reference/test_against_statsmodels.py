"""The project's own formulas against statsmodels and scipy on random data."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from scripts.analysis.arrays import cluster_codes
from scripts.analysis.discordant import exact_mcnemar
from scripts.analysis.intervals import mean_interval, t_interval
from scripts.analysis.multiplicity import adjust
from scripts.analysis.paired import paired_effect
from scripts.analysis.resampling import child_rng, sign_flip_test

SEEDS = range(10)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cluster_interval_is_the_robust_regression_on_a_constant(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, n_clusters = int(rng.integers(30, 300)), int(rng.integers(3, 25))
    clusters = rng.integers(0, n_clusters, n)
    values = rng.normal(0.5, 0.2, n) + rng.normal(0, 0.3, n_clusters)[clusters]
    fit = sm.OLS(values, np.ones(n)).fit(
        cov_type="cluster",
        cov_kwds={"groups": clusters, "use_correction": True, "df_correction": True},
        use_t=True,
    )
    result = t_interval(values, cluster_codes(clusters, n), confidence_level=0.95)
    assert result.method == "cluster-robust t"
    assert (result.low, result.high) == pytest.approx(tuple(fit.conf_int(alpha=0.05)[0]), rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_paired_interval_is_the_robust_regression_of_the_differences(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(20), 5)
    trial, baseline = rng.integers(0, 4, (2, 100)) / 3
    fit = sm.OLS(trial - baseline, np.ones(100)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True
    )
    effect = paired_effect(trial, baseline, clusters, confidence_level=0.95, resamples=100, rng=rng)
    assert (effect.low, effect.high) == pytest.approx(tuple(fit.conf_int(alpha=0.05)[0]), rel=1e-9, abs=1e-12)
    narrow = tuple(fit.conf_int(alpha=0.1)[0])
    assert (effect.equivalence_low, effect.equivalence_high) == pytest.approx(narrow, rel=1e-9, abs=1e-12)


def test_the_cluster_error_is_millers_formula_with_its_correction() -> None:
    # Miller, arXiv:2411.00640: SE_clust^2 = SE^2 + sum over clusters of the products of residuals / n^2, with
    # SE^2 the mean squared residual / n; times G / (G - 1) for G clusters.
    rng = np.random.default_rng(20250101)
    clusters = rng.integers(0, 12, 80)
    values = rng.random(80) + rng.random(12)[clusters]
    residuals = values - values.mean()
    products = np.outer(residuals, residuals) * (clusters[:, None] == clusters[None, :])
    np.fill_diagonal(products, 0.0)
    squared = (residuals @ residuals + products.sum()) / 80**2 * 12 / 11
    reach = stats.t.ppf(0.975, 11) * np.sqrt(squared)
    result = t_interval(values, cluster_codes(clusters, 80), confidence_level=0.95)
    assert result.high == pytest.approx(values.mean() + reach, rel=1e-12)


def test_an_interval_without_clusters_is_the_ordinary_t_interval() -> None:
    values = np.random.default_rng(3).random(25)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    result = mean_interval(values, confidence_level=0.9)
    assert (result.low, result.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_binary_values_get_the_wilson_interval_of_statsmodels(seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 2, 60)
    result = mean_interval(values, confidence_level=0.9)
    expected = proportion_confint(values.sum(), 60, alpha=0.1, method="wilson")
    assert (result.low, result.high) == pytest.approx(expected, rel=1e-12)


def test_exact_mcnemar_agrees_with_statsmodels_on_random_tables() -> None:
    rng = np.random.default_rng(20250101)
    for n_gained, n_lost in rng.integers(0, 60, (50, 2)).tolist():
        expected = mcnemar([[30, n_gained], [n_lost, 40]], exact=True).pvalue
        assert exact_mcnemar(n_gained, n_lost) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_exact_sign_flips_agree_with_scipy(seed: int) -> None:
    values = np.random.default_rng(seed).normal(0.4, 1, 10)
    # With as many resamples as there are patterns, scipy takes them all.
    expected = stats.permutation_test([values], np.sum, permutation_type="samples", n_resamples=1024)
    result = sign_flip_test(values, resamples=1024, rng=child_rng(1))
    assert result.is_exact
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-12)


@pytest.mark.parametrize("method", ["holm", "fdr_bh", "fdr_by", "bonferroni"])
def test_adjusted_pvalues_are_those_of_statsmodels(method: str) -> None:
    rng = np.random.default_rng(20250101)
    for _ in range(20):
        p_values = rng.random(int(rng.integers(1, 30))) ** 3
        with_gaps = [None, *p_values.tolist(), None]
        expected = multipletests(p_values, method=method)[1].tolist()
        assert adjust(with_gaps, method) == [None, *expected, None]
