"""Similarity: how near a longer text comes to a reference, as summaries and translations are compared."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import unicodedata
from typing import Any, ClassVar

from scripts.comparison.metrics import Better, Metric
from scripts.records import Item
from scripts.scorers.base import Score, is_abstention, judge, judge_nothing
from scripts.scorers.normalizing import tokenize
from scripts.scorers.reading import Trimming
from scripts.scorers.text import ABSTENTION_PHRASES

MAX_CHARACTERS = 20_000
"""Only so much of a reply and of a reference is compared."""

_NO_WORD = re.compile(r"[\W_]+")


@dataclasses.dataclass(frozen=True)
class Similarity(Trimming):
    """
    Compare the reply with the accepted answers as references; the nearest counts.

    There is no right or wrong here: `correct` is left out, except for unanswerable items.

    Notes
    -----
    ``rouge_l`` is the F measure of the longest common subsequence of words [1]_ (package rouge-score;
    lower case, no stemming; characters in scripts without spaces). ``chrf`` is chrF2, the F measure of
    common character n-grams up to six with recall weighted twice [2]_ (package sacrebleu), as a share.

    References
    ----------
    .. [1] C.-Y. Lin, ROUGE: A package for automatic evaluation of summaries, ACL workshop, 2004.
    .. [2] M. Popović, chrF: character n-gram F-score for automatic MT evaluation, WMT, 2015.

    Examples
    --------
    >>> item = Item("q1", "Summarise.", ("the cat sat on the mat",))
    >>> score = Similarity().score("The cat lay on the mat.", item)
    >>> score.correct, {name: round(value, 3) for name, value in score.more.items()}
    (nan, {'rouge_l': 0.833, 'chrf': 0.534})
    """

    GIVES: ClassVar[tuple[str, ...]] = ()
    METRICS: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "rouge_l",
            "ROUGE-L",
            "F measure of the longest sequence of words in common with the nearest reference.",
            Better.HIGHER,
            is_compared=True,
            is_complete=False,
        ),
        Metric(
            "chrf",
            "chrF",
            "F measure of the character n-grams in common with the nearest reference.",
            Better.HIGHER,
            is_compared=True,
            is_complete=False,
        ),
    )

    abstention_phrases: tuple[str, ...] = ABSTENTION_PHRASES

    def score(self, text: str, item: Item) -> Score:
        """Score the `text` of a reply to `item`."""
        trimmed = self.trim(text).text
        if not trimmed:
            return judge_nothing(item, abstains=self.empty_abstains)
        abstained = is_abstention(trimmed, self.abstention_phrases)
        score = judge(item, abstained=abstained, correct=False, read=trimmed)
        if not item.answers or item.is_unanswerable:
            return score
        references = tuple(answer[:MAX_CHARACTERS] for answer in item.answers)
        compared = trimmed[:MAX_CHARACTERS]
        more = {"rouge_l": rouge_l(compared, references), "chrf": chrf(compared, references)}
        return dataclasses.replace(score, correct=math.nan, more=more)


def rouge_l(text: str, references: tuple[str, ...]) -> float:
    """
    Give the best ROUGE-L F measure over the references.

    Examples
    --------
    >>> rouge_l("police killed the gunman", ("police kill the gunman", "the gunman was killed"))
    0.75
    """
    scorer = _rouge()
    return max(float(scorer.score(reference, text)["rougeL"].fmeasure) for reference in references)


def chrf(text: str, references: tuple[str, ...]) -> float:
    """
    Give chrF2 with the best of the references, as a share.

    Examples
    --------
    >>> chrf("the cat", ("the cat", "a dog"))
    1.0
    """
    return float(_chrf().sentence_score(unicodedata.normalize("NFC", text), _nfc(references)).score) / 100


def _nfc(texts: tuple[str, ...]) -> list[str]:
    return [unicodedata.normalize("NFC", text) for text in texts]


class _Words:
    """Part texts into words: as rouge-score does where they are ASCII, and in any script."""

    def tokenize(self, text: str) -> list[str]:
        """List the words of a text in lower case."""
        plain = _NO_WORD.sub(" ", unicodedata.normalize("NFKC", text).lower())
        return tokenize(plain)


@functools.lru_cache(maxsize=1)
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], tokenizer=_Words())


@functools.lru_cache(maxsize=1)
def _chrf() -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()
