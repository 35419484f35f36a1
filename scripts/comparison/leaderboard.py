"""Where the trials of a run stand, on the questions that all of them have a score for."""

from __future__ import annotations

import dataclasses
from typing import Any

from scripts.analysis.places import places
from scripts.analysis.resampling import child_rng
from scripts.comparison.item_scores import ALL
from scripts.comparison.metrics import Better
from scripts.comparison.run_scores import RunScores, asked_of


def place_trials(
    scores: RunScores, metric: str, *, confidence_level: float, resamples: int, seed: int
) -> dict[str, Any]:
    """
    Rank all trials of a run by one metric, over all datasets.

    Parameters
    ----------
    scores : RunScores
        Of all trials.
    metric : str
        Which one.
    confidence_level, resamples, seed
        Of the run.

    Returns
    -------
    dict
        ``metric``; ``n_common``: units that all trials have a score for; ``method``; and ``places`` by trial:
        its place, shared by ties, the best and the worst place that the data allow, and the mean over the
        common units.
    """
    names = list(scores.trials)
    asked = asked_of(scores.side_by_side(metric, names), names, ALL)
    found = places(
        asked[names].to_numpy(float),
        asked["cluster"].to_numpy(),
        confidence_level=confidence_level,
        resamples=resamples,
        rng=child_rng(seed, "places", metric),
        higher_is_better=scores.metrics[metric].better is not Better.LOWER,
    )
    return {
        "metric": metric,
        "n_common": found.n_common,
        "method": found.method,
        "places": {name: dataclasses.asdict(place) for name, place in zip(names, found.places, strict=True)},
    }
