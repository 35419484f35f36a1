"""The number a reply comes to."""

from __future__ import annotations

import math

import pytest

from scripts.records import Item
from scripts.scorers.base import Score
from scripts.scorers.numeric import Numeric, find_number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("42", 42),
        ("42.", 42),
        ("+5", 5),
        ("-7", -7),
        ("−7", -7),  # the minus of Unicode
        ("-1 1/2", -1.5),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1,234.50", 1234.5),
        ("1,234,567", 1_234_567),
        ("1 000", 1000),
        ("1\u202f000\u202f000", 1_000_000),
        ("1’000", 1000),
        ("$1{,}000$", 1000),
        ("(1,2)", None),  # two numbers, or a decimal comma
        ("$18.00", 18),
        ("€ 18", 18),
        ("-£5", -5),
        ("$-5", -5),
        ("USD5", 5),
        ("50%", 50),
        ("50 %", 50),
        ("18 dollars", 18),
        ("5km", 5),
        ("area in km2: 5 km2", 5),  # a digit within a word is no number
        ("H2O", None),
        ("1e3", 1000),
        ("1.5E-3", 0.0015),
        ("3 × 10^-2", 0.03),
        ("3 \\times 10^{6}", 3_000_000),
        ("\\boxed{18}", 18),
        ("**18**", 18),
        ("3/4", 0.75),
        ("1 3/4", 1.75),
        ("12/25/2020", None),
        ("3/0", None),
        ("1e999", None),
        ("9" * 400, None),
        ("16-3", None),  # without its result
        ("between 5 and -7 degrees", None),
        ("5–7", None),
        ("covid-19", 19),
        ("٣٤", 34),
        ("2x3=6", 6),
        ("eighteen", None),
        ("", None),
        ("\x00 4\ud800 \u202e5", 5),
    ],
)
def test_a_number_is_read_in_whatever_way_it_is_written(text: str, expected: float | None) -> None:
    found = find_number(text, ())
    assert (found and found.value) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 + 4 = <<5+4=9>>9\nA: 9", 9),
        ("a: 9, the last of 12", 9),
        ("A:9", 9),
        ("working 3, 4\n#### 1,234", 1234),
        ("The answer is 42, not 41.", 42),
        ("**The Answer is:** $7", 7),
        ("The answer is 18 dollars for 7 days.", 18),
        ("The answer is 3 + 4 = 7.", 7),  # a calculation comes to its result
        ("A: 16 - 3 = <<16-3=13>>13 eggs", 13),
        ("A: 36 / 2 = $18.", 18),
        ("A: 3\n+ 4 = 7", 3),  # but not over the end of the line
        ("A: 3, 4 = 4", 3),
        ("The answer is 5. No, the answer is 6.", 6),  # the last marker
        ("A: 18\n\nQ: Tom has 5 apples.", 18),  # a reply that runs on into the next question
        ("I counted 5. The answer is clear.", 5),  # no number after the marker
        ("The answer isn't 7 but 8", 8),  # no marker
        ("Area: 4 of 9", 9),  # "A:" is a word of its own
        ("So 3 and then 5 are left", 5),
        ("A: 5/8", 0.625),
        ("A: -1.8 billion", -1.8),  # units change nothing
        ("A: 10+John's age", 10),
    ],
)
def test_the_number_after_the_last_marker_counts(text: str, expected: float) -> None:
    assert find_number(text).value == pytest.approx(expected)


@pytest.mark.parametrize("marker", ["&&", "||", "--", "[", "]", "^", "\\", "Total"])
def test_a_marker_is_no_pattern(marker: str) -> None:
    assert find_number(f"1 {marker} 2 3", (marker,)).value == 2


@pytest.mark.parametrize(
    ("text", "answers", "correct"),
    [
        ("A: 18", ("18",), 1.0),
        ("A: 18.00", ("18",), 1.0),
        ("A: 18.0001", ("18",), 0.0),
        ("A: 1000000.5", ("1000000",), 1.0),  # within a millionth
        ("A: 0.0000001", ("0",), 0.0),  # nothing is near 0 in relative terms
        ("A: -0", ("0",), 1.0),
        ("A: 12", ("11", "12"), 1.0),
        ("A: 0.75", ("3/4",), 1.0),
        ("A: 1,250", ("50 * 25 = 1250\n#### 1,250",), 1.0),  # GSM8K's own way to give an answer
        ("A: 50%", ("0.5",), 0.0),
        ("dunno", ("18",), 0.0),
        ("A: 18", ("eighteen", "18"), 1.0),
    ],
)
def test_numbers_are_equal_within_the_tolerance(text: str, answers: tuple[str, ...], correct: float) -> None:
    assert Numeric().score(text, Item("q1", "How many?", answers)) == Score(
        correct, math.nan, 0.0, math.nan, math.nan
    )


def test_the_tolerance_and_the_markers_can_be_set() -> None:
    item = Item("q1", "How many?", ("100",))
    assert Numeric(tolerance=0.01).score("A: 99.5", item).correct == 1.0
    assert Numeric(markers=("Result",)).score("A: 1\nresult 100 of 200", item).correct == 1.0
    assert Numeric(markers=()).score("A: 1 of 100", item).correct == 1.0


def test_abstention_needs_a_whole_reply() -> None:
    unanswerable = Item("q2", "How many?", ())
    assert Numeric().score("Unknown", unanswerable) == Score(1.0, math.nan, 1.0, 0.0, math.nan)
    assert Numeric().score("Unknown, perhaps 7", unanswerable) == Score(0.0, math.nan, 0.0, 1.0, math.nan)


def test_the_decimal_sign_can_be_set() -> None:
    scorer = Numeric(decimal=",")
    assert scorer.score("A: 3,14", Item("q1", "How much?", ("3.14",))).correct == 1.0
    assert scorer.score("A: 1.234,50 €", Item("q1", "How much?", ("1234,5",))).correct == 1.0
    with pytest.raises(ValueError, match=r"item 'q1': with a decimal comma '1\.234' may be 1234 or 1,234"):
        scorer.score("A: 3", Item("q1", "How much?", ("1.234",)))
    with pytest.raises(ValueError, match=r"decimal is ';', but must be '\.' or ','"):
        Numeric(decimal=";")


def test_accepted_answers_without_a_number_are_reported() -> None:
    with pytest.raises(ValueError, match=r"item 'q1': no accepted answer contains a number: \['eighteen'\]"):
        Numeric().score("18", Item("q1", "How many?", ("eighteen",)))


@pytest.mark.parametrize(
    ("option", "value"), [("tolerance", -1.0), ("tolerance", math.nan), ("markers", ("A:", " "))]
)
def test_an_option_out_of_range_is_reported(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{option} "):
        Numeric(**{option: value})  # type: ignore[arg-type]
