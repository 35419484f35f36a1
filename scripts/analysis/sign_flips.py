"""Sums over clusters under random signs, one sign for all columns, so that these stay correlated."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from scripts.analysis.arrays import FloatArray
from scripts.analysis.resampling import BLOCK_BYTES

TIE = 1e-9
"""Statistics that differ by less than this are ties, and count as reached."""

TABLE_BYTES = 1_000_000
"""Memory for sums of eight rows at a time: little, so that they stay near the processor."""

MOST_CLUSTERS = 16
"""Beyond this many clusters, signs are drawn, however many `resamples` there are."""


def is_exact(n_clusters: int, resamples: int) -> bool:
    """Whether all patterns of signs are used: there are no more than are to be drawn."""
    return n_clusters <= MOST_CLUSTERS and 1 << n_clusters <= max(resamples, 1)


def flipped_sums(
    blocks: Sequence[FloatArray], *, resamples: int, rng: np.random.Generator, width: int = 0
) -> Iterator[FloatArray]:
    """
    Give each cluster a random sign and add up every column, over and over.

    Parameters
    ----------
    blocks : sequence of ndarray of float, each of shape (n_clusters, n_columns)
        Columns that share clusters belong into one block; clusters of different blocks are different ones.
    resamples : int
        Patterns to draw, at least 1; where there are no more patterns than that, each is used once.
    rng : numpy.random.Generator
        Source of the signs; not touched where all patterns are used.
    width : int
        Numbers that the caller makes of one pattern, if these are more than there are columns; it keeps
        the memory of a part bounded.

    Yields
    ------
    ndarray of float, shape (n_patterns, n_columns of all blocks)
        A part of the patterns.

    Raises
    ------
    ValueError
        If `resamples` is below 1.

    Examples
    --------
    >>> parts = flipped_sums([np.array([[1.0, 0.5], [2.0, 0.5]])], resamples=4, rng=np.random.default_rng(1))
    >>> np.concatenate(list(parts)).tolist()
    [[-3.0, -1.0], [-1.0, 0.0], [1.0, 0.0], [3.0, 1.0]]
    """
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}, but must be at least 1")
    n_clusters = sum(len(block) for block in blocks)
    n_columns = sum(block.shape[1] for block in blocks)
    is_whole = is_exact(n_clusters, resamples)
    n_patterns = 2**n_clusters if is_whole else resamples
    step = max(1, BLOCK_BYTES // (8 * max(width, n_columns, 1)))
    for start in range(0, n_patterns, step):
        numbers = np.arange(start, min(start + step, n_patterns))
        sums = np.zeros((len(numbers), n_columns))
        first, column = 0, 0
        for block in blocks:
            part = sums[:, column : column + block.shape[1]]
            for place, table in enumerate(_signed_sums(block)):
                # A random byte gives eight clusters their signs at once.
                chosen = (
                    (numbers >> (first + 8 * place)) & 255
                    if is_whole
                    else np.frombuffer(rng.bytes(len(numbers)), dtype=np.uint8)
                )
                if len(block) < 8 * place + 8:
                    chosen = chosen & ((1 << len(block) - 8 * place) - 1)
                # Not by matrix product: its last digits depend on the number of threads.
                part += table[chosen]
            first, column = first + len(block), column + block.shape[1]
        yield sums


def rounded(sums: FloatArray) -> FloatArray:
    """
    Cut off the digits of sums that depend on the order in which they were added.

    Examples
    --------
    >>> rounded(np.array([0.1 + 0.2, 1e-15])).tolist()
    [0.3, 0.0]
    """
    largest = float(np.abs(sums).max()) if sums.size else 0.0
    if largest == 0:
        return sums
    unit = 10.0 ** math.ceil(math.log10(largest))
    kept: FloatArray = np.round(sums / unit, 12) * unit + 0.0
    return kept


def canonical(rows: FloatArray) -> FloatArray:
    """
    Sort clusters, each with the sign that makes its first number positive.

    Random signs then meet the same rows whatever the order of items and whichever arm is the baseline.

    Examples
    --------
    >>> canonical(np.array([[0.0, -2.0], [-1.0, 3.0]])).tolist()
    [[0.0, 2.0], [1.0, -3.0]]
    """
    if rows.size == 0:
        return rows
    first = np.argmax(rows != 0, axis=1)
    signs = np.sign(rows[np.arange(len(rows)), first])
    signed: FloatArray = rows * np.where(signs == 0, 1.0, signs)[:, np.newaxis] + 0.0
    return signed[np.lexsort(signed.T[::-1])]


def _signed_sums(rows: FloatArray) -> Iterator[FloatArray]:
    """Sums of eight rows after the other for every pattern of signs; the lowest bit is the first row's."""
    n_rows, n_columns = rows.shape
    n_tables = -(-n_rows // 8)
    padded = np.zeros((8 * n_tables, n_columns))
    padded[:n_rows] = rows
    eights = padded.reshape(n_tables, 8, n_columns)
    step = max(1, TABLE_BYTES // (8 * 256 * max(n_columns, 1)))
    for start in range(0, n_tables, step):
        several = eights[start : start + step]
        tables = np.zeros((len(several), 1, n_columns))
        for place in range(8):
            row = several[:, place : place + 1]
            tables = np.concatenate([tables - row, tables + row], axis=1)
        yield from tables
