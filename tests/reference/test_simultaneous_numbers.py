"""Critical values of a family against tables and against the multivariate t distribution, as R's multcomp."""

import numpy as np
import pytest
from scipy import integrate, optimize
from scipy.stats import multivariate_t, norm

from scripts.analysis.max_t import Studentiser
from scripts.analysis.resampling import child_rng
from scripts.analysis.simultaneous import family_member, simultaneous_effects

RESAMPLES = 40_000
MONTE_CARLO = 0.03
"""Three standard errors of a critical value from so many patterns."""


def critical_value(correlation: np.ndarray, n_clusters: int, level: float = 0.95) -> float:
    """Ratio of mean and error, for differences of single items with exactly this correlation."""
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1, (n_clusters, len(correlation)))
    values -= values.mean(axis=0)
    values = (
        values
        @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(values.T))).T)
        @ np.linalg.cholesky(correlation).T
    )
    members = [family_member(column, np.arange(n_clusters)) for column in values.T]
    found = simultaneous_effects(
        members, confidence_level=level, resamples=RESAMPLES, rng=child_rng(1, "reference")
    )
    assert found.critical_value is not None
    return Studentiser.quantile(found.critical_value, n_clusters)


def equal_correlation(n: int) -> np.ndarray:
    """Of several trials against one baseline, all as variable as each other."""
    return np.full((n, n), 0.5) + 0.5 * np.eye(n)


def dunnett(n: int, level: float = 0.95) -> float:
    """Two-sided critical value for `n` comparisons with one control, infinitely many degrees of freedom."""

    def chance(value: float) -> float:
        def given(control: float) -> float:
            inside = norm.cdf(np.sqrt(2) * value - control) - norm.cdf(-np.sqrt(2) * value - control)
            return float(inside**n * norm.pdf(control))

        return integrate.quad(given, -8, 8)[0] - level

    return optimize.brentq(chance, 1, 6)


# C. W. Dunnett, New tables for multiple comparisons with a control, Biometrics 20 (1964) 482-491, table II:
# two-sided, 5 %, infinitely many degrees of freedom.
TABLE = {1: 1.96, 2: 2.21, 3: 2.35, 4: 2.44, 5: 2.51, 9: 2.69}


@pytest.mark.parametrize("n", TABLE)
def test_trials_against_one_baseline_have_the_critical_value_of_dunnetts_table(n: int) -> None:
    assert dunnett(n) == pytest.approx(TABLE[n], abs=0.0051)
    assert critical_value(equal_correlation(n), 1500) == pytest.approx(dunnett(n), abs=MONTE_CARLO)


def multivariate_quantile(correlation: np.ndarray, freedom: int) -> float:
    """Critical value by which multcomp makes its intervals: of the largest of correlated t variables."""
    rng = np.random.default_rng(5)

    def chance(value: float) -> float:
        box = np.full(len(correlation), value)
        found = multivariate_t.cdf(
            box, shape=correlation, df=freedom, lower_limit=-box, maxpts=100_000, random_state=rng
        )
        return float(found) - 0.95

    return optimize.brentq(chance, 1.5, 4, xtol=1e-3)


# Five contrasts of five groups of unlike size, for which R prints 2.560253.  T. Hothorn, On multivariate t
# and Gauss probabilities in R, R News 1(2) (2001) 27-29.
GROUPS = np.array([26, 24, 20, 33, 32])
CONTRASTS = np.array(
    [[1, 1, 1, 0, 0], [-1, 0, 0, 1, 0], [0, -1, 0, 0, 1], [0, 0, 0, -1, -1], [0, 0, -1, 0, 0]]
).T


def contrast_correlation() -> np.ndarray:
    covariance = CONTRASTS @ np.diag(1 / GROUPS) @ CONTRASTS.T
    errors = np.sqrt(np.diagonal(covariance))
    # Five contrasts of five groups depend on each other; scipy needs a matrix that is not singular.
    return (1 - 1e-6) * covariance / np.outer(errors, errors) + 1e-6 * np.eye(len(covariance))


def test_correlated_contrasts_have_the_critical_value_that_r_prints() -> None:
    correlation, freedom = contrast_correlation(), int(GROUPS.sum()) - 5
    assert multivariate_quantile(correlation, freedom) == pytest.approx(2.560253, abs=0.003)
    assert critical_value(correlation, freedom + 1) == pytest.approx(2.560253, abs=MONTE_CARLO)


@pytest.mark.parametrize("seed", range(3))
def test_any_correlation_gives_the_critical_value_of_the_multivariate_t_distribution(seed: int) -> None:
    rng = np.random.default_rng(seed)
    loadings = rng.normal(0, 1, (6, 3))
    covariance = loadings @ loadings.T + np.diag(rng.uniform(0.1, 1, 6))
    errors = np.sqrt(np.diagonal(covariance))
    correlation = covariance / np.outer(errors, errors)
    expected = multivariate_quantile(correlation, 299)
    assert critical_value(correlation, 300) == pytest.approx(expected, abs=MONTE_CARLO)
