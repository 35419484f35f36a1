"""How far the items without a pair could move a paired difference."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from scripts.analysis.intervals import Labels, as_values
from scripts.analysis.pairs import infer_difference, pair_up


@dataclasses.dataclass(frozen=True)
class WorstCase:
    """A paired difference over all items, whatever the values that are not there are."""

    lowest: float | None
    """Difference if they are the worst of the trial and the best of the baseline; None: no items."""
    highest: float | None
    """Difference if they are the best of the trial and the worst of the baseline."""
    low: float | None
    """Lower bound of the interval of ``lowest``; None: it has none."""
    high: float | None
    """Upper bound of the interval of ``highest``; None: it has none."""
    n_unpaired: int
    """Items of which a value is not there."""
    method: str
    """Name of the interval, or of both where they differ; "none: " and the reason where there is none."""


def worst_case(
    trial: ArrayLike,
    baseline: ArrayLike,
    clusters: Labels | None = None,
    *,
    confidence_level: float,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> WorstCase:
    """
    Bound a paired difference over all items by the extremes of what is not there.

    It assumes nothing of why values are missing, so it is wide where many are.

    Parameters
    ----------
    trial, baseline, clusters, confidence_level
        As `scripts.analysis.paired.paired_effect`; leave out items to which the metric does not apply.
    bounds : tuple of float
        Smallest and largest possible value of the metric.

    Returns
    -------
    WorstCase
        With nothing missing, the difference and its interval.

    Examples
    --------
    >>> found = worst_case([1, 1, 1, float("nan")], [0, 0, 0, 0], confidence_level=0.95)
    >>> found.lowest, found.highest, found.n_unpaired
    (0.75, 1.0, 1)
    """
    arms = as_values(trial), as_values(baseline)
    worst, best = bounds
    ends = []
    for own, other in ((worst, best), (best, worst)):
        after, before = np.where(np.isnan(arms[0]), own, arms[0]), np.where(np.isnan(arms[1]), other, arms[1])
        pairs = pair_up(after, before, clusters, bounds=bounds)
        if not pairs.n:
            return WorstCase(None, None, None, None, 0, "none: no items")
        interval = infer_difference(pairs, bounds=bounds).interval(confidence_level)
        ends.append((float(pairs.differences.mean()), interval))
    (lowest, (low, _, method)), (highest, (_, high, other_method)) = ends
    n_unpaired = int(np.count_nonzero(np.isnan(arms[0]) | np.isnan(arms[1])))
    named = method if method == other_method else f"low: {method}; high: {other_method}"
    return WorstCase(lowest, highest, low, high, n_unpaired, named)
