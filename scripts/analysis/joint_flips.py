"""Random signs for effects of which some share clusters and others do not."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scripts.analysis.arrays import CodeArray, FloatArray
from scripts.analysis.max_t import MaxT, Studentiser, max_t
from scripts.analysis.sign_flips import canonical, rounded


class ClusterSums(NamedTuple):
    """What each cluster adds to an effect."""

    clusters: CodeArray
    """Number of each cluster, rising; equal numbers in all effects are one cluster."""
    sums: FloatArray
    """Sum of its differences."""
    sizes: FloatArray
    """Its items."""


def joint_max_t(members: Sequence[ClusterSums], *, resamples: int, rng: np.random.Generator) -> MaxT:
    """
    Draw the largest statistic of a family; a cluster has one sign in all effects.

    Parameters
    ----------
    members : sequence of ClusterSums
        At least one effect, each of two clusters or more.
    resamples, rng : int, numpy.random.Generator
        Patterns to draw, and their source.

    Returns
    -------
    MaxT
        Aligned with the effects.  Those that share no cluster, directly or through others, are kept in
        blocks of their own, so that time and memory grow with the data and not with the family's square.

    Examples
    --------
    >>> clusters, sizes = np.arange(10), np.ones(10)
    >>> member = ClusterSums(clusters, np.array([1.0, 2, 1, 3, 1, 2, 1, 1, 2, -1]), sizes)
    >>> found = joint_max_t([member, member], resamples=1024, rng=np.random.default_rng(1))
    >>> found.is_exact, bool(found.p_single_step[0] == found.p_single_step[1] < 0.02)
    (True, True)
    """
    # Where clusters are single items, their sums times their sizes are the sums once more.
    n_kinds = 4 if any(bool(np.any(member.sizes > 1)) for member in members) else 2
    blocks, order = [], []
    for together in _components(members):
        order += together
        blocks.append(_block([members[number] for number in together], n_kinds))
    ends = np.cumsum([block.shape[1] for block in blocks])[:-1]

    def forms(signed: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        parts = [np.split(part, n_kinds, axis=1) for part in np.split(signed, ends, axis=1)]
        kinds = [np.concatenate(kind, axis=1) for kind in zip(*parts, strict=True)]
        return kinds[0], kinds[1], kinds[-2], kinds[-1]

    ordered = (members[number] for number in order)
    studentiser = Studentiser.of((member.sums, member.sizes) for member in ordered)
    found = max_t(blocks, forms, studentiser, resamples=resamples, rng=rng)
    back = np.argsort(order)
    return dataclasses.replace(
        found, p_single_step=found.p_single_step[back], p_step_down=found.p_step_down[back]
    )


def _components(members: Sequence[ClusterSums]) -> list[list[int]]:
    """Numbers of the members that are tied by clusters, directly or through others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(members)
    numbers = np.repeat(np.arange(n), [len(member.clusters) for member in members])
    codes = np.unique(np.concatenate([member.clusters for member in members]), return_inverse=True)[1]
    size = n + int(codes.max()) + 1
    graph = coo_array((np.ones(len(codes)), (numbers, n + codes)), shape=(size, size))
    labels = connected_components(graph, directed=False)[1][:n]
    return [np.flatnonzero(labels == label).tolist() for label in dict.fromkeys(labels.tolist())]


def _block(members: Sequence[ClusterSums], n_kinds: int) -> FloatArray:
    """Sums and deviations of each member by cluster and, of four kinds, both times the cluster's size."""
    clusters = np.unique(np.concatenate([member.clusters for member in members]))
    sums, sizes = np.zeros((2, len(clusters), len(members)))
    for column, member in enumerate(members):
        rows = np.searchsorted(clusters, member.clusters)
        sums[rows, column], sizes[rows, column] = member.sums, member.sizes
    means = np.array([math.fsum(member.sums) / float(member.sizes.sum()) for member in members])
    apart = np.column_stack([rounded(column) for column in (sums - means * sizes).T])
    kinds = [sums, apart, sums * sizes, apart * sizes]
    return canonical(np.hstack(kinds[:n_kinds]))
