"""Multiple choice: the option that a reply names, by its letter or by its text."""

from __future__ import annotations

import dataclasses
import functools
import string
import unicodedata
from collections.abc import Iterator
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
    answer_index: bool | None = None
    """Whether the accepted answers are numbers of options; None: no, unless that would be a guess."""
    first_index: int = 0
    """The number of the first option, 0 or 1."""
    _reads_a: ClassVar[bool] = False  # "A: Rome" is an option

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.first_index not in {0, 1}:
            raise ValueError(f"first_index is {self.first_index}, but must be 0 or 1")

    def score(self, text: str, item: Item) -> Score:
        """
        Score the `text` of a reply to `item`.

        Raises
        ------
        ValueError
            No accepted answer of an answerable item is one of its options: no reply could be right.
            Or it is a number, and may be meant for the option that is called so or for one's place.
        """
        answers = () if is_unanswerable(item) else item.answers
        try:
            options = _options(item.choices, answers, self.answer_index, self.first_index)
        except ValueError as error:
            raise ValueError(f"item {item.id!r}: {error}") from None
        found = list(find_answers(unicodedata.normalize("NFKC", text), self))
        if not found:
            return judge_nothing(item, abstains=self.empty_abstains)
        chosen, read = _choose(found, options)
        abstained = is_abstention(found[0].text, self.abstention_phrases)
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
def _options(
    choices: tuple[str, ...], answers: tuple[str, ...], answer_index: bool | None, first_index: int
) -> Options:
    """
    Match the accepted answers with the options.

    Without choices any letter may be chosen, and an accepted text that is no letter is its own option.
    """
    if len(choices) > len(string.ascii_uppercase):
        raise ValueError(f"{len(choices)} options, but only 26 letters")
    letters = string.ascii_uppercase[: len(choices)] if choices else string.ascii_uppercase
    by_text: dict[str, str] = {}
    for letter, choice in zip(letters, choices, strict=False):
        text = key(choice)
        by_text[text] = SEVERAL if text in by_text else letter
    if answer_index:
        accepted = {_at_index(answer, letters, first_index) for answer in answers}
    else:
        if answer_index is None and choices:
            _refuse_guess(choices, answers, by_text)
        accepted = set(_by_letter_or_text(answers, letters, by_text, is_open=not choices))
    accepted.discard(SEVERAL)
    if answers and not accepted:
        raise ValueError(f"{list(answers)} names none of {list(choices)}{_hint(answers)}")
    by_text.pop("", None)
    return Options(frozenset(letters), by_text, frozenset(accepted))


def _at_index(answer: str, letters: str, first_index: int) -> str:
    """Give the letter of the option at a number; `SEVERAL` where none has it."""
    index = int(answer) - first_index if _is_number(answer) else -1
    return letters[index] if 0 <= index < len(letters) else SEVERAL


def _by_letter_or_text(
    answers: tuple[str, ...], letters: str, by_text: dict[str, str], *, is_open: bool
) -> Iterator[str]:
    for answer in answers:
        only, text = only_letter(answer), key(answer)
        if only is not None and only in letters:
            yield only
        elif is_open:
            yield by_text.setdefault(text, text)
        else:
            yield by_text.get(text, SEVERAL)


def _refuse_guess(choices: tuple[str, ...], answers: tuple[str, ...], by_text: dict[str, str]) -> None:
    """Refuse a number that is one option's text and may be another one's place."""
    for answer in answers:
        named = by_text.get(key(answer)) if _is_number(answer) else None
        number = int(answer) if named else len(choices) + 1
        if number <= len(choices) and named != string.ascii_uppercase[number : number + 1]:
            raise ValueError(
                f"the answer {answer} may mean the option {answer!r} or, counted from 0 or 1, another one of "
                f"{list(choices)}: write its letter, or set answer_index: true (the answers are numbers; "
                "first_index: 1 if they begin with 1) or answer_index: false (they are texts)"
            )


def _is_number(answer: str) -> bool:
    digits = answer.strip()
    return digits.isascii() and digits.isdigit() and len(digits) < 4


def _hint(answers: tuple[str, ...]) -> str:
    if any(map(_is_number, answers)):
        return (
            "; if these are numbers of options, set answer_index: true (first_index: 1 if they begin with 1)"
        )
    return ""
