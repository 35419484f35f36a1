import numpy as np
import pytest
from scipy import stats

from scripts.analysis.group_means import group_means
from scripts.analysis.intervals import t_interval


def test_the_error_of_a_group_is_that_of_its_own_interval() -> None:
    rng = np.random.default_rng(2)
    values, groups, clusters = rng.random(90), rng.integers(0, 3, 90), rng.integers(0, 20, 90)
    found = group_means(values, groups, clusters)
    for group in range(3):
        mine = groups == group
        codes = np.unique(clusters[mine], return_inverse=True)[1]
        expected = t_interval(values[mine], codes, confidence_level=0.95)
        error = np.sqrt(found.covariance[group, group])
        reach = stats.t.ppf(0.975, found.n_clusters[group] - 1) * error
        assert expected.n_clusters == found.n_clusters[group]
        assert expected.high == pytest.approx(found.means[group] + reach, rel=1e-12)


def test_groups_that_share_no_cluster_are_independent() -> None:
    found = group_means(np.array([0.0, 1.0, 5.0, 2.0]), np.array([0, 0, 1, 1]), np.array([0, 1, 2, 3]))
    assert found.covariance[0, 1] == 0


def test_a_group_of_one_cluster_has_no_error_and_does_not_disturb_the_others() -> None:
    found = group_means(np.array([0.0, 1.0, 5.0, 2.0]), np.array([0, 0, 1, 1]), np.array([0, 1, 2, 2]))
    assert np.isnan(found.covariance[1]).all()
    assert found.covariance[0, 0] == pytest.approx(0.25)
    assert found.does_not_vary == [False, True]


def test_equal_values_do_not_vary_in_spite_of_rounding() -> None:
    found = group_means(np.full(7, 0.1), np.zeros(7, dtype=np.int64), np.arange(7))
    assert found.does_not_vary == [True]
