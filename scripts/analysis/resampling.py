"""Tests by resampling, and random numbers that depend on names instead of on the order of calls."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

BLOCK_BYTES = 16_000_000
"""Memory for one block of resamples; changing it changes which are drawn."""


@dataclasses.dataclass(frozen=True)
class SignFlipTest:
    """What the sign-flip permutation test found."""

    p_value: float
    """Two-sided; within (0, 1]."""
    n_units: int
    """Independent units that can change sign: those that are not zero."""
    n_permutations: int
    """Sign patterns looked at."""
    is_exact: bool
    """Whether these were all patterns; otherwise a random sample of them."""


def child_rng(seed: int, *names: str) -> np.random.Generator:
    """
    Random numbers for one named block of work.

    Blocks with other names get independent streams, so a result does not depend on which blocks ran before.

    Parameters
    ----------
    seed : int
        The run's seed.
    *names : str
        The path to the block, as in ``child_rng(seed, "stats", trial, dataset, metric)``.

    Returns
    -------
    numpy.random.Generator
        Seeded with the SHA-256 of the seed and the names.

    Examples
    --------
    >>> child_rng(1, "a", "b").random() == child_rng(1, "a", "b").random()
    True
    >>> child_rng(1, "a", "b").random() == child_rng(1, "ab").random()
    False
    """
    digest = hashlib.sha256(json.dumps([seed, *names]).encode("utf-8")).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def sign_flip_test(values: ArrayLike, *, resamples: int, rng: np.random.Generator) -> SignFlipTest:
    """
    Test that independent differences are symmetric about zero, by flipping their signs.

    Pass one value per independent unit: the difference of an item, or the sum of the differences of a
    cluster, which then flip together.

    Parameters
    ----------
    values : array_like of float, shape (n_units,)
        Differences trial minus baseline; finite.  Their order does not matter.
    resamples : int
        Sign patterns to draw, at least 1; where there are no more patterns than that, all are used.
    rng : numpy.random.Generator
        Source of the signs; not touched where all patterns are used.

    Returns
    -------
    SignFlipTest
        With all values zero, or none, ``p_value`` is 1.

    Raises
    ------
    ValueError
        If `values` is not one-dimensional or not finite, or `resamples` is below 1.

    Notes
    -----
    The statistic is the absolute sum.  Over all patterns the p-value is the share of patterns that reach
    the observed sum; over ``R`` drawn patterns it is ``(reached + 1) / (R + 1)``, which counts the
    observed pattern too, so it is never 0 and the test keeps its level [1]_.  Sums that differ by less
    than 1e-9 standard deviations of the sum are ties and count as reached.

    References
    ----------
    .. [1] B. Phipson, G. K. Smyth, Permutation p-values should never be zero, Stat. Appl. Genet. Mol. Biol.
       9 (2010) article 39.

    Examples
    --------
    Of the eight sign patterns of three differences, two reach the observed sum:

    >>> sign_flip_test([0.5, 0.25, 1.0], resamples=1000, rng=child_rng(1, "example")).p_value
    0.25
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError("values must be finite and have one dimension")
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}, but must be at least 1")
    # Sorted and without signs, the result is the same for any order of items and for swapped arms.
    sizes = np.sort(np.abs(array[array != 0]))
    if len(sizes) == 0:
        return SignFlipTest(1.0, 0, 1, is_exact=True)
    threshold = abs(float(array.sum())) - 1e-9 * float(np.sqrt(np.sum(sizes**2)))
    is_exact = 2 ** len(sizes) <= resamples
    blocks = _all_flipped(sizes) if is_exact else _randomly_flipped(sizes, resamples, rng)
    total = float(sizes.sum())
    n_reached = sum(int(np.count_nonzero(np.abs(total - 2 * flipped) >= threshold)) for flipped in blocks)
    if is_exact:
        return SignFlipTest(n_reached / 2 ** len(sizes), len(sizes), 2 ** len(sizes), is_exact=True)
    return SignFlipTest((n_reached + 1) / (resamples + 1), len(sizes), resamples, is_exact=False)


def _all_flipped(sizes: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Sum of the sizes that are flipped, for every pattern of flips, in blocks."""
    step = max(1, BLOCK_BYTES // (8 * len(sizes)))
    for start in range(0, 2 ** len(sizes), step):
        numbers = np.arange(start, min(start + step, 2 ** len(sizes)))
        # Not by matrix product: its last digits depend on the number of threads.
        yield np.einsum("pu,u->p", _patterns(numbers, len(sizes)), sizes)


def _randomly_flipped(
    sizes: NDArray[np.float64], n_patterns: int, rng: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    """Sum of the sizes that are flipped, for as many random patterns of flips, in blocks."""
    step = BLOCK_BYTES // 80
    bytes_of_flips = _patterns(np.arange(256), 8)
    for start in range(0, n_patterns, step):
        flipped = np.zeros(min(step, n_patterns - start))
        # A random byte flips eight units at once: it looks up what its flips add.
        for first in range(0, len(sizes), 8):
            eight = sizes[first : first + 8]
            added = bytes_of_flips[:, : len(eight)] @ eight
            flipped += added[np.frombuffer(rng.bytes(len(flipped)), dtype=np.uint8)]
        yield flipped


def _patterns(numbers: NDArray[np.int64], n_units: int) -> NDArray[np.float64]:
    """Binary digits of the numbers, the lowest first, shape (n_numbers, n_units)."""
    return ((numbers[:, np.newaxis] >> np.arange(n_units)) & 1).astype(np.float64)
