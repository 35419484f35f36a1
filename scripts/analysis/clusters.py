"""Totals of independent clusters, in an order that hangs neither on the items' nor on the arms'."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from scripts.analysis.arrays import TIE, merge_ties

if TYPE_CHECKING:
    from scripts.analysis.arrays import CodeArray, FloatArray


@dataclasses.dataclass(frozen=True)
class ClusterTotals:
    """What each independent cluster adds to a mean of differences."""

    sums: FloatArray
    """Sum of the cluster's differences, all with the sign that makes their total positive."""
    sizes: FloatArray
    """Items of the cluster."""
    sign: float
    """What to multiply a result with to get back to trial minus baseline: 1 or -1."""
    is_symmetric: bool
    """Whether swapping the arms would give the very same clusters."""

    @property
    def mean(self) -> float:
        """Mean over all items, of the differences with their sign changed where ``sign`` is -1."""
        return math.fsum(self.sums) / math.fsum(self.sizes)


def cluster_totals(differences: FloatArray, codes: CodeArray) -> ClusterTotals:
    """
    Add up each cluster's differences.

    Clusters are sorted, and their sign is one that swapping the arms does not change; so random numbers
    meet the same clusters whatever the order of items and arms.

    Parameters
    ----------
    differences : ndarray of float, shape (n_items,)
        Finite.
    codes : ndarray of int, shape (n_items,)
        Number of each item's cluster; numbers may be missing.

    Examples
    --------
    >>> totals = cluster_totals(np.array([0.5, -1.0, -1.0]), np.array([0, 0, 2]))
    >>> totals.sums.tolist(), totals.sizes.tolist(), totals.sign
    ([1.0, 0.5], [1.0, 2.0], -1.0)
    """
    sizes = np.bincount(codes).astype(np.float64)
    added = np.bincount(codes, weights=differences).astype(np.float64)
    scale = float(np.bincount(codes, weights=np.abs(differences)).max(initial=0.0))
    sums = merge_ties(added[sizes > 0], scale=scale)
    sizes = sizes[sizes > 0]
    sign = _sign(sums, sizes)
    sums = sums * (sign or 1.0) + 0.0
    order = np.lexsort((sums, sizes))
    return ClusterTotals(sums[order], sizes[order], sign or 1.0, is_symmetric=not sign)


def _sign(sums: FloatArray, sizes: FloatArray) -> float:
    """Sign of the total; where it is 0, of the first place where clusters and mirror differ; 0: nowhere."""
    total = math.fsum(sums)
    if abs(total) > TIE * math.fsum(np.abs(sums)):
        return 1.0 if total > 0 else -1.0
    unlike = sums[np.lexsort((sums, sizes))] + sums[np.lexsort((-sums, sizes))]
    first = unlike[np.flatnonzero(unlike)[:1]]
    return float(np.sign(first[0])) if len(first) else 0.0
