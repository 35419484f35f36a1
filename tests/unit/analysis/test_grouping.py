import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.grouping import group_items

NAN = float("nan")


@pytest.mark.parametrize(
    ("field", "labels", "groups"),
    [
        ([], [], []),
        ([None, NAN], [], [-1, -1]),
        (["b", "a", None, "b"], ["a", "b"], [1, 0, -1, 1]),
        ([True, False, True], ["false", "true"], [1, 0, 1]),
        ([10, 2, 10.0, NAN], ["2", "10"], [1, 0, 1, -1]),
        ([1, True, "x"], ["1", "true", "x"], [0, 1, 2]),  # 1 == True in Python, but not for a reader
        ([1, "1"], ["1"], [0, 0]),
        (np.array([3, 1, 3]), ["1", "3"], [1, 0, 1]),
        (["nan", ""], ["", "nan"], [1, 0]),
    ],
)
def test_values_that_read_alike_are_one_group(field: object, labels: list[str], groups: list[int]) -> None:
    found = group_items(field)
    assert (found[0], found[1].tolist()) == (labels, groups)


def test_many_numbers_are_cut_at_their_quartiles() -> None:
    labels, groups = group_items([*range(100), None])
    assert labels == ["0 to 24", "above 24 to 49", "above 49 to 74", "above 74 to 99"]
    assert np.bincount(groups[:-1]).tolist() == [25, 25, 25, 25]
    assert groups[-1] == -1


def test_equal_numbers_stay_in_one_group() -> None:
    labels, groups = group_items([0] * 80 + [1, 2, 3, 4] * 5)
    assert labels == ["0", "above 0 to 4"]
    assert np.bincount(groups).tolist() == [80, 20]


@pytest.mark.parametrize("value", [["a"], {"a": 1}, float("inf"), 1j])
def test_what_is_neither_a_word_nor_a_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="must hold words or finite numbers"):
        group_items(["a", value])


@settings(deadline=None)
@given(st.lists(st.none() | st.floats(-1e6, 1e6) | st.integers(-5, 5), max_size=60))
def test_every_number_is_in_one_group_and_no_group_is_empty(field: list[float | None]) -> None:
    labels, groups = group_items(field)
    assert [number is None for number in field] == (groups < 0).tolist()
    assert set(groups[groups >= 0].tolist()) == set(range(len(labels)))
    numbers = np.array([np.nan if number is None else number for number in field], dtype=float)
    tops = [numbers[groups == group].max() for group in range(len(labels))]
    bottoms = [numbers[groups == group].min() for group in range(len(labels))]
    assert all(top < bottom for top, bottom in zip(tops, bottoms[1:], strict=False))
