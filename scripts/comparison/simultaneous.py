"""The comparisons of a run together: intervals that hold for all that the page shows at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from scripts.analysis.pairs import pair_up
from scripts.analysis.resampling import child_rng
from scripts.analysis.simultaneous import FamilyMember, family_member, simultaneous_effects
from scripts.comparison import metrics
from scripts.comparison.item_scores import KEY
from scripts.comparison.run_scores import RunScores, asked_of
from scripts.records import Trial

Key = tuple[str, str, str]
"""Trial, dataset and metric of a comparison with the trial's baseline."""


def simultaneous_intervals(
    scores: RunScores,
    trials: Sequence[Trial],
    family: Iterable[str],
    *,
    confidence_level: float,
    resamples: int,
    seed: int,
) -> dict[Key, dict[str, Any]]:
    """
    Give every comparison of the declared family an interval; at the level, all of them hold together.

    Parameters
    ----------
    scores : RunScores
        Of all trials.
    trials : sequence of Trial
        Those with a baseline are compared with it, over all datasets and each.
    family : iterable of str
        Metrics of the family.
    confidence_level, resamples, seed
        Of the run.

    Returns
    -------
    dict
        ``low``, ``high`` and ``method`` by trial, dataset and metric; empty with fewer than two comparisons.
    """
    members = dict(_members(scores, trials, family))
    if len(members) < 2:
        return {}
    found = simultaneous_effects(
        list(members.values()),
        confidence_level=confidence_level,
        resamples=resamples,
        rng=child_rng(seed, "simultaneous"),
    )
    intervals = {
        key: {
            "low": effect.low,
            "high": effect.high,
            "method": found.method if effect.reason is None else f"none: {effect.reason}",
        }
        for key, effect in zip(members, found.effects, strict=True)
    }
    only = scores.items["dataset"].unique()
    if len(only) == 1:
        intervals |= {(trial, str(only[0]), metric): it for (trial, _, metric), it in intervals.items()}
    return intervals


def _members(
    scores: RunScores, trials: Sequence[Trial], family: Iterable[str]
) -> Iterator[tuple[Key, FamilyMember]]:
    import numpy as np

    clusters = scores.clusters
    for metric in family:
        smallest, largest = metrics.BY_NAME[metric].range or (-math.inf, math.inf)
        for trial in trials:
            if trial.baseline is None:
                continue
            names = [trial.name, trial.baseline]
            units = scores.side_by_side(metric, names)
            for dataset in scores.datasets():
                part = asked_of(units, names, dataset)
                codes = (
                    clusters.loc[list(part[KEY].itertuples(index=False, name=None))]
                    .to_numpy()
                    .astype(np.int64)
                )
                pairs = pair_up(part[trial.name], part[trial.baseline])
                if pairs.n:
                    bounds = (smallest - largest, largest - smallest)
                    has_both = part[names].notna().all(axis=1).to_numpy()
                    member = family_member(pairs.differences, codes[has_both], bounds=bounds)
                    yield (trial.name, dataset, metric), member
