"""SQuAD's normalisation, token F1 and the comparison with accepted answers."""

from __future__ import annotations

import re
import string
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
    ("text", "expected"),
    [
        ("The Beatles", "beatles"),
        ("  New \n York\t", "new york"),
        ("U.S.A.", "usa"),  # punctuation goes before articles: no "a" is left alone
        ("a.n. other", "other"),  # "a.n." becomes the article "an"
        ("rock-'n'-roll", "rocknroll"),
        ("theatre and analysis", "theatre and analysis"),  # articles are whole words
        ("A", ""),
        ("the a an", ""),
        ("", ""),
        ("!?", ""),
        ("Zoë’s", "zoë’s"),  # only ASCII punctuation is removed
        ("a–b", "–b"),  # a dash that is not ASCII ends a word
        ("ΑΣ", "ας"),
        ("İ", "i̇"),
        ("no\u00a0break", "no break"),
        ("\x00 \ud800 \u202eabc", "\x00 \ud800 \u202eabc"),
    ],
)
def test_normalisation_is_that_of_squad(text: str, expected: str) -> None:
    assert normalize_answer(text) == expected


@settings(deadline=None)
@given(st.text())
def test_normalisation_agrees_with_its_definition_step_by_step(text: str) -> None:
    lowered = "".join(one for one in text.lower() if one not in set(string.punctuation))
    assert normalize_answer(text) == " ".join(re.sub(r"\b(a|an|the)\b", " ", lowered).split())


@settings(deadline=None)
@given(st.text())
def test_normalisation_is_idempotent(text: str) -> None:
    assert normalize_answer(normalize_answer(text)) == normalize_answer(text)


@pytest.mark.parametrize(
    ("answer", "accepted", "expected"),
    [
        ("Paris", "paris.", 1.0),
        ("London", "Paris", 0.0),
        ("in Paris", "Paris", 2 / 3),
        ("", "", 1.0),
        ("the", "a", 1.0),  # both are empty once normalised
        ("", "Paris", 0.0),
        ("Paris", "the", 0.0),
        ("big big cat", "big cat", 0.8),  # a token counts as often as both have it
        ("big cat", "big big cat", 0.8),
        ("big big", "big cat", 0.5),
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
    assert best_f1(
        "new york city", normalize_accepted(("NYC", "City of New York", "New York"))
    ) == pytest.approx(6 / 7)
    assert best_f1("paris", ()) == 0


def test_an_accepted_answer_that_normalises_to_nothing_counts_only_alone() -> None:
    assert [one.normalized for one in normalize_accepted(("The", "The The Band"))] == ["band"]
    assert [one.normalized for one in normalize_accepted(("The The",))] == [""]


def test_accepted_answers_that_normalise_alike_are_kept_once() -> None:
    assert len(normalize_accepted(("The Band", "band!"))) == 1


def test_no_abstention_phrase_catches_nothing_at_all_or_a_plain_word() -> None:
    assert not is_phrase("", (*ABSTENTION_PHRASES, "the", ""))
    assert not is_phrase("na", ABSTENTION_PHRASES)  # sodium


def test_an_apostrophe_counts_on_neither_side() -> None:
    for answer in ("i dont know", "i don’t know"):
        assert all(
            is_phrase(answer, (phrase,)) for phrase in ("I don't know", "I don’t know.", "i dont know")
        )


@pytest.mark.parametrize(
    ("found", "answers", "expected"),
    [
        (" paris ", ("Paris",), True),
        ("the paris", ("Paris!",), True),
        ("A", ("a",), True),
        ("A", ("The",), False),  # both normalise to nothing, and yet differ
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
