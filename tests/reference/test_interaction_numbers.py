"""The interaction test of subgroups against statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats import meta_analysis, multivariate

from scripts.analysis.subgroups import Interaction, subgroup_effects


def interaction(differences: np.ndarray, field: np.ndarray, clusters: np.ndarray | None) -> Interaction:
    return subgroup_effects(
        differences,
        np.zeros(len(differences)),
        field.tolist(),
        clusters,
        confidence_level=0.95,
        resamples=10,
        seed=1,
        names=("test",),
        least_pairs=2,
    ).interaction


@pytest.mark.parametrize("seed", range(5))
def test_without_clusters_it_is_the_homogeneity_test_of_a_meta_analysis(seed: int) -> None:
    rng = np.random.default_rng(seed)
    field, differences = rng.integers(0, 4, 120), rng.normal(0, 1, 120)
    parts = [differences[field == group] for group in range(4)]
    expected = meta_analysis.combine_effects(
        np.array([part.mean() for part in parts]),
        np.array([part.var(ddof=1) / len(part) for part in parts]),
        method_re="dl",
    ).test_homogeneity()
    found = interaction(differences, field, None)
    assert found.method == "cochran's q"
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_in_clusters_it_is_the_robust_wald_test_of_a_regression_on_the_groups(seed: int) -> None:
    # Every cluster has items in every group, so that the small-sample factor is the same for all groups.
    rng = np.random.default_rng(seed)
    n_clusters = 25
    clusters, field = np.repeat(np.arange(n_clusters), 9), np.tile([0, 1, 2], 3 * n_clusters)
    differences = rng.normal(0, 1, 225) + rng.normal(0, 1, n_clusters)[clusters]
    fit = sm.OLS(differences, (field[:, None] == np.arange(3)).astype(float)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False}, use_t=True
    )
    expected = fit.wald_test(np.array([[1.0, 0, -1], [0, 1, -1]]), use_f=True, scalar=True)
    found = interaction(differences, field, clusters)
    factor = (n_clusters - 1) / n_clusters
    assert found.method == "wald, cluster-robust hotelling"
    assert found.statistic == pytest.approx(2 * expected.statistic * factor, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_in_clusters_that_are_all_alike_it_is_hotellings_test_of_their_contrasts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_clusters = 12
    values = rng.normal(0, 1, (n_clusters, 3, 2)) + rng.normal(0, 1, (n_clusters, 3, 1))
    clusters, field = np.repeat(np.arange(n_clusters), 6), np.tile([0, 0, 1, 1, 2, 2], n_clusters)
    means = values.mean(axis=2)
    expected = multivariate.test_mvmean(means[:, :2] - means[:, 2:], np.zeros(2))
    found = interaction(values.ravel(), field, clusters)
    assert found.statistic == pytest.approx(expected.t2, rel=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
