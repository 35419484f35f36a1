"""Answers compared: equal to an accepted one, tokens shared with one, or an abstention."""

from __future__ import annotations

import functools
from collections import Counter
from typing import NamedTuple

from scripts.records import Item
from scripts.scorers.normalizing import normalize_answer, squad_normalize, tokenize

__all__ = [
    "ABSTENTION_PHRASES",
    "AcceptedAnswer",
    "best_f1",
    "equals_accepted",
    "find_alike",
    "is_phrase",
    "matches_accepted",
    "normalize_accepted",
    "normalize_answer",
    "normalized_tokens",
    "squad_normalize",
    "token_f1",
    "tokenize",
]

ABSTENTION_PHRASES = (
    "unknown",
    "unanswerable",
    "unsure",
    "not sure",
    "I'm not sure",
    "I am not sure",
    "don't know",
    "do not know",
    "I don't know",
    "I do not know",
    "idk",
    "no idea",
    "I have no idea",
    "no answer",
    "can't answer",
    "cannot answer",
    "can not answer",
    "I can't answer",
    "I cannot answer",
    "I can not answer",
    "not answerable",
    "cannot be answered",
    "the question cannot be answered",
    "cannot be determined",
    "it cannot be determined",
    "not enough information",
    "insufficient information",
)
"""What counts as an abstention when it is the whole answer; ``n/a`` would also catch sodium (Na)."""


class AcceptedAnswer(NamedTuple):
    """An accepted answer, normalised once for all the replies that it is compared with."""

    normalized: str
    tokens: tuple[str, ...]


@functools.lru_cache(maxsize=1024)
def normalize_accepted(answers: tuple[str, ...], *, squad: bool = False) -> tuple[AcceptedAnswer, ...]:
    """
    Normalise an item's accepted answers; the result is kept a while, as every replicate asks again.

    One that normalises to nothing is dropped unless there is no other, as SQuAD does: otherwise an
    empty reply would be right.

    Examples
    --------
    >>> [answer.normalized for answer in normalize_accepted(("The Band", "!"))]
    ['band']
    """
    normalize = squad_normalize if squad else normalize_answer
    normalized = [normalize(answer) for answer in answers]
    kept = dict.fromkeys(filter(None, normalized)) or dict.fromkeys(normalized)
    return tuple(AcceptedAnswer(text, tuple(text.split() if squad else tokenize(text))) for text in kept)


def is_phrase(normalized: str, phrases: tuple[str, ...]) -> bool:
    """
    Say whether a whole answer, already normalised, is one of the phrases as a user writes them.

    Examples
    --------
    >>> is_phrase("i dont know", ("I don’t know.",)), is_phrase("unknown pleasures", ("unknown",))
    (True, False)
    """
    return normalized in _normalize_phrases(phrases)


@functools.lru_cache(maxsize=1024)
def normalized_tokens(text: str, *, squad: bool = False) -> frozenset[str]:
    """
    Give the distinct tokens of a long text that many answers are compared with.

    Examples
    --------
    >>> sorted(normalized_tokens("The cat, the hat"))
    ['cat', 'hat']
    """
    return frozenset(squad_normalize(text).split() if squad else tokenize(normalize_answer(text)))


def best_f1(tokens: list[str], accepted: tuple[AcceptedAnswer, ...]) -> float:
    """
    Give the best token F1 of an answer over the accepted answers.

    Parameters
    ----------
    tokens : list of str
        The tokens of the normalised answer.
    accepted : tuple of AcceptedAnswer
        The item's accepted answers, normalised alike.

    Examples
    --------
    >>> best_f1(["new", "york", "city"], normalize_accepted(("NYC", "New York")))
    0.8
    """
    return max((_token_f1(tokens, answer) for answer in accepted), default=0.0)


def token_f1(answer: str, accepted: str) -> float:
    """
    Give the F1 of the tokens that two answers share, each token as often as both have it.

    Two answers that normalise to nothing give 1; one of them gives 0.

    Notes
    -----
    ``2 * shared / (n_answer + n_accepted)``, the harmonic mean of precision and recall.

    Examples
    --------
    >>> token_f1("the big big cat", "a big cat"), token_f1("《红楼》", "红楼梦")
    (0.8, 0.8)
    """
    return best_f1(tokenize(normalize_answer(answer)), normalize_accepted((accepted,)))


def equals_accepted(found: str, answers: tuple[str, ...]) -> bool:
    """
    Say whether a part of a reply is an accepted answer.

    Unlike bare normalisation this tells marks such as "*" and "?" and nothing at all from each other.

    Examples
    --------
    >>> equals_accepted("*", ("*",)), equals_accepted("", ("*",)), equals_accepted("the cat", ("Cat!",))
    (True, False, True)
    """
    return matches_accepted(found, normalize_answer(found), answers)


def matches_accepted(found: str, normalized: str, answers: tuple[str, ...]) -> bool:
    """
    Say whether a part of a reply, which is already normalised as well, is an accepted answer.

    Examples
    --------
    >>> matches_accepted("The cat", "cat", ("Cat!",)), matches_accepted("*", "", ("*",))
    (True, True)
    """
    if normalized and any(normalized == one.normalized for one in normalize_accepted(answers)):
        return True
    bare = found.strip().casefold()
    return any(bare == answer.strip().casefold() for answer in answers)


def find_alike(item: Item, *, squad: bool = False) -> tuple[str, str] | None:
    """
    Find two options of an item, or two accepted answers, that differ and yet become the same text.

    Two ways to write one answer ("Paris", "paris.") are meant so; SQuAD's normalisation makes one text of
    different answers, too.

    Examples
    --------
    >>> find_alike(Item("q1", "Which?", ("Rome",), choices=("Rome", "Paris", "ROME")))
    ('Rome', 'ROME')
    >>> item = Item("q2", "Which?", ("C++", "C#"))
    >>> find_alike(item), find_alike(item, squad=True)
    (None, ('C++', 'C#'))
    """
    normalize = squad_normalize if squad else normalize_answer
    seen: dict[str, str] = {}
    for choice in item.choices:
        key = normalize(choice) or choice.strip().casefold()
        if key in seen:
            return seen[key], choice
        seen[key] = choice
    accepted: dict[str, str] = {}
    for answer in item.answers if squad else ():
        other = accepted.setdefault(squad_normalize(answer), answer)
        if normalize_answer(other) != normalize_answer(answer):
            return other, answer
    return None


@functools.lru_cache(maxsize=64)
def _normalize_phrases(phrases: tuple[str, ...]) -> frozenset[str]:
    return frozenset(normalize_answer(phrase) for phrase in phrases) - {""}


def _token_f1(tokens: list[str], accepted: AcceptedAnswer) -> float:
    if not tokens or not accepted.tokens:
        return float(len(tokens) == len(accepted.tokens))
    if frozenset(tokens).isdisjoint(accepted.tokens):  # as most wrong answers are: nothing to count
        return 0.0
    n_shared = (Counter(tokens) & Counter(accepted.tokens)).total()
    return 2 * n_shared / (len(tokens) + len(accepted.tokens))
