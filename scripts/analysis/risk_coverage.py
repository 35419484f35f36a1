"""Risk by confidence: the share of wrong answers among the surest ones, for every share of items answered."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scripts.analysis import arrays
from scripts.analysis.arrays import CodeArray, FloatArray
from scripts.analysis.replicates import item_means

CURVE_POINTS = 100
"""Points of a risk-coverage curve; more answers than this are thinned out evenly."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RiskCoverage:
    """The share of wrong answers among the most confident ones, for every share of items answered."""

    n_items: int
    """Items asked."""
    n_answered: int
    """Items answered: those with a confidence and a score."""
    max_coverage: float | None = None
    """Share of all items that are answered at the lowest threshold; None: no items."""
    risk: float | None = None
    """Share of wrong answers at that coverage; None: no answers."""
    aurc: float | None = None
    """Mean of the risk over the coverages from one item to `max_coverage`; None: no answers."""
    best_aurc: float | None = None
    """The least that any confidence could reach with these answers: all right ones before the wrong ones."""
    curve: tuple[tuple[float, float], ...] = ()
    """Pairs of coverage (over all items) and risk, coverage rising; at most `CURVE_POINTS`."""
    reason: str | None = None
    """Why there is no curve; None: there is one."""


def risk_coverage(correct: ArrayLike, confidence: ArrayLike) -> RiskCoverage:
    """
    Draw the risk-coverage curve of a confidence.

    Parameters
    ----------
    correct : array_like of float, shape (n_items,)
        Score within [0, 1]; NaN: not answered.
    confidence : array_like of float, shape (n_items,)
        Aligned; more is surer.  NaN: not answered, as an abstention.

    Returns
    -------
    RiskCoverage
        Items that are not answered count in every coverage's denominator and in no risk.

    Raises
    ------
    ValueError
        If the arrays differ in length, or a score is out of range.

    Notes
    -----
    At coverage ``k / n_items`` the risk is the mean of ``1 - correct`` over the ``k`` surest answers; `aurc`
    is the mean of these risks over ``k = 1 ... n_answered``, which is the area under the curve [1]_ where
    every item is answered.  Equal confidences have no order: the risk within a tie is its expectation over
    all orders, so neither the order of items nor the sorting decides.

    References
    ----------
    .. [1] Y. Geifman, G. Uziel, R. El-Yaniv, Bias-reduced uncertainty estimation for deep neural
       classifiers, ICLR 2019, arXiv:1805.08206.

    Examples
    --------
    >>> found = risk_coverage([1, 1, 0, float("nan")], [0.9, 0.6, 0.6, float("nan")])
    >>> found.max_coverage, [round(risk, 3) for _, risk in found.curve], round(found.aurc, 3)
    (0.75, [0.0, 0.25, 0.333], 0.194)
    """
    scores, sureness = arrays.as_values(correct), arrays.as_values(confidence)
    if len(scores) != len(sureness):
        raise ValueError(f"there are {len(scores)} scores, but {len(sureness)} confidences")
    there = ~(np.isnan(scores) | np.isnan(sureness))
    losses, sureness = 1 - scores[there], sureness[there]
    arrays.check_bounds(losses, (0.0, 1.0))
    n_items, n = len(scores), len(losses)
    if n == 0:
        coverage = 0.0 if n_items else None
        return RiskCoverage(n_items=n_items, n_answered=0, max_coverage=coverage, reason="no answers")
    risks = _expected_risks(losses, sureness)
    counts = np.unique(np.ceil(np.arange(1, CURVE_POINTS + 1) * n / CURVE_POINTS).astype(np.int64))
    points = zip((counts / n_items).tolist(), risks[counts - 1].tolist(), strict=True)
    return RiskCoverage(
        n_items=n_items,
        n_answered=n,
        max_coverage=n / n_items,
        risk=float(risks[-1]),
        aurc=float(risks.mean()),
        best_aurc=float(_expected_risks(losses, -losses).mean()),
        curve=tuple(points),
    )


def answering_risk_coverage(correct: ArrayLike, abstained: ArrayLike) -> RiskCoverage:
    """
    Draw the risk-coverage curve with the share of an item's replicates that answer as confidence.

    Parameters
    ----------
    correct, abstained : array_like of float, shape (n_items, n_replicates)
        Score and abstention (0 or 1) of each request; NaN in either: it has no outcome.

    Returns
    -------
    RiskCoverage
        The score of an item is the mean over its answers; one that is never answered is not covered.  With
        fewer than two replicates every answer is as sure as any other, and ``reason`` says so.

    Raises
    ------
    ValueError
        If the arrays are not two-dimensional or differ in shape, or a score is out of range.

    Examples
    --------
    >>> found = answering_risk_coverage([[1, 1], [0, 1], [1, 1]], [[0, 0], [0, 1], [1, 1]])
    >>> [(round(coverage, 3), risk) for coverage, risk in found.curve]
    [(0.333, 0.0), (0.667, 0.5)]
    """
    scores, silent = np.asarray(correct, dtype=np.float64), np.asarray(abstained, dtype=np.float64)
    if scores.ndim != 2 or scores.shape != silent.shape:
        raise ValueError(
            f"correct has the shape {scores.shape}, but abstained {silent.shape}; both need rows"
        )
    if scores.shape[1] < 2:
        return RiskCoverage(n_items=len(scores), n_answered=0, reason="fewer than two replicates")
    answered = ~np.isnan(scores) & (silent == 0)
    item_scores = item_means(np.where(answered, scores, np.nan))
    shares = answered.mean(axis=1)
    return risk_coverage(item_scores, np.where(shares > 0, shares, np.nan))


def agreement_risk_coverage(correct: ArrayLike, answers: ArrayLike) -> RiskCoverage:
    """
    Draw the risk-coverage curve with the agreement among an item's replicates as confidence.

    Parameters
    ----------
    correct : array_like of float, shape (n_items, n_replicates)
        Score of each request; NaN: no outcome.
    answers : array_like of object, shape (n_items, n_replicates)
        The normalised answer of each request, of any kind that can be compared for equality; None or NaN:
        an abstention, or no outcome.

    Returns
    -------
    RiskCoverage
        With fewer than two replicates there is no agreement, and ``reason`` says so.

    Raises
    ------
    ValueError
        If the arrays are not two-dimensional or differ in shape, or a score is out of range.

    Notes
    -----
    An item's answer is the one that most of its replicates give, its confidence the share of all its
    replicates that give it, its score the mean score of those; answers tied for the most are averaged.  An
    item without any answer is not answered.  Majority voting as in [1]_.

    References
    ----------
    .. [1] X. Wang and others, Self-consistency improves chain of thought reasoning in language models,
       ICLR 2023, arXiv:2203.11171.

    Examples
    --------
    >>> found = agreement_risk_coverage([[1, 1, 1], [0, 1, 0]], [["a", "a", "a"], ["b", "c", "b"]])
    >>> found.curve
    ((0.5, 0.0), (1.0, 0.5))
    """
    scores, labels = np.asarray(correct, dtype=np.float64), np.asarray(answers, dtype=object)
    if scores.ndim != 2 or scores.shape != labels.shape:
        raise ValueError(f"correct has the shape {scores.shape}, but answers {labels.shape}; both need rows")
    if scores.shape[1] < 2:
        return RiskCoverage(n_items=len(scores), n_answered=0, reason="fewer than two replicates")
    codes, is_answer = _answer_codes(labels)
    is_answer &= ~np.isnan(scores)
    votes = np.zeros(scores.shape)
    for column in range(scores.shape[1]):
        votes += (codes == codes[:, [column]]) & is_answer[:, [column]]
    votes[~is_answer] = 0
    most = votes.max(axis=1)
    wins = is_answer & (votes == most[:, np.newaxis])
    n_wins = wins.sum(axis=1)
    item_scores, confidence = np.full((2, len(scores)), np.nan)
    answered = n_wins > 0
    sums = np.where(wins, scores, 0.0).sum(axis=1)
    item_scores[answered] = sums[answered] / n_wins[answered]
    confidence[answered] = most[answered] / scores.shape[1]
    return risk_coverage(item_scores, confidence)


def _expected_risks(losses: FloatArray, confidence: FloatArray) -> FloatArray:
    """Expected risk of the k surest answers, for k from 1 to all, over all orders within ties."""
    # Sorted within ties too: a sum of the same losses in another order may differ in the last digit.
    order = np.lexsort((losses, -confidence))
    ends = np.append(np.flatnonzero(np.diff(confidence[order])), len(losses) - 1) + 1
    totals = np.concatenate([[0.0], np.cumsum(np.add.reduceat(losses[order], np.append(0, ends[:-1])))])
    counts = np.arange(1, len(losses) + 1)
    # Within a tie the expected sum of losses grows by the tie's mean loss.
    risks: FloatArray = np.interp(counts, np.append(0, ends), totals) / counts
    return np.clip(risks, 0.0, 1.0)


def _answer_codes(labels: NDArray[np.object_]) -> tuple[CodeArray, NDArray[np.bool_]]:
    """Number the answers, and say which are answers at all."""
    flat = labels.ravel().tolist()
    codes = arrays.cluster_codes(flat, len(flat)).reshape(labels.shape)
    # Only NaN differs from itself.
    is_answer = np.array([label is not None and label == label for label in flat], dtype=np.bool_)
    return codes, is_answer.reshape(labels.shape)
