import numpy as np
import pytest
from scipy.stats import norm, t

from scripts.analysis.intervals import standard_error
from scripts.analysis.max_t import Studentiser


@pytest.mark.parametrize("n_clusters", [6, 20, 500])
@pytest.mark.parametrize("deviate", [1.0, 2.0, 3.5])
def test_the_normal_deviate_stands_for_the_same_probability_as_the_ratio(
    n_clusters: int, deviate: float
) -> None:
    ratio = Studentiser.quantile(deviate, n_clusters)
    found = norm.isf(t.sf(ratio, n_clusters - 1))
    assert found == pytest.approx(deviate, abs=0.04)


def test_statistics_under_other_signs_are_those_of_data_with_these_signs() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 12, 60)
    sums, sizes = np.bincount(codes, weights=rng.normal(0.3, 1, 60)), np.bincount(codes).astype(float)
    signs = rng.choice([-1.0, 1.0], 12)
    studentiser = Studentiser.of([(sums, sizes)])
    # Items that share their cluster's sum evenly have the same sums, so the same mean and error.
    values = (signs * sums / sizes)[codes]
    expected = abs(values.mean()) / standard_error(values, codes)
    found = studentiser.statistics(
        np.array([[signs @ sums]]), np.array([[signs @ (sums * sizes)]]), is_centred=False
    )
    assert Studentiser.quantile(float(found[0, 0]), 12) == pytest.approx(expected, rel=1e-9)
    plain = (sums / sizes)[codes]
    observed = abs(plain.mean()) / standard_error(plain, codes)
    assert Studentiser.quantile(float(studentiser.observed[0]), 12) == pytest.approx(observed, rel=1e-9)


def test_signs_that_leave_no_variation_give_an_infinite_statistic() -> None:
    sums = np.array([1.0, 1, 1, -1, -1, 1])
    studentiser = Studentiser.of([(sums, np.ones(6))])
    found = studentiser.statistics(np.array([[6.0], [2.0]]), np.array([[6.0], [2.0]]), is_centred=False)
    assert np.isinf(found[0, 0])
    assert found[1, 0] == studentiser.observed[0]
    assert Studentiser.quantile(1e6, 6) == np.inf
