"""The scorer that looks for accepted answers anywhere in a reply."""

from __future__ import annotations

import pytest

from scripts.records import Item
from scripts.scorers.base import NO_TEXT
from scripts.scorers.contains import Contains


@pytest.mark.parametrize(
    ("text", "answers", "correct"),
    [
        ("The capital of France is **Paris**.", ("Paris",), 1.0),
        ("PARIS!", ("paris",), 1.0),
        ("Parisian cafés", ("Paris",), 0.0),  # whole words
        ("Paris,France", ("Paris",), 1.0),
        ("(Paris/Rome)", ("Rome",), 1.0),
        ("Paris—the capital", ("Paris",), 1.0),
        ("It is the New  York\nTimes.", ("New York Times",), 1.0),
        ("York, new", ("New York",), 0.0),
        ("Some say Beatles.", ("The Beatles",), 1.0),
        ("They like the Beatles.", ("Beatles",), 1.0),
        ("It lacks vitamin A and iron", ("vitamin A",), 1.0),
        ("It lacks vitamin and iron", ("vitamin A",), 0.0),
        ("AC/DC", ("AC/DC",), 1.0),
        ("Jean‑Paul Sartre wrote it", ("Jean-Paul Sartre",), 1.0),
        ("a Jean-Paul", ("Paul",), 1.0),
        ("It was -5 degrees", ("-5",), 1.0),
        ("It was 5 degrees", ("-5",), 0.0),
        ("3.14159", ("3.14",), 0.0),
        ("C# is fine", ("C++", "C"), 0.0),
        ("作者写了《红楼梦》。", ("红楼梦",), 1.0),  # no spaces: anywhere
        ("作者写了《红楼》。", ("红楼梦",), 0.0),
        ("Caf\u00e9", ("Cafe\u0301",), 1.0),
        ("<think>Paris</think>Rome", ("Paris",), 0.0),
        ("not Paris", ("Paris",), 1.0),  # it does not understand what it reads
    ],
)
def test_an_accepted_answer_may_be_anywhere(text: str, answers: tuple[str, ...], correct: float) -> None:
    assert Contains().score(text, Item("q1", "?", answers)).correct == correct


def test_all_may_be_needed_and_those_found_are_what_was_read() -> None:
    item = Item("q1", "Which two?", ("Rome", "Paris"))
    scorer = Contains(needs="all")
    assert scorer.score("Paris and Rome", item).correct == 1.0
    score = scorer.score("Paris and London", item)
    assert (score.correct, score.read) == (0.0, "Paris")
    assert Contains().score("London", item).read == "London"
    assert Contains().score("Rome or Paris", item).read == "Rome; Paris"


def test_nothing_is_no_answer_and_an_unanswerable_item_wants_an_abstention() -> None:
    nobody = Item("q2", "Who?", ())
    assert Contains().score("", nobody) == NO_TEXT
    assert Contains().score("Unknown.", nobody).correct == 1.0
    assert Contains(needs="all").score("Ada", nobody).false_answer == 1.0


def test_what_cannot_be_looked_for_is_reported() -> None:
    with pytest.raises(ValueError, match=r"item 'q3': '\?!' holds no word to look for"):
        Contains().score("Paris", Item("q3", "?", ("Paris", "?!")))
    with pytest.raises(ValueError, match="needs is 'some', but must be any or all"):
        Contains(needs="some")
