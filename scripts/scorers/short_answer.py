"""Short answers: exact match and token F1, abstention, and support in the context."""

from __future__ import annotations

import dataclasses
import math

from scripts.records import Item
from scripts.scorers.base import UNREAD, Score, is_abstention, judge, judge_nothing
from scripts.scorers.reading import Reading, Trimmed, find_answer
from scripts.scorers.text import (
    ABSTENTION_PHRASES,
    best_f1,
    is_phrase,
    matches_accepted,
    normalize_accepted,
    normalize_answer,
    normalized_tokens,
    squad_normalize,
    tokenize,
)


@dataclasses.dataclass(frozen=True)
class ShortAnswer(Reading):
    """
    Compare the answer, normalised as a whole, with the accepted answers.

    Examples
    --------
    >>> item = Item("q1", "Which city?", ("Paris",), context="Paris is the capital of France.")
    >>> score = ShortAnswer().score("paris.", item)
    >>> score.correct, score.f1, score.abstained, score.unsupported
    (1.0, 1.0, 0.0, 0.0)
    """

    abstention_phrases: tuple[str, ...] = ABSTENTION_PHRASES
    unsupported_threshold: float = 0.5
    """An answer is unsupported if more than this share of its tokens is not found in the context."""
    squad: bool = False
    """Whether to compare the whole reply as SQuAD's official evaluation does; an empty one then abstains."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.unsupported_threshold <= 1:
            raise ValueError(f"unsupported_threshold is {self.unsupported_threshold}, but must be in [0, 1]")

    @property
    def has_f1(self) -> bool:
        """Whether the scorer gives F1."""
        return True

    @property
    def empty_abstains(self) -> bool:
        """Whether a reply that ended by itself without a text is an abstention."""
        return self.empty == "abstained" or (self.squad and not self.empty)

    def trim(self, text: str) -> Trimmed:
        """Leave out thoughts and end tokens; nothing with `squad`."""
        return Trimmed(text.strip()) if self.squad else super().trim(text)

    def score(self, text: str, item: Item) -> Score:
        """Score the `text` of a reply to `item`."""
        if self.squad:
            return self._score_squad(text, item)
        answer = find_answer(text, self)
        if answer is None:
            return judge_nothing(item, abstains=self.empty_abstains, f1=0.0)
        read = answer.text
        normalized = normalize_answer(read)
        correct = matches_accepted(read, normalized, item.answers)
        if not (normalized or correct):  # nothing but punctuation
            return UNREAD
        abstained = is_phrase(normalized, self.abstention_phrases)
        return self._judge(item, read, tokens=tokenize(normalized), abstained=abstained, correct=correct)

    def _score_squad(self, text: str, item: Item) -> Score:
        normalized = squad_normalize(text)
        if not text.strip():
            return judge_nothing(item, abstains=self.empty_abstains, f1=0.0)
        accepted = normalize_accepted(item.answers, squad=True)
        correct = any(normalized == one.normalized for one in accepted)
        abstained = not normalized or is_abstention(text, self.abstention_phrases)
        return self._judge(item, text, tokens=normalized.split(), abstained=abstained, correct=correct)

    def _judge(self, item: Item, read: str, *, tokens: list[str], abstained: bool, correct: bool) -> Score:
        accepted = normalize_accepted(item.answers, squad=self.squad)
        return judge(
            item,
            abstained=abstained,
            correct=correct,
            read=read,
            f1=1.0 if correct else best_f1(tokens, accepted),
            unsupported=math.nan if abstained else self._unsupported(tokens, item.context),
        )

    def _unsupported(self, tokens: list[str], context: str | None) -> float:
        if not (context and tokens):
            return math.nan
        found = normalized_tokens(context, squad=self.squad)
        n_missing = sum(token not in found for token in tokens)
        return float(n_missing / len(tokens) > self.unsupported_threshold)
