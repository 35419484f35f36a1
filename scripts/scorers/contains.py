"""Texts that a reply must contain, as whole words."""

from __future__ import annotations

import dataclasses
import functools
import re

from scripts.records import Item
from scripts.scorers.base import Score, is_abstention, judge, judge_nothing
from scripts.scorers.normalizing import normalize_words, tokenize
from scripts.scorers.reading import Trimming
from scripts.scorers.text import ABSTENTION_PHRASES

NEEDS = ("any", "all")
"""How many of the accepted answers must occur."""

_GLUE = re.compile(r"(?<=[^\W\d_])[^\w\s'’.#+*-]+(?=\w)|[-‐-―](?=[^\W\d_])")
"""What may stand between two words that have no space between them."""


@dataclasses.dataclass(frozen=True)
class Contains(Trimming):
    """
    Look for the accepted answers anywhere in the reply, as whole words after normalisation.

    Examples
    --------
    >>> item = Item("q1", "Which city?", ("Paris", "City of Light"))
    >>> [Contains().score(reply, item).correct for reply in ("It is PARIS, of course.", "Parisian", "Rome")]
    [1.0, 0.0, 0.0]
    >>> Contains(needs="all").score("Paris is the city of light.", item).correct
    1.0
    """

    needs: str = "any"
    """Whether ``any`` accepted answer must occur, or ``all`` of them."""
    abstention_phrases: tuple[str, ...] = ABSTENTION_PHRASES

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.needs not in NEEDS:
            raise ValueError(f"needs is {self.needs!r}, but must be any or all")

    def score(self, text: str, item: Item) -> Score:
        """
        Score the `text` of a reply to `item`.

        Raises
        ------
        ValueError
            An accepted answer is nothing but punctuation: it cannot be looked for.
        """
        for answer in item.answers:
            if not _wanted(answer)[0].strip():
                raise ValueError(f"item {item.id!r}: {answer!r} holds no word to look for")
        trimmed = self.trim(text).text
        if not trimmed:
            return judge_nothing(item, abstains=self.empty_abstains)
        texts = _forms(trimmed) | _forms(_GLUE.sub(" ", trimmed))
        found = [
            answer
            for answer in item.answers
            if any(form in text for form in _wanted(answer) for text in texts)
        ]
        is_right = bool(found) and (self.needs == "any" or len(found) == len(item.answers))
        return judge(
            item,
            abstained=is_abstention(trimmed, self.abstention_phrases),
            correct=is_right,
            read="; ".join(found) if found else trimmed,
        )


@functools.lru_cache(maxsize=2**16)
def _wanted(answer: str) -> tuple[str, ...]:
    return tuple(sorted(_forms(answer)))


def _forms(text: str) -> set[str]:
    """Give the words of a text between blanks, with its articles and without them."""
    return {f" {' '.join(tokenize(normalize_words(text, drop_articles=drops)))} " for drops in (False, True)}
