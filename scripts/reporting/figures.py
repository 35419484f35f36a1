"""Where the marks of a picture go: scales, ticks and positions, no markup.

Every position is in per cent of the drawing's width or height (from the left, from the top), so that a
picture stretches with the page while its text keeps its size.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scripts.records import Outcome
from scripts.reporting.tables import MINUS, finite


@dataclasses.dataclass(frozen=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    label: str


@dataclasses.dataclass(frozen=True)
class Scale:
    """A linear or logarithmic axis from `low` to `high`."""

    low: float
    high: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """
        Place of a value in per cent; values outside are put on the edge.

        Examples
        --------
        >>> Scale(0, 50).at(20), Scale(1, 100, is_log=True).at(10)
        (40.0, 50.0)
        """
        low, high, place = (self._transform(number) for number in (self.low, self.high, value))
        return round(min(100.0, max(0.0, 100 * (place - low) / (high - low))), 3)

    def _transform(self, value: float) -> float:
        return math.log10(value) if self.is_log else value


def nice_step(span: float, *, target: int = 5) -> float:
    """
    A step of 1, 2, 2.5 or 5 times a power of ten that divides `span` into about `target` parts.

    Examples
    --------
    >>> nice_step(0.12), nice_step(100)
    (0.02, 20.0)
    """
    raw = span / target
    power = 10.0 ** math.floor(math.log10(raw))
    return next(float(factor * power) for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.8)


def nice_ticks(low: float, high: float, *, target: int = 5) -> tuple[float, ...]:
    """
    Round numbers that cover ``[low, high]``, the ends included.

    Examples
    --------
    >>> nice_ticks(-3, 9)
    (-4.0, -2.0, 0.0, 2.0, 4.0, 6.0, 8.0, 10.0)
    """
    if not high > low:
        low, high = low - 0.5, high + 0.5
    step = nice_step(high - low, target=target)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(number * step, 12) + 0.0 for number in range(first, last + 1))


def tick_label(value: float, *, sign: bool = False) -> str:
    """
    A tick's number, with no more digits than it needs.

    Examples
    --------
    >>> tick_label(-2.5), tick_label(5, sign=True), tick_label(0.0, sign=True)
    ('−2.5', '+5', '0')
    """
    text = f"{abs(value):.6g}"
    if value == 0:
        return "0"
    return f"{MINUS if value < 0 else '+' if sign else ''}{text}"


@dataclasses.dataclass(frozen=True)
class Span:
    """A point with its interval; an end that is not there is None."""

    at: float | None
    low: float | None
    high: float | None


@dataclasses.dataclass(frozen=True)
class ForestRow:
    """An effect and where it is drawn."""

    effect: Mapping[str, Any]
    span: Span


@dataclasses.dataclass(frozen=True)
class ForestGroup:
    """Effects that stand together under one heading."""

    name: str
    rows: tuple[ForestRow, ...]


@dataclasses.dataclass(frozen=True)
class Forest:
    """Effects on one axis, of percentage points unless their metric is no share."""

    groups: tuple[ForestGroup, ...]
    ticks: tuple[Tick, ...]
    zero: float
    band: tuple[float, float] | None
    """Left edge and width of the equivalence band."""
    unit: str = "points"
    """Of the axis."""


def forest(effects: Sequence[Mapping[str, Any]], *, group: str, margin: float | None) -> Forest:
    """
    Lay out effects on an axis that holds zero, the equivalence band and every interval.

    Effects with the same value of the field `group` stand together; their order is kept.
    """
    shown = _per_cent(effects[0]) if effects else 100
    numbers = [shown * n for effect in effects for n in _present(effect, ("low", "difference", "high"))]
    edge = shown * (margin or 0.0)
    values = nice_ticks(min([*numbers, -edge]), max([*numbers, edge]), target=6)
    scale = Scale(values[0], values[-1])
    rows: dict[str, list[ForestRow]] = {}
    for effect in effects:
        rows.setdefault(str(effect[group]), []).append(ForestRow(effect, _span(effect, "difference", scale)))
    left, right = scale.at(-edge), scale.at(edge)
    return Forest(
        groups=tuple(ForestGroup(name, tuple(members)) for name, members in rows.items()),
        ticks=tuple(Tick(scale.at(value), tick_label(value, sign=True)) for value in values),
        zero=scale.at(0),
        band=(left, round(right - left, 3)) if margin else None,
        unit="points" if shown == 100 else str(effects[0].get("unit") or ""),
    )


def by_difference(effects: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Sort effects, the largest difference first, those without one last."""
    return sorted(effects, key=lambda row: (row["difference"] is None, -(row["difference"] or 0.0)))


@dataclasses.dataclass(frozen=True)
class Bars:
    """One bar a metric, from zero, on an axis of per cent."""

    ticks: tuple[Tick, ...]
    spans: tuple[Span, ...]


def bars(metrics: Sequence[Mapping[str, Any]]) -> Bars:
    """Lay out means with their intervals, aligned with `metrics`; the axis starts at zero."""
    numbers = [_per_cent(metric) * n for metric in metrics for n in _present(metric, ("mean", "low", "high"))]
    values = nice_ticks(min([*numbers, 0.0]), max([*numbers, 1.0]), target=4)
    scale = Scale(values[0], values[-1])
    return Bars(
        tuple(Tick(scale.at(value), tick_label(value)) for value in values),
        tuple(_span(metric, "mean", scale) for metric in metrics),
    )


@dataclasses.dataclass(frozen=True)
class Segment:
    """A part of a stacked bar."""

    outcome: str
    n: int
    at: float
    width: float


def stack(outcomes: Mapping[str, int]) -> tuple[Segment, ...]:
    """
    Lay out outcome counts as one bar; outcomes that did not happen have no segment.

    Examples
    --------
    >>> [(part.outcome, part.at, part.width) for part in stack({"answered": 3, "missing": 1})]
    [('answered', 0.0, 75.0), ('missing', 75.0, 25.0)]
    """
    total = sum(outcomes.values())
    parts = []
    before = 0
    for outcome in Outcome:
        n = outcomes.get(outcome.value, 0)
        if n:
            parts.append(Segment(outcome.value, n, round(100 * before / total, 3), round(100 * n / total, 3)))
        before += n
    return tuple(parts)


def _span(row: Mapping[str, Any], at: str, scale: Scale) -> Span:
    places = [finite(row[name]) for name in (at, "low", "high")]
    return Span(*(None if number is None else scale.at(_per_cent(row) * number) for number in places))


def _per_cent(row: Mapping[str, Any]) -> int:
    """What to multiply numbers by: shares are shown in per cent, anything else as it is."""
    return 1 if row.get("is_share", True) is False else 100


def _present(row: Mapping[str, Any], names: Iterable[str]) -> list[float]:
    numbers = (finite(row[name]) for name in names)
    return [number for number in numbers if number is not None]
