import numpy as np
import pytest
from scipy.stats import friedmanchisquare

from scripts.analysis.omnibus import omnibus_test

NAN = float("nan")


def test_incomplete_items_fall_out_and_are_counted() -> None:
    values = [[1, 0, 0], [1, 1, NAN], [NAN, NAN, NAN], [0, 0, 1], [1, 0, 1]]
    found = omnibus_test(values)
    assert (found.n_items, found.n_incomplete, found.df) == (3, 1, 2)
    assert found == omnibus_test([values[0], values[3], values[4], values[1]])


def test_without_a_complete_item_there_is_no_test() -> None:
    found = omnibus_test([[1, NAN, 0], [NAN, 1, 1]])
    assert (found.n_items, found.n_incomplete, found.statistic, found.p_value) == (0, 2, None, None)
    assert found.method == "none: no item has a value in every trial"


def test_trials_that_always_agree_have_pvalue_one() -> None:
    found = omnibus_test([[1, 1, 1], [0, 0, 0], [1, 1, 1]])
    assert (found.statistic, found.p_value, found.method) == (0.0, 1.0, "cochran's q")
    assert omnibus_test([[0, 0, 0], [0, 0, 0]]).p_value == 1.0


def test_cochran_is_friedman_on_binary_values() -> None:
    values = np.random.default_rng(1).integers(0, 2, (60, 4)).astype(float)
    found = omnibus_test(values)
    expected = friedmanchisquare(*values.T)
    assert found.method == "cochran's q"
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-12)


def test_averaged_replicates_get_friedman() -> None:
    values = np.random.default_rng(2).integers(0, 4, (30, 3)) / 3
    found = omnibus_test(values)
    assert found.method == "friedman"
    assert found.statistic == pytest.approx(friedmanchisquare(*values.T).statistic, rel=1e-12)


def test_clusters_are_averaged_first_so_that_copies_add_no_evidence() -> None:
    values = np.random.default_rng(3).integers(0, 2, (40, 3)).astype(float)
    alone = omnibus_test(values)
    copied = omnibus_test(np.repeat(values, 3, axis=0), np.repeat(np.arange(40), 3))
    assert copied.method == "friedman on cluster means"
    assert (copied.n_items, copied.n_clusters) == (120, 40)
    assert copied.p_value == pytest.approx(alone.p_value, rel=1e-12)


def test_the_order_of_items_and_of_trials_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    values = rng.integers(0, 3, (50, 4)) / 2
    shuffled = values[rng.permutation(50)][:, rng.permutation(4)]
    assert omnibus_test(shuffled).p_value == pytest.approx(omnibus_test(values).p_value, rel=1e-9)


def test_an_underflow_does_not_make_the_omnibus_pvalue_zero() -> None:
    assert omnibus_test(np.tile([1.0, 0.0, 0.0], (5000, 1))).p_value == 2.2250738585072014e-308


@pytest.mark.parametrize("values", [[[1, 0], [0, 1]], [1, 0, 1]])
def test_fewer_than_three_trials_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="three or more columns"):
        omnibus_test(values)
