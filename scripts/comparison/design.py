"""The trials of a sweep as a factorial design: what each factor does, alone and together with another."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.analysis.factorial import factorial_effects
from scripts.analysis.resampling import child_rng
from scripts.comparison.item_scores import ALL
from scripts.comparison.metrics import describe_metric
from scripts.comparison.run_scores import RunScores, asked_of
from scripts.records import Trial

MIN_LEVELS = 3
"""Levels from which on a single factor says more than the comparison of two trials."""


def analyse_design(
    scores: RunScores,
    trials: Sequence[Trial],
    metric: str,
    *,
    references: Mapping[str, Any],
    confidence_level: float,
    resamples: int,
    seed: int,
) -> dict[str, Any] | None:
    """
    Analyse a run's trials as a factorial design, in one metric over all datasets.

    Parameters
    ----------
    scores : RunScores
        Of all trials.
    trials : sequence of Trial
        Of the run.
    metric : str
        Which one.
    references : mapping
        Level of a factor that others are compared with: that of the baseline.
    confidence_level, resamples, seed
        Of the run.

    Returns
    -------
    dict or None
        The fields of `scripts.analysis.factorial.FactorialAnalysis`, ``metric``, and ``left_out`` by trial;
        None where the comparison of two trials says it all: one factor with two levels.
    """
    levels = [{name: _level(value) for name, value in trial.factors.items()} for trial in trials]
    varied = [name for name in levels[0] if len({cell.get(name) for cell in levels}) > 1] if levels else []
    cells = [{name: cell.get(name) for name in varied} for cell in levels]
    if not varied or (len(varied) == 1 and len({cell[varied[0]] for cell in cells}) < MIN_LEVELS):
        return None
    names = [trial.name for trial in trials]
    asked = asked_of(scores.side_by_side(metric, names), names, ALL)
    found = factorial_effects(
        asked[names].to_numpy(float),
        cells,
        asked["cluster"].to_numpy(),
        confidence_level=confidence_level,
        resamples=resamples,
        rng=child_rng(seed, "design", metric),
        references={name: _level(value) for name, value in references.items()},
        bounds=scores.metrics[metric].range,
    )
    left_out = [{"trial": names[cell.cell], "reason": cell.reason} for cell in found.left_out]
    about = describe_metric(scores.metrics[metric])
    return {"metric": metric, **about, **dataclasses.asdict(found), "left_out": left_out}


def _level(value: Any) -> Any:
    """Give a level that can be compared: a mapping or a list becomes its text."""
    return json.dumps(value, sort_keys=True) if isinstance(value, (Mapping, list)) else value
