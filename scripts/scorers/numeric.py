"""Numbers: the number that a reply arrives at, equal to an accepted one within a relative tolerance."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections import deque

from scripts.records import Item
from scripts.scorers.base import Score, is_abstention, is_unanswerable, judge
from scripts.scorers.text import ABSTENTION_PHRASES

MARKERS = ("A:", "####", "answer is")
"""What announces the answer in a reply that also shows its working."""

# Possessive throughout: no reply, however long or hostile, makes it step back.
_NUMBER = re.compile(
    r"""
    (?= [-+−–.\d] )                                             # passes over all else at once
    (?: (?P<sign> (?<![\w)\]}%]) [-+−–] ) (?: \\?[$€£][ ]? )?   # "16-3" holds no -3; "-$5" does hold -5
      | (?<! [^\W_] )                                           # not the 2 of "H2O"
      | (?<= \d[xX] ) | (?<= USD|EUR|GBP )                      # but the 3 of "2x3" and the 5 of "USD5"
    )
    (?: (?P<whole> \d++ ) [ ] (?= \d++/\d ) )?+                 # the 1 of "1 3/4"
    (?: (?P<grouped> \d{1,3}+ (?P<mark> [,'’ \u00a0\u2009\u202f] | \{,\} | \\, ) \d{3}(?!\d)
          (?: (?P=mark) \d{3}(?!\d) )*+ )
      | (?P<plain> \d++ )
      | (?= \.\d )
    )
    (?P<decimals> \.\d++ )?+
    (?: [eE] (?P<exponent> [-+−]? \d{1,4}+ ) (?!\w)
      | [ ]? (?: [x×*·] | \\times ) [ ]? 10 [ ]? (?: \^ | \*\* ) [ ]? \{? (?P<power> [-+−]? \d{1,4}+ ) \}?
      | [ ]? / [ ]? (?P<denominator> \d++ ) (?! \.?\d )
    )?
    """,
    re.VERBOSE,
)
_CALCULATION = re.compile(r"[^\S\n]*+(?:[-+−–*/x×·÷^()<>=≈$€£%][^\S\n]*+)*+")
_MINUS = str.maketrans("−–", "--")


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
    markers: tuple[str, ...] = MARKERS
    """None of them (an empty list): always the last number of the reply."""
    abstention_phrases: tuple[str, ...] = ABSTENTION_PHRASES

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance < 1:
            raise ValueError(f"tolerance is {self.tolerance}, but must be in [0, 1)")
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
        number = find_number(text, self.markers)
        abstained = is_abstention(text, self.abstention_phrases, was_read=number is not None)
        if is_unanswerable(item):
            return judge(item, abstained=abstained, correct=False)
        accepted = _accepted_numbers(item.answers, self.markers)
        if not accepted:
            raise ValueError(f"item {item.id!r}: no accepted answer contains a number: {list(item.answers)}")
        correct = number is not None and any(
            math.isclose(number, one, rel_tol=self.tolerance) for one in accepted
        )
        return judge(item, abstained=abstained, correct=correct)


def find_number(text: str, markers: tuple[str, ...] = MARKERS) -> float | None:
    r"""
    Read the number that a text arrives at; None if there is none, or none that is finite.

    Parameters
    ----------
    text : str
        A reply, or an accepted answer.
    markers : tuple of str
        What announces the answer, in any case; the last one in the text counts.

    Notes
    -----
    The number is the first after the last marker, or, where that begins a calculation in signs
    ("answer is 3 + 4 = 7"), the one after its last equals sign. Without a marker, or without a
    number after it, it is the last number of the text.

    Commas, apostrophes and spaces may set off thousands; the point is the decimal sign. Currency
    and percent signs are units like any other and change nothing: 50 % is 50, 3 million is 3. A
    fraction (3/4, 1 3/4) is its value; "1e3" and "1 x 10^3" are 1000. A minus counts as a sign
    only if nothing directly before it could be subtracted from.

    Examples
    --------
    >>> find_number("She sells 9 eggs at $2.\n#### 18"), find_number("between 5 and −7 °C.")
    (18.0, -7.0)
    >>> find_number("The answer is 42, not 41."), find_number("A: 3/4 of a cup"), find_number("none")
    (42.0, 0.75, None)
    """
    marked = _last(_marker_pattern(markers), text) if markers else None
    first = _NUMBER.search(text, marked.end()) if marked else None
    found = _result(text, first) if first else _last(_NUMBER, text)
    return _value(found) if found else None


@functools.lru_cache(maxsize=2**16)
def _accepted_numbers(answers: tuple[str, ...], markers: tuple[str, ...]) -> tuple[float, ...]:
    found = (find_number(answer, markers) for answer in answers)
    return tuple(number for number in found if number is not None)


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


def _result(text: str, first: re.Match[str]) -> re.Match[str]:
    """Follow a calculation from its first number to the one after its last equals sign."""
    result, end = first, first.end()
    for number in _NUMBER.finditer(text, end):
        gap = text[end : number.start()]
        if not _CALCULATION.fullmatch(gap):
            break
        if "=" in gap:
            result = number
        end = number.end()
    return result


def _value(found: re.Match[str]) -> float | None:
    digits = found["plain"] or (found["grouped"] or "0").replace(found["mark"] or ",", "")
    exponent = (found["exponent"] or found["power"] or "0").translate(_MINUS)
    value = float(f"{digits}{found['decimals'] or ''}e{exponent}")
    if found["denominator"]:
        denominator = float(found["denominator"])
        value = value / denominator if denominator else math.inf
    value += float(found["whole"] or 0)
    if not math.isfinite(value):
        return None
    return -value if found["sign"] in {"-", "−", "–"} else value
