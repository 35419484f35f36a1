"""The comparisons of a run together: what holds for all that the page shows at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scripts.analysis.detectable import detectable_by_rule
from scripts.analysis.levels import significance_level
from scripts.analysis.multiplicity import strictest_alpha
from scripts.analysis.pairs import infer_difference
from scripts.analysis.resampling import child_rng
from scripts.analysis.simultaneous import FamilyMember, family_member, simultaneous_effects
from scripts.comparison.run_scores import Key, RunPairs, RunScores, with_only_dataset


def simultaneous_intervals(
    scores: RunScores,
    members: Sequence[RunPairs],
    *,
    confidence_level: float,
    resamples: int,
    seed: int,
) -> dict[Key, dict[str, Any]]:
    """
    Give every comparison of a family an interval; at the level, all of them hold together.

    Parameters
    ----------
    scores : RunScores
        Of all trials.
    members : sequence of RunPairs
        The comparisons of the family.
    confidence_level, resamples, seed
        Of the run.

    Returns
    -------
    dict
        ``low``, ``high`` and ``method`` by trial, dataset and metric; empty with fewer than two comparisons.
    """
    if len(members) < 2:
        return {}
    found = simultaneous_effects(
        [_member(member) for member in members],
        confidence_level=confidence_level,
        resamples=resamples,
        rng=child_rng(seed, "simultaneous"),
    )
    intervals = {
        member.key: {
            "low": effect.low,
            "high": effect.high,
            "method": found.method if effect.reason is None else f"none: {effect.reason}",
        }
        for member, effect in zip(members, found.effects, strict=True)
    }
    return with_only_dataset(intervals, scores)


def detectable_differences(
    scores: RunScores,
    members: Sequence[RunPairs],
    *,
    confidence_level: float,
    adjustment: str,
    resamples: int,
) -> dict[Key, dict[str, Any]]:
    """
    Say what each comparison of a family could have shown, at the level that the adjustment leaves to one.

    Returns
    -------
    dict
        ``power_80``, ``power_90`` and ``method`` by trial, dataset and metric.
    """
    alpha = strictest_alpha(significance_level(confidence_level), len(members), adjustment)
    found = {}
    for member in members:
        shown = {
            name: detectable_by_rule(member.pairs, alpha=alpha, power=power, resamples=resamples)
            for name, power in (("power_80", 0.8), ("power_90", 0.9))
        }
        sizes = {name: size for name, (size, _) in shown.items()}
        found[member.key] = {**sizes, "method": shown["power_80"][1]}
    return with_only_dataset(found, scores)


def _member(member: RunPairs) -> FamilyMember:
    smallest, largest = member.metric.range or (-math.inf, math.inf)
    bounds = smallest - largest, largest - smallest
    return family_member(
        member.pairs.differences,
        member.codes,
        bounds=bounds,
        interval=infer_difference(member.pairs, bounds=member.metric.range).interval,
    )
