"""Token F1, abstention phrases and the comparison with accepted answers."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.scorers.text import (
    ABSTENTION_PHRASES,
    best_f1,
    equals_accepted,
    is_phrase,
    normalize_accepted,
    normalize_answer,
    token_f1,
)

WORDS = st.lists(st.sampled_from(["a", "the", "cat", "Cat!", "hat", "U.S.", "new york"]), max_size=8).map(
    " ".join
)


@pytest.mark.parametrize(
    ("answer", "accepted", "expected"),
    [
        ("Paris", "paris.", 1.0),
        ("London", "Paris", 0.0),
        ("in Paris", "Paris", 2 / 3),
        ("", "", 1.0),
        ("!", "?", 1.0),  # both are empty once normalised
        ("", "Paris", 0.0),
        ("Paris", "the", 0.0),
        ("big big cat", "big cat", 0.8),  # a token counts as often as both have it
        ("big cat", "big big cat", 0.8),
        ("big big", "big cat", 0.5),
        ("-5 degrees", "5 degrees", 0.5),
        ("红楼", "红楼梦", 0.8),  # no spaces: by characters
        ("《红楼梦》", "红楼梦。", 1.0),
        ("ไทย", "ไท", 0.8),
        ("iPhone 手机", "iphone手機", 2 / 3),
        ("서울 시", "서울", 2 / 3),  # Korean has spaces
    ],
)
def test_f1_counts_shared_tokens(answer: str, accepted: str, expected: float) -> None:
    assert token_f1(answer, accepted) == pytest.approx(expected)


@settings(deadline=None)
@given(WORDS, WORDS)
def test_f1_is_symmetric_and_within_the_unit_interval(one: str, other: str) -> None:
    assert token_f1(one, other) == token_f1(other, one)
    assert 0 <= token_f1(one, other) <= 1


@settings(deadline=None)
@given(WORDS, WORDS)
def test_f1_agrees_with_precision_and_recall(one: str, other: str) -> None:
    answer, accepted = normalize_answer(one).split(), normalize_answer(other).split()
    shared = sum((Counter(answer) & Counter(accepted)).values())
    expected = float(answer == accepted)
    if shared:
        precision, recall = shared / len(answer), shared / len(accepted)
        expected = 2 * precision * recall / (precision + recall)
    assert token_f1(one, other) == pytest.approx(expected)


def test_best_f1_is_that_of_the_nearest_accepted_answer() -> None:
    accepted = normalize_accepted(("NYC", "City of New York", "New York"))
    assert best_f1(["new", "york", "city"], accepted) == pytest.approx(6 / 7)
    assert best_f1(["paris"], ()) == 0


def test_an_accepted_answer_that_normalises_to_nothing_counts_only_alone() -> None:
    assert [one.normalized for one in normalize_accepted(("?", "The Band"))] == ["band"]
    assert [one.normalized for one in normalize_accepted(("?",))] == [""]
    assert [one.normalized for one in normalize_accepted(("The", "The Band"), squad=True)] == ["band"]
    assert [one.normalized for one in normalize_accepted(("The The",), squad=True)] == [""]


def test_accepted_answers_that_normalise_alike_are_kept_once() -> None:
    assert len(normalize_accepted(("The Band", "band!", "Ｂａｎｄ"))) == 1


def test_no_abstention_phrase_catches_nothing_at_all_or_a_plain_word() -> None:
    assert not is_phrase("", (*ABSTENTION_PHRASES, "the", ""))
    assert not is_phrase("na", ABSTENTION_PHRASES)  # sodium


@pytest.mark.parametrize(
    "text",
    [
        "I don’t know.",
        "I don't know!",
        "i dont know",
        "I DON＇T KNOW…",
        "“I don’t know”",
        "*Unknown*",
        "no idea。",
    ],
)
def test_a_phrase_is_matched_after_the_same_normalisation(text: str) -> None:
    assert is_phrase(normalize_answer(text), ABSTENTION_PHRASES)


@pytest.mark.parametrize(
    ("found", "answers", "expected"),
    [
        (" paris ", ("Paris",), True),
        ("the paris", ("Paris!",), True),
        ("A", ("a",), True),
        ("A", ("The",), False),
        ("C#", ("C++", "C"), False),
        ("*", ("?",), False),  # both normalise to nothing, and yet differ
        ("−5", ("-5",), True),
        ("", ("A",), False),
        ("+", ("+",), True),
        ("Rome", ("Paris", "rome"), True),
        ("Rome", (), False),
    ],
)
def test_a_part_of_a_reply_equals_an_accepted_answer(
    found: str, answers: tuple[str, ...], expected: bool
) -> None:
    assert equals_accepted(found, answers) is expected
