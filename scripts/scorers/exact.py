"""Exact texts: the whole reply, character for character."""

from __future__ import annotations

import dataclasses

from scripts.records import Item
from scripts.scorers.base import Score, is_abstention, judge, judge_nothing
from scripts.scorers.reading import Trimming
from scripts.scorers.text import ABSTENTION_PHRASES


@dataclasses.dataclass(frozen=True)
class Exact(Trimming):
    r"""
    Compare the whole reply, without thoughts and end tokens, with the accepted answers as they are.

    Examples
    --------
    >>> item = Item("q1", "Translate to shell.", ("ls -l",))
    >>> [Exact().score(reply, item).correct for reply in ("ls -l\n", "ls  -l", "LS -l", "`ls -l`")]
    [1.0, 0.0, 0.0, 0.0]
    """

    strip: bool = True
    """Whether white space at both ends is left out."""
    case: bool = True
    """Whether upper and lower case differ."""
    abstention_phrases: tuple[str, ...] = ABSTENTION_PHRASES

    def score(self, text: str, item: Item) -> Score:
        """Score the `text` of a reply to `item`."""
        trimmed = self.trim(text).text
        if not trimmed:
            return judge_nothing(item, abstains=self.empty_abstains)
        read = trimmed if self.strip or trimmed != text.strip() else text
        return judge(
            item,
            abstained=is_abstention(trimmed, self.abstention_phrases),
            correct=self._key(read) in map(self._key, item.answers),
            read=read,
        )

    def _key(self, text: str) -> str:
        text = text.strip() if self.strip else text
        return text if self.case else text.casefold()
