"""Labels: which class a reply assigns."""

from __future__ import annotations

import dataclasses
import functools
import re

from scripts.records import Item
from scripts.scorers.base import UNREAD, Score, is_abstention, is_unanswerable, judge, judge_nothing
from scripts.scorers.reading import Answer, Reading, find_answers
from scripts.scorers.text import ABSTENTION_PHRASES, normalize_answer, tokenize

MAX_SHORT = 80
"""A line of so many characters may be a label that is none of those allowed."""

MAX_CHARACTERS = 20_000
"""Only so much of an answer's beginning and end is searched for a label."""

_JOINED = re.compile(r"(?<=\w)[-_‐‑–]+(?=\w)")
_LEAD_END = re.compile(r"[.,:;!?—–(]|\s-\s")
_DENIALS = ("not", "isnt", "never", "neither", "nor", "nicht", "kein", "keine", "pas", "non")


@dataclasses.dataclass(frozen=True)
class Label(Reading):
    """
    Read the label that a reply names; an answer that is none of the labels is wrong.

    `read` is the label as the configuration or the dataset writes it, so that figures per class can be
    made of it, or the answer's text where it is none.

    Examples
    --------
    >>> item = Item("q1", "Great film!", ("positive",))
    >>> scorer = Label(labels=("positive", "negative", "neutral"))
    >>> replies = "Positive.", "**Label:** positive", "The review is positive, I think.", "mixed"
    >>> [(score.read, score.correct) for score in (scorer.score(reply, item) for reply in replies)]
    [('positive', 1.0), ('positive', 1.0), ('positive', 1.0), ('mixed', 0.0)]
    """

    labels: tuple[str, ...] = ()
    """The labels; without them the dataset's own accepted answers."""
    abstention_phrases: tuple[str, ...] = ABSTENTION_PHRASES

    def __post_init__(self) -> None:
        super().__post_init__()
        _by_key(self.labels)

    def label_of(self, text: str) -> str | None:
        """
        Find the label that a text is, as the configuration or the dataset writes it; None: it is none.

        Examples
        --------
        >>> Label(labels=("Spam", "Ham")).label_of("SPAM")
        'Spam'
        """
        return _by_key(self.labels).get(_key(text))

    def score(self, text: str, item: Item) -> Score:
        """
        Score the `text` of a reply to `item`.

        Raises
        ------
        ValueError
            An accepted answer is none of the labels.
        """
        labels = _by_key(self.labels or item.choices or item.answers)
        accepted = {labels.get(_key(answer)) for answer in item.answers}
        if None in accepted and not is_unanswerable(item):
            raise ValueError(
                f"item {item.id!r}: {list(item.answers)} is none of the labels {', '.join(labels.values())}"
            )
        answers = list(find_answers(text, self))
        if not answers:
            return judge_nothing(item, abstains=self.empty_abstains)
        read = next(filter(None, (_read(answer, labels) for answer in answers)), None)
        if read is None and is_abstention(answers[0].text, self.abstention_phrases):
            return judge(item, abstained=True, correct=False, read=answers[0].text)
        if read is None:
            read = _outside(answers[0])
        if read is None:
            return UNREAD
        return judge(item, abstained=False, correct=read in accepted, read=read)


@functools.lru_cache(maxsize=2**14)
def _by_key(labels: tuple[str, ...]) -> dict[str, str]:
    """
    Give labels by what they are once normalised.

    Raises
    ------
    ValueError
        A label is blank, or two of them become the same text.
    """
    by_key: dict[str, str] = {}
    for label in labels:
        key = _key(label)
        if not key:
            raise ValueError(f"the label {label!r} shows no letter, digit or symbol")
        if by_key.setdefault(key, label) != label:
            raise ValueError(f"the labels {by_key[key]!r} and {label!r} become the same text")
    return by_key


def _key(text: str) -> str:
    """Normalise a label or a line; words joined by a hyphen or an underscore are words."""
    return " ".join(tokenize(normalize_answer(_JOINED.sub(" ", text))))


def _read(answer: Answer, labels: dict[str, str]) -> str | None:
    """Read the label that an answer is, begins or ends with as a line, or is the only one to name."""
    lines = [line for line in answer.text[:MAX_CHARACTERS].split("\n") if line.strip()]
    if len(answer.text) > MAX_CHARACTERS:
        lines += [line for line in answer.text[-MAX_CHARACTERS:].split("\n")[1:] if line.strip()]
    if not lines:
        return None
    first = labels.get(_key(lines[0])) or labels.get(_key(_LEAD_END.split(lines[0], maxsplit=1)[0]))
    chosen = {label for label in (first, labels.get(_key(lines[-1]))) if label is not None}
    if not chosen:
        chosen = set().union(*(_named(_key(line), labels) for line in lines))
    return chosen.pop() if len(chosen) == 1 else None


def _named(normalized: str, labels: dict[str, str]) -> set[str]:
    """Find the labels that occur as words, the longer before what it contains, and none that is denied."""
    pattern = _pattern(tuple(sorted(labels, key=len, reverse=True)))
    return {labels[found[0]] for found in pattern.finditer(normalized)}


@functools.lru_cache(maxsize=2**10)
def _pattern(keys: tuple[str, ...]) -> re.Pattern[str]:
    undenied = "".join(rf"(?<!(?<!\S){word} )" for word in _DENIALS)
    return re.compile(rf"(?<!\S){undenied}(?:{'|'.join(map(re.escape, keys))})(?!\S)")


def _outside(answer: Answer) -> str | None:
    """Take a short line for a label that is not allowed."""
    text = answer.text.strip()
    return text if text and "\n" not in text and len(text) <= MAX_SHORT else None
