"""What every scorer returns, and how abstentions and unanswerable items are scored."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Protocol

from scripts.records import Item
from scripts.scorers.reading.trimming import Trimmed
from scripts.scorers.text import is_phrase, normalize_answer


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """What one answer is worth; NaN where a metric does not apply, never 0."""

    correct: float
    """1 if the answer is right; on an unanswerable item 1 if it abstains."""
    f1: float = math.nan
    """Share of tokens in common with the best accepted answer; on an unanswerable item as `correct`."""
    abstained: float = math.nan
    """1 if the whole answer is empty or an abstention phrase."""
    false_answer: float = math.nan
    """1 if an unanswerable item was answered; NaN on answerable items."""
    unsupported: float = math.nan
    """1 if too little of the answer is found in the item's context; NaN without one or when abstained."""
    unread: float = math.nan
    """1 if there is a text but no answer in it, 0 if an answer was read; NaN without a text."""
    read: str | None = None
    """What the scorer took for the answer."""
    more: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Further metrics of a scorer, by name."""


NO_TEXT = Score(correct=math.nan)
"""The score of a reply without a text: none."""

UNREAD = Score(correct=math.nan, unread=1.0)
"""The score of a text in which no answer could be read: it is not wrong, it is unread."""


class Scorer(Protocol):
    """Anything that scores an answer, using only the text and the item."""

    @property
    def has_f1(self) -> bool:
        """Whether it gives F1."""
        ...

    def trim(self, text: str) -> Trimmed:
        """Leave out of a reply what is no part of its answer."""
        ...

    def score(self, text: str, item: Item) -> Score:
        """Score the `text` of a reply to `item`."""
        ...


def is_unanswerable(item: Item) -> bool:
    """
    Say whether abstaining is the only correct answer to an item.

    Examples
    --------
    >>> is_unanswerable(Item("q1", "Who?", ())), is_unanswerable(Item("q2", "Who?", ("Ada",)))
    (True, False)
    """
    return item.is_unanswerable or not item.answers


def is_abstention(text: str, phrases: tuple[str, ...]) -> bool:
    """
    Say whether a whole answer is an abstention.

    Parameters
    ----------
    text : str
        The whole answer: a phrase within an answer is not an abstention, nor is an answer that is empty.
    phrases : tuple of str
        The abstention phrases, as a user writes them.

    Examples
    --------
    >>> is_abstention("I don't know.", ("I don't know",)), is_abstention("Unknown Pleasures", ("unknown",))
    (True, False)
    """
    return is_phrase(normalize_answer(text), phrases)


def judge(
    item: Item,
    *,
    abstained: bool,
    correct: bool,
    read: str | None = None,
    f1: float = math.nan,
    unsupported: float = math.nan,
) -> Score:
    """
    Build the score of an answer that was read; for an unanswerable item, only the abstention counts.

    Parameters
    ----------
    item : Item
        The item that was answered.
    abstained, correct : bool
        Whether the reply abstains, and whether it is an accepted answer.
    read : str, optional
        What was taken for the answer.
    f1, unsupported : float
        NaN if the scorer has no such metric, even for unanswerable items.

    Examples
    --------
    >>> score = judge(Item("q1", "Who?", ()), abstained=True, correct=False, f1=0.0)
    >>> score.correct, score.f1, score.abstained, score.false_answer
    (1.0, 1.0, 1.0, 0.0)
    """
    if not is_unanswerable(item):
        return Score(float(correct), f1, float(abstained), math.nan, unsupported, 0.0, read)
    right = float(abstained)
    return Score(right, f1 if math.isnan(f1) else right, right, 1.0 - right, unsupported, 0.0, read)


def judge_nothing(item: Item, *, abstains: bool, f1: float = math.nan) -> Score:
    """
    Score a reply without a text: as an abstention where the scorer says so, else not at all.

    Examples
    --------
    >>> judge_nothing(Item("q1", "Who?", ()), abstains=True).correct
    1.0
    >>> judge_nothing(Item("q1", "Who?", ()), abstains=False) == NO_TEXT
    True
    """
    if not abstains:
        return NO_TEXT
    return dataclasses.replace(judge(item, abstained=True, correct=False, f1=f1), unread=math.nan)


def judge_unread(item: Item, *, f1: float = math.nan) -> Score:
    """
    Score a text in which no answer could be read as a wrong answer, for those who want it so.

    Examples
    --------
    >>> score = judge_unread(Item("q1", "Who?", ("Ada",)))
    >>> score.correct, score.unread, score.read
    (0.0, 1.0, None)
    """
    return dataclasses.replace(judge(item, abstained=False, correct=False, f1=f1), unread=1.0)
