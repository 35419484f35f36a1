"""One effect over several datasets, each of which may have an effect of its own."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from scripts.analysis import arrays
from scripts.analysis.arrays import FloatArray, Labels
from scripts.analysis.group_means import group_means
from scripts.analysis.levels import check_level

METHOD = "random effects, paule-mandel; modified hartung-knapp t"
"""Name of what is computed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MetaEffect:
    """The mean effect over a population of datasets, of which those at hand are a sample."""

    n_datasets: int
    """Datasets that have an effect."""
    effect: float | None = None
    """Estimated mean effect; None: none, and ``reason`` says why; so is all that follows."""
    low: float | None = None
    """Lower bound of the mean effect."""
    high: float | None = None
    """Upper bound of the mean effect."""
    p_value: float | None = None
    """Two-sided, of a mean effect of zero; never 0."""
    tau_squared: float | None = None
    """Variance of the true effects between datasets, in squared units of the metric."""
    i_squared: float | None = None
    """Share of the variation that chance within datasets does not explain, within [0, 1)."""
    q: float | None = None
    """Cochran's Q."""
    q_p_value: float | None = None
    """Of the hypothesis that all datasets have the same effect."""
    prediction_low: float | None = None
    """Lower bound of the true effect in one more dataset; None below three datasets."""
    prediction_high: float | None = None
    """Upper bound of the true effect in one more dataset."""
    method: str
    """Name of what was computed, or "none: " and the reason."""
    reason: str | None = None
    """Why there is no effect; None: there is one."""


def combine_datasets(
    trial: ArrayLike,
    baseline: ArrayLike,
    datasets: Sequence[str],
    clusters: Labels | None = None,
    *,
    confidence_level: float,
) -> MetaEffect:
    """
    Combine the paired differences of several datasets by a random-effects meta-analysis.

    Other than the mean over all items, where a large dataset drowns a small one, this takes each dataset
    as one sample of what the trial does.

    Parameters
    ----------
    trial, baseline : array_like of float, shape (n_items,)
        One value per item, averaged over its replicates; NaN: missing, and the pair is left out.
    datasets : sequence of str, length n_items
        Dataset of each item.
    clusters : array_like, shape (n_items,), optional
        Cluster of each item, as in `scripts.analysis.paired.paired_effect`; within one dataset.
    confidence_level : float
        Coverage aimed at, within (0, 1).

    Returns
    -------
    MetaEffect
        A dataset without a pair does not count.  A dataset whose differences do not vary has no standard
        error, and there is no combined effect.

    Raises
    ------
    ValueError
        If the arrays differ in length, hold an infinity, or the level is out of range.

    Notes
    -----
    See `combine_effects`; the standard errors are those of `scripts.analysis.intervals.t_interval`.

    Examples
    --------
    >>> found = combine_datasets([1, 1, 0, 1, 0, 1], [0, 1, 0, 0, 1, 0], ["a", "a", "a", "b", "b", "b"],
    ...                          confidence_level=0.95)
    >>> found.n_datasets, round(found.effect, 3), found.tau_squared
    (2, 0.333, 0.0)
    """
    check_level(confidence_level)
    after, before = arrays.as_values(trial), arrays.as_values(baseline)
    codes = arrays.cluster_codes(clusters, len(after))
    names = np.asarray(datasets, dtype=str)
    if not len(after) == len(before) == len(names):
        raise ValueError(f"{len(after)} trial, {len(before)} baseline values, {len(names)} datasets")
    there = ~(np.isnan(after) | np.isnan(before))
    if not there.any():
        return _no_effect(0, "no pairs")
    found, groups = np.unique(names[there], return_inverse=True)
    means = group_means((after - before)[there], groups, codes[there])
    still = [str(name) for name, does_not in zip(found, means.does_not_vary, strict=True) if does_not]
    if still and len(found) > 1:
        return _no_effect(len(found), f"the differences do not vary in {', '.join(still)}")
    errors = np.sqrt(np.diagonal(means.covariance))
    return combine_effects(means.means, errors, confidence_level=confidence_level)


def combine_effects(effects: ArrayLike, standard_errors: ArrayLike, *, confidence_level: float) -> MetaEffect:
    """
    Combine independent estimates of effects that may truly differ.

    Parameters
    ----------
    effects, standard_errors : array_like of float, shape (n_datasets,)
        Estimates and their standard errors.
    confidence_level : float
        Coverage aimed at, within (0, 1).

    Returns
    -------
    MetaEffect
        Without an effect where there are fewer than two datasets or one has a standard error of zero.

    Raises
    ------
    ValueError
        If the arrays differ in shape or the level is out of range.

    Notes
    -----
    The variance between datasets is Paule and Mandel's [1]_.  (The iteration of statsmodels returns 0 for
    it once a rounding error carries it past the root, so a bracketing solver finds it here.)  The
    standard error is Hartung and Knapp's with the scale kept at 1 or more, so that it never falls below
    the usual one [2]_; interval and test take Student's t with ``k - 1`` degrees of freedom.
    ``I^2 = max(0, (Q - (k - 1)) / Q)`` [3]_.  The prediction interval takes t with ``k - 2`` degrees of
    freedom [4]_.  With two or three datasets all of these are wide, and rightly so.

    References
    ----------
    .. [1] R. C. Paule, J. Mandel, Consensus values and weighting factors, J. Res. Natl. Bur. Stand. 87
       (1982) 377-385.
    .. [2] C. Röver, G. Knapp, T. Friede, Hartung-Knapp-Sidik-Jonkman approach and its modification for
       random-effects meta-analysis with few studies, BMC Med. Res. Methodol. 15 (2015) 99.
    .. [3] J. P. T. Higgins, S. G. Thompson, Quantifying heterogeneity in a meta-analysis, Stat. Med. 21
       (2002) 1539-1558.
    .. [4] J. P. T. Higgins, S. G. Thompson, D. J. Spiegelhalter, A re-evaluation of random-effects
       meta-analysis, J. R. Stat. Soc. A 172 (2009) 137-159.

    Examples
    --------
    >>> combine_effects([0.1], [0.02], confidence_level=0.95).reason
    'fewer than two datasets'
    """
    check_level(confidence_level)
    estimates, errors = arrays.as_values(effects), arrays.as_values(standard_errors)
    if len(estimates) != len(errors):
        raise ValueError(f"there are {len(estimates)} effects, but {len(errors)} standard errors")
    if len(estimates) < 2:
        return _no_effect(len(estimates), "fewer than two datasets")
    if not bool(np.all(errors > 0)):
        return _no_effect(len(estimates), "a standard error is zero or not there")
    tau_squared = _variance_between(estimates, errors)
    return _effect(estimates, errors, tau_squared, confidence_level)


def _variance_between(estimates: FloatArray, errors: FloatArray) -> float:
    """Paule and Mandel's estimate: the variance that makes the generalised Q its degrees of freedom."""
    from scipy.optimize import brentq

    freedom = len(estimates) - 1

    def excess(variance: float) -> float:
        return _generalised_q(estimates, errors, variance) - freedom

    if excess(0.0) <= 0:
        return 0.0
    # There the inequality between weighted and plain squares makes the excess at most 0.
    top = float(np.sum((estimates - estimates.mean()) ** 2)) / freedom * (1 + 1e-9)
    return float(brentq(excess, 0.0, top, xtol=1e-14 * top, rtol=1e-14))


def _generalised_q(estimates: FloatArray, errors: FloatArray, variance: float) -> float:
    """Weighted squared deviations from the weighted mean; Cochran's Q at variance 0."""
    weights = 1 / (errors**2 + variance)
    return float(weights @ (estimates - weights @ estimates / weights.sum()) ** 2)


def _effect(
    estimates: FloatArray, errors: FloatArray, tau_squared: float, confidence_level: float
) -> MetaEffect:
    """Mean, interval, test and prediction interval, given the variance between datasets."""
    from scipy.stats import chi2, t

    n = len(estimates)
    weights = 1 / (errors**2 + tau_squared)
    mean = float(weights @ estimates / weights.sum())
    scale = max(1.0, _generalised_q(estimates, errors, tau_squared) / (n - 1))
    error = math.sqrt(scale / float(weights.sum()))
    q = _generalised_q(estimates, errors, 0.0)
    tail = (1 - confidence_level) / 2
    reach = float(t.isf(tail, n - 1)) * error
    spread = float(t.isf(tail, n - 2)) * math.sqrt(tau_squared + error**2) if n > 2 else None
    return MetaEffect(
        n_datasets=n,
        effect=mean,
        low=mean - reach,
        high=mean + reach,
        p_value=max(2 * float(t.sf(abs(mean) / error, n - 1)), sys.float_info.min),
        tau_squared=tau_squared,
        i_squared=max(0.0, 1 - (n - 1) / q) if q > 0 else 0.0,
        q=q,
        q_p_value=max(float(chi2.sf(q, n - 1)), sys.float_info.min),
        prediction_low=None if spread is None else mean - spread,
        prediction_high=None if spread is None else mean + spread,
        method=METHOD,
    )


def _no_effect(n_datasets: int, reason: str) -> MetaEffect:
    return MetaEffect(n_datasets=n_datasets, method=f"none: {reason}", reason=reason)
