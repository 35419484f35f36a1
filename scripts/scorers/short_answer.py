"""Short answers: exact match and token F1 as SQuAD has them, abstention, and support in the context."""

from __future__ import annotations

import dataclasses
import math

from scripts.records import Item
from scripts.scorers.base import UNREAD, Score, judge, judge_nothing
from scripts.scorers.reading import Reading, find_answer
from scripts.scorers.text import (
    ABSTENTION_PHRASES,
    best_f1,
    equals_accepted,
    is_phrase,
    normalize_accepted,
    normalize_answer,
    normalized_tokens,
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.unsupported_threshold <= 1:
            raise ValueError(f"unsupported_threshold is {self.unsupported_threshold}, but must be in [0, 1]")

    def score(self, text: str, item: Item) -> Score:
        """Score the `text` of a reply to `item`."""
        answer = find_answer(text, self)
        if answer is None:
            return judge_nothing(item, abstains=self.empty_abstains, f1=0.0)
        read = answer.text
        normalized = normalize_answer(read)
        abstained = is_phrase(normalized, self.abstention_phrases)
        accepted = normalize_accepted(item.answers)
        correct = bool(normalized) and any(normalized == answer.normalized for answer in accepted)
        if not normalized:  # "A+" and "*" normalise to nothing, and yet may be accepted
            correct = equals_accepted(read, item.answers)
            if not (correct or any(map(str.isalnum, read))):
                return UNREAD
        return judge(
            item,
            abstained=abstained,
            correct=correct,
            read=read,
            f1=1.0 if correct else best_f1(normalized, accepted),
            unsupported=math.nan if abstained else self._unsupported(normalized, item.context),
        )

    def _unsupported(self, normalized: str, context: str | None) -> float:
        tokens = normalized.split()
        if not (context and tokens):
            return math.nan
        found = normalized_tokens(context)
        n_missing = sum(token not in found for token in tokens)
        return float(n_missing / len(tokens) > self.unsupported_threshold)
