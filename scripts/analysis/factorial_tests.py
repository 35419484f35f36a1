"""Whether a factor, or the interaction of two, does anything, and how much of all differences it makes."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from scripts.analysis.arrays import CodeArray, FloatArray
from scripts.analysis.multiplicity import adjust
from scripts.analysis.sign_flips import TIE, canonical, flipped_sums, is_exact, rounded


@dataclasses.dataclass(frozen=True, kw_only=True)
class FactorTest:
    """Test that a factor has no main effect, or two factors no interaction."""

    factors: tuple[str, ...]
    """One factor, or two."""
    df: int
    """Independent contrasts: levels less one, multiplied."""
    f_statistic: float | None = None
    """Hotelling's F of these contrasts, robust to clusters; None: no test, and ``method`` says why."""
    df_error: int | None = None
    """Its second degrees of freedom: clusters less contrasts."""
    p_value: float | None = None
    """By sign flips; never 0, not adjusted."""
    p_adjusted: float | None = None
    """Adjusted by Holm's method for all tests of the design."""
    anova_f: float | None = None
    """F of the analysis of variance with repeated measures, as other programs print it; None in clusters."""
    anova_df_error: int | None = None
    """Its second degrees of freedom."""
    method: str
    """Name of what was computed, or "none: " and the reason."""


@dataclasses.dataclass(frozen=True)
class Share:
    """Part of the variation between the cells' means."""

    factors: tuple[str, ...]
    """One factor, or two, or all from three on ("the rest")."""
    share: float | None
    """Within [0, 1]; all shares add up to 1.  None: the cells do not differ."""


def factor_tests(
    values: FloatArray,
    codes: CodeArray,
    names: Sequence[str],
    *,
    resamples: int,
    rng: np.random.Generator,
) -> tuple[FactorTest, ...]:
    """
    Test each factor, and each pair of factors.

    Parameters
    ----------
    values : ndarray of float, shape (n_items, n_levels of the first factor, of the second, ...)
        Finite, of a full cross; at least one item.
    codes : ndarray of int, shape (n_items,)
        Number of each item's cluster.
    names : sequence of str
        Of the factors.
    resamples, rng : int, numpy.random.Generator
        Sign patterns to draw, and their source.

    Returns
    -------
    tuple of FactorTest
        Main effects, then interactions.

    Notes
    -----
    The contrasts of an effect, summed by cluster, have a sum ``S`` and a matrix ``M`` of sums of products,
    which does not change with the clusters' signs.  So the p-value is the share of patterns of signs in
    which ``S' M^-1 S`` reaches that of the data; without clusters this orders patterns as Hotelling's
    T-squared [1]_ does, and the level holds however few clusters there are and whatever their size, if
    contrasts are symmetric where there is no effect.  The analysis of variance is shown for comparison; its
    p-value would assume that all differences between cells vary alike (sphericity).

    References
    ----------
    .. [1] H. Hotelling, The generalization of Student's ratio, Ann. Math. Stat. 2 (1931) 360-378.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> values = rng.normal(0, 1, (40, 2, 3)) + np.array([0.0, 0.0, 2.0])
    >>> found = factor_tests(values, np.arange(40), ["model", "prompt"], resamples=999, rng=rng)
    >>> [(*one.factors, one.df, one.p_value < 0.05) for one in found]
    [('model', 1, False), ('prompt', 2, True), ('model', 'prompt', 2, False)]
    """
    tests = [
        dataclasses.replace(
            _test(values, codes, axes, resamples, rng), factors=tuple(names[axis] for axis in axes)
        )
        for axes in _effects(len(names))
    ]
    adjusted = adjust([test.p_value for test in tests], "holm")
    return tuple(
        dataclasses.replace(test, p_adjusted=p_value) for test, p_value in zip(tests, adjusted, strict=True)
    )


def shares(means: FloatArray, names: Sequence[str]) -> tuple[Share, ...]:
    """
    Split the variation between the cells' means of a full cross.

    It is about the cells at hand, noise included: no claim about other levels.

    Parameters
    ----------
    means : ndarray of float, shape (n_levels of the first factor, of the second, ...)
        Mean of each cell.
    names : sequence of str
        Of the factors.

    Returns
    -------
    tuple of Share
        Main effects, interactions of two factors and, with three factors or more, the rest.

    Notes
    -----
    Sums of squares of the balanced analysis of variance, each over their total.

    Examples
    --------
    >>> shares(np.array([[0.1, 0.3], [0.3, 0.5]]), ["model", "prompt"])[:2]
    (Share(factors=('model',), share=0.5), Share(factors=('prompt',), share=0.5))
    """
    total = float(np.sum((means - means.mean()) ** 2))
    nothing = total <= 1e-24 * float(np.max(np.abs(means))) ** 2 * means.size
    found = []
    for axes in _effects(len(names)):
        part = _effect(means[np.newaxis], axes)
        repeats = means.size // part.size
        share = None if nothing else round(float(np.sum(part**2)) * repeats / total, 12)
        found.append(Share(tuple(names[axis] for axis in axes), share))
    if len(names) > 2:
        rest = None if nothing else max(0.0, round(1 - math.fsum(one.share or 0.0 for one in found), 12))
        found.append(Share(tuple(names), rest))
    return tuple(found)


def _effects(n_factors: int) -> Iterator[tuple[int, ...]]:
    """Axes of all main effects, and of all interactions of two factors."""
    for size in (1, 2):
        yield from itertools.combinations(range(n_factors), size)


def _effect(values: FloatArray, axes: Sequence[int]) -> FloatArray:
    """Deviations that these factors make in each item, averaged over the others; the first axis is items."""
    part = values
    for axis in range(values.ndim - 1):
        mean = part.mean(axis=1 + axis, keepdims=True)
        part = part - mean if axis in axes else mean
    return part


def _test(
    values: FloatArray, codes: CodeArray, axes: tuple[int, ...], resamples: int, rng: np.random.Generator
) -> FactorTest:
    """Test one effect; its name is filled in by the caller."""
    full = _effect(values, axes)
    # The last level of each factor follows from the others.
    inner = full[
        (slice(None), *(slice(-1) if axis in axes else slice(None) for axis in range(full.ndim - 1)))
    ]
    contrasts = inner.reshape(len(values), -1)
    n, df = contrasts.shape
    numbers = np.unique(codes, return_inverse=True)[1]
    sizes = np.bincount(numbers)
    n_clusters = len(sizes)
    sums = rounded(np.column_stack([np.bincount(numbers, weights=column) for column in contrasts.T]))
    empty = FactorTest(factors=(), df=df, method="none: not more clusters than contrasts")
    if n_clusters <= df:
        return empty
    means = contrasts.mean(axis=0)
    apart = sums - sizes[:, np.newaxis] * means
    covariance = np.einsum("cg,ch->gh", apart, apart) * n_clusters / (n_clusters - 1) / n**2
    inverse = _inverse(covariance)
    if inverse is None:
        return dataclasses.replace(empty, method="none: the contrasts do not vary")
    squared = float(np.einsum("g,gh,h->", means, inverse, means))
    anova = None
    if n_clusters == n:
        deviations = float(np.sum((full - full.mean(axis=0)) ** 2)) / (n - 1)
        anova = n * float(np.sum(full.mean(axis=0) ** 2)) / deviations
    return dataclasses.replace(
        empty,
        f_statistic=squared * (n_clusters - df) / (df * (n_clusters - 1)),
        df_error=n_clusters - df,
        p_value=_flip(sums, resamples, rng),
        anova_f=anova,
        anova_df_error=None if anova is None else df * (n - 1),
        method="sign flips of hotelling's t-squared",
    )


def _inverse(matrix: FloatArray) -> FloatArray | None:
    """Inverse of a covariance; None where it has none."""
    errors = np.sqrt(np.diagonal(matrix))
    if not np.all(errors > 0):
        return None
    correlation = matrix / np.outer(errors, errors)
    if np.linalg.cond(correlation) > 1e12:
        return None
    inverse: FloatArray = np.linalg.inv(correlation) / np.outer(errors, errors)
    return inverse


def _flip(sums: FloatArray, resamples: int, rng: np.random.Generator) -> float:
    """P-value of the sum of rows under random signs, by a quadratic form that these do not change."""
    rows = canonical(sums)
    roots, vectors = np.linalg.eigh(np.einsum("cg,ch->gh", rows, rows))
    is_there = roots > 1e-12 * roots[-1]
    scale = vectors[:, is_there] / np.sqrt(roots[is_there])
    observed = float(np.sum(np.einsum("g,gh->h", sums.sum(axis=0), scale) ** 2))
    n_reached = n_patterns = 0
    for signed in flipped_sums([np.einsum("cg,gh->ch", rows, scale)], resamples=resamples, rng=rng):
        n_reached += int(np.count_nonzero(np.sum(signed**2, axis=1) >= observed * (1 - TIE)))
        n_patterns += len(signed)
    plus = 0 if is_exact(len(rows), resamples) else 1
    return (n_reached + plus) / (n_patterns + plus)
