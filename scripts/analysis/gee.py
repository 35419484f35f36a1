"""The effect on single answers, replicates not averaged: a check on the paired comparison."""

from __future__ import annotations

import dataclasses
import math
import sys
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from scripts.analysis import arrays
from scripts.analysis.arrays import CodeArray, FloatArray, Labels
from scripts.analysis.levels import check_level
from scripts.analysis.replicates import as_rows

METHOD = "gee, binomial, exchangeable; bias-reduced robust t"
"""Name of what is computed."""

LEAST_GROUPS = 20
"""Items or clusters below which the robust errors are too small to be shown."""

MOST_ROUNDS = 100
"""Rounds of estimation after which it counts as failed; it takes about five."""


MOST_LOG_ODDS = 30.0
"""Estimates beyond this have run away."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeeEffect:
    """The population-averaged effect of a trial on the chance that an answer is right."""

    n_answers: int
    """Answers of both arms with a score."""
    n_groups: int
    """Items, or clusters of items, that they come from."""
    odds_ratio: float | None = None
    """Odds of a right answer under the trial over those under the baseline; None: see ``reason``."""
    odds_ratio_low: float | None = None
    """Lower bound of the odds ratio."""
    odds_ratio_high: float | None = None
    """Upper bound of the odds ratio."""
    difference: float | None = None
    """Chance of a right answer under the trial minus that under the baseline."""
    low: float | None = None
    """Lower bound of the difference."""
    high: float | None = None
    """Upper bound of the difference."""
    p_value: float | None = None
    """Two-sided, of an odds ratio of 1; never 0."""
    correlation: float | None = None
    """Working correlation of two answers of a group, within or across the arms."""
    method: str
    """Name of what was computed, or "none: " and the reason."""
    reason: str | None = None
    """Why there is no effect; None: there is one."""


class _Counts(NamedTuple):
    """Answers and right answers, shape (n_groups, 2): baseline, trial."""

    answers: FloatArray
    right: FloatArray


class _Fit(NamedTuple):
    """Log odds of the two arms, their robust covariance, and the working correlation."""

    log_odds: FloatArray
    covariance: FloatArray
    correlation: float


def gee_effect(
    trial: ArrayLike, baseline: ArrayLike, clusters: Labels | None = None, *, confidence_level: float
) -> GeeEffect:
    """
    Estimate an effect by generalised estimating equations over the single answers.

    Parameters
    ----------
    trial, baseline : array_like of float, shape (n_items,) or (n_items, n_replicates)
        0 or 1 for each answer; row ``i`` is the same item in both; NaN means missing.  An item that only
        one arm has answers to still counts, other than in a paired comparison.
    clusters : array_like, shape (n_items,), optional
        Cluster of each item; None, or a label that is None or NaN: the item is a group of its own.
    confidence_level : float
        Coverage aimed at, within (0, 1).

    Returns
    -------
    GeeEffect
        Without numbers where the data do not allow them; ``reason`` says which condition fails.

    Raises
    ------
    ValueError
        If the arrays have unlike numbers of items, an infinity, or the level is out of range.

    Notes
    -----
    A logistic model of arm alone, with an exchangeable working correlation within item or cluster, and
    robust errors, which hold whatever the true correlation is [1]_.  As these are too small with some tens
    of groups, each group's residuals are corrected for their leverage [2]_, and Student's t with one degree
    of freedom less than groups takes the place of the normal distribution.  Estimates, correlation and
    errors are those of statsmodels' ``GEE`` with ``cov_type="bias_reduced"``, which loops over the groups:
    with arm as the only predictor four counts say all about a group.  The error of the difference is by the
    delta method.

    References
    ----------
    .. [1] K.-Y. Liang, S. L. Zeger, Longitudinal data analysis using generalized linear models, Biometrika
       73 (1986) 13-22.
    .. [2] L. A. Mancl, T. A. DeRouen, A covariance estimator for GEE with improved small-sample properties,
       Biometrics 57 (2001) 126-134.

    Examples
    --------
    >>> found = gee_effect([[1, 1], [1, 0], [0, 1]] * 8, [[1, 0], [0, 0], [0, 1]] * 8, confidence_level=0.95)
    >>> round(found.odds_ratio, 6), round(found.difference, 6), found.n_groups
    (4.0, 0.333333, 24)
    """
    check_level(confidence_level)
    after, before = as_rows(trial), as_rows(baseline)
    if len(after) != len(before):
        raise ValueError(f"the trial has {len(after)} items, but the baseline {len(before)}")
    codes = arrays.cluster_codes(clusters, len(after))
    counts = _count(before, after, codes)
    found = GeeEffect(n_answers=int(counts.answers.sum()), n_groups=len(counts.answers), method=METHOD)
    reason = _obstacle(counts, before, after)
    fit = reason or _fit(counts)
    if isinstance(fit, str):
        return dataclasses.replace(found, method=f"none: {fit}", reason=fit)
    return _describe(found, fit, confidence_level)


def _count(before: FloatArray, after: FloatArray, codes: CodeArray) -> _Counts:
    """Count answers by group and arm; groups without any are left out."""
    n_groups = int(codes.max()) + 1 if len(codes) else 0
    columns = [
        np.bincount(codes, weights=per_item, minlength=n_groups)
        for arm in (before, after)
        for per_item in (np.count_nonzero(~np.isnan(arm), axis=1), np.nansum(arm, axis=1))
    ]
    answers, right = np.stack(columns[::2], axis=1), np.stack(columns[1::2], axis=1)
    there = answers.sum(axis=1) > 0
    return _Counts(answers[there], right[there])


def _obstacle(counts: _Counts, before: FloatArray, after: FloatArray) -> str | None:
    """What prevents an estimate, if anything does."""
    if not all(arrays.is_binary(arm[~np.isnan(arm)]) for arm in (before, after)):
        return "scores other than 0 and 1"
    if len(counts.answers) < LEAST_GROUPS:
        return f"fewer than {LEAST_GROUPS} independent groups"
    answers, right = counts.answers.sum(axis=0), counts.right.sum(axis=0)
    if not bool(np.all(answers > 0)):
        return "an arm without an answer"
    # Without that group nothing would be left of the arm, so the corrected error has no value.
    if bool(np.any(np.count_nonzero(counts.answers, axis=0) == 1)):
        return "an arm with answers from one group only"
    if bool(np.any((right == 0) | (right == answers))):
        return "an arm is always right or always wrong"
    return None


def _fit(counts: _Counts) -> _Fit | str:
    """Alternate between log odds and correlation until neither moves; the reason if they do not settle."""
    share = counts.right.sum(axis=0) / counts.answers.sum(axis=0)
    log_odds: FloatArray = np.log(share / (1 - share))
    most = float(counts.answers.sum(axis=1).max())
    for _ in range(MOST_ROUNDS):
        correlation = _correlation(counts, log_odds)
        # Outside, the working correlation matrix has no positive inverse.
        if not -1 / max(most - 1, 1) + 1e-9 < correlation < 1 - 1e-9:
            return f"the working correlation is {correlation:.2f}, at the end of its range"
        scores, slopes = _equations(counts, log_odds, correlation)
        bread = slopes.sum(axis=0)
        step = np.linalg.solve(bread, scores.sum(axis=0))
        log_odds = log_odds + step
        if not np.all(np.abs(log_odds) < MOST_LOG_ODDS):
            return "the estimation did not converge"
        if float(np.abs(step).max()) < 1e-10:
            return _Fit(log_odds, _covariance(scores, slopes), correlation)
    return "the estimation did not converge"


def _covariance(scores: FloatArray, slopes: FloatArray) -> FloatArray:
    """Robust covariance of the log odds, each group's residuals corrected as by Mancl and DeRouen."""
    inverse = np.linalg.inv(slopes.sum(axis=0))
    corrected = np.linalg.solve(np.eye(2) - slopes @ inverse, scores[:, :, np.newaxis])[:, :, 0]
    # Not by matrix product: its last digits depend on the number of threads.
    covariance: FloatArray = inverse @ np.einsum("gi,gj->ij", corrected, corrected) @ inverse
    return covariance


def _correlation(counts: _Counts, log_odds: FloatArray) -> float:
    """Moment estimate of the correlation of two answers of a group, as in statsmodels' Exchangeable."""
    share = 1 / (1 + np.exp(-log_odds))
    variance = share * (1 - share)
    sums = ((counts.right - counts.answers * share) / np.sqrt(variance)).sum(axis=1)
    wrong = counts.answers - counts.right
    squares = ((counts.right * (1 - share) ** 2 + wrong * share**2) / variance).sum(axis=1)
    sizes = counts.answers.sum(axis=1)
    n_pairs = float(sizes @ (sizes - 1)) / 2
    if n_pairs <= 2:
        return 0.0
    scale = float(squares.sum()) / (float(sizes.sum()) - 2)
    return float(np.sum(sums**2 - squares)) / 2 / scale / (n_pairs - 2)


def _equations(counts: _Counts, log_odds: FloatArray, correlation: float) -> tuple[FloatArray, FloatArray]:
    """Each group's estimating function, shape (n_groups, 2), and its slopes, shape (n_groups, 2, 2)."""
    share = 1 / (1 + np.exp(-log_odds))
    deviation = np.sqrt(share * (1 - share))
    residuals = (counts.right - counts.answers * share) / deviation
    # The inverse of an exchangeable correlation matrix takes a share of the group's sum from each answer.
    pull = correlation / (1 + correlation * (counts.answers.sum(axis=1, keepdims=True) - 1))
    total = residuals.sum(axis=1, keepdims=True)
    scores = deviation * (residuals - pull * counts.answers * total) / (1 - correlation)
    shared = (pull * counts.answers)[:, :, np.newaxis] * counts.answers[:, np.newaxis, :]
    own = counts.answers[:, :, np.newaxis] * np.eye(2)
    return scores, np.outer(deviation, deviation) * (own - shared) / (1 - correlation)


def _describe(found: GeeEffect, fit: _Fit, confidence_level: float) -> GeeEffect:
    """Odds ratio, difference, intervals and test, from the fit."""
    from scipy.stats import t

    contrast = np.array([-1.0, 1.0])
    log_ratio = float(contrast @ fit.log_odds)
    share = 1 / (1 + np.exp(-fit.log_odds))
    slope = contrast * share * (1 - share)
    error = math.sqrt(max(0.0, float(contrast @ fit.covariance @ contrast)))
    if error <= 1e-9:
        reason = "the arms do not differ in any group"
        return dataclasses.replace(found, method=f"none: {reason}", reason=reason)
    freedom = found.n_groups - 1
    reach = float(t.isf((1 - confidence_level) / 2, freedom))
    spread = reach * math.sqrt(max(0.0, float(slope @ fit.covariance @ slope)))
    difference = float(contrast @ share)
    return dataclasses.replace(
        found,
        odds_ratio=math.exp(log_ratio),
        odds_ratio_low=math.exp(log_ratio - reach * error),
        odds_ratio_high=math.exp(log_ratio + reach * error),
        difference=difference,
        low=max(-1.0, difference - spread),
        high=min(1.0, difference + spread),
        p_value=max(2 * float(t.sf(abs(log_ratio) / error, freedom)), sys.float_info.min),
        correlation=fit.correlation,
    )
