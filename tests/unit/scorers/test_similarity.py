"""ROUGE-L and chrF."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.records import Item
from scripts.scorers.base import NO_TEXT
from scripts.scorers.similarity import Similarity, chrf, rouge_l

ITEM = Item("q1", "Summarise.", ("the cat sat on the mat",))


def test_a_reply_gets_both_and_is_neither_right_nor_wrong() -> None:
    score = Similarity().score("<think>hm</think>The cat sat on the mat.", ITEM)
    assert math.isnan(score.correct)
    assert (score.abstained, score.unread, score.read) == (0.0, 0.0, "The cat sat on the mat.")
    assert score.more["rouge_l"] == 1.0
    assert 0.5 < score.more["chrf"] < 1.0  # the capital and the point count there


@pytest.mark.parametrize(
    ("text", "references", "expected"),
    [
        # Lin 2004, section 3.1: precision = recall = 3/4, and 2/4.
        ("police kill the gunman", ("police killed the gunman",), 0.75),
        ("the gunman kill police", ("police killed the gunman",), 0.5),
        ("the gunman police killed", ("police killed the gunman",), 0.5),
        ("A B C D", ("a, b",), 2 / 3),
        ("x", ("y", "x"), 1.0),
        ("", ("x",), 0.0),
        ("红楼梦", ("红楼",), 0.8),
        ("Cafe\u0301 noir", ("café, noir",), 1.0),
    ],
)
def test_rouge_l(text: str, references: tuple[str, ...], expected: float) -> None:
    assert rouge_l(text, references) == pytest.approx(expected)


@settings(deadline=None, max_examples=30)
@given(
    st.text(alphabet="ab cd_,.-12", max_size=40),
    st.text(alphabet="ab cd_,.-12", min_size=1, max_size=40),
)
def test_rouge_l_is_that_of_the_package_where_texts_are_ascii(text: str, reference: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    expected = RougeScorer(["rougeL"]).score(reference, text)["rougeL"].fmeasure
    assert rouge_l(text, (reference,)) == pytest.approx(expected)


def test_chrf_takes_the_best_reference_and_one_form_of_a_letter() -> None:
    assert chrf("Café", ("Cafe\u0301", "x")) == 1.0
    assert chrf("abc", ("xyz",)) == 0.0
    assert chrf("the cat", ("the cat", "a dog")) > chrf("the cat", ("a dog",))


def test_nothing_is_no_answer_and_an_unanswerable_item_wants_an_abstention() -> None:
    nobody = Item("q2", "?", ())
    assert Similarity().score(" ", ITEM) == NO_TEXT
    assert Similarity().score("Unknown", nobody).correct == 1.0
    score = Similarity().score("A text", nobody)
    assert (score.correct, dict(score.more)) == (0.0, {})


@pytest.mark.parametrize("text", ["a " * 10**6, "红" * 10**6, "\x00" * 10**6])
def test_a_hostile_reply_takes_no_time(text: str) -> None:
    assert set(Similarity().score(text, ITEM).more) == {"rouge_l", "chrf"}
