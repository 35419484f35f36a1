import itertools

import numpy as np
import pytest

from scripts.analysis.factorial_tests import FactorTest, factor_tests, shares
from scripts.analysis.resampling import child_rng, sign_flip_test


def draw(seed: int, n_items: int = 40, shape: tuple[int, ...] = (2, 3)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (n_items, *shape)) + rng.normal(0, 2, (n_items, *[1] * len(shape)))


def examine(
    values: np.ndarray, codes: np.ndarray | None = None, resamples: int = 999
) -> tuple[FactorTest, ...]:
    numbers = np.arange(len(values)) if codes is None else codes
    names = ["a", "b", "c"][: values.ndim - 1]
    return factor_tests(values, numbers, names, resamples=resamples, rng=child_rng(1, "test"))


def test_what_an_item_has_in_all_cells_does_not_matter() -> None:
    values = draw(1)
    shifted = values + np.round(np.random.default_rng(2).normal(0, 5, (40, 1, 1)), 3)
    one, other = examine(values), examine(shifted)
    assert [test.p_value for test in one] == [test.p_value for test in other]
    assert [test.f_statistic for test in one] == pytest.approx([test.f_statistic for test in other])


def test_with_two_levels_the_test_is_the_sign_flip_test_of_their_differences() -> None:
    values = draw(3, n_items=11, shape=(2, 2))
    found = examine(values, resamples=2048)
    differences = values.mean(axis=2)
    expected = sign_flip_test(differences[:, 1] - differences[:, 0], resamples=2048, rng=child_rng(1, "x"))
    assert expected.is_exact
    assert found[0].p_value == expected.p_value
    crossed = (values[:, 1, 1] - values[:, 0, 1]) - (values[:, 1, 0] - values[:, 0, 0])
    expected = sign_flip_test(crossed, resamples=2048, rng=child_rng(1, "x"))
    assert found[2].p_value == expected.p_value


def test_the_order_of_levels_and_of_items_does_not_matter() -> None:
    values, codes = draw(4), np.arange(40) % 15
    order = np.random.default_rng(1).permutation(40)
    one = examine(values, codes)
    other = examine(values[order][:, ::-1][:, :, [2, 0, 1]], codes[order])
    assert [test.f_statistic for test in one] == pytest.approx([test.f_statistic for test in other])
    assert [test.p_value for test in one] == pytest.approx([test.p_value for test in other], abs=0.05)
    again = examine(values[order], codes[order])
    assert [test.p_value for test in one] == [test.p_value for test in again]


def test_copies_of_items_in_a_cluster_add_no_evidence() -> None:
    values = draw(5)
    copied = examine(np.repeat(values, 3, axis=0), np.repeat(np.arange(40), 3))
    for one, other in zip(examine(values), copied, strict=True):
        assert (one.p_value, one.df_error) == (other.p_value, other.df_error)
        assert one.f_statistic == pytest.approx(other.f_statistic, rel=1e-9)
    assert [test.anova_f for test in copied] == [None] * 3


def test_effects_are_found_where_they_are() -> None:
    values = draw(6, n_items=100, shape=(2, 3, 2))
    values[:, 1, :, 1] += 1
    found = {test.factors: test for test in examine(values)}
    assert set(found) == {("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c")}
    assert {names for names, test in found.items() if test.p_adjusted < 0.05} == {("a",), ("c",), ("a", "c")}
    assert all(test.p_adjusted >= test.p_value for test in found.values())
    assert [test.df for test in found.values()] == [1, 2, 1, 2, 1, 2]


def test_not_more_clusters_than_contrasts_give_no_test() -> None:
    found = examine(draw(7, shape=(4, 2)), np.arange(40) % 3)
    assert [(test.p_value, test.p_adjusted, test.f_statistic) for test in found[::2]] == [
        (None, None, None)
    ] * 2
    assert found[0].method == "none: not more clusters than contrasts"
    assert found[1].p_adjusted == found[1].p_value


def test_cells_that_never_differ_give_no_test() -> None:
    values = np.repeat(draw(8, shape=(3,))[:, :, np.newaxis], 2, axis=2)
    found = examine(values)
    assert found[0].p_value is not None
    assert [test.method for test in found[1:]] == ["none: the contrasts do not vary"] * 2


def test_shares_add_up_to_one_and_the_rest_is_named_by_all_factors() -> None:
    means = np.random.default_rng(9).uniform(0, 1, (2, 3, 4))
    found = shares(means, ["a", "b", "c"])
    assert [share.factors for share in found] == [
        *itertools.chain.from_iterable(itertools.combinations("abc", size) for size in (1, 2, 3))
    ]
    assert sum(share.share for share in found) == pytest.approx(1)
    assert all(0 <= share.share <= 1 for share in found)


def test_cells_that_are_alike_have_no_shares() -> None:
    assert [share.share for share in shares(np.full((2, 2, 2), 0.3), ["a", "b", "c"])] == [None] * 7
