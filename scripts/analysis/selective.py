"""
How well a model knows when to answer: coverage, and the accuracy of what it answers.

An abstention is never an answer, neither a right nor a wrong one; on an unanswerable item, where to abstain
is scored as correct, it does not enter the accuracy of answers either.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.analysis import arrays, intervals
from scripts.analysis.arrays import FloatArray, Labels
from scripts.analysis.intervals import MeanInterval, mean_interval
from scripts.analysis.levels import check_level
from scripts.analysis.replicates import as_rows


@dataclasses.dataclass(frozen=True)
class SelectiveAccuracy:
    """What a trial answers, and how often it is then right."""

    n_items: int
    """Items asked, whatever became of them."""
    n_answers: int
    """Answers, all replicates counted."""
    n_abstentions: int
    """Abstentions, all replicates counted."""
    n_without_outcome: int
    """Requests that failed: neither an answer nor an abstention; not covered."""
    coverage: MeanInterval
    """Share of all requests, over all items, that were answered."""
    accuracy: MeanInterval
    """Share of the answers that are right; ``n`` counts answers."""


class _Requests(NamedTuple):
    """All requests, shape (n_items, n_replicates)."""

    scores: FloatArray
    failed: NDArray[np.bool_]
    answered: NDArray[np.bool_]


def selective_accuracy(
    correct: ArrayLike, abstained: ArrayLike, clusters: Labels | None = None, *, confidence_level: float
) -> SelectiveAccuracy:
    """
    Measure coverage over all items and the accuracy of the answers given.

    Parameters
    ----------
    correct, abstained : array_like of float, shape (n_items,) or (n_items, n_replicates)
        Score and abstention (0 or 1) of each request; NaN in either: it has no outcome.
    clusters : array_like, shape (n_items,), optional
        Cluster of each item, as in `scripts.analysis.intervals.mean_interval`.
    confidence_level : float
        Coverage aimed at by the intervals, within (0, 1).

    Returns
    -------
    SelectiveAccuracy
        Both shares lie within [0, 1]; without an answer there is no accuracy, and its method says so.

    Raises
    ------
    ValueError
        If the arrays differ in shape, hold a value out of range, or the level is out of range.

    Notes
    -----
    Coverage and selective risk as in [1]_.  Each answer counts once; the answers to one item form a cluster,
    so the error of the accuracy is that of a ratio of two means over items.

    References
    ----------
    .. [1] R. El-Yaniv, Y. Wiener, On the foundations of noise-free selective classification, J. Mach. Learn.
       Res. 11 (2010) 1605-1641.

    Examples
    --------
    Four items: right, wrong, abstained (and scored as correct, since it was unanswerable), failed:

    >>> found = selective_accuracy([1, 0, 1, float("nan")], [0, 0, 1, float("nan")], confidence_level=0.95)
    >>> found.coverage.mean, found.accuracy.mean, found.n_answers
    (0.5, 0.5, 2)
    """
    requests = _requests(correct, abstained)
    codes = arrays.cluster_codes(clusters, len(requests.scores))
    coverage = mean_interval(
        requests.answered.mean(axis=1), codes, confidence_level=confidence_level, bounds=(0.0, 1.0)
    )
    accuracy = mean_interval(
        requests.scores[requests.answered],
        np.broadcast_to(codes[:, np.newaxis], requests.scores.shape)[requests.answered],
        confidence_level=confidence_level,
        bounds=(0.0, 1.0),
    )
    n_failed = int(np.count_nonzero(requests.failed))
    n_answers = int(np.count_nonzero(requests.answered))
    return SelectiveAccuracy(
        n_items=len(requests.scores),
        n_answers=n_answers,
        n_abstentions=requests.scores.size - n_failed - n_answers,
        n_without_outcome=n_failed,
        coverage=coverage,
        accuracy=accuracy,
    )


def selective_accuracy_difference(
    correct: ArrayLike,
    abstained: ArrayLike,
    baseline_correct: ArrayLike,
    baseline_abstained: ArrayLike,
    clusters: Labels | None = None,
    *,
    confidence_level: float,
) -> MeanInterval:
    """
    Compare the accuracy of what two trials answer, each over its own answers to the same items.

    A trial that abstains more may gain without knowing more: compare the coverages.

    Parameters
    ----------
    correct, abstained, baseline_correct, baseline_abstained : array_like of float
        As in `selective_accuracy`; row ``i`` is the same item in all.
    clusters : array_like, shape (n_items,), optional
        Cluster of each item, as in `scripts.analysis.intervals.mean_interval`.
    confidence_level : float
        Coverage aimed at, within (0, 1).

    Returns
    -------
    MeanInterval
        Trial minus baseline; ``n`` counts the items asked.  None if a trial answers nothing.

    Raises
    ------
    ValueError
        As `selective_accuracy`, or if the trials have unlike numbers of items.

    Notes
    -----
    Each accuracy is a ratio of two means over items; the error of the difference is that of its
    linearisation by items, so items that both trials answer count as the pairs they are [1]_.

    References
    ----------
    .. [1] W. G. Cochran, Sampling Techniques, 3rd ed., Wiley, 1977, section 6.3.

    Examples
    --------
    >>> found = selective_accuracy_difference([1, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0],
    ...                                       confidence_level=0.95)
    >>> round(found.mean, 3), found.method
    (0.417, 'linearised t')
    """
    check_level(confidence_level)
    arms = _requests(correct, abstained), _requests(baseline_correct, baseline_abstained)
    n_items = len(arms[0].scores)
    if n_items != len(arms[1].scores):
        raise ValueError(f"the trial has {n_items} items, but the baseline {len(arms[1].scores)}")
    codes = arrays.cluster_codes(clusters, n_items)
    n_clusters = len(np.unique(codes))
    if not all(arm.answered.any() for arm in arms):
        return MeanInterval(None, None, None, "none: a trial answers nothing", n_items, n_clusters)
    parts = _linearised(arms[0]) - _linearised(arms[1])
    found = intervals.t_interval(parts, codes, confidence_level=confidence_level)
    low, high = found.low, found.high
    if low is None or high is None:
        return found
    return dataclasses.replace(
        found, low=max(-1.0, low), high=min(1.0, high), method=f"linearised {found.method}"
    )


def _requests(correct: ArrayLike, abstained: ArrayLike) -> _Requests:
    """Sort requests into answers, abstentions and failures."""
    scores, silent = as_rows(correct), as_rows(abstained)
    if scores.shape != silent.shape:
        raise ValueError(f"correct has the shape {scores.shape}, but abstained {silent.shape}")
    arrays.check_bounds(scores[~np.isnan(scores)], (0.0, 1.0))
    if not arrays.is_binary(silent[~np.isnan(silent)]):
        raise ValueError("abstained must be 0, 1 or NaN")
    failed = np.isnan(scores) | np.isnan(silent)
    return _Requests(scores, failed, ~failed & (silent == 0))


def _linearised(requests: _Requests) -> FloatArray:
    """One value per item whose mean is the accuracy and whose spread is that of the accuracy."""
    answers = requests.answered.sum(axis=1)
    right = np.where(requests.answered, requests.scores, 0.0).sum(axis=1)
    accuracy = float(right.sum() / answers.sum())
    values: FloatArray = accuracy + (right - accuracy * answers) / answers.mean()
    return values
