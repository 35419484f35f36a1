"""Meta-analysis and variance components against other programs and published examples."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats import meta_analysis

from scripts.analysis.meta import combine_effects
from scripts.analysis.variance import design_effect, split_variance

# R. N. Kacker, Metrologia 41 (2004) 132: nine laboratories.
KACKER = np.array([61.00, 61.40, 62.21, 62.30, 62.34, 62.60, 62.70, 62.84, 65.90])
KACKER_VARIANCES = np.array([0.2025, 1.2100, 0.0900, 0.2025, 0.3844, 0.5625, 0.0676, 0.0225, 1.8225])

# Davies and Goldsmith, Statistical Methods in Research and Production, 1972 (R package lme4, "Dyestuff"):
# yield of five preparations from each of six batches.
DYESTUFF = [
    [1545, 1440, 1440, 1520, 1580],
    [1540, 1555, 1490, 1560, 1495],
    [1595, 1550, 1605, 1510, 1560],
    [1445, 1440, 1595, 1465, 1545],
    [1595, 1630, 1515, 1635, 1625],
    [1520, 1455, 1450, 1480, 1445],
]


def test_paule_mandel_agrees_with_metafor() -> None:
    # R package metafor, rma(y, v, method="PM", control=list(tol=1e-9)); the results that statsmodels tests
    # itself against (results_meta.py, exk1_metafor; I2 as Higgins and Thompson's from exk1_dl).
    found = combine_effects(KACKER, np.sqrt(KACKER_VARIANCES), confidence_level=0.95)
    assert found.effect == pytest.approx(62.4076199113286, rel=1e-9)
    assert found.tau_squared == pytest.approx(0.705395309224248, rel=1e-9)
    assert found.q == pytest.approx(24.801897741835, rel=1e-9)
    assert found.q_p_value == pytest.approx(0.00167935146372742, rel=1e-9)
    assert found.i_squared == pytest.approx(0.67744403741711, rel=1e-9)
    # By Paule and Mandel's estimate the scale is 1, so Hartung and Knapp's error is metafor's se.
    reach = stats.t.ppf(0.975, 8) * 0.338030602684471
    assert found.high == pytest.approx(62.4076199113286 + reach, rel=1e-9)
    spread = stats.t.ppf(0.975, 7) * np.sqrt(0.705395309224248 + 0.114264688351227)
    assert found.prediction_high == pytest.approx(62.4076199113286 + spread, rel=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_the_mean_effect_agrees_with_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    errors = rng.uniform(0.05, 0.2, 8)
    effects = rng.normal(0.1, 0.3, 8) + rng.normal(0, errors)
    expected = meta_analysis.combine_effects(effects, errors**2, method_re="pm", use_t=True)
    found = combine_effects(effects, errors, confidence_level=0.95)
    assert found.tau_squared == pytest.approx(expected.tau2, rel=1e-5)
    assert (found.low, found.high) == pytest.approx(tuple(expected.conf_int()[3]), rel=1e-5)


def test_without_heterogeneity_the_error_is_that_of_the_common_effect() -> None:
    # Hartung and Knapp's own scale would be far below 1 here; the modified method keeps it at 1.
    found = combine_effects([0.1, 0.12, 0.11], [0.1, 0.1, 0.2], confidence_level=0.95)
    error = (1 / 0.01 + 1 / 0.01 + 1 / 0.04) ** -0.5
    assert found.tau_squared == 0
    assert found.low == pytest.approx(found.effect - stats.t.ppf(0.975, 2) * error, rel=1e-9)


def test_balanced_variance_components_agree_with_lme4() -> None:
    # D. Bates, lme4: Mixed-effects modeling with R, section 1.3: lmer(Yield ~ 1 + (1|Batch), Dyestuff) by
    # REML gives 1764.05 between and 2451.25 within batches, and 19.383 for the error of the mean.
    found = split_variance(DYESTUFF)
    assert found.item_variance == pytest.approx(1764.05, rel=1e-9)
    assert found.replicate_variance == pytest.approx(2451.25, rel=1e-9)
    assert found.variance_of_mean is not None
    assert np.sqrt(found.variance_of_mean) == pytest.approx(19.383, abs=5e-4)
    assert found.intraclass_correlation == pytest.approx(1764.05 / (1764.05 + 2451.25), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_correlation_within_clusters_is_that_of_the_analysis_of_variance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clusters = rng.integers(0, 15, 100)
    values = rng.random(100) + rng.random(15)[clusters]
    f = stats.f_oneway(*(values[clusters == c] for c in np.unique(clusters))).statistic
    sizes = np.bincount(clusters)
    typical = (100 - (sizes**2).sum() / 100) / (len(sizes) - 1)
    found = design_effect(values, clusters)
    assert found.intraclass_correlation == pytest.approx((f - 1) / (f - 1 + typical), rel=1e-9)


def test_the_design_effect_is_the_ratio_of_clustered_to_plain_variance() -> None:
    rng = np.random.default_rng(8)
    ratios = []
    for _ in range(200):
        values = np.repeat(rng.normal(0, 1, 60), 5) + rng.normal(0, 2, 300)
        found = design_effect(values, np.repeat(np.arange(60), 5))
        ratios.append(found.design_effect)
    # rho = 1 / (1 + 4): a factor of 1 + 4 * 0.2.
    assert np.mean(ratios) == pytest.approx(1.8, abs=0.03)
