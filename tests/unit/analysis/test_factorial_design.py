import itertools
from typing import Any

import pytest

from scripts.analysis.factorial_design import Cross, LeftOutCell, full_cross, is_numeric


def cells(*keys: str, names: str = "ab") -> list[dict[str, Any]]:
    return [dict(zip(names, key, strict=True)) for key in keys]


def cross(levels: list[dict[str, Any]], has_scores: list[bool] | None = None) -> Cross:
    return full_cross(levels, has_scores or [True] * len(levels))


def test_a_full_sweep_is_its_own_cross_in_any_order() -> None:
    found = cross(cells("x2", "y1", "x1", "y2"))
    assert (found.names, found.levels, found.left_out) == (("a", "b"), (("x", "y"), ("2", "1")), ())
    assert found.cells.tolist() == [[0, 2], [3, 1]]


def test_numbers_are_sorted() -> None:
    found = cross([{"temperature": value} for value in (1.0, 0, 0.5)])
    assert found.levels == ((0, 0.5, 1.0),)
    assert found.cells.tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [((0, 0.5), True), ((0, None), False), ((0, "high"), False), ((True, False), False)],
)
def test_only_numbers_are_numeric(levels: tuple[Any, ...], expected: bool) -> None:
    assert is_numeric(levels) is expected


def test_a_factor_that_does_not_vary_is_none() -> None:
    assert cross(cells("x1z", "x2z", "y1z", "y2z", names="abc")).names == ("a", "b")
    assert cross(cells("x1", "x1")).names == ()
    assert cross([]).names == ()


def test_a_level_that_lacks_a_combination_is_left_out_and_named() -> None:
    found = cross(cells("x1", "x2", "y1", "y2", "z1"))
    assert found.levels == (("x", "y"), ("1", "2"))
    assert found.left_out == (LeftOutCell(4, "a 'z' is not there with every level of the other factors"),)


def test_the_level_that_lacks_the_largest_share_goes_first() -> None:
    # Without prompt 3, which two of three models lack, nothing else has to go.
    found = cross(cells("x1", "x2", "x3", "y1", "y2", "z1", "z2"))
    assert found.levels == (("x", "y", "z"), ("1", "2"))
    assert [one.cell for one in found.left_out] == [2]


def test_one_factor_at_a_time_leaves_one_factor() -> None:
    found = cross(cells("x1", "y1", "x2"))
    assert len(found.names) == 1
    assert len(found.left_out) == 1


def test_a_cell_without_scores_is_left_out_and_may_take_others_with_it() -> None:
    found = cross(cells("x1", "x2", "y1", "y2", "z1", "z2"), [True] * 5 + [False])
    assert found.cells.tolist() == [[0, 1], [2, 3]]
    assert [(one.cell, one.reason[:9]) for one in found.left_out] == [(4, "a 'z' is "), (5, "no scores")]
    assert cross(cells("x1", "x2"), [False, False]).names == ()


def test_a_second_cell_with_the_same_levels_is_left_out() -> None:
    found = cross(cells("x1", "x2", "y1", "y2", "x1"))
    assert found.left_out == (LeftOutCell(4, "the same levels as another trial"),)


def test_three_factors_keep_their_axes() -> None:
    keys = ["".join(key) for key in itertools.product("xy", "12", "uvw")]
    found = cross(cells(*keys, names="abc"))
    assert found.cells.tolist() == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]


def test_cells_must_name_the_same_factors() -> None:
    with pytest.raises(ValueError, match="every cell must have a level of each of a"):
        cross([{"a": 1}, {"b": 1}])
    with pytest.raises(ValueError, match="2 cells have levels, but 1"):
        full_cross(cells("x1", "x2"), [True])
