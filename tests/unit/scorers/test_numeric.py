"""The number a reply comes to."""

from __future__ import annotations

import math

import pytest

from scripts.records import Item
from scripts.scorers.base import NO_TEXT, UNREAD, Score
from scripts.scorers.numeric import Numeric, _find_number
from scripts.scorers.reading import BUILT_IN, find_answers


def find_number(text: str, markers: tuple[str, ...] = (BUILT_IN,)) -> float | None:
    found = _find_number(list(find_answers(text, Numeric(markers=markers))), ".")
    return found.value if found else None


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
        ("\\[\\boxed{42}\\]\nThis took 3 steps.", 42),
        ("Final answer: 42\n\nConfidence: 95%", 42),
        ("**Final Answer**\n42 km (about 26 miles)", 42),
        ('{"answer": 42, "confidence": 0.9}', 42),
        ("The probability is $\\boxed{\\frac{3}{4}}$.", 0.75),
        ("The answer is \\(\\frac{1}{2}\\).", 0.5),
        ("The answer is between 5 and 7.", None),
        ("There are 12.\n\nThe answer is 5-7.", None),  # no other number in place of what was announced
    ],
)
def test_the_number_after_the_last_marker_counts(text: str, expected: float | None) -> None:
    assert find_number(text) == pytest.approx(expected)


@pytest.mark.parametrize("marker", ["&&", "||", "--", "[", "]", "^", "\\", "Total"])
def test_a_marker_is_no_pattern(marker: str) -> None:
    assert find_number(f"1 {marker} 2 3", (marker,)) == 2


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
        ("A: 18", ("eighteen", "18"), 1.0),
        ("A: 11 or 18", ("18",), 0.0),  # an answer, and a wrong one
        ("A: 11 or 18", ("11 or 18", "18"), 0.0),
    ],
)
def test_numbers_are_equal_within_the_tolerance(text: str, answers: tuple[str, ...], correct: float) -> None:
    score = Numeric().score(text, Item("q1", "How many?", answers))
    assert (score.correct, score.abstained, score.unread) == (correct, 0.0, 0.0)


def test_a_text_without_a_number_is_unread_and_no_text_has_no_score() -> None:
    item = Item("q1", "How many?", ("18",))
    assert Numeric().score("dunno", item) == UNREAD
    assert Numeric().score("dunno", Item("q2", "How many?", ())) == UNREAD
    assert Numeric().score("<think>18", item) == NO_TEXT


def test_the_tolerance_and_the_markers_can_be_set() -> None:
    item = Item("q1", "How many?", ("100",))
    assert Numeric(tolerance=0.01).score("A: 99.5", item).correct == 1.0
    assert Numeric(markers=("Result",)).score("A: 1\nresult 100 of 200", item).correct == 1.0
    assert Numeric(markers=()).score("A: 1 of 100", item).correct == 1.0


def test_abstention_needs_a_whole_reply() -> None:
    unanswerable = Item("q2", "How many?", ())
    assert Numeric().score("Unknown", unanswerable) == Score(
        1.0, math.nan, 1.0, 0.0, math.nan, 0.0, "Unknown"
    )
    assert Numeric().score("Unknown, perhaps 7", unanswerable) == Score(
        0.0, math.nan, 0.0, 1.0, math.nan, 0.0, "7"
    )


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
