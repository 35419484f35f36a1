"""The largest of several studentised means under random signs: one pattern of signs for all of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from scripts.analysis.arrays import FloatArray
from scripts.analysis.sign_flips import TIE, flipped_sums, is_exact

Forms = Callable[[FloatArray], tuple[FloatArray, FloatArray, FloatArray, FloatArray]]
"""
From signed sums of columns to those of members, each of shape (n_patterns, n_members): of the clusters' sums,
of their deviations from the mean, and of both times the size of the cluster.
"""


@dataclasses.dataclass(frozen=True)
class Studentiser:
    """What turns signed sums into statistics; all arrays of shape (n_members,)."""

    sums: FloatArray
    """Sum of the differences."""
    squares: FloatArray
    """Sum of the squares of the clusters' sums."""
    square_deviations: FloatArray
    """The same of their deviations from the member's mean."""
    n_items: FloatArray
    """Items."""
    size_squares: FloatArray
    """Sum of the squares of the clusters' sizes."""
    n_clusters: FloatArray
    """Clusters, at least two."""

    @classmethod
    def of(cls, members: Iterable[tuple[FloatArray, FloatArray]]) -> Studentiser:
        """Collect what is needed of members with these sums and sizes of clusters."""
        rows = []
        for sums, sizes in members:
            total, n_items = math.fsum(sums), float(sizes.sum())
            apart = float(np.sum((sums - total / n_items * sizes) ** 2))
            rows.append((total, float(np.sum(sums**2)), apart, n_items, float(np.sum(sizes**2)), len(sums)))
        return cls(*np.array(rows, dtype=np.float64).T)

    @property
    def observed(self) -> FloatArray:
        """Statistics of the data."""
        return self._deviates(self.sums, self.square_deviations)

    def statistics(self, sums: FloatArray, crossed: FloatArray, *, is_centred: bool) -> FloatArray:
        """
        Give the statistics under other signs, as normal deviates without their sign.

        Parameters
        ----------
        sums, crossed : ndarray of float, shape (n_patterns, n_members)
            Signed sums of the clusters' sums, or deviations, and of these times the clusters' sizes.
        is_centred : bool
            Whether these are deviations.
        """
        squares = self.square_deviations if is_centred else self.squares
        means = sums / self.n_items
        left = squares - 2 * means * crossed + means**2 * self.size_squares
        return self._deviates(sums, left)

    @staticmethod
    def quantile(deviate: float, n_clusters: int) -> float:
        """
        Ratio of mean to standard error that has this normal deviate.

        Examples
        --------
        >>> from scipy.stats import t
        >>> round(Studentiser.quantile(1.96, 11), 3), round(float(t.isf(0.025, 10)), 3)
        (2.229, 2.228)
        """
        freedom = n_clusters - 1
        exponent = (deviate * (8 * freedom + 3) / (8 * freedom + 1)) ** 2 / freedom
        # Beyond that the ratio is no number any more.
        return math.sqrt(freedom * math.expm1(exponent)) if exponent < 700 else math.inf

    def _deviates(self, sums: FloatArray, squares: FloatArray) -> FloatArray:
        """
        Wallace's deviate of the squared ratio of mean and error, ``(G - 1) sums**2 / (G squares)``.

        Where rounding is all that is left of the squares, it is infinite, or 0 if there is no sum either.
        """
        freedom = self.n_clusters - 1
        least = 1e-12 * self.squares
        is_left = squares > least
        squared = sums**2
        ratio = squared / np.where(is_left, self.n_clusters * squares, 1.0)
        factor = (8 * freedom + 1) / (8 * freedom + 3)
        deviates: FloatArray = factor * np.sqrt(freedom * np.log1p(ratio))
        return (
            deviates if is_left.all() else np.where(is_left, deviates, np.where(squared > least, np.inf, 0.0))
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaxT:
    """What the largest statistics say."""

    p_single_step: FloatArray
    """Adjusted p-values, shape (n_members,)."""
    p_step_down: FloatArray
    """Adjusted p-values with more power, shape (n_members,)."""
    maxima: tuple[FloatArray, FloatArray]
    """Largest statistic of each pattern, falling: of the sums, of the deviations."""
    n_patterns: int
    """Patterns looked at."""
    is_exact: bool
    """Whether these were all."""

    def critical_value(self, alpha: float) -> float:
        """Deviate beyond which a member's single-step p-value is below `alpha`; infinite: there is none."""
        return max(_critical(maxima, alpha, is_exact=self.is_exact) for maxima in self.maxima)


def max_t(
    blocks: Sequence[FloatArray],
    forms: Forms,
    studentiser: Studentiser,
    *,
    resamples: int,
    rng: np.random.Generator,
) -> MaxT:
    """
    Draw the largest statistic of a family under random signs, and compare each member with it.

    Parameters
    ----------
    blocks : sequence of ndarray of float
        Columns to be given signs; see `scripts.analysis.sign_flips.flipped_sums`.
    forms : callable
        What members are made of columns.
    studentiser : Studentiser
        Of the members.
    resamples, rng : int, numpy.random.Generator
        Patterns to draw, and their source.

    Returns
    -------
    MaxT
        See `scripts.analysis.simultaneous.simultaneous_effects` for method and sources.
    """
    observed = studentiser.observed
    order = np.argsort(-observed, kind="stable")
    thresholds = observed[order] - TIE
    n_members = len(observed)
    single, stepwise = np.zeros((2, 2, n_members), dtype=np.int64)
    maxima: tuple[list[FloatArray], list[FloatArray]] = ([], [])
    for signed in flipped_sums(blocks, resamples=resamples, rng=rng, width=n_members):
        sums, apart, crossed, crossed_apart = forms(signed)
        for kind, (one, other) in enumerate(((sums, crossed), (apart, crossed_apart))):
            found = studentiser.statistics(one, other, is_centred=kind == 1)[:, order]
            # From the least significant member upwards: the largest of those that are no more significant.
            largest = np.maximum.accumulate(found[:, ::-1], axis=1)[:, ::-1]
            stepwise[kind] += np.count_nonzero(largest >= thresholds, axis=0)
            maxima[kind].append(largest[:, 0])
    falling = tuple(-np.sort(-np.concatenate(parts)) for parts in maxima)
    for kind, values in enumerate(falling):
        single[kind] = len(values) - np.searchsorted(values[::-1], thresholds)
    n_patterns = len(falling[0])
    is_whole = is_exact(sum(len(block) for block in blocks), resamples)
    plus = 0 if is_whole else 1
    p_single, p_stepwise = (
        (counts.max(axis=0) + plus) / (n_patterns + plus) for counts in (single, stepwise)
    )
    back = np.argsort(order, kind="stable")
    return MaxT(
        p_single_step=p_single[back],
        p_step_down=np.maximum.accumulate(p_stepwise)[back],
        maxima=(falling[0], falling[1]),
        n_patterns=n_patterns,
        is_exact=is_whole,
    )


def _critical(falling: FloatArray, alpha: float, *, is_exact: bool) -> float:
    """Largest value whose p-value is not below `alpha`."""
    n = len(falling)
    plus = 0 if is_exact else 1
    # The p-value of the place-th largest is (place + plus) / (n + plus).
    place = math.ceil(round(alpha * (n + plus), 9)) - plus
    return float(falling[place - 1]) + TIE if place >= 1 else math.inf
