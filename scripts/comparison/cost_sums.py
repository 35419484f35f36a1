"""What a run cost in all, put together for ``summary.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.money.books import add_dollars, as_float
from scripts.reporting.leaderboard import cost_per_correct

COST_PARTS = ("cost_usd", "reason", "cost_per_request_usd", "n_attempts", "repeated", "failed", "reused")
"""What the summary has of a trial's ``costs.json``."""


def summarise_costs(
    summary: Mapping[str, Any], costs: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """
    Put together what a run cost and the rates of it, for ``summary.json``.

    Parameters
    ----------
    summary : mapping
        What `build_summary` gives.
    costs : mapping
        What ``costs.json`` holds, by trial.

    Returns
    -------
    dict
        ``costs``: the total of what is known, the part of it that was not paid again as the answers were
        there (``reused_usd``), what preflight requests cost beside it (``preflight_usd``), and by trial the
        dollars per request and per correct answer, and those of repeated and failed attempts.  ``prices``:
        the rates by the configuration's model name.
    """
    dollars = [trial["cost_usd"] for trial in summary["trials"]]
    return {
        "costs": {
            "total_usd": as_float(add_dollars(dollars)),
            "reused_usd": as_float(add_dollars(_part(cost, "reused") for cost in costs.values())),
            "preflight_usd": as_float(add_dollars(_part(cost, "preflight") for cost in costs.values())),
            "n_unknown": dollars.count(None),
            "trials": {
                trial["trial"]: {
                    "cost_per_correct_usd": cost_per_correct(trial),
                    **{name: costs[trial["trial"]].get(name) for name in COST_PARTS},
                }
                for trial in summary["trials"]
            },
        },
        "prices": {cost["model"]: cost["price"] for cost in costs.values() if cost},
    }


def _part(cost: Mapping[str, Any] | None, name: str) -> float | None:
    return ((cost or {}).get(name) or {}).get("cost_usd")
