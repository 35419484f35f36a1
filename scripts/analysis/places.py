"""Places of several trials on the same items: shared where they tie, each with a confidence set."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from scripts.analysis.arrays import CodeArray, FloatArray, Labels, cluster_codes, count_clusters
from scripts.analysis.levels import check_level, significance_level
from scripts.analysis.max_t import MaxT, Studentiser, max_t
from scripts.analysis.sign_flips import canonical, rounded

METHOD = "all pairs, step-down max-t sign flips"
"""Name of what is computed."""

TIE = 1e-12
"""Means that differ by less than this part of the largest are the same."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """Where one trial stands."""

    place: int | None = None
    """One more than there are trials with a better mean; None: no place, and ``reason`` says why."""
    low: int | None = None
    """Best place that the data allow; None where ``place`` is."""
    high: int | None = None
    """Worst place that the data allow; None where ``place`` is."""
    mean: float | None = None
    """Mean over the common items; None where ``place`` is."""
    n_items: int
    """Items that the trial has a value for, common or not."""
    reason: str | None = None
    """Why there is no place; None: there is one."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Places:
    """Where all trials stand."""

    places: tuple[Place, ...]
    """Aligned with the trials."""
    n_common: int
    """Items that every trial with any value has a value for; all means are over these."""
    n_clusters: int
    """Independent clusters among them."""
    n_patterns: int = 0
    """Patterns of signs looked at."""
    is_exact: bool = False
    """Whether these were all patterns."""
    method: str
    """Name of what was computed, or "none: " and the reason."""


def places(
    scores: ArrayLike,
    clusters: Labels | None = None,
    *,
    confidence_level: float,
    resamples: int,
    rng: np.random.Generator,
    higher_is_better: bool = True,
) -> Places:
    """
    Rank trials by their means over the items that all of them have, and say how far the ranks can be trusted.

    Parameters
    ----------
    scores : array_like of float, shape (n_items, n_trials)
        One value per item and trial, replicates averaged; NaN: missing.
    clusters : array_like, shape (n_items,), optional
        Label of each item's cluster; None, or a label that is None or NaN: the item is its own.
    confidence_level : float
        Chance aimed at that the sets of all trials hold their true places, within (0, 1).
    resamples : int
        Patterns of signs to draw; ten thousand are enough for fifty trials.
    rng : numpy.random.Generator
        Source of the signs, from `scripts.analysis.resampling.child_rng`.
    higher_is_better : bool
        Direction of the metric.

    Returns
    -------
    Places
        A trial without any value has no place; without an item that all others have, none has.

    Raises
    ------
    ValueError
        If `scores` is not two-dimensional or holds an infinity, the labels are not as many as items, or the
        level or `resamples` is out of range.

    Notes
    -----
    Trials with the same mean share the better place.  The set of a trial reaches from one more than the
    number of trials that are significantly better to the number of all less those that are significantly
    worse [1]_.  The differences of all pairs are tested together by a step-down max-t sign flip, as in
    `scripts.analysis.simultaneous.simultaneous_effects`; so, but for the chance that the level leaves, no
    pair is called different in the wrong direction, and all sets hold the true places, whichever trials tie.

    References
    ----------
    .. [1] M. Mogstad, J. P. Romano, A. M. Shaikh, D. Wilhelm, Inference for ranks with applications to
       mobility across neighbourhoods and academic achievement across countries, Rev. Econ. Stud. 91 (2024)
       476-518.

    Examples
    --------
    Two trials tie, and are better than the third:

    >>> scores = np.repeat([[1, 1, 0], [0, 1, 0], [1, 0, 0], [1, 1, 1]], [8, 2, 2, 2], axis=0)
    >>> found = places(scores, confidence_level=0.95, resamples=999, rng=np.random.default_rng(1))
    >>> [(place.place, place.low, place.high) for place in found.places]
    [(1, 1, 2), (1, 1, 2), (3, 3, 3)]
    """
    check_level(confidence_level)
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 2:
        raise ValueError(f"scores have the shape {array.shape}, but must have two dimensions")
    if np.isinf(array).any():
        raise ValueError("scores hold an infinity; use NaN for a missing value")
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}, but must be at least 1")
    there = ~np.isnan(array)
    n_items = there.sum(axis=0).tolist()
    ranked = [trial for trial, count in enumerate(n_items) if count]
    is_common = there[:, ranked].all(axis=1) if ranked else np.zeros(len(array), dtype=bool)
    codes = cluster_codes(clusters, len(array))[is_common]
    if not is_common.any():
        why = "no item has a value in every trial" if ranked else "no values"
        none = (Place(n_items=count, reason=why if count else "no values") for count in n_items)
        return Places(places=tuple(none), n_common=0, n_clusters=0, method=f"none: {why}")
    common = array[is_common][:, ranked]
    alpha = significance_level(confidence_level)
    found = _rank(common if higher_is_better else -common, codes, alpha, resamples, rng)
    means = common.mean(axis=0).tolist()
    listed = [Place(n_items=count, reason="no values") for count in n_items]
    for trial, mean, (place, low, high) in zip(ranked, means, found.ranks, strict=True):
        listed[trial] = Place(place=place, low=low, high=high, mean=mean, n_items=n_items[trial])
    return Places(
        places=tuple(listed),
        n_common=len(common),
        n_clusters=count_clusters(codes),
        n_patterns=found.n_patterns,
        is_exact=found.is_exact,
        method=METHOD,
    )


@dataclasses.dataclass(frozen=True)
class _Ranks:
    """Place, best and worst place of each trial, and how they were found."""

    ranks: list[tuple[int, int, int]]
    n_patterns: int
    is_exact: bool


def _rank(
    values: FloatArray, codes: CodeArray, alpha: float, resamples: int, rng: np.random.Generator
) -> _Ranks:
    """Rank trials by complete values of which more is better."""
    n = values.shape[1]
    means = values.mean(axis=0)
    tie = TIE * float(np.abs(means).max())
    ahead = np.count_nonzero(means[np.newaxis, :] > means[:, np.newaxis] + tie, axis=1)
    if n < 2:
        return _Ranks([(1, 1, 1)], 0, is_exact=False)
    numbers = np.unique(codes, return_inverse=True)[1]
    sums = np.column_stack([np.bincount(numbers, weights=column) for column in values.T]).astype(np.float64)
    sizes = np.bincount(numbers).astype(np.float64)
    found = _all_pairs(rounded(sums), sizes, resamples, rng)
    first, second = np.triu_indices(n, 1)
    is_found = found.p_step_down < alpha
    is_ahead = means[first] > means[second]
    better = np.where(is_ahead, first, second)[is_found]
    worse = np.where(is_ahead, second, first)[is_found]
    n_better, n_worse = np.bincount(worse, minlength=n), np.bincount(better, minlength=n)
    ranks = zip((ahead + 1).tolist(), (n_better + 1).tolist(), (n - n_worse).tolist(), strict=True)
    return _Ranks(list(ranks), found.n_patterns, found.is_exact)


def _all_pairs(sums: FloatArray, sizes: FloatArray, resamples: int, rng: np.random.Generator) -> MaxT:
    """Test the differences of all pairs; only the trials' own sums need signs, as differences follow."""
    n = sums.shape[1]
    apart = sums - sums.sum(axis=0) / sizes.sum() * sizes[:, np.newaxis]
    is_clustered = bool(np.any(sizes > 1))
    columns = [sums, apart]
    if is_clustered:
        columns += [column * sizes[:, np.newaxis] for column in (sums, apart)]
    first, second = np.triu_indices(n, 1)

    def forms(signed: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        kinds = [signed[:, kind * n : (kind + 1) * n] for kind in range(len(columns))]
        pairs = [kind[:, first] - kind[:, second] for kind in kinds]
        return pairs[0], pairs[1], pairs[-2], pairs[-1]

    differences = (sums[:, one] - sums[:, other] for one, other in zip(first, second, strict=True))
    studentiser = Studentiser.of((difference, sizes) for difference in differences)
    return max_t([canonical(np.hstack(columns))], forms, studentiser, resamples=resamples, rng=rng)
