"""The scorer that runs a user's regular expression."""

from __future__ import annotations

import math
import signal

import pytest

from scripts.errors import DataError
from scripts.records import Item
from scripts.scorers import regex
from scripts.scorers.base import NO_TEXT, UNREAD, Score
from scripts.scorers.regex import MAX_CHARACTERS, Regex

ITEM = Item("q1", "Which city?", ("Paris",))


@pytest.mark.parametrize(
    ("pattern", "text", "correct"),
    [
        (r"city: (\w+)", "city: Paris", 1.0),
        (r"city: (\w+)", "city: Rome, city: the Paris", 0.0),
        (r"city: (.+)", "city: the paris!", 1.0),  # compared as normalised
        (r"city: (\w+)", "city: Rome city: Paris", 1.0),  # the last match
        (r"(?i)city: (\w+)", "CITY: PARIS", 1.0),
        (r"(in|at) (?P<answer>\w+)", "in Paris", 1.0),
        (r"city: (\w+)|end", "city: Paris end", 1.0),  # a match in which the group took no part
        (r"city: (\w+)", "city: Paris<|im_end|>\ncity: Rome", 1.0),  # what follows is no part of the reply
        (r"city: (\w+)", "city: Paris <think>city: Rome</think>", 1.0),
        (r"Seine|Eiffel", "on the Seine", 1.0),  # no group: a match is enough
        (r"Seine|Eiffel", "on the Tiber", 0.0),
        (r"(?m)^B$", "first\nB\nlast", 1.0),
    ],
)
def test_what_is_captured_last_is_the_answer(pattern: str, text: str, correct: float) -> None:
    score = Regex(pattern).score(text, ITEM)
    assert (score.correct, score.abstained, score.unread) == (correct, 0.0, 0.0)


@pytest.mark.parametrize(
    ("pattern", "text", "read"),
    [
        (r"city: (\w+)", "city: Rome, city: the Paris", "the"),
        (r"(?P<word>in|at) (?P<answer>\w+)", "in Paris", "Paris"),
        (r"Sei(?:ne)", "on the Seine", "Seine"),
        (r"Seine", "on the Tiber", "on the Tiber"),
        (r"(\w+)", "unknown", "unknown"),
    ],
)
def test_what_is_captured_is_what_was_read(pattern: str, text: str, read: str) -> None:
    assert Regex(pattern).score(text, ITEM).read == read


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"city: (\w+)", "City: Paris"),
        (r"city: (\w*)", "city: "),
        (r"^([A-F]?)", "-"),
        (r"end|city: (\w+)", "the end"),
    ],
)
def test_a_text_of_which_nothing_is_captured_is_unread(pattern: str, text: str) -> None:
    assert Regex(pattern).score(text, ITEM) == UNREAD


def test_a_captured_article_is_an_answer() -> None:
    item = Item("q1", "Which grade?", ("A",))
    assert Regex(r"([A-F])").score("A", item) == Score(1.0, math.nan, 0.0, math.nan, math.nan, 0.0, "A")


def test_an_abstention_is_seen_whatever_the_pattern_captures() -> None:
    assert Regex(r"(\w+)").score("unknown", ITEM).abstained == 1.0
    assert Regex(r"city: (\w+)").score("unknown", ITEM).abstained == 1.0
    assert Regex(r"(\w+)").score("Unknown.", Item("q2", "Which?", ())) == Score(
        1.0, math.nan, 1.0, 0.0, math.nan, 0.0, "Unknown."
    )


def test_a_reply_without_a_text_matches_nothing() -> None:
    assert Regex(r".*").score("<think>Paris</think>", ITEM) == NO_TEXT
    assert Regex(r".*", drop_thoughts=False).score("<think>Paris</think>", ITEM).correct == 1.0
    assert Regex(r".*", empty="abstained").score("", ITEM).abstained == 1.0


def test_only_the_end_of_a_long_reply_is_searched() -> None:
    assert Regex("Paris").score("Paris" + "." * MAX_CHARACTERS, ITEM).correct == 0.0
    assert Regex("Paris").score("." * MAX_CHARACTERS + "Paris", ITEM).correct == 1.0


@pytest.mark.parametrize(("pattern", "position"), [("(a", 0), ("a[", 1), ("ab(?<n>c)", 3)])
def test_a_pattern_that_does_not_compile_is_reported_with_its_position(pattern: str, position: int) -> None:
    with pytest.raises(ValueError, match=rf"is not a valid regular expression: .* at position {position}"):
        Regex(pattern)


def test_a_pattern_beyond_all_bounds_is_reported() -> None:
    with pytest.raises(
        ValueError, match="is not a valid regular expression: the repetition number is too large"
    ):
        Regex("a{99999999999999}")


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"^(\w+\s?)*$", r"(?P<answer>(a|aa)+)$"])
def test_a_pattern_that_backtracks_for_ever_ends_with_its_name(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regex, "MAX_SECONDS", 0.2)
    with pytest.raises(DataError) as caught:
        Regex(pattern).score("a" * 5_000 + "!", Item("q7", "Which?", ("a",)))
    assert f"the pattern {pattern!r} takes longer than 0.2 seconds on one reply" in str(caught.value)
    assert "item 'q7'" in caught.value.where
    assert Regex("b").score("b", Item("q7", "Which?", ("b",))).correct == 1  # the timer is off
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)
