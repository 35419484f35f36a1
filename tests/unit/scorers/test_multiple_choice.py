"""Which option a reply chooses."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.records import Item
from scripts.scorers.base import NO_TEXT, UNREAD, Score
from scripts.scorers.multiple_choice import MultipleChoice

CHOICES = ("Rome", "Paris", "New York", "New York City")
ITEMS = {letter: Item("q1", "Which city?", (letter,), choices=CHOICES) for letter in "ABCD"}


def chosen(text: str, items: dict[str, Item] = ITEMS) -> str | None:
    """Find the letter that a reply is right for; "-" if it is wrong for all, None if it is unread."""
    scores = {letter: MultipleChoice().score(text, item) for letter, item in items.items()}
    right = [letter for letter, score in scores.items() if score.correct == 1.0]
    assert len(right) <= 1
    assert len({(score.unread, score.read) for score in scores.values()}) == 1
    if scores["B"].unread:
        assert not right
        assert scores["B"].read is None
        return None
    return right[0] if right else "-"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("B", "B"),
        ("b", "B"),
        (" (B) ", "B"),
        ("B.", "B"),
        ("b)", "B"),
        ("[B]", "B"),
        ("**B**", "B"),
        ("$\\boxed{B}$", "B"),
        ("$\\boxed{\\text{B}}$", "B"),
        ("\u200fB\x00", "B"),
        ("A", "A"),  # normalises to nothing, and yet is a choice
        ("a", "A"),
        ("B) Paris", "B"),
        ("(B) Paris", "B"),
        ("B. Paris", "B"),
        ("B: Paris", "B"),
        ("B Paris", "B"),
        ("**B) Paris**", "B"),
        ("b) the paris", "B"),
        ("B) because of the Seine", "B"),
        ("B, of course", "B"),
        ("Option B", "B"),
        ("Paris", "B"),
        ("paris!", "B"),
        ("New York", "C"),
        ("New York City", "D"),
        ("B\n\nThe Seine flows there.", "B"),
        ("The Seine flows there.\n\nB", "B"),
        ("A dog would know.\r\n(B)\r\n", "B"),
        ("E", "-"),  # no such option
        ("E) Paris", "-"),
        ("B) Rome", "-"),  # letter and text contradict each other
        ("A) Rome\nB) Paris", None),  # which of them?
        ("B, C", "-"),
        ("A or B", "-"),
        ("A city on the Seine", None),  # the article
        ("I would say that a B movie is set there", None),
        ("It is Paris, I think", None),
        ("Bravo", None),
        ("e.g. Lyon", None),
    ],
)
def test_a_reply_names_an_option(text: str, expected: str | None) -> None:
    assert chosen(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The answer is B", "B"),
        ("The answer is B.", "B"),
        ("the answer is: (b)", "B"),
        ("The answer is **B**.", "B"),
        ("**Answer:** B", "B"),
        ("**Answer: B**", "B"),
        ("ANSWER: B", "B"),
        ("ANSWER:\nB", "B"),
        ("Answer: B) Paris", "B"),
        ("The answer is B because of the Seine", "B"),
        ("The answer is A because of the Tiber", "A"),
        ("The answer is B, I think", "B"),
        ("The correct option is B", "B"),
        ("My choice: option B", "B"),
        ("The final answer is $\\boxed{B}$.", "B"),
        ("The answer is Paris.", "B"),
        ("The answer is Paris, which lies on the Seine.", "B"),
        ("The answer is New York City, not New York.", "D"),  # the longest
        ("Answer: A? No.\nANSWER: B", "B"),  # the last marker
        ("ANSWER: B\nI hope that the answer is helpful.", "B"),  # the last that can be read
        ("A is tempting.\nThe answer is B.\nC is not.", "B"),
        ("Answer: A\nNo, the answer is A or B", "-"),
        ("The answer is a city on the Seine", None),  # the article
        ("The answer is not A", None),
        ("The answer is A and B", "-"),
        ("The answer is A/B", "-"),
        ("The answer is A, B or C", "-"),
        ("The answer is E", "-"),
        ("The answer is", None),
    ],
)
def test_an_announced_answer_wins(text: str, expected: str | None) -> None:
    assert chosen(text) == expected


def test_an_accepted_answer_may_be_the_text_of_an_option() -> None:
    item = Item("q1", "Which city?", ("paris",), choices=CHOICES)
    assert MultipleChoice().score("B", item).correct == 1.0
    assert MultipleChoice().score("C", item).correct == 0.0


def test_options_that_normalise_to_nothing_are_told_apart() -> None:
    items = {
        letter: Item("q1", "Sign?", (sign,), choices=("+", "-"))
        for letter, sign in zip("AB", "+-", strict=True)
    }
    assert (chosen("+", items), chosen("-", items), chosen("B", items)) == ("A", "B", "B")


def test_an_initial_is_not_taken_for_a_letter() -> None:
    item = Item("q1", "Who?", ("B",), choices=("B. Obama", "A. Lincoln"))
    assert MultipleChoice().score("A. Lincoln", item).correct == 1.0


def test_without_options_letters_and_accepted_texts_can_be_read() -> None:
    assert MultipleChoice().score("The answer is C.", Item("q1", "Which?", ("C",))).correct == 1.0
    assert MultipleChoice().score("(paris)", Item("q1", "Which?", ("Paris",))).correct == 1.0


def test_what_cannot_be_read_is_unread_and_what_abstains_says_so() -> None:
    assert MultipleChoice().score("Hm, cities", ITEMS["B"]) == UNREAD
    abstained = MultipleChoice().score("I don't know.", ITEMS["B"])
    assert (abstained.correct, abstained.abstained, abstained.read) == (0.0, 1.0, "I don't know.")
    assert MultipleChoice().score("A", ITEMS["A"]) == Score(1.0, math.nan, 0.0, math.nan, math.nan, 0.0, "A")


def test_what_names_several_options_is_read_as_it_stands() -> None:
    score = MultipleChoice().score("The answer is A or B.", ITEMS["B"])
    assert (score.correct, score.unread, score.read) == (0.0, 0.0, "A or B.")


def test_an_option_to_abstain_is_a_choice_and_an_abstention() -> None:
    item = Item("q1", "Who?", ("C",), choices=("He", "She", "Cannot be determined"))
    score = MultipleChoice().score("Cannot be determined.", item)
    assert (score.correct, score.abstained) == (1.0, 1.0)


def test_an_unanswerable_item_wants_an_abstention() -> None:
    item = Item("q1", "Which city?", (), choices=CHOICES)
    abstained = Score(1.0, math.nan, 1.0, 0.0, math.nan, 0.0, "Unknown")
    assert MultipleChoice().score("Unknown", item) == abstained
    assert MultipleChoice().score("A", item) == Score(0.0, math.nan, 0.0, 1.0, math.nan, 0.0, "A")


def test_accepted_answers_that_are_no_option_are_reported() -> None:
    with pytest.raises(ValueError, match=r"item 'q1': \['Oslo'\] names none of \['Rome', 'Paris'\]"):
        MultipleChoice().score("A", Item("q1", "Which city?", ("Oslo",), choices=("Rome", "Paris")))


NUMBERS = ("1", "2", "3", "4")


def numbered(answer: str, choices: tuple[str, ...] = CHOICES) -> Item:
    return Item("q7", "Which?", (answer,), choices=choices)


@pytest.mark.parametrize(
    ("options", "answer", "choices", "right"),
    [
        ({"answer_index": True}, "1", CHOICES, "B"),
        ({"answer_index": True}, "1", NUMBERS, "B"),
        ({"answer_index": True, "first_index": 1}, "1", NUMBERS, "A"),
        ({"answer_index": True, "first_index": 1}, "4", CHOICES, "D"),
        ({"answer_index": False}, "1", NUMBERS, "A"),
        ({}, "12", ("3", "12", "7", "9"), "B"),  # too large for a place
        ({}, "1", ("0", "1", "2", "3"), "B"),  # the option's text and its place
        ({}, "D", NUMBERS, "D"),
        ({}, "2.5", ("1.5", "2.5", "3.5", "4.5"), "B"),
    ],
)
def test_a_number_means_an_option_by_its_text_or_its_place(
    options: dict[str, Any], answer: str, choices: tuple[str, ...], right: str
) -> None:
    scorer = MultipleChoice(**options)
    scores = {letter: scorer.score(letter, numbered(answer, choices)).correct for letter in "ABCD"}
    assert scores == {letter: float(letter == right) for letter in "ABCD"}


@pytest.mark.parametrize("answer", ["1", "3", "4", " 1 "])
def test_a_number_that_may_mean_two_options_is_refused_with_the_cures(answer: str) -> None:
    with pytest.raises(ValueError, match=f"item 'q7': the answer {answer} may mean the option") as raised:
        MultipleChoice().score("A", numbered(answer, NUMBERS))
    for cure in ("['1', '2', '3', '4']", "write its letter", "answer_index: true", "answer_index: false"):
        assert cure in str(raised.value)


@pytest.mark.parametrize(
    ("options", "answer", "message"),
    [
        ({}, "1", r"\['1'\] names none of .*; if these are numbers of options, set answer_index: true"),
        ({"answer_index": True}, "4", r"\['4'\] names none of"),
        ({"answer_index": True, "first_index": 1}, "0", r"\['0'\] names none of"),
        ({"answer_index": True}, "B", r"\['B'\] names none of"),
    ],
)
def test_a_number_that_means_no_option_is_refused(options: dict[str, Any], answer: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"item 'q7': {message}"):
        MultipleChoice(**options).score("A", numbered(answer))


def test_the_first_option_is_number_0_or_1() -> None:
    with pytest.raises(ValueError, match="first_index is 2, but must be 0 or 1"):
        MultipleChoice(answer_index=True, first_index=2)


def test_26_options_have_letters() -> None:
    choices = tuple(f"city {number}" for number in range(26))
    for letter in ("I", "J", "Z"):
        item = Item("q1", "Which city?", (letter,), choices=choices)
        for reply in (letter, f"The answer is {letter}.", f"({letter.lower()})", f"{letter}) {choices[0]}"):
            assert MultipleChoice().score(reply, item).correct == float(choices[0] not in reply)


def test_more_options_than_letters_are_refused() -> None:
    item = Item("q1", "Which city?", ("A",), choices=tuple(f"city {number}" for number in range(27)))
    with pytest.raises(ValueError, match="item 'q1': 27 options, but only 26 letters"):
        MultipleChoice().score("A", item)


@settings(deadline=None)
@given(st.text(alphabet="ABab()[]{}.:,*_ \n/&answeroptionisboxed\\"))
def test_every_text_gets_a_score_or_is_unread(text: str) -> None:
    score = MultipleChoice().score(text, ITEMS["B"])
    assert score.correct in {0.0, 1.0} or score in (UNREAD, NO_TEXT)
