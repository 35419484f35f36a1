"""A user's own regular expression: the answer is what it captures, or whether it matches at all."""

from __future__ import annotations

import dataclasses
import re

from scripts.errors import DataError
from scripts.records import Item
from scripts.scorers.base import Score, is_abstention, judge
from scripts.scorers.text import ABSTENTION_PHRASES, equals_accepted
from scripts.scorers.time_limit import TooSlowError, time_limit

MAX_CHARACTERS = 100_000
"""Only so much of a reply's end is searched."""

MAX_SECONDS = 2.0
"""How long a pattern may compute on one reply."""


@dataclasses.dataclass(frozen=True)
class Regex:
    r"""
    Compare what `pattern` captures last in a reply with the accepted answers.

    The group ``answer`` counts, or else the first one. A pattern without groups makes an answer right
    by matching anywhere, whatever the accepted answers are.

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
        pattern = re.compile(self.pattern)
        searched = text[-MAX_CHARACTERS:]
        if pattern.groups:
            found = _last_capture(pattern, searched)
            correct = found is not None and equals_accepted(found, item.answers)
            was_read = bool(found and found.strip())
        else:
            correct = was_read = pattern.search(searched) is not None
        was_read = was_read and bool(text.strip())
        abstained = is_abstention(text, self.abstention_phrases, was_read=was_read)
        return judge(item, abstained=abstained, correct=correct)


def _last_capture(pattern: re.Pattern[str], text: str) -> str | None:
    """Give the last capture; a match whose group took no part captures nothing."""
    group = pattern.groupindex.get("answer", 1)
    found: str | None = None
    for match in pattern.finditer(text):
        capture: str | None = match[group]
        found = found if capture is None else capture
    return found
