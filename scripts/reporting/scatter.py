"""Trials as points between two numbers: where they go, in per cent of the drawing; no markup."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.reporting.figures import Scale, Tick, nice_ticks, tick_label
from scripts.reporting.tables import dollars, finite, interval, percent


@dataclasses.dataclass(frozen=True)
class Dot:
    """A trial's two numbers, before they are drawn."""

    rank: int
    """Place in the leaderboard."""
    trial: str
    x: float
    y: float
    """In per cent, as the ends of its interval."""
    low: float | None
    high: float | None
    words: str
    """The numbers as text."""


@dataclasses.dataclass(frozen=True)
class Point:
    """A trial in the drawing."""

    rank: int
    trial: str
    words: str
    x: float
    y: float
    y_low: float | None
    y_high: float | None
    is_efficient: bool
    """No trial is both cheaper and better."""
    label_dx: int = 10
    """Pixels from the point to its label; below zero the label ends there."""
    label_dy: int = -5


@dataclasses.dataclass(frozen=True)
class Line:
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclasses.dataclass(frozen=True)
class Scatter:
    """Points with their axes."""

    points: tuple[Point, ...]
    frontier: tuple[Line, ...]
    """Steps through the efficient trials, from the cheapest to the best; empty where there is no best."""
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_title: str
    y_title: str
    is_log: bool = False


def cost_scatter(ranked: Sequence[Mapping[str, Any]]) -> Scatter | None:
    """
    Lay out trials of the summary, the best first, by cost and share of correct answers.

    Returns None when fewer than two trials have both, or when all cost the same: there is nothing to
    weigh then.
    """
    dots = [
        _dot(rank, trial, x=cost, metric="correct", words=f"{dollars(cost)}; correct")
        for rank, trial in enumerate(ranked, 1)
        if (cost := finite(trial["cost_usd"])) is not None
        and finite(trial["metrics"]["correct"]["mean"]) is not None
    ]
    costs = [dot.x for dot in dots]
    if len(set(costs)) < 2:
        return None
    scale, values = _cost_axis(costs)
    drawn = _lay_out(dots, scale, efficient=_efficient([(dot.x, dot.y) for dot in dots]))
    return dataclasses.replace(
        drawn,
        frontier=_steps([point for point in drawn.points if point.is_efficient]),
        x_ticks=tuple(Tick(scale.at(value), _dollar_tick(value)) for value in values),
        x_title="Cost of the trial",
        y_title="Correct, %",
        is_log=scale.is_log,
    )


def abstention_scatter(ranked: Sequence[Mapping[str, Any]]) -> Scatter | None:
    """
    Lay out trials of the summary, the best first, by the shares of abstentions and of false answers.

    Returns None when fewer than two trials have both.
    """
    dots = [
        _dot(
            rank,
            trial,
            x=100 * share,
            metric="false_answer",
            words=f"abstained {percent(share)}; false answers",
        )
        for rank, trial in enumerate(ranked, 1)
        if (share := finite(trial["metrics"]["abstained"]["mean"])) is not None
        and finite(trial["metrics"]["false_answer"]["mean"]) is not None
    ]
    if len(dots) < 2:
        return None
    values = nice_ticks(0, max([*(dot.x for dot in dots), 1.0]))
    scale = Scale(0, values[-1])
    return dataclasses.replace(
        _lay_out(dots, scale, efficient=set(range(len(dots)))),
        x_ticks=tuple(Tick(scale.at(value), tick_label(value)) for value in values),
        x_title="Abstained, % of all questions",
        y_title="False answers, % of the questions that have none",
    )


def _dot(rank: int, trial: Mapping[str, Any], *, x: float, metric: str, words: str) -> Dot:
    value = trial["metrics"][metric]
    low, high = (None if (end := finite(value[name])) is None else 100 * end for name in ("low", "high"))
    text = f"{words} {percent(value['mean'])} ({interval(value['low'], value['high'])})"
    return Dot(rank, trial["trial"], x, 100 * value["mean"], low, high, text)


def _lay_out(dots: Sequence[Dot], x_scale: Scale, *, efficient: set[int]) -> Scatter:
    numbers = [number for dot in dots for number in (dot.y, dot.low, dot.high) if number is not None]
    values = nice_ticks(min(numbers), max(numbers))
    scale = Scale(values[0], values[-1])

    def height(number: float | None) -> float | None:
        return None if number is None else 100 - scale.at(number)

    points = tuple(
        Point(
            rank=dot.rank,
            trial=dot.trial,
            words=dot.words,
            x=x_scale.at(dot.x),
            y=100 - scale.at(dot.y),
            y_low=height(dot.low),
            y_high=height(dot.high),
            is_efficient=place in efficient,
        )
        for place, dot in enumerate(dots)
    )
    ticks = tuple(Tick(100 - scale.at(value), tick_label(value)) for value in values)
    return Scatter(_with_labels(points), (), (), ticks, "", "")


def _cost_axis(costs: Sequence[float]) -> tuple[Scale, tuple[float, ...]]:
    """A linear axis from zero, or a logarithmic one when costs differ by a factor of 20 or more."""
    low, high = min(costs), max(costs)
    if low > 0 and high / low >= 20:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        values = tuple(10.0**power for power in powers)
        return Scale(values[0], values[-1], is_log=True), values
    values = nice_ticks(0, high, target=5)
    return Scale(0, values[-1]), values


def _dollar_tick(value: float) -> str:
    if value >= 1000:
        return f"${value:,.0f}"
    return f"${value:.6g}" if value >= 1e-4 or not value else f"${value:.0e}"


def _efficient(pairs: Sequence[tuple[float, float]]) -> set[int]:
    """Positions of the (cost, mean) pairs that no other pair beats in both."""
    return {
        place
        for place, (cost, mean) in enumerate(pairs)
        if not any(
            other_cost <= cost and other >= mean and (other_cost, other) != (cost, mean)
            for other_cost, other in pairs
        )
    }


_WIDTH, _HEIGHT, _LETTER, _LINE = 860, 340, 6.4, 13
"""Usual pixels of a drawing, of a letter and of a line: whether labels overlap depends on the screen."""

_LABEL_PLACES = tuple((dx, dy) for dy in (-5, 14, -19, 28, -33) for dx in (10, -10))


def _with_labels(points: Sequence[Point]) -> tuple[Point, ...]:
    """Put each label where it covers no other one and stays inside, if there is such a place."""
    taken = [_box(point.x, point.y, 0, 4, 10) for point in points]
    placed = []
    for point in sorted(points, key=lambda point: point.rank):
        width = _LETTER * (len(point.trial[:32]) + 4)
        boxes = [_box(point.x, point.y, dx, dy, width) for dx, dy in _LABEL_PLACES]
        free = [
            place
            for place, box in enumerate(boxes)
            if box[0] >= 0 and box[2] <= _WIDTH and not any(_overlap(box, other) for other in taken)
        ]
        place = free[0] if free else 0
        taken.append(boxes[place])
        dx, dy = _LABEL_PLACES[place]
        placed.append(dataclasses.replace(point, label_dx=dx, label_dy=dy))
    return tuple(sorted(placed, key=lambda point: (point.is_efficient, -point.rank)))


_Box = tuple[float, float, float, float]


def _box(x: float, y: float, dx: int, dy: int, width: float) -> _Box:
    """Left, top, right and bottom of a label in pixels."""
    left = x * _WIDTH / 100 + (dx if dx > 0 else dx - width if dx else -width / 2)
    bottom = y * _HEIGHT / 100 + dy
    return left, bottom - _LINE, left + width, bottom


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _steps(points: Sequence[Point]) -> tuple[Line, ...]:
    ordered = sorted(points, key=lambda point: point.x)
    lines = []
    for left, right in itertools.pairwise(ordered):
        lines += [Line(left.x, left.y, right.x, left.y), Line(right.x, left.y, right.x, right.y)]
    return tuple(lines)
