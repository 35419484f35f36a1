"""The numbers of a line."""

from __future__ import annotations

import pytest

from scripts.scorers.number_tokens import find_tokens


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("", []),
        ("no number in H2O", []),
        ("1,234.5 and 7", [1234.5, 7]),
        ("5 m^2 or 9.8 m/s^{-2}", [5, 9.8]),
        ("x_1 = 3, x_{2} = 4", [3, 4]),
        ("7 l/100 km", [7]),
        ("2^{3} = 8", [8, 8]),
        ("1,2 and 3:30 and 1/2/3", [None, None, None]),
        ("√{2}, 2^n, π", [None, None, None]),
        ("42, not 41", [42]),
        ("16 - 3", [16, 3]),
        ("is - 3", [-3]),
        ("5 ± 0.1 but 7 cm ± 1", [5, 7]),
        ("±3", [None]),
    ],
)
def test_each_number_has_its_value_and_what_is_none_has_none(line: str, values: list[float | None]) -> None:
    assert [token.value for token in find_tokens(line, is_alone=True, decimal=".")] == values


def test_a_hyphen_marks_an_item_only_where_there_are_others() -> None:
    assert [
        [token.value for token in find_tokens("- 5", is_alone=alone, decimal=".")] for alone in (True, False)
    ] == [
        [-5],
        [5],
    ]


def test_places_are_those_in_the_line() -> None:
    line = "it is minus 5 °C"
    (token,) = find_tokens(line, is_alone=True, decimal=".")
    assert (line[token.start : token.end], token.text) == ("minus 5", "minus 5")
