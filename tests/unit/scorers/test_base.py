"""Abstention and unanswerable items, which every scorer judges alike."""

from __future__ import annotations

import dataclasses
import math

import pytest

from scripts.comparison.metrics import NAMES
from scripts.records import Item
from scripts.scorers.base import (
    NO_TEXT,
    UNREAD,
    Score,
    is_abstention,
    is_unanswerable,
    judge,
    judge_nothing,
    judge_unread,
)
from scripts.scorers.text import ABSTENTION_PHRASES

ANSWERABLE = Item("q1", "Who?", ("Ada",))
UNANSWERABLE = Item("q2", "Who?", (), is_unanswerable=True)


def test_the_metrics_are_the_fields_of_a_score() -> None:
    assert tuple(field.name for field in dataclasses.fields(Score)) == (*NAMES, "read", "more")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),  # no text is no abstention
        (" \n\t", False),
        ("?!", False),
        ("I don't know.", True),  # the apostrophe goes the same way on both sides
        ("i dont know", True),
        ("I DO NOT KNOW!", True),
        ("Unknown", True),
        ("The unknown", True),
        ("Cannot answer.", True),
        ("Unknown Pleasures", False),  # never a substring
        ("I don't know, perhaps Ada", False),
        ("I don’t know", True),  # a typographic apostrophe outlives the normalisation
        ("Na", False),
        ("none", False),
        ("\x00", False),
    ],
)
def test_only_a_whole_reply_abstains(text: str, expected: bool) -> None:
    assert is_abstention(text, ABSTENTION_PHRASES) is expected


def test_a_user_may_say_what_abstains() -> None:
    assert is_abstention("N/A", ("n/a",))
    assert not is_abstention("unknown", ("n/a",))
    assert not is_abstention("A", ())


def test_an_item_without_answers_is_unanswerable() -> None:
    assert is_unanswerable(UNANSWERABLE)
    assert is_unanswerable(Item("q3", "Who?", ()))
    assert is_unanswerable(Item("q4", "Who?", ("Ada",), is_unanswerable=True))
    assert not is_unanswerable(ANSWERABLE)


def test_an_unanswerable_item_is_right_when_abstained_from() -> None:
    abstained = judge(UNANSWERABLE, abstained=True, correct=False, f1=0.0, read="unknown")
    assert abstained == Score(1.0, 1.0, 1.0, 0.0, math.nan, 0.0, "unknown")
    answered = judge(UNANSWERABLE, abstained=False, correct=True, f1=1.0, unsupported=1.0)
    assert answered == Score(0.0, 0.0, 0.0, 1.0, 1.0, 0.0)


def test_a_scorer_without_f1_has_none_on_unanswerable_items_either() -> None:
    assert math.isnan(judge(UNANSWERABLE, abstained=True, correct=False).f1)


def test_false_answer_does_not_apply_to_an_answerable_item() -> None:
    assert judge(ANSWERABLE, abstained=False, correct=True, f1=1.0) == Score(
        1.0, 1.0, 0.0, math.nan, math.nan, 0.0
    )


def test_no_text_is_an_abstention_only_where_a_scorer_says_so() -> None:
    assert judge_nothing(ANSWERABLE, abstains=False) == judge_nothing(UNANSWERABLE, abstains=False) == NO_TEXT
    assert judge_nothing(ANSWERABLE, abstains=True, f1=0.0) == Score(0.0, 0.0, 1.0)
    assert judge_nothing(UNANSWERABLE, abstains=True) == Score(1.0, math.nan, 1.0, 0.0)


def test_what_is_unread_can_be_made_a_wrong_answer() -> None:
    assert all(math.isnan(value) for value in (UNREAD.correct, UNREAD.abstained, UNREAD.false_answer))
    assert judge_unread(ANSWERABLE) == Score(0.0, math.nan, 0.0, unread=1.0)
    assert judge_unread(UNANSWERABLE, f1=0.0) == Score(0.0, 0.0, 0.0, 1.0, unread=1.0)
