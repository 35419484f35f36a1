"""The scorer of classes."""

from __future__ import annotations

import math

import pytest

from scripts.records import Item
from scripts.scorers import build_scorer
from scripts.scorers.base import NO_TEXT, UNREAD
from scripts.scorers.label import Label

SENTIMENTS = ("positive", "negative", "neutral")
ITEM = Item("q1", "Great film!", ("positive",))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("positive", "positive"),
        ("Positive.", "positive"),
        ("**POSITIVE**", "positive"),
        ('"negative"', "negative"),
        ("Label: negative", "negative"),
        ("The answer is neutral.", "neutral"),
        ("Final answer: negative", "negative"),
        ("\\boxed{neutral}", "neutral"),
        ('{"answer": "neutral", "confidence": 0.7}', "neutral"),
        ("<think>positive?</think>negative", "negative"),
        ("The review is positive, I think.", "positive"),
        ("I would call it positive", "positive"),
        ("Negative. There are some positive remarks, too.", "negative"),
        ("Negative - although a positive word occurs", "negative"),
        ("negative\n\nIt is not positive, since ...", "negative"),
        ("There is praise and blame.\nSome is positive.\n\nneutral", "neutral"),
        ("It is not positive but negative.", "negative"),
        ("mixed", "mixed"),  # an answer, but none of the labels
        ("Answer: mixed feelings", "mixed feelings"),
        ("positive or negative", "positive or negative"),
        ("positively great", "positively great"),  # whole words
        ("positive\nnegative", None),
        ("It may be positive.\nIt may be negative.", None),
        ("This is hard to say.\nIt depends on a lot of things.", None),
    ],
)
def test_the_label_of_a_reply_is_read(text: str, read: str | None) -> None:
    score = Label(labels=SENTIMENTS).score(text, ITEM)
    if read is None:
        assert score == UNREAD
    else:
        assert (score.read, score.correct, score.unread) == (read, float(read == "positive"), 0.0)


@pytest.mark.parametrize(
    ("labels", "text", "read"),
    [
        (("entailment", "not_entailment"), "not entailment", "not_entailment"),
        (("entailment", "not_entailment"), "It is not-entailment here", "not_entailment"),
        (("entailment", "not_entailment"), "It is entailment here", "entailment"),
        (("entailment", "neutral"), "Not entailment", "Not entailment"),
        (("(A)", "(B)"), "The answer is (B).", "(B)"),
        (("(A)", "(B)"), "B", "(B)"),
        (("True", "False"), "So the answer is False.", "False"),
        (("1", "2", "3"), "2.", "2"),
        (("-1", "0", "1"), "−1", "-1"),
        (("-1", "0", "1"), "1", "1"),
        (("World", "Sci/Tech"), "sci/tech", "Sci/Tech"),
        (("正面", "负面"), "这是负面的。", "负面"),
        (("yes", "no", "unknown"), "unknown", "unknown"),  # a label, not an abstention
        (("Yes", "No"), "No, it is not.", "No"),
        (("science fiction", "fiction"), "It is science fiction.", "science fiction"),
        (("C", "C++", "C#"), "It is C++ code", "C++"),
    ],
)
def test_labels_of_any_kind_are_read_as_they_are_written(
    labels: tuple[str, ...], text: str, read: str
) -> None:
    assert Label(labels=labels).score(text, Item("q1", "?", labels[:1])).read == read


def test_without_labels_those_of_the_item_count() -> None:
    choosing = Item("q1", "?", ("spam",), choices=("spam", "ham"))
    assert Label().score("It is ham, clearly", choosing).read == "ham"
    assert Label().score("ham", Item("q1", "?", ("spam",))).read == "ham"
    assert Label().score("SPAM!", Item("q1", "?", ("spam",))).correct == 1.0


def test_nothing_is_no_label_and_a_phrase_abstains() -> None:
    scorer = Label(labels=SENTIMENTS)
    assert scorer.score("", ITEM) == NO_TEXT
    score = scorer.score("I don't know", ITEM)
    assert (score.correct, score.abstained, score.unread) == (0.0, 1.0, 0.0)
    assert scorer.score("positive", Item("q2", "?", ())).false_answer == 1.0
    assert math.isnan(scorer.score("positive", ITEM).f1)


def test_a_label_that_does_not_exist_is_reported() -> None:
    with pytest.raises(ValueError, match=r"item 'q3': \['good'\] is none of the labels positive, negative"):
        Label(labels=SENTIMENTS).score("positive", Item("q3", "?", ("good",)))
    with pytest.raises(ValueError, match="the labels 'Spam' and 'spam!' become the same text"):
        build_scorer({"name": "label", "labels": ["Spam", "ham", "spam!"]})
    with pytest.raises(ValueError, match=r"the label '\.' shows no letter, digit or symbol"):
        Label(labels=(".",))


@pytest.mark.parametrize("text", ["positive " * 10**5, "positive\n" * 10**5, "not " * 10**5, "a" * 10**6])
def test_a_hostile_reply_takes_no_time(text: str) -> None:
    assert Label(labels=SENTIMENTS).score(text, ITEM).unread in {0.0, 1.0}
