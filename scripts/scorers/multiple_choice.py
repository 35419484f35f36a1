"""Multiple choice: the option that a reply names, by its letter or by its text."""

from __future__ import annotations

import dataclasses
import functools
import re
import string
from collections import deque

from scripts.records import Item
from scripts.scorers.base import Score, is_abstention, is_unanswerable, judge
from scripts.scorers.text import ABSTENTION_PHRASES, normalize_answer

_N_MARKERS = 8
_N_CHARACTERS = 2_000
"""How much of one line is read: longer than any option, and a limit on the work for a hostile reply."""

_MARKER = re.compile(r"(?i)\b(?:answer|choice|option)[*_ ]{0,4}(?:\bis\b[*_]{0,4}:?|:)")
# Brackets, Markdown and LaTeX around the letter; possessive, so that none of it is tried twice.
_OPENING = (
    r"[\W_]*+(?i:(?:option|choice|letter)\b[\W_]*+)?+(?:(?:boxed|text|textbf|mathrm|mathbf)\{[\W_]*+)*+"
)
_ONLY_LETTER = re.compile(_OPENING + r"([A-Za-z])[\W_]*+")
_LABELLED = re.compile(_OPENING + r"(?:([A-Z])[*_]*+[])}.:,;*]|([a-z])[*_]*+[])}.:])[])}.:*_]*+(?:\s(.*+)|$)")
_LETTER_AND_TEXT = re.compile(_OPENING + r"([A-Z])[])}*_]*+\s++(.*+)")
_SEVERAL = re.compile(
    _OPENING
    + r"[A-Z][])}*_]*+\s*+(?:,|/|&|and\b|or\b)(?:\s*+(?:and|or)\b)?+[\W_]*+(?!I\s+[a-z])([A-Z])(?!['’]?\w)"
)


@dataclasses.dataclass(frozen=True)
class MultipleChoice:
    r"""
    Read which option a reply chooses; what cannot be read, or is ambiguous, is wrong.

    An accepted answer is an option's letter or its text; a single letter is always a letter.

    Examples
    --------
    >>> item = Item("q1", "Which city?", ("Paris",), choices=("Rome", "Paris"))
    >>> replies = "B", "(b)", "B) Paris", "I weighed A.\nANSWER: B", "Paris", "A city on the Seine"
    >>> [MultipleChoice().score(reply, item).correct for reply in replies]
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.0]
    """

    abstention_phrases: tuple[str, ...] = ABSTENTION_PHRASES

    def score(self, text: str, item: Item) -> Score:
        """
        Score the `text` of a reply to `item`.

        Raises
        ------
        ValueError
            No accepted answer of an answerable item is one of its options: no reply could be right.
        """
        options = _options(item.choices, item.answers)
        if not options.accepted and not is_unanswerable(item):
            raise ValueError(f"item {item.id!r}: {list(item.answers)} names none of {list(item.choices)}")
        chosen = options.read(text)
        return judge(
            item,
            abstained=is_abstention(text, self.abstention_phrases, was_read=chosen is not None),
            correct=chosen in options.accepted,
        )


@dataclasses.dataclass(frozen=True)
class _Options:
    """The options of one item, as a reply may name them."""

    letters: frozenset[str]
    by_text: dict[str, str]
    """Letter by normalised text; empty for a text that two options share."""
    accepted: frozenset[str]

    def read(self, text: str) -> str | None:
        """
        Read the letter chosen: after the last marker that can be read, else in the first or last line.

        Empty where more than one option is named, None where nothing can be read.
        """
        for marker in reversed(deque(_MARKER.finditer(text), maxlen=_N_MARKERS)):
            chosen = self.read_line(_line(text, marker.end()), marked=True)
            if chosen is not None:
                return chosen
        bare = text.strip()
        first = self.read_line(_line(bare, 0))
        if "\n" not in bare:
            return first
        last = self.read_line(_line(bare, bare.rfind("\n") + 1))
        if first is None or last is None:
            return last if first is None else first
        return first if first == last else ""

    def read_line(self, line: str, *, marked: bool = False) -> str | None:
        """Read the letter chosen in a line; `marked` says that an announcement precedes it."""
        if only := _ONLY_LETTER.fullmatch(line):
            return self._known(only[1])
        normalized = _key(line)
        if normalized in self.by_text:
            return self.by_text[normalized]
        if (several := _SEVERAL.match(line)) and self._known(several[1]):
            return ""
        if labelled := _LABELLED.match(line):
            letter = self._known(labelled[1] or labelled[2])
            named = self.by_text.get(_key(labelled[3] or ""), letter)
            return letter if named == letter else ""
        spaced = _LETTER_AND_TEXT.match(line)
        letter = self._known(spaced[1]) if spaced else None
        if spaced and letter and (marked or self.by_text.get(_key(spaced[2])) == letter):
            return letter
        return self._begun_with(normalized) if marked else None

    def _known(self, letter: str) -> str | None:
        return letter.upper() if letter.upper() in self.letters else None

    def _begun_with(self, normalized: str) -> str | None:
        """Find the longest option that an announced answer begins with: "Paris, since ..."."""
        begun = [text for text in self.by_text if normalized.startswith(f"{text} ")]
        return self.by_text[max(begun, key=len)] if begun else None


@functools.lru_cache(maxsize=2**16)
def _options(choices: tuple[str, ...], answers: tuple[str, ...]) -> _Options:
    """Without choices any letter may be chosen, and an accepted text that is no letter is its own option."""
    letters = string.ascii_uppercase[: len(choices)] if choices else string.ascii_uppercase
    by_text: dict[str, str] = {}
    for letter, choice in zip(letters, choices, strict=False):
        text = _key(choice)
        by_text[text] = "" if text in by_text else letter
    accepted = set()
    for answer in answers:
        only = _ONLY_LETTER.fullmatch(answer)
        text = _key(answer)
        if only and only[1].upper() in letters:
            accepted.add(only[1].upper())
        elif choices:
            accepted.add(by_text.get(text, ""))
        else:
            by_text[text] = text
            accepted.add(text)
    by_text.pop("", None)
    return _Options(frozenset(letters), by_text, frozenset(accepted - {""}))


def _key(text: str) -> str:
    """Normalise an option, except one such as "+" of which nothing would be left."""
    return normalize_answer(text) or text.strip().casefold()


def _line(text: str, start: int) -> str:
    """Give the first line from `start` that shows something, as far as it is read."""
    window = text[start : start + _N_CHARACTERS].lstrip(" \t\r\n*_:")
    return window.partition("\n")[0]
