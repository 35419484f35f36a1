"""Numbers: the number that a reply arrives at, equal to an accepted one within a relative tolerance."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections import deque

from scripts.records import Item
from scripts.scorers.base import Score, is_abstention, is_unanswerable, judge
from scripts.scorers.numbers import DECIMALS, Number, accepted_numbers, read_number
from scripts.scorers.text import ABSTENTION_PHRASES

MARKERS = ("A:", "####", "answer is")
"""What announces the answer in a reply that also shows its working."""


@dataclasses.dataclass(frozen=True)
class Numeric:
    """
    Compare the number that a reply arrives at with the accepted numbers.

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
    markers: tuple[str, ...] = MARKERS
    """None of them (an empty list): always the last number of the reply."""
    abstention_phrases: tuple[str, ...] = ABSTENTION_PHRASES

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance < 1:
            raise ValueError(f"tolerance is {self.tolerance}, but must be in [0, 1)")
        if self.decimal not in DECIMALS:
            raise ValueError(f"decimal is {self.decimal!r}, but must be '.' or ','")
        if not all(marker.strip() for marker in self.markers):
            raise ValueError("markers contains a blank text, but each marker must be visible")

    def score(self, text: str, item: Item) -> Score:
        """
        Score the `text` of a reply to `item`.

        Raises
        ------
        ValueError
            No accepted answer of an answerable item holds a number: no reply could be right.
        """
        number = find_number(text, self.markers, decimal=self.decimal)
        abstained = is_abstention(text, self.abstention_phrases, was_read=number is not None)
        if is_unanswerable(item):
            return judge(item, abstained=abstained, correct=False)
        accepted = self._accepted_numbers(item)
        correct = number is not None and any(
            math.isclose(number.value, one, rel_tol=self.tolerance) for one in accepted
        )
        return judge(item, abstained=abstained, correct=correct)

    def _accepted_numbers(self, item: Item) -> tuple[float, ...]:
        try:
            accepted = _accepted(item.answers, self.decimal)
        except ValueError as error:
            raise ValueError(f"item {item.id!r}: {error}") from None
        if not accepted:
            raise ValueError(f"item {item.id!r}: no accepted answer contains a number: {list(item.answers)}")
        return accepted


def find_number(text: str, markers: tuple[str, ...] = MARKERS, *, decimal: str = ".") -> Number | None:
    r"""
    Read the number after the last marker, or else the last one; None if there is none that can be read.

    Examples
    --------
    >>> find_number("She sells 9 eggs at $2.\n#### 18"), find_number("The answer is 42, not 41.")
    (Number(value=18.0, text='18'), Number(value=42.0, text='42'))
    """
    marked = _last(_marker_pattern(markers), text) if markers else None
    found = read_number(text[marked.end() :], is_announced=True, decimal=decimal) if marked else None
    if found is None and not (marked and re.search(r"\d", text[marked.end() :])):
        return read_number(text, is_announced=False, decimal=decimal)
    return found


@functools.lru_cache(maxsize=2**16)
def _accepted(answers: tuple[str, ...], decimal: str) -> tuple[float, ...]:
    return accepted_numbers(answers, decimal=decimal)


@functools.lru_cache(maxsize=64)
def _marker_pattern(markers: tuple[str, ...]) -> re.Pattern[str]:
    """Find markers as whole words: "A:" is not in "Area: 7", nor "answer is" in "answer isn't 7"."""
    whole = (
        ("(?<!\\w)" if marker[0].isalnum() else "")
        + re.escape(marker)
        + ("(?!\\w)" if marker[-1].isalnum() else "")
        for marker in markers
    )
    initials = "".join({re.escape(marker[0].swapcase() + marker[0]) for marker in markers})
    return re.compile(f"(?=[{initials}])(?:{'|'.join(whole)})", re.IGNORECASE)


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(iter(deque(pattern.finditer(text), maxlen=1)), None)
