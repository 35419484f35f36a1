"""The scorer of exact texts."""

from __future__ import annotations

import pytest

from scripts.records import Item
from scripts.scorers.base import NO_TEXT, Score
from scripts.scorers.exact import Exact

ITEM = Item("q1", "Translate to shell.", ("ls -l", "ll "))


@pytest.mark.parametrize(
    ("text", "options", "correct"),
    [
        ("ls -l", {}, 1.0),
        (" ls -l\n", {}, 1.0),
        ("ll", {}, 1.0),  # the accepted answer is stripped, too
        ("ls  -l", {}, 0.0),
        ("ls -l.", {}, 0.0),
        ("LS -L", {}, 0.0),
        ("`ls -l`", {}, 0.0),
        ("Answer: ls -l", {}, 0.0),  # the whole reply counts
        ("<think>ls?</think>\nls -l", {}, 1.0),
        ("ls -l<|im_end|>", {}, 1.0),
        ("<think>ls?</think>ls -l", {"drop_thoughts": False}, 0.0),
        ("LS -L", {"case": False}, 1.0),
        (" ls -l", {"strip": False}, 0.0),
        ("ls -l", {"strip": False}, 1.0),
        ("ll ", {"strip": False}, 1.0),
        ("ll", {"strip": False}, 0.0),
    ],
)
def test_every_character_counts(text: str, options: dict[str, bool], correct: float) -> None:
    score = Exact(**options).score(text, ITEM)
    assert (score.correct, score.abstained, score.unread) == (correct, 0.0, 0.0)


def test_what_was_read_is_the_reply_without_its_thoughts() -> None:
    assert Exact().score("<think>ls?</think> cat ", ITEM).read == "cat"


def test_nothing_is_no_answer_and_a_phrase_abstains() -> None:
    assert Exact().score(" \n", ITEM) == NO_TEXT
    assert Exact(empty="abstained").score("", ITEM).abstained == 1.0
    assert Exact().score("I don’t know.", Item("q2", "?", ())) == Score(
        1.0, abstained=1.0, false_answer=0.0, unread=0.0, read="I don’t know."
    )
