"""Means of groups of items, and how they vary together where clusters reach across groups."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scripts.analysis.arrays import CodeArray, FloatArray


class GroupMeans(NamedTuple):
    """One mean per group, with the covariance of all of them."""

    means: FloatArray
    """Shape (n_groups,)."""
    covariance: FloatArray
    """Shape (n_groups, n_groups); NaN in the row and column of a group with one cluster only."""
    n_clusters: CodeArray
    """Clusters that have an item in the group, shape (n_groups,)."""

    @property
    def does_not_vary(self) -> list[bool]:
        """Whether a group shows no variation between clusters, or has too few to show any."""
        errors = np.sqrt(np.diagonal(self.covariance))
        # Written so that NaN counts; what is left of equal values is a rounding error.
        return [not error > 1e-12 for error in errors.tolist()]


def group_means(values: FloatArray, groups: CodeArray, clusters: CodeArray) -> GroupMeans:
    """
    Average each group and estimate the covariance of the averages, robust to clusters.

    Parameters
    ----------
    values : ndarray of float, shape (n_items,)
        One finite value per item.
    groups : ndarray of int, shape (n_items,)
        Group of each item, from 0; every group has an item.
    clusters : ndarray of int, shape (n_items,)
        Cluster of each item, from 0.  Groups that share no cluster are independent.

    Returns
    -------
    GroupMeans
        The variance of a group is the squared standard error of
        `scripts.analysis.intervals.t_interval` over that group alone.

    Notes
    -----
    The covariance of groups ``g`` and ``h`` is the sum over clusters of the product of their summed
    residuals, divided by the groups' sizes and multiplied by
    ``sqrt(G_g / (G_g - 1)) sqrt(G_h / (G_h - 1))`` for ``G_g`` and ``G_h`` clusters [1]_.

    References
    ----------
    .. [1] A. C. Cameron, D. L. Miller, A practitioner's guide to cluster-robust inference,
       J. Hum. Resour. 50 (2015) 317-372.

    Examples
    --------
    >>> found = group_means(np.array([1.0, 3.0, 5.0, 9.0]), np.array([0, 0, 1, 1]), np.arange(4))
    >>> found.means.tolist(), np.diagonal(found.covariance).round(9).tolist()
    ([2.0, 7.0], [1.0, 4.0])
    """
    n_groups = int(groups.max()) + 1
    numbers = np.unique(clusters, return_inverse=True)[1]
    sizes = np.bincount(groups, minlength=n_groups)
    means = np.bincount(groups, weights=values, minlength=n_groups) / sizes
    cells = numbers * n_groups + groups
    shape = (int(numbers.max()) + 1, n_groups)
    n_cells = shape[0] * n_groups
    residuals = np.bincount(cells, weights=(values - means[groups]) / sizes[groups], minlength=n_cells)
    n_clusters = np.count_nonzero(np.bincount(cells, minlength=n_cells).reshape(shape), axis=0)
    factor = np.full(n_groups, np.nan)
    several = n_clusters > 1
    factor[several] = np.sqrt(n_clusters[several] / (n_clusters[several] - 1))
    sums = residuals.reshape(shape) * factor
    # Not by matrix product: its last digits depend on the number of threads.
    return GroupMeans(means, np.einsum("cg,ch->gh", sums, sums), n_clusters)
