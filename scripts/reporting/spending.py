"""What a run cost: the rows and notes of the tables of costs and prices."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scripts.reporting.tables import MISSING, count, dollars, finite, plural

TOKENS = {
    "input_tokens": "Input tokens",
    "cached_tokens": "of them read from a cache",
    "cache_write_tokens": "of them written to a cache",
    "output_tokens": "Output tokens",
    "reasoning_tokens": "of them reasoning",
}
"""Counts of tokens by their headings; a column stands where at least one trial has its count."""

ALWAYS = ("input_tokens", "output_tokens")

EXTRAS = {
    "repeated": ("n_attempts", "Repeated attempts"),
    "failed": ("n_requests", "Failed requests"),
    "reused": ("n_requests", "Answers taken over"),
}
"""Parts of a cost that bought nothing new: what is counted, and its heading."""


@dataclasses.dataclass(frozen=True)
class Extra:
    """A part of a trial's cost that bought nothing new."""

    label: str
    n: int
    cost_usd: float | None
    """Dollars, part of the trial's cost; None: nobody said how many tokens it took."""


@dataclasses.dataclass(frozen=True)
class Worth:
    """What a trial's correct answers cost, and what it adds to its baseline for its money."""

    trial: str
    per_correct: str
    """Dollars per correct answer with their interval."""
    against: str
    """Where it lies from its baseline in cost and correct answers; "—": it has no baseline."""
    per_additional: str
    """Dollars per correct answer more (or, where it is cheaper and worse, fewer) with their interval."""
    is_on_front: bool | None
    """Whether no other trial is at least as good in cost and score and better in one; None: not known."""


def worth_rows(found: Mapping[str, Mapping[str, Any]], trials: Iterable[str]) -> list[Worth]:
    """
    Lay out ``cost_effectiveness`` of ``summary.json``, in the order of `trials`.

    A summary without it gives no rows.
    """
    return [_worth(trial, found[trial]) for trial in trials if trial in found]


def _worth(trial: str, found: Mapping[str, Any]) -> Worth:
    own, more = found["per_correct"], found["incremental"]
    return Worth(
        trial=trial,
        per_correct=_dollars_interval(own, "usd_per_correct"),
        against=MISSING if more is None else more["quadrant"] or more["reason"] or MISSING,
        per_additional=MISSING if more is None else _dollars_interval(more, "usd_per_additional_correct"),
        is_on_front=found["is_on_front"],
    )


def _dollars_interval(part: Mapping[str, Any], name: str) -> str:
    if finite(part[name]) is None:
        return MISSING
    low, high = finite(part["low"]), finite(part["high"])
    if low is None:
        return f"{dollars(part[name])} (no interval)"
    ends = f"{dollars(low)} or more" if high is None else f"{dollars(low)} to {dollars(high)}"
    return f"{dollars(part[name])} ({ends})"


def token_columns(costs: Iterable[Mapping[str, Any] | None]) -> list[tuple[str, str]]:
    """Name the counts of tokens to show, each with its heading."""
    known = [cost for cost in costs if cost is not None]
    return [
        (name, label)
        for name, label in TOKENS.items()
        if name in ALWAYS or any(cost.get(name) is not None for cost in known)
    ]


def extras(cost: Mapping[str, Any] | None) -> dict[str, Extra]:
    """
    The parts of a cost that bought nothing new, by name; those that did not occur are left out.

    Examples
    --------
    >>> extras({"repeated": {"n_attempts": 2, "cost_usd": 0.1}, "failed": {"n_requests": 0}})
    {'repeated': Extra(label='Repeated attempts', n=2, cost_usd=0.1)}
    """
    found = {}
    for name, (counted, label) in EXTRAS.items():
        part = (cost or {}).get(name) or {}
        if n := part.get(counted):
            found[name] = Extra(label, n, finite(part.get("cost_usd")))
    return found


def extra_rows(
    rows: Iterable[tuple[str, Mapping[str, Any] | None]],
) -> tuple[list[tuple[str, str]], list[tuple[str, dict[str, Extra]]]]:
    """Give the columns of a table of `extras`, and its rows: the trials that have any."""
    found = [(trial, parts) for trial, cost in rows if (parts := extras(cost))]
    names = [(name, label) for name, (_, label) in EXTRAS.items() if any(name in parts for _, parts in found)]
    return names, found


def batch_rate_note(price: Mapping[str, Any]) -> str:
    """
    Say so where the rate for batches was not known but assumed; an empty text: it was known.

    Examples
    --------
    >>> batch_rate_note({"batch_rate": "defaulted", "batch_multiplier": 1.0})
    'no batch rate is listed, so the standard rates were used: batches may have cost less'
    >>> batch_rate_note({"batch_rate": "defaulted", "batch_multiplier": 0.5})
    'no batch factor is configured, so 0.5 was assumed'
    """
    if price.get("batch_rate") != "defaulted":
        return ""
    if price["batch_multiplier"] == 1:
        return "no batch rate is listed, so the standard rates were used: batches may have cost less"
    return f"no batch factor is configured, so {price['batch_multiplier']:g} was assumed"


def cost_total(trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sum of the costs that are known (None: of none), and the count of those that are not."""
    known = [cost for trial in trials if (cost := finite(trial["cost_usd"])) is not None]
    return {"usd": sum(known) if known else None, "n_unknown": len(trials) - len(known)}


def price_sources(costs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The price of each model, once, with where it comes from."""
    seen: dict[str, dict[str, Any]] = {}
    for cost in costs:
        if price := cost.get("price"):
            seen.setdefault(str(cost["provider_model"]), {"provider_model": cost["provider_model"], **price})
    return list(seen.values())


def price_rows(prices: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each price, and below it one for each tier, which has the model's batch factor and source."""
    rows = []
    for price in prices:
        own = {**price, "note": batch_rate_note(price), "above": None}
        rows.append(own)
        rows += [{**own, **tier, "above": tier["above_input_tokens"]} for tier in price.get("tiers") or ()]
    return rows


def reused_note(costs: Iterable[Mapping[str, Any] | None]) -> str:
    """
    Say how much of the total other trials or runs have paid for; an empty text: nothing.

    Examples
    --------
    >>> reused_note([{"reused": {"n_requests": 3, "cost_usd": 0.1}}, None])  # doctest: +ELLIPSIS
    '3 answers were taken over from other trials or runs, which pay for them: they are part of ...'
    """
    n = sum(part["reused"].n for cost in costs if "reused" in (part := extras(cost)))
    if not n:
        return ""
    verb, them = ("was", "it: it is") if n == 1 else ("were", "them: they are")
    return (
        f"{plural(n, 'answer')} {verb} taken over from other trials or runs, which pay for {them} part of "
        "the costs above."
    )


def fact_rows(cost: Mapping[str, Any], per_correct_usd: float | None) -> list[tuple[str, str, float | None]]:
    """
    List what a trial's page says of its cost: a heading with a text or, where that is empty, dollars.

    Parameters
    ----------
    cost : mapping
        What ``costs.json`` holds.
    per_correct_usd : float or None
        Dollars for each correct answer.
    """
    rows: list[tuple[str, str, float | None]] = [
        ("Cost", "", finite(cost["cost_usd"])),
        ("per request", "", finite(cost.get("cost_per_request_usd"))),
        ("per correct answer", "", per_correct_usd),
        (
            "Requests with tokens reported",
            f"{count(cost['n_with_usage'])} of {count(cost['n_requests'])}",
            None,
        ),
    ]
    rows += [(label, count(cost.get(name)), None) for name, label in token_columns([cost])]
    for extra in extras(cost).values():
        rows += [(extra.label, count(extra.n), None), ("their part of the cost", "", extra.cost_usd)]
    if (preflight := cost.get("preflight") or {}).get("n_requests"):
        rows.append(("Preflight request, beside the cost", "", finite(preflight["cost_usd"])))
    return rows
