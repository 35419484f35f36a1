"""Bootstrap of a mean of differences over items or clusters, with the BCa interval."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from scripts.analysis.arrays import FloatArray, merge_ties
from scripts.analysis.clusters import ClusterTotals
from scripts.analysis.levels import check_level
from scripts.analysis.resampling import BLOCK_BYTES

MAX_CELLS = 200
"""Kinds of units told apart; more are put into this many strata of units that are nearly alike."""


@dataclasses.dataclass(frozen=True)
class BootstrapInterval:
    """A bootstrap interval of the mean difference."""

    estimate: float | None
    """Mean difference over the items."""
    low: float | None
    """Lower bound; None: no interval, and ``method`` says why."""
    high: float | None
    """Upper bound; None exactly where ``low`` is."""
    resamples: int
    """Resamples drawn."""
    method: str
    """Name of what was computed, or "none: " and the reason."""


class _Cells(NamedTuple):
    """Units that are alike, or nearly."""

    counts: FloatArray
    """Units of each cell."""
    means: FloatArray
    """Mean sum and mean size of a unit, shape (n_cells, 2)."""
    spread: FloatArray
    """Variance of sums, covariance, variance of sizes within a cell, shape (n_cells, 3)."""


def bca_bootstrap(
    totals: ClusterTotals, *, confidence_level: float, resamples: int, rng: np.random.Generator
) -> BootstrapInterval:
    """
    Bootstrap interval of the mean difference, whole clusters resampled.

    Parameters
    ----------
    totals : ClusterTotals
        A unit per cluster; an item that is alone is a cluster of one.
    confidence_level : float
        Coverage aimed at, within (0, 1).
    resamples : int
        Resamples to draw, at least 1.
    rng : numpy.random.Generator
        From `scripts.analysis.resampling.child_rng`.

    Returns
    -------
    BootstrapInterval
        Without bounds where the units do not differ.

    Raises
    ------
    ValueError
        If the level or `resamples` is out of range.

    Notes
    -----
    Bias-corrected and accelerated [1]_.  A resample is drawn as the number of times that each kind of unit
    comes up, which is multinomial; so its cost depends on the kinds, not on the units.  More than 200
    kinds are put into 200 strata by their deviation from the mean; how often a stratum comes up is drawn,
    and what its units add beyond their mean is drawn from the normal distribution with their covariance.
    With few units it is too short, as every bootstrap of this kind [2]_.

    References
    ----------
    .. [1] B. Efron, Better bootstrap confidence intervals, J. Am. Stat. Assoc. 82 (1987) 171-185.
    .. [2] S. Bowyer, L. Aitchison, D. R. Ivanova, Position: don't use the CLT in LLM evals with fewer than
       a few hundred datapoints, arXiv:2503.01747, ICML 2025.
    """
    check_level(confidence_level)
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}, but must be at least 1")
    n_units = len(totals.sums)
    if n_units == 0:
        return BootstrapInterval(None, None, None, 0, "none: no pairs")
    estimate = totals.mean * totals.sign
    residuals = totals.sums - totals.mean * totals.sizes
    if float(np.abs(residuals).max()) <= 1e-11:
        return BootstrapInterval(estimate, None, None, 0, "none: no variation")
    means = np.concatenate(list(_resampled_means(_cells(totals, residuals), resamples, rng)))
    if totals.is_symmetric:
        # Swapping the arms must mirror the interval, and here it changes nothing.
        means = np.concatenate([means, -means])
    # A bound must not be missing because of the last digit of a mean.
    means[np.abs(means - totals.mean) <= 1e-12] = totals.mean
    bounds = bca_interval(means, totals.mean, jackknife(totals), confidence_level=confidence_level)
    is_clustered = bool(np.any(totals.sizes > 1))
    if bounds is None:
        return BootstrapInterval(estimate, None, None, resamples, "none: all resamples on one side")
    low, high = sorted(totals.sign * bound for bound in bounds)
    unit = "clusters" if is_clustered else "items"
    return BootstrapInterval(estimate, low, high, resamples, f"bca bootstrap of {unit}")


def bca_interval(
    resampled: FloatArray, estimate: float, left_out: FloatArray, *, confidence_level: float
) -> tuple[float, float] | None:
    """
    Bias-corrected and accelerated interval from resampled estimates.

    Parameters
    ----------
    resampled : ndarray of float, shape (n_resamples,)
        The estimate of each resample.
    estimate : float
        That of the data.
    left_out : ndarray of float, shape (n_units,)
        The estimate without each of the units, for the acceleration.
    confidence_level : float
        Coverage aimed at, within (0, 1).

    Returns
    -------
    tuple of float, or None
        None where all resampled estimates are on one side of the estimate.
    """
    from scipy.special import ndtr, ndtri

    n_below = np.count_nonzero(resampled < estimate) + np.count_nonzero(resampled <= estimate)
    share = n_below / (2 * len(resampled))
    if not 0 < share < 1:
        return None
    bias = float(ndtri(share))
    deviations = left_out.mean() - left_out
    acceleration = float((deviations**3).sum() / (6 * (deviations**2).sum() ** 1.5))
    tail = (1 - confidence_level) / 2
    shifted = bias + ndtri(np.array([tail, 1 - tail]))
    levels = ndtr(bias + shifted / (1 - acceleration * shifted))
    low, high = np.quantile(resampled, levels)
    return float(low), float(high)


def jackknife(totals: ClusterTotals) -> FloatArray:
    """Mean over the items without each of the clusters; at least two clusters."""
    left: FloatArray = (totals.sums.sum() - totals.sums) / (totals.sizes.sum() - totals.sizes)
    return left


def _cells(totals: ClusterTotals, residuals: FloatArray) -> _Cells:
    """Put units that are alike into one cell, or into strata where there are too many kinds."""
    order = np.lexsort((totals.sizes, totals.sums, merge_ties(residuals)))
    units = np.column_stack([totals.sums, totals.sizes])[order]
    is_new = np.any(units[1:] != units[:-1], axis=1)
    starts = np.concatenate([[0], 1 + np.flatnonzero(is_new)])
    if len(starts) > MAX_CELLS:
        starts = np.linspace(0, len(units), MAX_CELLS, endpoint=False).astype(np.int64)
    counts = np.diff(np.append(starts, len(units))).astype(np.float64)
    means = np.add.reduceat(units, starts) / counts[:, np.newaxis]
    apart = units - np.repeat(means, counts.astype(np.int64), axis=0)
    products = np.column_stack([apart[:, 0] ** 2, apart[:, 0] * apart[:, 1], apart[:, 1] ** 2])
    spread = np.add.reduceat(products, starts) / counts[:, np.newaxis]
    return _Cells(counts, means, np.where(np.abs(spread) < 1e-20, 0.0, spread))


def _resampled_means(cells: _Cells, resamples: int, rng: np.random.Generator) -> Iterator[FloatArray]:
    """Means of the resamples, in blocks."""
    n_units = int(cells.counts.sum())
    step = max(1, BLOCK_BYTES // (8 * len(cells.counts)))
    for start in range(0, resamples, step):
        n_rows = min(step, resamples - start)
        drawn = rng.multinomial(n_units, cells.counts / n_units, size=n_rows).astype(np.float64)
        # Not by matrix product: its last digits depend on the number of threads.
        sums, sizes = np.einsum("rc,cm->mr", drawn, cells.means)
        if cells.spread.any():
            within = np.einsum("rc,cm->rm", drawn, cells.spread)
            noise = rng.standard_normal((2, n_rows))
            error = np.sqrt(within[:, 0])
            slope = np.divide(within[:, 1], error, out=np.zeros(n_rows), where=error > 0)
            sums = sums + error * noise[0]
            sizes = sizes + slope * noise[0] + np.sqrt(np.maximum(within[:, 2] - slope**2, 0)) * noise[1]
        yield sums / sizes
