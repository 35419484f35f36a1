"""All trials of a run at once: does any of them differ?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scripts.analysis.omnibus import omnibus_test
from scripts.comparison import metrics
from scripts.comparison.item_scores import (
    KEY,
    add_items,
    applicable,
    average_replicates,
    by_dataset,
    read_items,
    read_scores,
)
from scripts.comparison.units import merge_units
from scripts.experiment.settings import Settings

if TYPE_CHECKING:
    import pandas as pd


MIN_OMNIBUS = 3
"""Trials from which on a test of all at once says something that no effect says."""


def compare_all(settings: Settings) -> list[dict[str, Any]]:
    """Test all trials at once, by dataset and metric; with fewer than three there is nothing to add."""
    names = [trial.name for trial in settings.trials]
    if len(names) < MIN_OMNIBUS:
        return []
    paths = [settings.paths.output("score", name) for name in names]
    questions = read_items(settings.paths.prepared(settings.config["datasets"]))
    scores, items = merge_units([read_scores(path) for path in paths], questions)
    means = [average_replicates(rows, metrics.COMPARED).set_index(KEY) for rows in scores]
    tests = []
    for metric in metrics.COMPARED:
        columns = {str(place): frame[metric] for place, frame in enumerate(means)}
        units = add_items(_side_by_side(columns), items)
        for dataset, part in by_dataset(units):
            if part[list(columns)].notna().any(axis=None):
                complete = applicable(part, list(columns))
                found = omnibus_test(complete[list(columns)].to_numpy(float), complete["cluster"].tolist())
                about = {"dataset": dataset, "metric": metric, "n_trials": len(names)}
                tests.append({**about, **dataclasses.asdict(found)})
    return tests


def _side_by_side(columns: Mapping[str, pd.Series[float]]) -> pd.DataFrame:
    """A row per item, a column per trial."""
    import pandas as pd

    return pd.concat(columns, axis=1).reset_index()
