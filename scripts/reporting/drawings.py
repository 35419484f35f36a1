"""The figures of a page as drawings that stand alone, each with the numbers that it shows."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.comparison import metrics
from scripts.records import Outcome
from scripts.reporting import figures, leaderboard, summary
from scripts.reporting.quantities import change, quantity_interval
from scripts.reporting.scatter import Scatter, abstention_scatter, cost_scatter
from scripts.reporting.tables import MISSING, count, interval, level, p_words, percent, points

METRIC_COLUMNS = ("trial", "dataset", "metric", "n", "mean", "low", "high", "method")

_STYLE = Path(__file__).parent / "templates" / "style.css"
_SETTING = re.compile(r"(--[a-z]+): ([^;]+);")


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of a panel: a name, a mark, a text."""

    label: str
    text: str
    kind: str = "raw"
    """Look of the mark: one of the verdicts, ``none`` or ``raw``."""
    span: figures.Span | None = None
    segments: tuple[figures.Segment, ...] = ()


@dataclasses.dataclass(frozen=True)
class Panel:
    """Lines on one axis."""

    heading: str
    rows: tuple[Row, ...]
    ticks: tuple[figures.Tick, ...] = ()
    zero: float | None = None
    """Place of a line at zero."""
    band: tuple[float, float] | None = None
    is_bars: bool = False
    has_axis: bool = True


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A figure with its numbers."""

    name: str
    title: str
    note: str
    columns: tuple[str, ...]
    numbers: tuple[Mapping[str, Any], ...]
    """What the figure shows, a row a mark."""
    panels: tuple[Panel, ...] = ()
    scatter: Scatter | None = None
    legend: tuple[str, ...] = ()
    """Outcomes that the colours stand for."""


@functools.cache
def palette(scheme: str = "light") -> dict[str, str]:
    """Colours and fonts of the pages by their names in the style sheet, in the light or the dark."""
    roots = re.findall(r":root \{(.*?)\}", _STYLE.read_text(encoding="utf-8"), re.DOTALL)
    light, dark = (dict(_SETTING.findall(root)) for root in roots)
    return light if scheme == "light" else {**light, **dark}


def run_drawings(
    run: Mapping[str, Any], *, family: Sequence[str], margin: float | None
) -> dict[str, Drawing]:
    """Draw every figure of a run (`scripts.records.FIGURES`), also those in which there is nothing to see."""
    trials = {trial["trial"]: trial for trial in run["trials"]}
    ranked = [trials[row["trial"]] for row in leaderboard.leaderboard_rows(run)]
    confidence = level(run["confidence_level"])
    effects = [row for row in run["effects"] if row["dataset"] == "all" and row["metric"] in family]
    drawings = (
        forest_drawing(effects, group="baseline", margin=margin, confidence=confidence),
        _leaderboard(ranked, confidence),
        _datasets(ranked, confidence),
        outcomes_drawing(ranked),
        _scatter("abstention", abstention_scatter(ranked), ranked, confidence),
        _scatter("cost", cost_scatter(ranked), ranked, confidence),
    )
    return {drawing.name: drawing for drawing in drawings}


def forest_drawing(
    effects: Sequence[Mapping[str, Any]], *, group: str, margin: float | None, confidence: str
) -> Drawing:
    """Draw effects with their intervals, those of one baseline or of one dataset below each other."""
    rows = figures.by_difference(effects) if group == "baseline" else list(effects)
    panels = []
    for metric in dict.fromkeys(row["metric"] for row in effects) if group == "baseline" else ("",):
        layout = figures.forest(
            [row for row in rows if metric in ("", row["metric"])], group=group, margin=margin
        )
        for place, part in enumerate(layout.groups):
            is_last = place == len(layout.groups) - 1
            panels.append(_effect_panel(part, layout, metric, group, is_last=is_last))
    return Drawing(
        name="forest",
        title="Differences from the baseline, percentage points",
        note=f"{confidence} intervals." + (f" Shaded: within {points(margin)[1:]} points." if margin else ""),
        columns=summary.EFFECT_COLUMNS,
        numbers=tuple(summary.flat_effect(row) for row in rows),
        panels=tuple(panels),
    )


def _effect_panel(
    part: figures.ForestGroup, layout: figures.Forest, metric: str, group: str, *, is_last: bool
) -> Panel:
    about = "all datasets" if part.name == "all" else part.name
    heading = f"{metrics.heading(metric)}, compared with {about}" if group == "baseline" else about
    rows = tuple(
        Row(
            label=row.effect["trial"] if group == "baseline" else metrics.heading(row.effect["metric"]),
            text=effect_words(row.effect),
            kind=_look(row.effect),
            span=row.span,
        )
        for row in part.rows
    )
    return Panel(heading, rows, layout.ticks, layout.zero, layout.band, has_axis=is_last)


def effect_words(effect: Mapping[str, Any]) -> str:
    """
    An effect's numbers in a few words.

    Examples
    --------
    >>> effect_words({"difference": 0.061, "low": 0.032, "high": 0.09, "p_value": 0.0312})
    '+6.1 (3.2 to 9.0), p = 0.031'
    """
    if effect["difference"] is None:
        return MISSING
    adjusted = effect.get("p_adjusted")
    p = p_words(effect["p_value"] if adjusted is None else adjusted)
    return f"{change(effect)} ({quantity_interval(effect)}), {p}"


def _look(effect: Mapping[str, Any]) -> str:
    if effect["difference"] is None:
        return "none"
    return str(effect.get("verdict", "raw"))


def _leaderboard(ranked: Sequence[Mapping[str, Any]], confidence: str) -> Drawing:
    return Drawing(
        name="leaderboard",
        title="Correct answers over all datasets, per cent",
        note=f"{confidence} intervals.",
        columns=METRIC_COLUMNS,
        numbers=tuple(_numbers(trial["trial"], "all", "correct", trial["metrics"]) for trial in ranked),
        panels=(_bar_panel("", [(trial["trial"], trial["metrics"]["correct"]) for trial in ranked]),),
    )


def _datasets(ranked: Sequence[Mapping[str, Any]], confidence: str) -> Drawing:
    names = dict.fromkeys(name for trial in ranked for name in trial["by_dataset"])
    parts = [
        (
            name,
            [
                (trial["trial"], trial["by_dataset"][name]["metrics"])
                for trial in ranked
                if name in trial["by_dataset"]
            ],
        )
        for name in names
    ]
    return Drawing(
        name="datasets",
        title="Correct answers on each dataset, per cent",
        note=f"{confidence} intervals.",
        columns=METRIC_COLUMNS,
        numbers=tuple(
            _numbers(trial, name, "correct", metrics) for name, rows in parts for trial, metrics in rows
        ),
        panels=tuple(
            _bar_panel(name, [(trial, metrics["correct"]) for trial, metrics in rows]) for name, rows in parts
        ),
    )


def _bar_panel(heading: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> Panel:
    drawn = figures.bars([metric for _, metric in rows])
    lines = tuple(
        Row(trial, f"{percent(metric['mean'])} ({interval(metric['low'], metric['high'])})", span=span)
        for (trial, metric), span in zip(rows, drawn.spans, strict=True)
    )
    return Panel(heading, lines, drawn.ticks, 0.0, is_bars=True)


def _numbers(trial: str, dataset: str, metric: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {"trial": trial, "dataset": dataset, "metric": metric, **metrics[metric]}


def outcomes_drawing(trials: Sequence[Mapping[str, Any]]) -> Drawing:
    """Draw what became of the requests of some trials."""
    outcomes = tuple(outcome.value for outcome in Outcome)
    rows = tuple(
        Row(
            trial["trial"],
            f"{count(trial['outcomes'].get('answered', 0))} of {count(trial['n_requests'])} answered",
            segments=figures.stack(trial["outcomes"]),
        )
        for trial in trials
    )
    return Drawing(
        name="outcomes",
        title="Outcome of every request",
        note="",
        columns=("trial", "n_requests", *outcomes),
        numbers=tuple(
            {"trial": trial["trial"], "n_requests": trial["n_requests"], **trial["outcomes"]}
            for trial in trials
        ),
        panels=(Panel("", rows),),
        legend=outcomes,
    )


def _scatter(
    name: str, layout: Scatter | None, ranked: Sequence[Mapping[str, Any]], confidence: str
) -> Drawing:
    titles = {"cost": "Correct answers against cost", "abstention": "False answers against abstentions"}
    metrics = {"cost": ("correct",), "abstention": ("abstained", "false_answer")}[name]
    numbers = []
    for trial in ranked:
        ends = {
            f"{metric}_{end}": trial["metrics"][metric][end]
            for metric in metrics
            for end in ("mean", "low", "high")
        }
        numbers.append({"trial": trial["trial"], "cost_usd": trial["cost_usd"], **ends})
    columns = tuple(f"{metric}_{end}" for metric in metrics for end in ("mean", "low", "high"))
    return Drawing(
        name=name,
        title=titles[name],
        note=f"Whiskers are {confidence} intervals.",
        columns=("trial", *(("cost_usd",) if name == "cost" else ()), *columns),
        numbers=tuple(numbers),
        scatter=layout,
    )
