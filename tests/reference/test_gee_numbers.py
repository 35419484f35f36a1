"""Generalised estimating equations against statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from scripts.analysis.gee import gee_effect


@pytest.mark.parametrize("seed", range(6))
def test_odds_ratio_correlation_and_errors_are_those_of_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_items, n_clusters = 150, 40
    clusters = rng.integers(0, n_clusters, n_items) if seed % 2 else np.arange(n_items)
    easy = rng.beta(2, 1, (n_items, 1))
    scores = np.stack([rng.random((n_items, 3)) < easy, rng.random((n_items, 3)) < easy**0.6]).astype(float)
    scores[rng.random(scores.shape) < 0.15] = np.nan  # unlike numbers of answers, so that weights matter
    found = gee_effect(scores[1], scores[0], clusters, confidence_level=0.95)

    there = ~np.isnan(scores)
    arm = np.broadcast_to(np.array([0.0, 1.0])[:, None, None], scores.shape)[there]
    groups = np.broadcast_to(clusters[None, :, None], scores.shape)[there]
    model = sm.GEE(
        scores[there],
        sm.add_constant(arm),
        groups,
        family=sm.families.Binomial(),
        cov_struct=sm.cov_struct.Exchangeable(),
    )
    expected = model.fit(ctol=1e-10, maxiter=200, params_niter=1, cov_type="bias_reduced")
    # statsmodels takes the normal distribution: only the quantile is another one here.
    student = stats.t(found.n_groups - 1)
    reach = student.ppf(0.975)
    low, high = expected.params[1] + np.array([-reach, reach]) * expected.bse[1]
    assert found.odds_ratio == pytest.approx(np.exp(expected.params[1]), rel=1e-7)
    assert found.correlation == pytest.approx(model.cov_struct.dep_params, rel=1e-6)
    assert (found.odds_ratio_low, found.odds_ratio_high) == pytest.approx(
        (np.exp(low), np.exp(high)), rel=1e-6
    )
    assert found.p_value == pytest.approx(2 * student.sf(abs(expected.tvalues[1])), rel=1e-5)
    share = 1 / (1 + np.exp(-np.cumsum(expected.params)))
    slope = np.array([share[1] * (1 - share[1]) - share[0] * (1 - share[0]), share[1] * (1 - share[1])])
    spread = reach * np.sqrt(slope @ expected.cov_params() @ slope)
    assert found.difference == pytest.approx(share[1] - share[0], rel=1e-6)
    assert found.high == pytest.approx(share[1] - share[0] + spread, rel=1e-6)
