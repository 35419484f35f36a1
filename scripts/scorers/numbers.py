"""Numbers: what number a text gives as its answer, however it is written; None rather than a guess."""

from __future__ import annotations

import dataclasses
import math
import re

from scripts.scorers.number_tokens import WINDOW, Token, find_tokens
from scripts.scorers.plain_signs import plain_signs

DECIMALS = (".", ",")
"""What may be the decimal sign."""


@dataclasses.dataclass(frozen=True, slots=True)
class Number:
    """A number that was read."""

    value: float
    """NaN where the text names several that differ ("5 or 7"): an answer, but equal to none."""
    text: str
    """The piece that was read, in plain signs."""


_EITHER_WAY = re.compile(r"\s*[-+−–]?((?!0)\d{1,3})\.(\d{3})\s*")
_CALCULATION = re.compile(r"[^\S\n]*+(?:[-+−–*/x×·÷^()<>=≈$€£%!{}\[\]|][^\S\n]*+)*+")
_OPERATOR = re.compile(r"[-+−–*/x×·÷^=≈]|>>")
_SUM = re.compile(r"[+*/×·÷]")
_RANGE = re.compile(
    r"(?i)[ ]?([^\W\d_]{1,15}|%|°[CF]?)?[ ]?"
    r"(?:[-−–~x×]|(?<! )—(?! )|[ ](?:to|through|bis|à|out of)[ ]|到|至|から)"
    r"[ ]?[$€£]?"
)
_LARGER = (
    r"(?:years?|yrs?|months?|weeks?|days?|hours?|hrs?|h|minutes?|mins?|miles?|yards?|feet|foot|ft|km|m|kg"
    r"|pounds?|lbs?|dollars?|euros?)"
)
_SMALLER = re.compile(
    r"(?i)[ ]?(?:months?|weeks?|days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|s|yards?|feet|inch(?:es)?"
    r"|in|cm|m|g|ounces?|oz|pence|cents?)\b"
)
_COMPOUND = re.compile(rf"(?i)[ ]?{_LARGER},?[ ](?:and[ ])?")
_BETWEEN = re.compile(r"(?i)\b(?:between|zwischen|entre|tra)[ ][$€£]?$")
_AND = re.compile(r"(?i)(?:[ ]?(?:[^\W\d_]{1,15}|%))?[ ](?:and|und|et|y|e)[ ][$€£]?")
_OR = re.compile(r"(?i)[ $]{1,4}(?:or|oder|ou)[ ]{1,3}(?:\$?[a-z][ ]?=[ ]?)?[$€£]?")
_CONFIDENCE_LINE = re.compile(
    r"(?i)[\W_]*(?:(?:my|overall|estimated)[ ])?"
    r"(?:confidence|certainty|konfidenz|confiance|confianza|置信度|probability[ ](?:of[ ]being|that))\b"
)
_CONFIDENCE = re.compile(
    r"(?i)\b(?:confidence|certainty)\b[^\n\d]{0,24}+\d[\d.,]*+[ ]?%?+(?:[ ]?/[ ]?\d++)?+"
    r"|\b\d[\d.]*+[ ]?%[ ](?:confiden(?:t|ce)|sure|certain)\b"
)


def read_number(text: str, *, is_announced: bool, decimal: str = ".") -> Number | None:
    r"""
    Read the number that a text gives as its answer; None where there is none, or where it would be a guess.

    Parameters
    ----------
    text : str
        An answer, or a whole reply.
    is_announced : bool
        Whether the answer begins with the text ("Answer:" stands before it): then the first number
        counts, else the last.
    decimal : str
        The decimal sign, ``.`` or ``,``.

    Notes
    -----
    A calculation comes to the number after its last equals sign. Nothing is read of a range (5-7), a
    calculation without a result, a list (1,2), a date, a time (3:30, 3 h 30 min), or an expression that
    has to be evaluated (``2\pi``, ``\sqrt{2}``); nor of 3,14 where the point is the decimal sign, as this
    may be two numbers. Units, their exponents, currency and percent signs change nothing. Where nothing
    is announced, the last number of a sum or product that breaks off counts. What is said of the
    confidence in an answer is no answer, unless there is nothing else.

    Examples
    --------
    >>> read_number("42 km (about 26 miles)", is_announced=True)
    Number(value=42.0, text='42')
    >>> [read_number(one, is_announced=True).value for one in (r"\frac{3}{4}", "9.8 m/s^2", "minus 5")]
    [0.75, 9.8, -5.0]
    >>> read_number("3,14", is_announced=True), read_number("3,14", is_announced=True, decimal=",").value
    (None, 3.14)
    """
    lines = [line for line in re.split(r"[\r\n]", text) if line.strip()]
    for keeps_confidence in (False, True):
        for line in lines if is_announced else reversed(lines):
            chain = _find_chain(
                line,
                is_first=is_announced,
                is_alone=len(lines) == 1,
                decimal=decimal,
                keeps_confidence=keeps_confidence,
            )
            if chain is not None:
                return chain.number(takes_last=not is_announced)
    return None


def check_accepted(answer: str, *, decimal: str) -> None:
    """
    Refuse a dataset's own answer that may be two numbers: with a decimal comma, 1.234.

    Any other may be written with a point or with a comma.

    Raises
    ------
    ValueError
        Says how to write it.

    Examples
    --------
    >>> check_accepted("3.5", decimal=",")
    >>> check_accepted("1.234", decimal=",")
    Traceback (most recent call last):
        ...
    ValueError: with a decimal comma '1.234' may be 1234 or 1,234: write one of these
    """
    if decimal == "," and (both := _EITHER_WAY.fullmatch(answer)):
        raise ValueError(
            f"with a decimal comma {answer.strip()!r} may be {both[1]}{both[2]} or {both[1]},{both[2]}: "
            "write one of these"
        )


@dataclasses.dataclass(slots=True)
class _Chain:
    """Numbers that are one calculation, range or choice, and what it comes to."""

    last: Token
    n_in_side: int = 1
    """How many numbers there are since the last equals sign."""
    result: Token | None = None
    """The side before, where it was one number."""
    is_exact: bool = False
    """Whether what follows is only an approximation of the result."""
    alternatives: list[Token] = dataclasses.field(default_factory=list)
    is_open: bool = False
    """Whether it ends with a sum or product of numbers."""

    def add(self, token: Token, gap: str) -> None:
        """Add the number after an operator."""
        self.is_open = _SUM.search(gap) is not None and None not in (self.last.value, token.value)
        if "=" in gap or "≈" in gap or ">>" in gap:
            self._end_side()
            self.is_exact = self.is_exact or ("=" not in gap and ">>" not in gap and self.result is not None)
            self.n_in_side = 0
        self.last = token
        self.n_in_side += 1

    def add_alternative(self, token: Token) -> None:
        """Add the number after "or"."""
        self.alternatives.append(self.last)
        self.last = token

    def number(self, *, takes_last: bool) -> Number | None:
        """Give what the numbers come to; None where that is not said, or the last of an open calculation."""
        self._end_side()
        chosen = self.last if takes_last and self.result is None and self.is_open else self.result
        if chosen is None or chosen.value is None or not math.isfinite(chosen.value):
            return None
        first = next(iter(self.alternatives), chosen)
        if first.value is None or not all(_agree(first, one) for one in (*self.alternatives, chosen)):
            return Number(math.nan, f"{first.text} or {chosen.text}")
        return Number(first.value, first.text)

    def _end_side(self) -> None:
        if self.n_in_side == 1 and self.last.value is not None and not self.is_exact:
            self.result = self.last


def _agree(one: Token, other: Token) -> bool:
    """Say whether two numbers are one, as a share and in percent, or rounded."""
    if one.value is None or other.value is None:
        return False
    return any(math.isclose(one.value * factor, other.value, rel_tol=0.01) for factor in (1.0, 100.0, 0.01))


def _find_chain(
    line: str, *, is_first: bool, is_alone: bool, decimal: str, keeps_confidence: bool
) -> _Chain | None:
    """Give the first or the last chain of a line."""
    plain = plain_signs(line)
    if not keeps_confidence:
        if _CONFIDENCE_LINE.match(plain):
            return None
        plain = _CONFIDENCE.sub(" ", plain)
    chain: _Chain | None = None
    for token in find_tokens(plain, is_alone=is_alone, decimal=decimal):
        if chain is not None and _joins(chain, token, plain):
            continue
        if chain is not None and is_first:
            return chain
        chain = _Chain(token)
    return chain


def _joins(chain: _Chain, token: Token, line: str) -> bool:
    """Add a number to a chain if they belong together."""
    gap = line[chain.last.end : token.start]
    if _CALCULATION.fullmatch(gap):
        if _OPERATOR.search(gap) or chain.last.value is None or token.value is None:
            chain.add(token, gap)
            return True
        return False
    if _OR.fullmatch(gap):
        chain.add_alternative(token)
        return True
    if _is_range(chain.last, token, line):
        chain.add(token, "")
        return True
    return False


def _is_range(one: Token, other: Token, line: str) -> bool:
    gap = line[one.end : other.start]
    if len(gap) > 2 * WINDOW:
        return False
    if _COMPOUND.fullmatch(gap) and _SMALLER.match(line, other.end):  # 3 hours and 30 minutes
        return True
    if found := _RANGE.fullmatch(gap):
        return found[1] is None or line.startswith(
            found[1], other.end + (line[other.end : other.end + 1] == " ")
        )
    before = line[max(0, one.start - WINDOW) : one.start]
    return _AND.fullmatch(gap) is not None and _BETWEEN.search(before) is not None
