"""Means and differences of any metric: shares in per cent and points, dollars, tokens, plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.comparison.metrics import USAGE
from scripts.reporting.tables import MINUS, MISSING, count, decimal, dollars, finite, interval, points, share

_LONGER = {True: "longer", False: "shorter"}
_DEARER = {True: "dearer", False: "cheaper"}

USAGE_NAMES = tuple(metric.name for metric in USAGE)


def quantity(value: Any, about: Mapping[str, Any]) -> str:
    """
    Write a mean of a metric, without its unit unless that is a currency.

    Parameters
    ----------
    value : number or None
        The mean, or an end of its interval.
    about : mapping
        The metric's or effect's entry in a summary: ``is_share`` (absent: it is one) and ``unit``.

    Examples
    --------
    >>> quantity(0.4337, {}), quantity(1234.4, {"is_share": False, "unit": "tokens"}), quantity(None, {})
    ('43.4', '1,234', '—')
    >>> quantity(0.0012, {"is_share": False, "unit": "USD"}), quantity(7.25, {"is_share": False, "unit": ""})
    ('$0.0012', '7.2')
    """
    if is_share(about):
        return share(value)
    if about.get("unit") == "USD":
        return dollars(value)
    number = finite(value)
    if number is None:
        return MISSING
    return count(number) if abs(number) >= 100 else decimal(number)  # both write a real minus sign


def quantity_interval(about: Mapping[str, Any]) -> str:
    """
    Write the interval of a mean or of a difference.

    Examples
    --------
    >>> quantity_interval({"low": 28.1, "high": 34.0, "is_share": False, "unit": "tokens"})
    '28.1 to 34.0'
    """
    return limits(about["low"], about["high"], about)


def is_share(about: Mapping[str, Any]) -> bool:
    """Whether a metric is shown in per cent; an entry that does not say so is."""
    return about.get("is_share", True) is not False


def unit_words(about: Mapping[str, Any]) -> str:
    """
    Name the unit of a difference after its number, with a space before it.

    Examples
    --------
    >>> unit_words({}), unit_words({"is_share": False, "unit": "tokens"}), unit_words({"is_share": False})
    (' points', ' tokens', '')
    """
    if is_share(about):
        return " points"
    unit = about.get("unit") or ""
    return f" {unit}" if unit and unit != "USD" else ""


def size(value: Any, about: Mapping[str, Any]) -> str:
    """
    Write how large a difference is, without a sign.

    Examples
    --------
    >>> size(-0.171, {}), size(-7.0, {"is_share": False, "unit": ""})
    ('17.1', '7.0')
    """
    number = finite(value)
    if number is None:
        return MISSING
    return decimal(100 * abs(number)) if is_share(about) else quantity(abs(number), about)


def limits(low: Any, high: Any, about: Mapping[str, Any]) -> str:
    """
    Write an interval of a difference or a mean.

    Examples
    --------
    >>> limits(0.032, 0.09, {}), limits(-1.0, 9.0, {"is_share": False, "unit": ""})
    ('3.2 to 9.0', '−1.0 to 9.0')
    """
    low, high = finite(low), finite(high)
    if is_share(about):
        return interval(low, high)
    return MISSING if low is None or high is None else f"{quantity(low, about)} to {quantity(high, about)}"


def signed(value: Any, about: Mapping[str, Any]) -> str:
    """
    Write a difference with its sign.

    Examples
    --------
    >>> signed(0.061, {}), signed(-2.0, {"is_share": False, "unit": ""})
    ('+6.1', '−2.0')
    """
    difference = finite(value)
    if difference is None:
        return MISSING
    if is_share(about):
        return points(difference)
    written = quantity(abs(difference), about)
    return f"{MINUS if difference < 0 else '+'}{written}" if difference else written


def change(effect: Mapping[str, Any]) -> str:
    """
    Write a difference with its sign.

    Examples
    --------
    >>> change({"difference": 0.061}), change({"difference": -31.2, "is_share": False, "unit": "tokens"})
    ('+6.1', '−31.2')
    """
    return signed(effect["difference"], effect)


def usage_words(effect: Mapping[str, Any]) -> str:
    """
    Say how much longer or dearer a trial's answers are than its baseline's.

    Examples
    --------
    >>> usage_words({"metric": "output_tokens", "difference": -31.2, "low": -34.0, "high": -28.0,
    ...              "is_share": False, "unit": "tokens"})
    '31.2 tokens shorter (28.0 to 34.0)'
    """
    difference = finite(effect["difference"])
    if difference is None:
        return MISSING
    if not difference:
        return f"no different ({quantity_interval(effect)})"
    sign = 1 if difference > 0 else -1
    ends = [finite(effect[name]) for name in ("low", "high")]
    sizes = [end * sign for end in ends if end is not None]
    ends_words = f" ({' to '.join(_signed(end, effect) for end in sorted(sizes))})" if len(sizes) == 2 else ""
    words = _DEARER if effect.get("unit") == "USD" else _LONGER
    return f"{size(difference, effect)}{unit_words(effect)} {words[difference > 0]}{ends_words}"


def _signed(value: float, effect: Mapping[str, Any]) -> str:
    return f"{MINUS if value < 0 else ''}{quantity(abs(value), effect)}"


def usage_rows(
    trials: Sequence[Mapping[str, Any]], effects: Sequence[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], list[tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]]]]:
    """
    Lay out what the answers of each trial took: a mean, and a difference from the baseline, for each metric.

    Parameters
    ----------
    trials : sequence of mapping
        Of a summary, in the order of the rows.
    effects : sequence of mapping
        Over all datasets.
    """
    by_key = {(effect["trial"], effect["metric"]): effect for effect in effects}
    return [
        (trial, [(trial["metrics"].get(name), by_key.get((trial["trial"], name))) for name in USAGE_NAMES])
        for trial in trials
        if any(name in trial["metrics"] for name in USAGE_NAMES)
    ]
