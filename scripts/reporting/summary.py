"""``summary.json`` from what the phases left of every trial, and its two flat tables.

Pure functions: dictionaries in, dictionaries out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast

from scripts.analysis.verdicts import Missing, unbalanced_reason
from scripts.comparison import metrics
from scripts.records import FAILED_OUTCOMES, Outcome
from scripts.reporting.family import CASES, judge_effects
from scripts.reporting.tables import finite

SCHEMA_VERSION = 1

LEADERBOARD_TAIL = (
    "n_items",
    "n_requests",
    "correct",
    "correct_low",
    "correct_high",
    *metrics.NAMES[1:],
    "failed",
    "truncated",
    "refused",
    "cost_usd",
    "cost_per_correct_usd",
)
"""Columns of the leaderboard after the trial's name and factors."""

EFFECT_COLUMNS = (
    "trial",
    "baseline",
    "dataset",
    "metric",
    "n_pairs",
    "n_unpaired",
    "n_requests",
    "n_without_score",
    "n_baseline_requests",
    "n_baseline_without_score",
    "n_gained",
    "n_lost",
    "difference",
    "low",
    "high",
    "interval_method",
    "simultaneous_low",
    "simultaneous_high",
    "test",
    "p_value",
    "p_adjusted",
    "adjustment",
    "family",
    "n_family",
    "p_equivalence",
    "p_equivalence_adjusted",
    "odds_ratio",
    "odds_ratio_low",
    "odds_ratio_high",
    "odds_ratio_method",
    "verdict",
    "unbalanced",
)
"""Columns of the table of effects."""

_RESERVED = frozenset(
    {
        "trial",
        "baseline",
        "n_items",
        "n_units",
        "n_requests",
        "outcomes",
        "without_score",
        "metrics",
        "by_dataset",
        "analyses",
        "cost_usd",
        "cost_reason",
    }
)
TRIAL_ANALYSES = ("variance", "selective", "bounds")
"""Further analyses of ``stats.json`` that each trial of the summary has."""

EFFECT_ANALYSES = ("variance", "selective", "gee", "meta", "subgroups")
"""Those of each effect over all datasets; null in the effects of single datasets."""

_NO_METRIC: dict[str, Any] = {"mean": None, "low": None, "high": None, "method": "none: not scored", "n": 0}


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """What the phases left of one trial."""

    factors: Mapping[str, Any]
    """Model, prompt and every sampling setting."""
    stats: Mapping[str, Any]
    """What ``stats.json`` holds."""
    costs: Mapping[str, Any] | None = None
    """What ``costs.json`` holds; None: the trial's cost is not known."""


def build_summary(
    trials: Sequence[TrialResult],
    *,
    run_id: str,
    confidence_level: float,
    adjustment: str = "holm",
    family: Sequence[str] = ("correct",),
    margin: float | None = 0.02,
    max_unpaired: float = 0.02,
    omnibus: Sequence[Mapping[str, Any]] = (),
    simultaneous: Mapping[tuple[str, str, str], Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """
    Put every trial of a run together and adjust its p-values for each other.

    Parameters
    ----------
    trials : sequence of TrialResult
        In the order of the trial table.
    run_id : str
        The run's name.
    confidence_level : float
        Level of every interval, such as 0.95.
    adjustment : str
        Method of `scripts.analysis.multiplicity.adjust`, or ``none``.
    family : sequence of str
        Metrics of the declared family; see `scripts.reporting.family.judge_effects`.
    margin : float or None
        Half the width of the equivalence band, as a proportion; None: no effect is called equivalent.
    max_unpaired : float
        Largest share of one arm's requests without a score that leaves a comparison balanced.
    omnibus : sequence of mapping
        Tests of all trials at once, by dataset and metric.
    simultaneous : mapping, optional
        By trial, dataset and metric, an interval that holds together with all others of the family.

    Returns
    -------
    dict
        What ``summary.json`` holds; no number in it is NaN or infinite.

    Raises
    ------
    ValueError
        If a trial's intervals have another confidence level, a trial is there twice, or a factor
        bears the name of a field of the summary.
    """
    _check(trials, confidence_level)
    effects = judge_effects(
        [
            _effect(trial.stats, row, max_unpaired, margin)
            for trial in trials
            for row in trial.stats["effects"]
        ],
        adjustment=adjustment,
        family=family,
        confidence_level=confidence_level,
        margin=margin,
        simultaneous=simultaneous,
    )
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id,
        "confidence_level": confidence_level,
        "trials": [_trial(trial) for trial in trials],
        "effects": effects,
        "omnibus": [dict(test) for test in omnibus],
    }


def leaderboard_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    One flat row for each trial, the best first; trials without a mean come last.

    ``cost_per_correct_usd`` is the trial's cost over the number of its correct answers, replicates
    included; None when nothing is known to be correct.
    """
    rows = [_leaderboard_row(trial) for trial in summary["trials"]]
    return sorted(rows, key=lambda row: (row["correct"] is None, -(row["correct"] or 0.0)))


def leaderboard_columns(summary: Mapping[str, Any]) -> list[str]:
    """Columns of the leaderboard: trial, model, prompt, the other factors that are set, the numbers."""
    return ["trial", "model", "prompt", *other_factors(summary), *LEADERBOARD_TAIL]


def other_factors(summary: Mapping[str, Any]) -> list[str]:
    """Names of the factors, but for model and prompt, that at least one trial sets."""
    fixed = {"model", "prompt", *_RESERVED}
    names = [name for trial in summary["trials"] for name in trial if name not in fixed]
    return [
        name
        for name in dict.fromkeys(names)
        if any(trial.get(name) is not None for trial in summary["trials"])
    ]


def effect_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One flat row for each effect, in the summary's order, with the columns of `EFFECT_COLUMNS`."""
    return [flat_effect(effect) for effect in summary["effects"]]


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


def _check(trials: Sequence[TrialResult], confidence_level: float) -> None:
    names = [trial.stats["trial"] for trial in trials]
    if len(set(names)) < len(names):
        raise ValueError(f"every trial must be there once, but got {sorted(names)}")
    for name, trial in zip(names, trials, strict=True):
        seen = trial.stats["confidence_level"]
        if seen != confidence_level:
            raise ValueError(f"trial {name} has intervals at {seen}, but the run's are at {confidence_level}")
        if clash := _RESERVED & set(trial.factors):
            raise ValueError(f"a factor may not be called {', '.join(sorted(clash))}")


def _trial(result: TrialResult) -> dict[str, Any]:
    stats, costs = result.stats, result.costs
    cost = None if costs is None else finite(costs["cost_usd"])
    reason = "the trial has no costs" if costs is None else costs.get("reason")
    others = {name: value for name, value in result.factors.items() if name not in ("model", "prompt")}
    return {
        "trial": stats["trial"],
        "model": result.factors["model"],
        "prompt": result.factors["prompt"],
        **others,
        "baseline": stats["baseline"],
        "n_items": stats["n_items"],
        "n_units": stats.get("n_units"),
        "n_requests": stats["n_requests"],
        "outcomes": {outcome.value: stats["outcomes"].get(outcome.value, 0) for outcome in Outcome},
        "without_score": {name: n for name, n in (stats.get("without_score") or {}).items() if n},
        "metrics": _metrics(stats["metrics"]),
        "by_dataset": {
            name: {"n_items": part["n_items"], "metrics": _metrics(part["metrics"])}
            for name, part in stats["by_dataset"].items()
        },
        "analyses": {name: stats.get(name) for name in TRIAL_ANALYSES},
        "cost_usd": cost,
        "cost_reason": (reason or "the cost is not known") if cost is None else None,
    }


def _metrics(found: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    names = dict.fromkeys((*metrics.NAMES, *found))
    return {name: _metric(found.get(name, _NO_METRIC)) for name in names}


def _metric(metric: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: finite(metric[name]) for name in ("mean", "low", "high")},
        "method": metric["method"],
        "n": metric["n"],
        "n_clusters": metric.get("n_clusters"),
        **{name: metric.get(name) for name in ("better", "is_share", "unit")},
    }


def _effect(
    stats: Mapping[str, Any], row: Mapping[str, Any], max_unpaired: float, margin: float | None
) -> dict[str, Any]:
    unbalanced = _unbalanced(row, max_unpaired, margin)
    return {
        "trial": stats["trial"],
        "baseline": stats["baseline"],
        **{name: row[name] for name in ("dataset", "metric")},
        **{name: row.get(name) for name in ("better", "is_share", "unit")},
        "n_pairs": row["n_pairs"],
        **{name: row.get(name) for name in ("n_questions", "n_unpaired")},
        **{name: row[name] for name in ("n_gained", "n_lost")},
        **{name: finite(row[name]) for name in ("difference", "low", "high")},
        **{name: row[name] for name in ("interval_method", "test")},
        "p_value": finite(row["p_value"]),
        "is_p_floor": bool(row.get("is_p_floor")),
        "odds_ratio": _odds_ratio(row["odds_ratio"]),
        "requests": row.get("requests"),
        "unbalanced": unbalanced is not None,
        "unbalanced_reason": unbalanced,
        "sensitivity": row.get("sensitivity"),
        **{name: row.get(name) for name in EFFECT_ANALYSES},
    }


def _unbalanced(row: Mapping[str, Any], max_unpaired: float, margin: float | None) -> str | None:
    requests = row.get("requests")
    if not requests:
        return None
    worst = (row.get("sensitivity") or {}).get("worst_case") or {}
    reach = [finite(worst.get(case)) for case in CASES]
    return unbalanced_reason(
        Missing(**requests["trial"]),
        Missing(**requests["baseline"]),
        max_unpaired=max_unpaired,
        reach=None if None in reach else cast(tuple[float, float, float], tuple(reach)),
        margin=margin,
    )


def _odds_ratio(ratio: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if ratio is None:
        return None
    return {**{name: finite(ratio[name]) for name in ("estimate", "low", "high")}, "method": ratio["method"]}


def _leaderboard_row(trial: Mapping[str, Any]) -> dict[str, Any]:
    means, outcomes = trial["metrics"], trial["outcomes"]
    factors = {name: value for name, value in trial.items() if name not in _RESERVED}
    return {
        "trial": trial["trial"],
        **factors,
        "n_items": trial["n_items"],
        "n_requests": trial["n_requests"],
        "correct": means["correct"]["mean"],
        "correct_low": means["correct"]["low"],
        "correct_high": means["correct"]["high"],
        **{name: means[name]["mean"] for name in metrics.NAMES[1:]},
        "failed": n_failed(outcomes),
        "truncated": outcomes["truncated"],
        "refused": outcomes["refused"],
        "cost_usd": trial["cost_usd"],
        "cost_per_correct_usd": cost_per_correct(trial),
    }


def flat_effect(effect: Mapping[str, Any]) -> dict[str, Any]:
    """Lay out an effect as a row with the columns of `EFFECT_COLUMNS`."""
    ratio = effect["odds_ratio"] or {"estimate": None, "low": None, "high": None, "method": None}
    requests = effect.get("requests") or {"trial": {}, "baseline": {}}
    together = effect.get("simultaneous") or {}
    return {
        **{name: effect.get(name) for name in EFFECT_COLUMNS},
        **{name: requests["trial"].get(name) for name in ("n_requests", "n_without_score")},
        **{
            f"n_baseline_{name}": requests["baseline"].get(f"n_{name}")
            for name in ("requests", "without_score")
        },
        **{f"simultaneous_{name}": together.get(name) for name in ("low", "high")},
        "odds_ratio": ratio["estimate"],
        "odds_ratio_low": ratio["low"],
        "odds_ratio_high": ratio["high"],
        "odds_ratio_method": ratio["method"],
    }
