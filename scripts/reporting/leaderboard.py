"""The leaderboard: a flat row for each trial, by its place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from scripts.comparison import metrics
from scripts.records import FAILED_OUTCOMES
from scripts.reporting.tables import finite

LEADERBOARD_TAIL = (
    "place",
    "place_low",
    "place_high",
    "n_items",
    "n_requests",
    "correct",
    "correct_low",
    "correct_high",
    "mean_common",
    "n_common",
    "correct_lowest",
    "correct_highest",
    *metrics.NAMES[1:],
    "failed",
    "truncated",
    "refused",
    "cost_usd",
    "cost_per_correct_usd",
)
"""Columns of the leaderboard after the trial's name and factors."""


RESERVED = frozenset(
    {
        "trial",
        "baseline",
        "n_items",
        "n_units",
        "n_requests",
        "outcomes",
        "n_without_text",
        "reading",
        "without_score",
        "metrics",
        "by_dataset",
        "analyses",
        "cost_usd",
        "cost_reason",
    }
)
"""Fields of a trial of the summary that are no factors."""


def leaderboard_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    One flat row for each trial, by its place; trials without a place come last.

    ``cost_per_correct_usd`` is the trial's cost over the number of its correct answers, replicates
    included; None when nothing is known to be correct.
    """
    board = summary.get("leaderboard") or {}
    rows = [_leaderboard_row(trial, board) for trial in summary["trials"]]
    return sorted(rows, key=_order)


def _order(row: Mapping[str, Any]) -> tuple[float, float]:
    """By place; trials that share one, or have none, by the share of correct answers."""
    place = math.inf if row["place"] is None else row["place"]
    return place, math.inf if row["correct"] is None else -row["correct"]


def leaderboard_columns(summary: Mapping[str, Any]) -> list[str]:
    """Columns of the leaderboard: trial, model, prompt, the other factors that are set, the numbers."""
    known = {*LEADERBOARD_TAIL, *metrics.NAMES}
    further = dict.fromkeys(name for trial in summary["trials"] for name in trial["metrics"])
    added = [name for name in further if name not in known]
    factors = ["model", "prompt", *other_factors(summary)]
    return ["trial", *factors, *LEADERBOARD_TAIL, *added]


def other_factors(summary: Mapping[str, Any]) -> list[str]:
    """Names of the factors, but for model and prompt, that at least one trial sets."""
    fixed = {"model", "prompt", *RESERVED}
    names = [name for trial in summary["trials"] for name in trial if name not in fixed]
    return [
        name
        for name in dict.fromkeys(names)
        if any(trial.get(name) is not None for trial in summary["trials"])
    ]


def cost_per_correct(trial: Mapping[str, Any]) -> float | None:
    """Dollars for each correct answer of a trial of the summary; None when that is not known."""
    correct = trial["metrics"]["correct"]
    cost = trial["cost_usd"]
    n_units = trial.get("n_units") or trial["n_items"]
    if cost is None or correct["mean"] is None or not n_units:
        return None
    n_correct = correct["mean"] * correct["n"] * trial["n_requests"] / n_units
    return float(cost / n_correct) if n_correct > 0 else None


def n_failed(outcomes: Mapping[str, int]) -> int:
    """Requests that brought no reply: errored, expired or missing."""
    return sum(outcomes.get(outcome, 0) for outcome in FAILED_OUTCOMES)


def _leaderboard_row(trial: Mapping[str, Any], board: Mapping[str, Any]) -> dict[str, Any]:
    means, outcomes = trial["metrics"], trial["outcomes"]
    place = (board.get("places") or {}).get(trial["trial"]) or {}
    bounds = (trial["analyses"].get("bounds") or {}).get("correct") or {}
    factors = {name: value for name, value in trial.items() if name not in RESERVED}
    return {
        "place": place.get("place"),
        "place_low": place.get("low"),
        "place_high": place.get("high"),
        "trial": trial["trial"],
        **factors,
        "n_items": trial["n_items"],
        "n_requests": trial["n_requests"],
        "correct": means["correct"]["mean"],
        "correct_low": means["correct"]["low"],
        "correct_high": means["correct"]["high"],
        "mean_common": finite(place.get("mean")),
        "n_common": board.get("n_common"),
        "correct_lowest": finite(bounds.get("lowest")),
        "correct_highest": finite(bounds.get("highest")),
        **{name: metric["mean"] for name, metric in means.items() if name != "correct"},
        "failed": n_failed(outcomes),
        "truncated": outcomes["truncated"],
        "refused": outcomes["refused"],
        "cost_usd": trial["cost_usd"],
        "cost_per_correct_usd": cost_per_correct(trial),
    }
