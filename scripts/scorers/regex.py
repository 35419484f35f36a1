"""A user's own regular expression: the answer is what it captures, or whether it matches at all."""

from __future__ import annotations

import dataclasses
import re

from scripts.errors import DataError
from scripts.records import Item
from scripts.scorers.base import UNREAD, Score, is_abstention, judge, judge_nothing
from scripts.scorers.reading import Trimming
from scripts.scorers.text import ABSTENTION_PHRASES, equals_accepted
from scripts.scorers.time_limit import TooSlowError, time_limit

MAX_CHARACTERS = 100_000
"""Only so much of a reply's end is searched."""

MAX_SECONDS = 2.0
"""How long a pattern may compute on one reply."""


@dataclasses.dataclass(frozen=True)
class Regex(Trimming):
    r"""
    Compare what `pattern` captures last in a reply with the accepted answers.

    The group ``answer`` counts, or else the first one. A pattern without groups makes an answer right
    by matching anywhere, whatever the accepted answers are.  Thoughts and end tokens are not searched.

    Raises
    ------
    ValueError
        The pattern does not compile; says where.

    Examples
    --------
    >>> item = Item("q1", "Which city?", ("Paris",))
    >>> Regex(r"(?i)city: *(\w+)").score("City: Rome? No, city: Paris!", item).correct
    1.0
    """

    pattern: str
    """A Python regular expression, with its flags inline: ``(?im)``."""
    abstention_phrases: tuple[str, ...] = ABSTENTION_PHRASES

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            re.compile(self.pattern)
        except (re.error, OverflowError) as error:
            raise ValueError(
                f"pattern {self.pattern!r} is not a valid regular expression: {error}"
            ) from error

    def score(self, text: str, item: Item) -> Score:
        """
        Score the `text` of a reply to `item`.

        Raises
        ------
        DataError
            If the pattern does not come to an end.
        """
        try:
            with time_limit(MAX_SECONDS):
                return self._score(text, item)
        except TooSlowError:
            raise DataError(
                f"the pattern {self.pattern!r:.200} takes longer than {MAX_SECONDS:g} seconds on one reply",
                where=f"scorer regex, item {item.id!r}",
                fix="Let no repetition stand within another, as in (a+)+, and no alternatives begin alike.",
            ) from None

    def _score(self, text: str, item: Item) -> Score:
        trimmed = self.trim(text).text
        if not trimmed:
            return judge_nothing(item, abstains=self.empty_abstains)
        pattern = re.compile(self.pattern)
        searched = trimmed[-MAX_CHARACTERS:]
        read: str | None
        if pattern.groups:
            read = _last_capture(pattern, searched)
            correct = read is not None and equals_accepted(read, item.answers)
        else:
            found = pattern.search(searched)
            read, correct = (found[0] if found else trimmed), found is not None
        if is_abstention(trimmed, self.abstention_phrases):
            return judge(item, abstained=True, correct=correct, read=trimmed)
        if read is None or (pattern.groups and not read.strip()):
            return UNREAD
        return judge(item, abstained=False, correct=correct, read=read)


def _last_capture(pattern: re.Pattern[str], text: str) -> str | None:
    """Give the last capture; a match whose group took no part captures nothing."""
    group = pattern.groupindex.get("answer", 1)
    found: str | None = None
    for match in pattern.finditer(text):
        capture: str | None = match[group]
        found = found if capture is None else capture
    return found
