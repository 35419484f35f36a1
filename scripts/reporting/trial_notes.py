"""A trial from other sides: what is missing, what would make it more certain, what it answers."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

from scripts.analysis.levels import significance_level
from scripts.reporting import drawings, figures
from scripts.reporting.robustness import more_words
from scripts.reporting.scatter import Line, Scatter
from scripts.reporting.tables import (
    compact,
    count,
    finite,
    interval,
    p_words,
    percent,
    plural,
    share,
)


@dataclasses.dataclass(frozen=True)
class Subgroups:
    """The effect within groups of items, by the fields that make the groups."""

    metric: str
    forest: figures.Forest | None
    """None: no group was large enough."""
    notes: tuple[str, ...]
    """For each field, whether its groups differ, and what was left out."""
    adjustment: str
    """How the p-values were adjusted within a field, as the configuration calls it."""


def precision_notes(stats: Mapping[str, Any]) -> list[str]:
    """
    Say what would make the share of correct answers more certain, and what clusters cost.

    Parameters
    ----------
    stats : mapping
        What ``stats.json`` holds; an older one, without ``variance``, gives nothing.
    """
    part = stats.get("variance")
    if part is None:
        return []
    notes = [
        f"More questions or more replicates? {_capital(more_words(part))}."
        if part["more_of"] is not None
        else f"Whether more questions or more replicates would help is unknown: {part['reason']}."
    ]
    design = part.get("design_effect") or {}
    if finite(design.get("design_effect")) is not None and design["n_clusters"] < design["n_items"]:
        notes.append(
            f"Clusters: {plural(design['n_items'], 'question')} in {count(design['n_clusters'])} clusters "
            f"carry as much information as {count(design['effective_items'])} independent ones "
            f"(design effect {compact(design['design_effect'])})."
        )
    return notes


def sharing_note(stats: Mapping[str, Any]) -> str:
    """
    Say that questions share requests, each of which counts once; an empty text: none does.

    Examples
    --------
    >>> sharing_note({"n_items": 200, "n_units": 50})
    '200 questions make 50 different requests: questions that share one are a single observation.'
    """
    n_units = stats.get("n_units") or stats["n_items"]
    if n_units >= stats["n_items"]:
        return ""
    return (
        f"{plural(stats['n_items'], 'question')} make {plural(n_units, 'different request')}: questions that "
        "share one are a single observation."
    )


def bounds_note(stats: Mapping[str, Any]) -> str:
    r"""
    Bound the share of correct answers, whatever the missing answers were; an empty text: none is missing.

    Examples
    --------
    >>> bounds = {"n_items": 10, "n_incomplete": 2, "lowest": 0.4, "highest": 0.6, "low": None, "high": None}
    >>> bounds_note({"bounds": {"correct": bounds}}).replace("\N{NO-BREAK SPACE}", " ")
    '2 of 10 questions lack an answer. If all had been wrong, or all right, 40.0 or 60.0 % would be correct.'
    """
    part = (stats.get("bounds") or {}).get("correct")
    if part is None or not part["n_incomplete"] or finite(part["lowest"]) is None:
        return ""
    limits = ""
    if finite(part["low"]) is not None and finite(part["high"]) is not None:
        limits = f" ({interval(part['low'], part['high'])} with their intervals)"
    verb = "lacks" if part["n_incomplete"] == 1 else "lack"
    return (
        f"{count(part['n_incomplete'])} of {plural(part['n_items'], 'question')} {verb} an answer. If all "
        f"had been wrong, or all right, {share(part['lowest'])} or {percent(part['highest'])} would be "
        f"correct{limits}."
    )


def answering_notes(stats: Mapping[str, Any]) -> list[str]:
    """Say how much a trial answers, how often it is then right, and how well it knows when to answer."""
    part = stats.get("selective")
    if part is None:
        return []
    if part["coverage"] is None:
        return [f"How much it answers is unknown: {part['reason']}."]
    coverage, accuracy = part["coverage"], part["accuracy"]
    notes = [
        f"It answers {_mean_words(coverage)} of what it is asked, and {_mean_words(accuracy)} of these "
        f"answers are right: {plural(part['n_answers'], 'answer')}, "
        f"{plural(part['n_abstentions'], 'abstention')}, "
        f"{count(part['n_without_outcome'])} without an outcome."
    ]
    if part["n_left_out"]:
        left_out = plural(part["n_left_out"], "question")
        notes.append(f"Left out: {left_out} whose scorer does not identify abstentions.")
    curve = part["risk_coverage"]
    if finite(curve["aurc"]) is not None:
        notes.append(
            "Answered first where its replicates abstain least, it is wrong in "
            f"{percent(curve['aurc'])} of the answers, on average over all coverages; the best order of the "
            f"same answers would give {percent(curve['best_aurc'])}."
        )
    return notes


def _mean_words(metric: Mapping[str, Any]) -> str:
    if finite(metric["mean"]) is None:
        return "an unknown share"
    return f"{percent(metric['mean'])} ({interval(metric['low'], metric['high'])})"


def risk_drawing(stats: Mapping[str, Any]) -> drawings.Drawing | None:
    """Draw the share of wrong answers against the share of questions answered; None without such a curve."""
    curve = ((stats.get("selective") or {}).get("risk_coverage") or {}).get("curve") or ()
    if len(curve) < 2:
        return None
    risks = figures.nice_ticks(0, max(100 * risk for _, risk in curve), target=4)
    x, y = figures.Scale(0, 100), figures.Scale(risks[0], risks[-1])
    places = [(x.at(100 * coverage), 100 - y.at(100 * risk)) for coverage, risk in curve]
    layout = Scatter(
        points=(),
        frontier=tuple(Line(*here, *there) for here, there in itertools.pairwise(places)),
        x_ticks=tuple(figures.Tick(x.at(tick), figures.tick_label(tick)) for tick in (0, 25, 50, 75, 100)),
        y_ticks=tuple(figures.Tick(100 - y.at(tick), figures.tick_label(tick)) for tick in risks),
        x_title="Questions answered, %",
        y_title="Wrong answers, %",
    )
    return drawings.Drawing(
        name="risk_coverage",
        title="Wrong answers against questions answered",
        note="Answered first: the questions on which the replicates abstain least.",
        columns=("coverage", "risk"),
        numbers=tuple({"coverage": coverage, "risk": risk} for coverage, risk in curve),
        scatter=layout,
    )


def subgroups(effect: Mapping[str, Any], *, confidence_level: float) -> Subgroups | None:
    """Lay out an effect within groups of items; None where no groups were looked at."""
    analyses = effect.get("subgroups")
    if not analyses:
        return None
    rows = [
        {
            **group["effect"],
            "field": part["field"],
            "label": group["label"],
            "p_value": group["p_value_adjusted"],
        }
        for part in analyses
        for group in part["groups"]
    ]
    return Subgroups(
        metric=effect["metric"],
        forest=figures.forest(rows, group="field", margin=None) if rows else None,
        notes=tuple(_field_note(part, confidence_level) for part in analyses),
        adjustment=analyses[0]["adjustment"],
    )


def _field_note(part: Mapping[str, Any], confidence_level: float) -> str:
    test = part["interaction"]
    if finite(test["p_value"]) is None:
        said = f"no test of whether the groups differ: {test['reason']}"
    else:
        is_clear = "no clear evidence that the effect differs between the groups"
        if test["p_value"] < significance_level(confidence_level):
            is_clear = "the effect seems to differ between the groups"
        said = f"{is_clear} (interaction {p_words(test['p_value'])}, {test['method']})"
    if part["n_groups_left_out"]:
        named = ", ".join(f"{group['label']}: {group['reason']}" for group in part["left_out"])
        groups = plural(part["n_groups_left_out"], "group")
        said += f"; left out: {groups} with {plural(part['n_pairs_left_out'], 'pair')} ({named})"
    if part["n_pairs_without_value"]:
        said += f"; {plural(part['n_pairs_without_value'], 'pair')} without a value"
    return f"{part['field']}: {said}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
