"""The numbers of a line in plain signs, and what stands in the place of one."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator

from scripts.scorers.plain_signs import DATE

WINDOW = 24
"""How far before a number its sign, and what it belongs to, is looked for."""

# Scripts that set no space between a word and a number.
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_BRACES = r"\{(?:[^{}]++|\{(?:[^{}]++|\{[^{}]*+\})*+\})*+\}"

# Possessive throughout: no reply, however long or hostile, makes it step back.
_TOKEN = re.compile(
    rf"""
    (?= [-+−–.,\d^/\\√∛∜π±e_{DATE}] )                                   # passes over all else at once
    (?: (?P<skipped> \^[ ]?[{{(]?[-+−–]?\d[\d./]*+               # the 2 of "m^2" and of "m/s^2"
                   | (?<=[^\W\d]) /\d++ (?=[ ]?[^\W\d_])         # the 100 of "l/100 km"
                   | (?<=[^\W_]) _\{{?\d++ )                     # the 1 of "x_1"
      | (?P<unread> [√∛∜] (?:\[[^][]{{0,9}}+\])?+ [ ]?+ (?: {_BRACES} | \([^()]*+\) | [\d.]++ | \w )?+
                  | [π{DATE}]
                  | \\(?:frac|d?binom|tbinom)[ ]?+ (?: {_BRACES} )?+ (?: {_BRACES} )?+
                  | \\(?:ln|log|lg|sin|cos|tan|cot|exp|sum|prod|int|lim|infty) (?![a-zA-Z])
                    (?: _ \{{? \d++ \}}? )?+
                  | (?<![^\W\d_]) e \^
                  | (?: ± | \+/[-−] ) [ ]?+ [$€£]? \d[\d.,]*+ )
      | (?: (?P<sign> (?: (?<![\w)\]}}%°]) | (?<=[{_SPACELESS}]) ) [+−–-] [(]?+ ) (?: [$€£¥₹][ ]? )?
          | (?<! [^\W_] )                                         # not the 2 of "H2O"
          | (?<= [{_SPACELESS}] ) | (?<= \d[xX] ) | (?<= USD|EUR|GBP|CHF )
        )
        (?: (?P<whole> \d++ ) [ ] (?= \d++/\d ) )?+                 # the 1 of "1 3/4"
        (?P<digits> (?! 0 ) \d{{1,3}}+ (?:[ ] \d{{3}} (?!\d))++ (?: [.,]\d++ )?+
                  | \d++ (?: [.,'_:/] \d++ )*+
                  | (?: \. | (?<![^\s(=]), ) \d++ )
        (?: [eE] (?P<exponent> [-+−]? \d{{1,4}}+ ) (?!\w)
          | [ ]? [x×*·] [ ]? 10 [ ]? \^ [ ]?
            [{{(]? (?P<power_of_ten> [-+−–]? \d{{1,4}}+ ) [)}}]? (?! [.\d] )
          | [ ]? \^ [ ]? [{{(]? (?P<power> [-+−–]? \d{{1,4}}+ ) [)}}]? (?! [.\d]|[ ]?\^ )
          | [ ] / [ ] (?P<denominator> \d++ ) (?! [.,]?\d )
        )?
        (?: [ ]? \^ [{{ ]*+ (?: ° | (?:st|nd|rd|th)\b ) [ }}]*+ )?+
        (?: (?P<strange> [)}}\] ]?+ \^ | \.?\\(?:overline|bar|dot) )
          | [ ]? (?: ± | \+/[-−] | \+[-−] ) [ ]? \d[\d.,]*+
        )?
      )
    """,
    re.VERBOSE,
)

_PLAIN = r"\d+(?:\.\d+)?|\.\d+"
_GROUPED = r"(?!0)\d{1,3}(?:([, '_])\d{3})(?:\1\d{3})*(?:\.\d+)?|(?!0)\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?"
_DECIMAL_POINT = re.compile(f"{_PLAIN}|{_GROUPED}")
_DECIMAL_COMMA = re.compile(r"(?!0)\d{1,3}(?:([. '_])\d{3})(?:\1\d{3})*(?:,\d+)?|\d+(?:,\d+)?|,\d+|\d*\.\d+")
_NO_DIGIT = re.compile(r"[^\d.]")

_SIGN_APART = re.compile(
    r"(?i)(?:(?P<dash>[-−–])[ ]+|\b(?:minus|negative|menos|moins|meno|минус)[ ]+|(?:负|負|マイナス)[ ]?)"
    r"[$€£]?$"
)
_SPEAKS_OF = re.compile(
    r"(?i)(?:^|[=:(,<>≈~≤≥]|\b(?:is|are|was|be|equals?|about|approximately|around|roughly|ist|beträgt|es|est))$"
)
_OPERAND = re.compile(r"(?:\d|\b[a-zA-Z]|[)\]}%])$")
_NOT = re.compile(r"(?i)\bnot[ ][$€£]?$")
_MAY_FOLLOW_WORDS = frozenset(" $€£负負ス")

_MINUS = str.maketrans("−–", "--")


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """A number of a line, or what stands in its place."""

    start: int
    end: int
    value: float | None
    """None for what has no value that can be read."""
    text: str


def find_tokens(line: str, *, is_alone: bool, decimal: str) -> Iterator[Token]:
    """
    Find the numbers of a line in plain signs; exponents of units, and what is denied, are passed over.

    Parameters
    ----------
    line : str
        As `plain_signs` gives it.
    is_alone : bool
        Whether the text has no other line: then a hyphen before it marks no item of a list.
    decimal : str
        The decimal sign, ``.`` or ``,``.

    Examples
    --------
    >>> [(token.value, token.text) for token in find_tokens("5 m^2 of √2", is_alone=True, decimal=".")]
    [(5.0, '5'), (None, '√2')]
    """
    was_any = False
    for found in _TOKEN.finditer(line):
        if found["skipped"] or (found["unread"] and found["unread"][0] in "±+" and was_any):
            continue
        start, end = found.span()
        before = line[max(0, start - WINDOW) : start] if line[start - 1 : start] in _MAY_FOLLOW_WORDS else ""
        if _NOT.search(before):
            continue
        was_any = True
        if found["unread"]:
            yield Token(start, end, None, found[0])
            continue
        value = _value(found, decimal)
        apart = None if found["sign"] else _sign_apart(before, is_alone=is_alone and start <= WINDOW)
        if apart is not None:
            start -= apart
            value = None if value is None else -value
        yield Token(start, end, value, line[start:end].strip())


def _sign_apart(before: str, *, is_alone: bool) -> int | None:
    """Say how far before a number its sign begins, if there is one that stands apart from it."""
    found = _SIGN_APART.search(before)
    if found is None:
        return None
    operand = before[: found.start()].rstrip(" *_${\\")
    if not found["dash"]:
        is_sign = _OPERAND.search(operand) is None
    elif operand:
        is_sign = _SPEAKS_OF.search(operand) is not None
    else:
        is_sign = found["dash"] != "-" or is_alone  # else it marks an item of a list
    return len(before) - found.start() if is_sign else None


def _value(found: re.Match[str], decimal: str) -> float | None:
    if found["strange"]:
        return None
    try:
        value = _absolute(found, decimal)
    except (OverflowError, ZeroDivisionError):  # 10^9999, 3/0
        return None
    if value is None or not math.isfinite(value):
        return None
    return -value if found["sign"] and found["sign"][0] in "-−–" else value


def _absolute(found: re.Match[str], decimal: str) -> float | None:
    numerator, *denominators = (_decimals(part, decimal) for part in found["digits"].split("/"))
    if found["denominator"]:
        denominators.append(found["denominator"])
    if numerator is None or None in denominators or len(denominators) > 1:
        return None
    exponent = (found["exponent"] or found["power_of_ten"] or "0").translate(_MINUS)
    value = float(f"{numerator}e{exponent}")
    for denominator in denominators:
        value /= float(denominator or 0)
    if found["power"]:
        value = _raise(numerator, value, found["power"].translate(_MINUS))
    return value + float(found["whole"] or 0)


def _raise(numerator: str, value: float, power: str) -> float:
    return float(f"1e{power}") if numerator == "10" else float(value ** float(power))


def _decimals(digits: str, decimal: str) -> str | None:
    """Write a number with a decimal point and without separators; None if it may not be one number."""
    if decimal == ".":
        return _NO_DIGIT.sub("", digits) if _DECIMAL_POINT.fullmatch(digits) else None
    form = _DECIMAL_COMMA.fullmatch(digits)
    if form is None:
        return None
    if form[1] is None and "," not in digits:
        return digits
    return _NO_DIGIT.sub("", digits.replace(".", "").replace(",", "."))
