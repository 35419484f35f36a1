"""Numbers: the number that a reply arrives at, equal to an accepted one within a relative tolerance."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections import deque

from scripts.records import Item
from scripts.scorers.base import UNREAD, Score, is_abstention, is_unanswerable, judge, judge_nothing
from scripts.scorers.reading import Answer, Reading, find_answers
from scripts.scorers.text import ABSTENTION_PHRASES

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
    abstention_phrases: tuple[str, ...] = ABSTENTION_PHRASES

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.tolerance < 1:
            raise ValueError(f"tolerance is {self.tolerance}, but must be in [0, 1)")

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
        found = _find_number(answers)
        if found is None:
            return UNREAD
        number, read = found
        correct = any(math.isclose(number, one, rel_tol=self.tolerance) for one in accepted)
        return judge(item, abstained=False, correct=correct, read=read)

    def _accepted(self, item: Item) -> tuple[float, ...]:
        accepted = _accepted_numbers(item.answers, self)
        if not accepted:
            raise ValueError(f"item {item.id!r}: no accepted answer contains a number: {list(item.answers)}")
        return accepted


@functools.lru_cache(maxsize=2**16)
def _accepted_numbers(answers: tuple[str, ...], reading: Reading) -> tuple[float, ...]:
    found = (_find_number(list(find_answers(answer, reading))) for answer in answers)
    return tuple(number[0] for number in found if number is not None)


def _find_number(answers: list[Answer]) -> tuple[float, str] | None:
    """
    Read the number of the first answer that has one.

    An announcement may also precede it by a line or more ("as follows:"); if nothing announces a number,
    the last one counts.  What has digits and yet cannot be read is not passed over for another number.
    """
    first = answers[0]
    for answer in (*answers[:-1], dataclasses.replace(first, text=first.rest), answers[-1]):
        number = read_number(answer.text, is_announced=answer.is_announced)
        if number is not None or any(map(str.isdigit, answer.text)):
            return number
    return None


def read_number(text: str, *, is_announced: bool) -> tuple[float, str] | None:
    r"""
    Read the number that a text arrives at; None if there is none, or none that is finite.

    Parameters
    ----------
    text : str
        An answer as it was found.
    is_announced : bool
        Whether its first number counts, or, where that begins a calculation in signs ("3 + 4 = 7"), the
        one after its last equals sign; else it is the last number.

    Notes
    -----
    Commas, apostrophes and spaces may set off thousands; the point is the decimal sign. Currency
    and percent signs are units like any other and change nothing: 50 % is 50, 3 million is 3. A
    fraction (3/4, 1 3/4) is its value; "1e3" and "1 x 10^3" are 1000. A minus counts as a sign
    only if nothing directly before it could be subtracted from.

    Examples
    --------
    >>> read_number("between 5 and −7 °C.", is_announced=False), read_number("42, not 41", is_announced=True)
    ((-7.0, '−7'), (42.0, '42'))
    """
    if is_announced:
        first = _NUMBER.search(text)
        found = _result(text, first) if first else None
    else:
        found = _last(_NUMBER, text)
    number = _value(found) if found else None
    return None if found is None or number is None else (number, found[0].strip())


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
