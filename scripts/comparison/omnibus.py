"""All trials of a run at once: does any of them differ?"""

from __future__ import annotations

import dataclasses
from typing import Any

from scripts.analysis.omnibus import omnibus_test
from scripts.comparison.item_scores import by_dataset
from scripts.comparison.run_scores import RunScores, asked_of

MIN_OMNIBUS = 3
"""Trials from which on a test of all at once says something that no effect says."""


def compare_all(scores: RunScores) -> list[dict[str, Any]]:
    """Test all trials at once, by dataset and metric; with fewer than three there is nothing to add."""
    names = list(scores.trials)
    if len(names) < MIN_OMNIBUS:
        return []
    tests = []
    for metric in scores.means:
        units = scores.side_by_side(metric, names)
        for dataset, part in by_dataset(units):
            if part[names].notna().any(axis=None):
                asked = asked_of(part, names, dataset)
                found = omnibus_test(asked[names].to_numpy(float), asked["cluster"].tolist())
                about = {"dataset": dataset, "metric": metric, "n_trials": len(names)}
                tests.append({**about, **dataclasses.asdict(found)})
    return tests
