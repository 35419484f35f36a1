"""What a comparison lacks: questions without a pair, requests without a score, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from scripts.reporting.sentences import reason
from scripts.reporting.tables import count, finite, plural

Counts = Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class Gap:
    """What one comparison lacks."""

    trial: str
    baseline: str
    n_pairs: int
    n_unpaired: int
    reason: str
    """Why there is no difference at all; an empty text: there is one."""
    trial_missing: str
    """Requests of the trial without a score, by outcome."""
    baseline_missing: str
    """The same of the baseline."""


def comparison_gaps(
    effects: Iterable[Mapping[str, Any]], metric: str, *, without_score: Mapping[str, Counts] | None = None
) -> list[Gap]:
    """
    List the effects on `metric` that lack something: a pair, a request's score, or the whole difference.

    Parameters
    ----------
    effects : iterable of mapping
        Of a summary, or of a trial with its name and baseline added.
    metric : str
        The others are passed over.
    without_score : mapping, optional
        By trial, its requests without a score, by outcome.
    """
    gaps = []
    for effect in effects:
        has_difference = finite(effect["difference"]) is not None
        requests = effect.get("requests") or {}
        n_missing = sum(arm["n_without_score"] for arm in requests.values())
        if effect["metric"] != metric or (has_difference and not (effect.get("n_unpaired") or n_missing)):
            continue
        gaps.append(
            Gap(
                trial=str(effect["trial"]),
                baseline=str(effect["baseline"]),
                n_pairs=effect["n_pairs"],
                n_unpaired=effect.get("n_unpaired") or 0,
                reason="" if has_difference else reason(effect["test"]),
                trial_missing=_missing_words(
                    requests.get("trial"), (without_score or {}).get(effect["trial"])
                ),
                baseline_missing=_missing_words(
                    requests.get("baseline"), (without_score or {}).get(effect["baseline"])
                ),
            )
        )
    return gaps


def gap_words(gap: Gap) -> str:
    """
    Say in a sentence what a comparison lacks.

    Examples
    --------
    >>> gap_words(Gap("t", "c", 9, 1, "", "1 of 10 requests", ""))
    '1 question left out, because at least one of the two trials has no score for it; 9 were paired.'
    >>> gap_words(Gap("t", "c", 10, 0, "", "3 of 50 requests", ""))
    'Without a score: 3 of 50 requests of the trial; 10 questions were paired by their other replicates.'
    """
    if gap.reason:
        return f"Not compared: {gap.reason}."
    if gap.n_unpaired:
        return (
            f"{plural(gap.n_unpaired, 'question')} left out, because at least one of the two trials has no "
            f"score for {'it' if gap.n_unpaired == 1 else 'them'}; {count(gap.n_pairs)} were paired."
        )
    arms = (("trial", gap.trial_missing), ("baseline", gap.baseline_missing))
    missing = " and ".join(f"{words} of the {arm}" for arm, words in arms if words)
    paired = plural(gap.n_pairs, "question")
    return f"Without a score: {missing}; {paired} were paired by their other replicates."


def _missing_words(requests: Mapping[str, int] | None, outcomes: Counts | None) -> str:
    """
    Count the requests without a score, and name their outcomes.

    Examples
    --------
    >>> _missing_words({"n_requests": 50, "n_without_score": 3}, {"refused": 2, "answered": 1})
    '3 of 50 requests (2 refused, 1 answered)'
    """
    if not requests or not requests["n_without_score"]:
        return ""
    said = f"{count(requests['n_without_score'])} of {plural(requests['n_requests'], 'request')}"
    named = ", ".join(f"{count(n)} {outcome}" for outcome, n in (outcomes or {}).items() if n)
    return f"{said} ({named})" if named else said
