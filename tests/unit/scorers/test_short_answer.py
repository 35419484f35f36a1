"""The scorer of short answers."""

from __future__ import annotations

import math

import pytest

from scripts.records import Item
from scripts.scorers.base import NO_TEXT, UNREAD, Score
from scripts.scorers.short_answer import ShortAnswer

ITEM = Item("q1", "Which city?", ("Paris", "City of Light"))
OPEN_BOOK = Item("q2", "Which city?", ("Paris",), context="The capital of France is Paris.")
UNANSWERABLE = Item("q3", "Which city?", (), is_unanswerable=True, context="Nothing of the kind.")


@pytest.mark.parametrize(
    ("text", "correct", "f1", "abstained"),
    [
        ("Paris", 1.0, 1.0, 0.0),
        ("the city of light!", 1.0, 1.0, 0.0),
        ("in Paris", 0.0, 2 / 3, 0.0),
        ("Rome", 0.0, 0.0, 0.0),
        ("I don't know.", 0.0, 0.0, 1.0),
        ("The answer is Paris.", 1.0, 1.0, 0.0),
        ("<think>Rome?</think>Paris", 1.0, 1.0, 0.0),
        ("Final answer: I don't know", 0.0, 0.0, 1.0),
    ],
)
def test_an_answer_is_compared_as_a_whole(text: str, correct: float, f1: float, abstained: float) -> None:
    score = ShortAnswer().score(text, ITEM)
    assert (score.correct, score.f1, score.abstained) == (correct, pytest.approx(f1), abstained)
    assert math.isnan(score.false_answer)
    assert math.isnan(score.unsupported)


def test_an_unanswerable_item_wants_an_abstention() -> None:
    assert ShortAnswer().score("Unknown", UNANSWERABLE) == Score(1.0, 1.0, 1.0, 0.0, math.nan, 0.0, "Unknown")
    assert ShortAnswer().score("Unknown Pleasures", UNANSWERABLE) == Score(
        0.0, 0.0, 0.0, 1.0, 1.0, 0.0, "Unknown Pleasures"
    )


def test_a_reply_without_a_text_has_no_score_unless_it_may_abstain() -> None:
    assert ShortAnswer().score(" ", ITEM) == ShortAnswer().score("<think>Paris", UNANSWERABLE) == NO_TEXT
    abstaining = ShortAnswer(empty="abstained")
    assert abstaining.score("", ITEM) == Score(0.0, 0.0, 1.0)
    assert abstaining.score("", UNANSWERABLE) == Score(1.0, 1.0, 1.0, 0.0)
    assert ShortAnswer().score("?!", UNANSWERABLE) == UNREAD


def test_an_accepted_answer_may_itself_be_an_abstention_phrase() -> None:
    score = ShortAnswer().score("unknown", Item("q4", "Name the soldier", ("Unknown",)))
    assert (score.correct, score.abstained) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("text", "unsupported"),
    [
        ("Paris, France", 0.0),
        ("Paris Texas", 0.0),  # just the threshold is not above it
        ("Paris in Texas", 1.0),
        ("Rome", 1.0),
        ("unknown", math.nan),
    ],
)
def test_an_answer_is_unsupported_above_the_threshold(text: str, unsupported: float) -> None:
    assert ShortAnswer().score(text, OPEN_BOOK).unsupported == pytest.approx(unsupported, nan_ok=True)


def test_an_answer_that_normalises_to_nothing_may_be_accepted() -> None:
    item = Item("q5", "Which blood type?", ("A+", "AB+"))
    score = ShortAnswer().score("a+", item)
    assert (score.correct, score.f1) == (1.0, 1.0)
    assert [ShortAnswer().score(text, item).correct for text in ("A-", "the")] == [0.0, 0.0]


def test_the_threshold_can_be_set() -> None:
    assert ShortAnswer(unsupported_threshold=0.4).score("Paris Texas", OPEN_BOOK).unsupported == 1.0
    with pytest.raises(ValueError, match=r"unsupported_threshold is 1\.5, but must be in \[0, 1\]"):
        ShortAnswer(unsupported_threshold=1.5)


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("5", "-5"),
        ("314", "3.14"),
        ("1.5", "15"),
        ("12", "1/2"),
        ("1030", "10:30"),
        ("C#", "C++"),
        ("A+", "A-"),
    ],
)
def test_a_sign_or_a_point_is_no_punctuation(text: str, accepted: str) -> None:
    item = Item("q6", "What is it?", (accepted,))
    assert ShortAnswer().score(text, item).correct == 0.0
    assert ShortAnswer().score(accepted, item).correct == 1.0
    assert ShortAnswer(squad=True).score(text, item).correct == 1.0  # officially they are the same


def test_characters_are_compared_where_a_script_has_no_spaces() -> None:
    item = Item("q7", "哪本书？", ("红楼梦",), context="《红楼梦》是曹雪芹的小说。")
    assert ShortAnswer().score("《红楼梦》。", item).correct == 1.0
    score = ShortAnswer().score("红楼", item)
    assert (score.correct, score.f1, score.unsupported) == (0.0, 0.8, 0.0)
    assert ShortAnswer(squad=True).score("红楼", item).f1 == 0.0


@pytest.mark.parametrize(
    ("text", "answers", "correct", "f1"),
    [
        ("paris.", ("Paris",), 1.0, 1.0),
        ("The answer is Paris.", ("Paris",), 0.0, 0.5),  # the whole reply counts
        ("<think>Paris</think>Paris", ("Paris",), 0.0, 0.0),
        ("O’Brien", ("O'Brien",), 0.0, 0.0),
        ("in Paris", ("Paris", "Paris, France"), 0.0, 2 / 3),
        ("a+", ("A+", "AB+"), 0.0, 0.0),  # of these only "ab" is left
        ("the", ("The The",), 1.0, 1.0),
        ("!?", ("Paris",), 0.0, 0.0),
        ("!?", (), 1.0, 1.0),  # officially no answer, as an empty reply
        ("Rome", (), 0.0, 0.0),
    ],
)
def test_squad_figures_are_the_official_ones(
    text: str, answers: tuple[str, ...], correct: float, f1: float
) -> None:
    score = ShortAnswer(squad=True).score(text, Item("q8", "Which city?", answers))
    assert (score.correct, score.f1) == (correct, pytest.approx(f1))


def test_with_squad_an_empty_reply_abstains_unless_it_is_to_be_missing() -> None:
    assert ShortAnswer(squad=True).score("", UNANSWERABLE) == Score(1.0, 1.0, 1.0, 0.0)
    assert ShortAnswer(squad=True).score(" ", ITEM) == Score(0.0, 0.0, 1.0)
    assert ShortAnswer(squad=True, empty="missing").score("", UNANSWERABLE) == NO_TEXT
    assert ShortAnswer(squad=True).trim("<think>Paris</think> Rome").text == "<think>Paris</think> Rome"
