"""``summary.json`` from what the phases left of every trial, and its two flat tables.

Pure functions: dictionaries in, dictionaries out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast

from scripts.analysis.verdicts import Missing, unbalanced_reason
from scripts.comparison import metrics
from scripts.records import Outcome
from scripts.reporting.family import CASES, judge_effects
from scripts.reporting.leaderboard import RESERVED
from scripts.reporting.tables import finite

SCHEMA_VERSION = 1

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


@dataclasses.dataclass(frozen=True)
class Together:
    """What was found by looking at all trials of a run together."""

    omnibus: Sequence[Mapping[str, Any]] = ()
    """Tests of all trials at once, by dataset and metric."""
    simultaneous: Mapping[tuple[str, str, str], Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    """By trial, dataset and metric, an interval that holds together with all others of the family."""
    detectable: Mapping[tuple[str, str, str], Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    """By the same, what the comparison could have shown at the level that the adjustment leaves to it."""
    leaderboard: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Places of the trials."""
    design: Mapping[str, Any] | None = None
    """What the factors do; None: the trials are no factorial design."""


def build_summary(
    trials: Sequence[TrialResult],
    *,
    run_id: str,
    confidence_level: float,
    adjustment: str = "holm",
    family: Sequence[str] = ("correct",),
    margin: float | None = 0.02,
    max_unpaired: float = 0.02,
    together: Together = Together(),
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
    together : Together
        What was found by looking at all trials together.

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
        simultaneous=together.simultaneous,
    )
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id,
        "confidence_level": confidence_level,
        "trials": [_trial(trial) for trial in trials],
        "effects": effects,
        "omnibus": [dict(test) for test in together.omnibus],
        "leaderboard": dict(together.leaderboard),
        "design": together.design,
    }


def effect_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One flat row for each effect, in the summary's order, with the columns of `EFFECT_COLUMNS`."""
    return [flat_effect(effect) for effect in summary["effects"]]


def _check(trials: Sequence[TrialResult], confidence_level: float) -> None:
    names = [trial.stats["trial"] for trial in trials]
    if len(set(names)) < len(names):
        raise ValueError(f"every trial must be there once, but got {sorted(names)}")
    for name, trial in zip(names, trials, strict=True):
        seen = trial.stats["confidence_level"]
        if seen != confidence_level:
            raise ValueError(f"trial {name} has intervals at {seen}, but the run's are at {confidence_level}")
        if clash := RESERVED & set(trial.factors):
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
        "n_without_text": stats.get("n_without_text"),
        "reading": (stats.get("reading") or {}).get("trial"),
        "without_score": {name: n for name, n in (stats.get("without_score") or {}).items() if n},
        "metrics": _metrics(stats["metrics"]),
        "by_dataset": {
            name: {
                "n_items": part["n_items"],
                "metrics": _metrics(part["metrics"]),
                **({"classification": part["classification"]} if part.get("classification") else {}),
            }
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
    own_margin = row.get("margin", margin)
    unbalanced = _unbalanced(row, max_unpaired, own_margin)
    return {
        "trial": stats["trial"],
        "baseline": stats["baseline"],
        **{name: row[name] for name in ("dataset", "metric")},
        **{name: row.get(name) for name in ("better", "is_share", "unit")},
        "margin": own_margin,
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


def _with_detectable(effect: dict[str, Any], together: Together) -> dict[str, Any]:
    """Say what the comparison could have shown with all others beside it, not by itself."""
    found = together.detectable.get((effect["trial"], effect["dataset"], effect["metric"]))
    if found is None or not effect["sensitivity"]:
        return effect
    return {**effect, "sensitivity": {**effect["sensitivity"], "detectable_difference": dict(found)}}


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
