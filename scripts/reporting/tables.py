"""How a number is written, and tables as CSV text.

A number that is not there (None, NaN, an infinity) is an em dash on a page and an empty cell in a
CSV file, never a zero.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from scripts.reporting.page_content import Excerpt

MISSING = "—"
"""What a page shows where there is no number."""

SPACE = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"

TEXT_LIMIT = 4000
"""A longer text is cut on a page."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")

# Control characters are invisible, and explicit bidirectional ones could reorder what stands around an
# answer even in an isolate; pictures of them (U+2400 and on) are missing from many fonts.
_CONTROLS = [*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFFFE, 0xFFFF]
_VISIBLE = {code: f"\u27e8U+{code:04X}\u27e9" for code in _CONTROLS if chr(code) not in "\t\n"}
_SURROGATES = re.compile("[\ud800-\udfff]")


def finite(value: Any) -> float | None:
    """
    A number that can be shown, or None.

    Examples
    --------
    >>> finite(float("nan")) is None, finite(2)
    (True, 2.0)
    """
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def decimal(value: Any, *, digits: int = 1, sign: bool = False) -> str:
    """
    A number with a fixed count of digits, thousands separators and a real minus sign.

    Examples
    --------
    >>> decimal(1234.56), decimal(-0.04), decimal(None), decimal(2, sign=True)
    ('1,234.6', '0.0', '—', '+2.0')
    """
    number = finite(value)
    if number is None:
        return MISSING
    rounded = round(number, digits)
    text = f"{abs(rounded):,.{digits}f}"
    if rounded == 0:
        return text
    return f"{MINUS if rounded < 0 else '+' if sign else ''}{text}"


def share(value: Any) -> str:
    """
    A proportion in per cent, without the unit.

    Examples
    --------
    >>> share(0.4337), share(None)
    ('43.4', '—')
    """
    return decimal(_times_hundred(value))


def percent(value: Any) -> str:
    """A proportion in per cent, with the unit."""
    text = share(value)
    return text if text == MISSING else f"{text}{SPACE}%"


def points(value: Any) -> str:
    """
    A difference of proportions in percentage points, with its sign.

    Examples
    --------
    >>> points(0.0612), points(0.0)
    ('+6.1', '0.0')
    """
    return decimal(_times_hundred(value), sign=True)


def interval(low: Any, high: Any) -> str:
    """
    An interval of proportions or of differences, in per cent or points.

    Examples
    --------
    >>> interval(0.032, 0.09), interval(None, 0.09)
    ('3.2 to 9.0', '—')
    """
    if finite(low) is None or finite(high) is None:
        return MISSING
    return f"{share(low)} to {share(high)}"


def _times_hundred(value: Any) -> float | None:
    number = finite(value)
    return None if number is None else 100 * number


def level(value: Any) -> str:
    """
    A confidence level in per cent, without needless digits.

    Examples
    --------
    >>> level(0.95) == f"95{SPACE}%", level(0.999) == f"99.9{SPACE}%"
    (True, True)
    """
    number = finite(value)
    return MISSING if number is None else f"{100 * number:.6g}{SPACE}%"


def p_value(value: Any) -> str:
    """
    A p-value for a cell of a table.

    Examples
    --------
    >>> p_value(0.00004), p_value(0.0003), p_value(0.0312), p_value(0.9999), p_value(None)
    ('< 0.0001', '0.0003', '0.031', '> 0.999', '—')
    """
    number = finite(value)
    if number is None:
        return MISSING
    if number < 0.001:
        return "< 0.0001" if number < 0.0001 else f"{number:.4f}"
    return "> 0.999" if number > 0.999 else f"{number:.3f}"


def p_words(value: Any, *, label: str = "p") -> str:
    """
    A p-value for a sentence.

    Examples
    --------
    >>> p_words(0.00004), p_words(0.031, label="Holm p"), p_words(None)
    ('p < 0.0001', 'Holm p = 0.031', 'no p-value')
    """
    text = p_value(value)
    if text == MISSING:
        return "no p-value"
    return f"{label} {text}" if text[0] in "<>" else f"{label} = {text}"


def dollars(value: Any) -> str:
    """
    An amount of money: cents, and two significant digits below one cent.

    Examples
    --------
    >>> dollars(1234.5), dollars(0.00341), dollars(0), dollars(None)
    ('$1,234.50', '$0.0034', '$0.00', '—')
    """
    number = finite(value)
    if number is None:
        return MISSING
    sign = MINUS if number < 0 else ""
    size = abs(number)
    digits = 2 if size == 0 or size >= 0.01 else min(12, 1 - math.floor(math.log10(size)))
    rounded = Decimal(str(size)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return f"{sign}${rounded:,}"


def rate(value: Any) -> str:
    """
    A price in dollars with every digit that it has, and at least cents.

    Examples
    --------
    >>> rate(0.075), rate(0.4), rate(3), rate(None)
    ('$0.075', '$0.40', '$3.00', '—')
    """
    number = finite(value)
    if number is None:
        return MISSING
    whole, _, digits = f"{number:,.9f}".rstrip("0").partition(".")
    return f"${whole}.{digits:0<2}"


def count(value: Any) -> str:
    """
    A count with thousands separators.

    Examples
    --------
    >>> count(1319), count(0), count(None)
    ('1,319', '0', '—')
    """
    return decimal(value, digits=0)


def compact(value: Any) -> str:
    """
    A number of any size in few characters, such as an odds ratio or a price.

    Examples
    --------
    >>> compact(3.63399), compact(0.25), compact(1250.0), compact(None)
    ('3.63', '0.25', '1,250', '—')
    """
    number = finite(value)
    if number is None:
        return MISSING
    size = abs(number)
    text = f"{size:,.0f}" if size >= 1000 else f"{size:.2f}" if size >= 0.1 or not size else f"{size:.2g}"
    return f"{MINUS if number < 0 else ''}{text}"


def plural(number: Any, noun: str) -> str:
    """
    A count with its noun.

    Examples
    --------
    >>> plural(1, "trial"), plural(1319, "paired question")
    ('1 trial', '1,319 paired questions')
    """
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def visible(text: Any) -> str:
    r"""
    A text that may hold anything, with control characters made visible.

    Line feeds and tabs stay; a lone surrogate, which no file can hold, becomes a replacement mark.

    Examples
    --------
    >>> visible("a\x00b")
    'a⟨U+0000⟩b'
    """
    lines = str(text).replace("\r\n", "\n").translate(_VISIBLE)
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", lines)


def excerpt(text: Any, *, limit: int = TEXT_LIMIT) -> Excerpt:
    """
    The beginning of a text, and how long all of it is.

    Examples
    --------
    >>> excerpt("abcdef", limit=2)
    Excerpt(text='ab', n_characters=6)
    """
    whole = str(text)
    return Excerpt(whole[:limit], len(whole))


def brief(text: Any, *, limit: int = 300) -> str:
    """
    A text for one line, cut with an ellipsis.

    Examples
    --------
    >>> brief("abcdef", limit=4)
    'abc…'
    """
    whole = " ".join(str(text).split()) if not isinstance(text, float) else f"{text:g}"
    return visible(whole if len(whole) <= limit else f"{whole[: limit - 1]}…")


def csv_text(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    r"""
    A table as CSV text with a header line; a value that is not there is an empty cell.

    A text that a spreadsheet would take for a formula gets a leading apostrophe.

    Examples
    --------
    >>> csv_text([{"trial": "=1+1", "correct": -0.5, "f1": None}], ["trial", "correct", "f1"])
    "trial,correct,f1\n'=1+1,-0.5,\n"
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([_cell(column) for column in columns])
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return buffer.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value) if math.isfinite(value) else ""
    text = _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", str(value)).replace("\0", "")
    is_formula = text.startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(text)
    return f"'{text}" if is_formula else text
