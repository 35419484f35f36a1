import numpy as np

from scripts.analysis.arrays import cluster_codes, merge_ties

NAN = float("nan")


def test_items_without_a_label_are_their_own_clusters() -> None:
    assert cluster_codes(["a", None, "a", None], 4).tolist() == [0, 1, 0, 2]
    assert cluster_codes(["a", NAN, "a", NAN], 4).tolist() == [0, 1, 0, 2]
    assert cluster_codes([None, 0, 1], 3).tolist() == [0, 1, 2]


def test_numbers_that_only_rounding_tells_apart_become_equal() -> None:
    merged = merge_ties(np.array([0.1 + 0.2, 0.3, -0.3, 1e-15, -1e-15, 1.0]))
    assert merged.tolist() == [0.3, 0.3, -0.3, 0.0, 0.0, 1.0]


def test_numbers_that_differ_by_more_than_rounding_stay_as_they_are() -> None:
    values = np.random.default_rng(1).normal(size=(50, 3))
    assert np.array_equal(merge_ties(values), values)
    assert merge_ties(np.array([])).tolist() == []


def test_the_scale_says_how_large_a_rounding_error_can_be() -> None:
    # Sums of thousands of numbers that cancel leave more than the last digit of what remains.
    assert merge_ties(np.array([1e-10, -1.0]), scale=1000.0).tolist() == [0.0, -1.0]
    assert merge_ties(np.array([1e-10, -1.0])).tolist() == [1e-10, -1.0]
