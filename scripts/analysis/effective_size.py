"""How much shares vary that are no counts: what effective sample sizes are made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scripts.analysis.arrays import CodeArray, FloatArray

HALF = 0.5
"""Of an answer, or a pair, that differs by all it can: what is added to the variation that was seen."""


class Variation(NamedTuple):
    """Squared deviations of a total, on the safe side."""

    squares: float
    """Estimated variance of the sum over all items."""
    added: float
    """What the squared deviations of single items are to be raised by, to match."""


def cautious_variation(deviations: FloatArray, clusters: CodeArray, shares: FloatArray) -> Variation:
    """
    Estimate the variance of a sum over items in clusters, on the safe side.

    Parameters
    ----------
    deviations : ndarray of float, shape (n_items,)
        From the mean, within [-1, 1]; their sums over clusters must not all be 0.
    clusters : ndarray of int, shape (n_items,)
        Number of each item's cluster, every one from 0 up, at least two.
    shares : ndarray of float, shape (n_items,)
        What each item is expected to contribute to the variation, at any scale; not all 0.

    Returns
    -------
    Variation
        ``(1 + k) G / (G - 1) sum(r_c^2) + m^2 / 2`` and ``m / 2``.

    Notes
    -----
    ``r_c`` are the sums of deviations over the ``G`` clusters.  ``k``, the sum of squares of
    ``r_c^2 / sum(r^2) - A_c / sum(A)`` with the clusters' sums ``A_c`` of `shares`, is the squared relative
    error of ``sum(r_c^2)``: few clusters can hold most of the variation, and in the next data set others do.
    One half stands for half an item that differs by all it can, as it is added to the counts of an odds
    ratio: where items seldom differ, the largest deviations may not have come up.  ``m`` is the design
    effect, at least 1, so that copies of items add no evidence.  The constants were chosen by simulation:
    docs/statistics.md.

    Examples
    --------
    >>> cautious_variation(np.array([0.5, -0.5, 0.5, -0.5]), np.arange(4), np.ones(4))
    Variation(squares=1.8333333333333333, added=0.5)
    """
    squares = np.bincount(clusters, weights=deviations) ** 2
    among, n_clusters = float(squares.sum()), len(squares)
    expected = np.bincount(clusters, weights=shares)
    error = float(np.sum((squares / among - expected / expected.sum()) ** 2))
    design_effect = max(among / float(np.sum(deviations**2)), 1.0)
    seen = (1 + error) * among * n_clusters / (n_clusters - 1)
    return Variation(seen + HALF * design_effect**2, HALF * design_effect)


def effective_freedom(clusters: CodeArray) -> float:
    """
    Degrees of freedom that count clusters by their size, at least 1.

    ``n**2 / sum(n_c**2) - 1`` for clusters of ``n_c`` items [1]_: one cluster that holds half of all items
    leaves few, however many others there are.

    References
    ----------
    .. [1] A. V. Carter, K. T. Schnepel, D. G. Steigerwald, Asymptotic behavior of a t-test robust to cluster
       heterogeneity, Rev. Econ. Stat. 99 (2017) 698-709.

    Examples
    --------
    >>> effective_freedom(np.array([0, 1, 2, 3])), effective_freedom(np.array([0, 0, 0, 1, 2, 3]))
    (3.0, 2.0)
    """
    sizes = np.bincount(clusters).astype(np.float64)
    return max(float(sizes.sum() ** 2 / np.sum(sizes**2)) - 1, 1.0)
