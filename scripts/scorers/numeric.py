"""Numbers: the number that a reply arrives at, equal to an accepted one within a relative tolerance."""

from __future__ import annotations

import dataclasses
import functools
import math

from scripts.records import Item
from scripts.scorers.base import UNREAD, Score, is_abstention, is_unanswerable, judge, judge_nothing
from scripts.scorers.numbers import DECIMALS, Number, check_accepted, read_number
from scripts.scorers.reading import Answer, Reading, find_answers
from scripts.scorers.text import ABSTENTION_PHRASES


@dataclasses.dataclass(frozen=True)
class Numeric(Reading):
    """
    Compare the number that a reply arrives at with the accepted numbers.

    It is the first number of what is announced as the answer, or else the last number of the reply.

    Examples
    --------
    >>> item = Item("q1", "How much is it?", ("1250",))
    >>> Numeric().score("50 of them at $25 make 50 * 25 = 1250. The answer is $1,250.00.", item).correct
    1.0
    """

    tolerance: float = 1e-6
    """The largest difference that counts as equal, relative to the larger of the two numbers."""
    decimal: str = "."
    """The decimal sign: ``.`` or ``,``."""
    abstention_phrases: tuple[str, ...] = ABSTENTION_PHRASES

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.tolerance < 1:
            raise ValueError(f"tolerance is {self.tolerance}, but must be in [0, 1)")
        if self.decimal not in DECIMALS:
            raise ValueError(f"decimal is {self.decimal!r}, but must be '.' or ','")

    def score(self, text: str, item: Item) -> Score:
        """
        Score the `text` of a reply to `item`.

        Raises
        ------
        ValueError
            No accepted answer of an answerable item holds a number: no reply could be right.
        """
        accepted = () if is_unanswerable(item) else self._accepted(item)
        answers = list(find_answers(text, self))
        if not answers:
            return judge_nothing(item, abstains=self.empty_abstains)
        if is_abstention(answers[0].text, self.abstention_phrases):
            return judge(item, abstained=True, correct=False, read=answers[0].text)
        number = _find_number(answers, self.decimal)
        if number is None:
            return UNREAD
        correct = any(math.isclose(number.value, one, rel_tol=self.tolerance) for one in accepted)
        return judge(item, abstained=False, correct=correct, read=number.text)

    def _accepted(self, item: Item) -> tuple[float, ...]:
        try:
            accepted = _accepted_numbers(item.answers, self)
        except ValueError as error:
            raise ValueError(f"item {item.id!r}: {error}") from None
        if not accepted:
            raise ValueError(f"item {item.id!r}: no accepted answer contains a number: {list(item.answers)}")
        return accepted


@functools.lru_cache(maxsize=2**16)
def _accepted_numbers(answers: tuple[str, ...], scorer: Numeric) -> tuple[float, ...]:
    for answer in answers:
        check_accepted(answer, decimal=scorer.decimal)
    found = (_find_number(list(find_answers(answer, scorer)), scorer.decimal) for answer in answers)
    return tuple(number.value for number in found if number is not None and not math.isnan(number.value))


def _find_number(answers: list[Answer], decimal: str) -> Number | None:
    """
    Read the number of the first answer that has one.

    An announcement may also precede it by a line or more ("as follows:"); if nothing announces a number,
    the last one counts.  What has digits and yet cannot be read is not passed over for another number.
    """
    first = answers[0]
    for answer in (*answers[:-1], dataclasses.replace(first, text=first.rest), answers[-1]):
        number = read_number(answer.text, is_announced=answer.is_announced, decimal=decimal)
        if number is not None or any(map(str.isdigit, answer.text)):
            return number
    return None
