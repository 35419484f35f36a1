"""Multiple choice: the option that a reply names, by its letter or by its text."""

from __future__ import annotations

import dataclasses
import functools
import string
import unicodedata
from typing import ClassVar

from scripts.records import Item
from scripts.scorers.base import UNREAD, Score, is_abstention, is_unanswerable, judge, judge_nothing
from scripts.scorers.named_options import SEVERAL, Options, key, only_letter
from scripts.scorers.reading import Answer, Reading, find_answers
from scripts.scorers.text import ABSTENTION_PHRASES


@dataclasses.dataclass(frozen=True)
class MultipleChoice(Reading):
    r"""
    Read which option a reply chooses; several at once are wrong, and what names none is unread.

    An accepted answer is an option's letter or its text; a single letter is always a letter.

    Examples
    --------
    >>> item = Item("q1", "Which city?", ("Paris",), choices=("Rome", "Paris"))
    >>> replies = "B", "(b)", "B) Paris", "I weighed A.\nANSWER: B", "Paris", "A or B", "A city on the Seine"
    >>> [MultipleChoice().score(reply, item).correct for reply in replies]
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, nan]
    """

    abstention_phrases: tuple[str, ...] = ABSTENTION_PHRASES
    answer_index: bool = False
    """Whether the accepted answers are the options' numbers, counted from 0, instead of letters or texts."""
    _reads_a: ClassVar[bool] = False  # "A: Rome" is an option

    def score(self, text: str, item: Item) -> Score:
        """
        Score the `text` of a reply to `item`.

        Raises
        ------
        ValueError
            No accepted answer of an answerable item is one of its options: no reply could be right.
            Or it is a number and so is an option: the answer could be meant either way.
        """
        options = _options(item.choices, item.answers, by_index=self.answer_index)
        if not options.accepted and not is_unanswerable(item):
            raise ValueError(f"item {item.id!r}: {list(item.answers)} names none of {list(item.choices)}")
        answers = list(find_answers(unicodedata.normalize("NFKC", text), self))
        if not answers:
            return judge_nothing(item, abstains=self.empty_abstains)
        chosen, read = _choose(answers, options)
        abstained = any(is_abstention(answer.text, self.abstention_phrases) for answer in answers[:1])
        if chosen is None and not abstained:
            return UNREAD
        return judge(item, abstained=abstained, correct=chosen in options.accepted, read=read)


def _choose(answers: list[Answer], options: Options) -> tuple[str | None, str]:
    """Give the letter of the first answer that names one, and what was read: that letter, or the text."""
    for answer in answers:
        chosen = options.read(answer.text, announced=answer.is_announced)
        if chosen is not None:
            return chosen, answer.text if chosen == SEVERAL else chosen
    return None, answers[0].text


@functools.lru_cache(maxsize=2**16)
def _options(choices: tuple[str, ...], answers: tuple[str, ...], *, by_index: bool) -> Options:
    """Without choices any letter may be chosen, and an accepted text that is no letter is its own option."""
    letters = string.ascii_uppercase[: len(choices)] if choices else string.ascii_uppercase
    by_text: dict[str, str] = {}
    for letter, choice in zip(letters, choices, strict=False):
        text = key(choice)
        by_text[text] = SEVERAL if text in by_text else letter
    accepted = set()
    for answer in answers:
        only = only_letter(answer)
        text = key(answer)
        if by_index:
            accepted.add(_at_index(answer, letters))
        elif only is not None and only in letters:
            accepted.add(only)
        elif choices:
            accepted.add(by_text.get(text, SEVERAL))
        else:
            by_text[text] = text
            accepted.add(text)
    by_text.pop("", None)
    return Options(frozenset(letters), by_text, frozenset(accepted - {SEVERAL}))


def _at_index(answer: str, letters: str) -> str:
    digits = answer.strip()
    is_index = digits.isascii() and digits.isdigit() and int(digits) < len(letters)
    return letters[int(digits)] if is_index else SEVERAL
