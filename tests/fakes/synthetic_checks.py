"""Effects with all that other methods say about them, computed from made-up answers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from scripts.analysis.bounds import difference_bounds
from scripts.analysis.levels import equivalence_level
from scripts.analysis.paired import effect_of_pairs
from scripts.analysis.pairs import infer_difference, pair_up
from scripts.analysis.sensitivity import examine


def examined_effect(
    *, n: int = 60, n_missing: int = 0, clusters: bool = False, metric: str = "correct", dataset: str = "all"
) -> dict[str, Any]:
    """An effect as ``stats.json`` has it: binary, or with `clusters` of two items."""
    rng = np.random.default_rng(3)
    baseline = (rng.random(n) < 0.5).astype(float)
    trial = np.where(rng.random(n) < 0.3, 1.0, baseline)
    trial[:n_missing] = np.nan
    codes = np.arange(n) // 2 if clusters else None
    pairs = pair_up(trial, baseline, codes)
    inference = infer_difference(pairs)
    judging: dict[str, Any] = {"confidence_level": 0.95, "resamples": 200}
    effect = effect_of_pairs(
        pairs,
        inference,
        equivalence_level=equivalence_level(0.95),
        rng=np.random.default_rng(1),
        **judging,
    )
    judging |= {"margin": 0.02}
    checks = examine(pairs, inference, rng=np.random.default_rng(2), higher_is_better=True, **judging)
    worst = difference_bounds(trial, baseline, codes, seed=1, names=("t",), **judging)
    sensitivity = {**dataclasses.asdict(checks), "worst_case": dataclasses.asdict(worst)}
    requests = {"trial": {"n_requests": n, "n_without_score": n_missing}}
    requests["baseline"] = {"n_requests": n, "n_without_score": 0}
    about = {"dataset": dataset, "metric": metric, "requests": requests}
    return {**about, **dataclasses.asdict(effect), "sensitivity": sensitivity}
