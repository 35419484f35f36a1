"""Ranks of differences that are equal as fractions, and not as sums of rounded numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare, rankdata, wilcoxon

from scripts.analysis.omnibus import omnibus_test
from scripts.analysis.pairs import pair_up
from scripts.analysis.resampling import child_rng, sign_flip_test
from scripts.analysis.sensitivity import Sensitivity, examine

shares = st.integers(1, 7).flatmap(lambda n: st.integers(0, n).map(lambda k: Fraction(k, n)))
"""Means of up to seven replicates."""

pairs_of_shares = st.tuples(shares, shares)
clusters_of_pairs = st.lists(st.lists(pairs_of_shares, min_size=1, max_size=9), min_size=2, max_size=40)


def look(trial: Any, baseline: Any, clusters: Any = None) -> Sensitivity:
    pairs = pair_up(trial, baseline, clusters)
    return examine(
        pairs,
        None,
        confidence_level=0.95,
        margin=None,
        higher_is_better=True,
        resamples=20,
        rng=child_rng(1, "ties"),
    )


def signed_rank(differences: list[Fraction]) -> float:
    """Wilcoxon's statistic from exact fractions."""
    there = [d for d in differences if d]
    places = sorted({abs(d) for d in there})
    ranks = rankdata([places.index(abs(d)) for d in there])
    signs = np.array([d > 0 for d in there], dtype=bool)
    return float(min(ranks[signs].sum(), ranks[~signs].sum())) if there else 0.0


def flat(clusters: list[list[tuple[Fraction, Fraction]]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = [(float(t), float(b), k) for k, cluster in enumerate(clusters) for t, b in cluster]
    array = np.array(rows, dtype=float)
    return array[:, 0], array[:, 1], array[:, 2].astype(int)


def test_clusters_of_unlike_size_with_the_same_mean_are_tied() -> None:
    # 15 clusters of four with the mean 1/6, 15 of two with the mean -1/6.  In R:
    # wilcox.test(c(rep(1, 15), rep(-1, 15)), correct = FALSE) has V = 232.5, p-value = 1.
    gained = [(Fraction(2, 3), Fraction(1, 3))] * 2 + [(Fraction(1, 3), Fraction(1, 3))] * 2
    lost = [(Fraction(1, 3), Fraction(2, 3)), (Fraction(2, 3), Fraction(2, 3))]
    found = look(*flat([gained] * 15 + [lost] * 15)).wilcoxon
    assert (found.statistic, found.p_value, found.n) == (232.5, 1.0, 30)


@settings(deadline=None, max_examples=40)
@given(clusters=clusters_of_pairs)
def test_ranks_of_cluster_means_are_those_of_exact_fractions(
    clusters: list[list[tuple[Fraction, Fraction]]],
) -> None:
    found = look(*flat(clusters))
    means = [sum((t - b for t, b in cluster), Fraction(0)) / len(cluster) for cluster in clusters]
    assert found.wilcoxon.n == sum(mean != 0 for mean in means)
    assert found.wilcoxon.statistic == signed_rank(means)
    if found.hodges_lehmann.estimate is not None:
        two = sorted((a + b) / 2 for i, a in enumerate(means) for b in means[i:])
        middle = (two[(len(two) - 1) // 2] + two[len(two) // 2]) / 2
        assert found.hodges_lehmann.estimate == pytest.approx(float(middle), abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(rows=st.lists(pairs_of_shares, min_size=2, max_size=80))
def test_ranks_of_items_are_those_of_exact_fractions(rows: list[tuple[Fraction, Fraction]]) -> None:
    found = look([float(t) for t, _ in rows], [float(b) for _, b in rows]).wilcoxon
    assert found.statistic == signed_rank([t - b for t, b in rows])


@settings(deadline=None, max_examples=40)
@given(rows=st.lists(pairs_of_shares, min_size=1, max_size=8))
def test_sign_flips_reach_the_sums_that_exact_fractions_reach(rows: list[tuple[Fraction, Fraction]]) -> None:
    exact = [t - b for t, b in rows if t != b]
    sums = [Fraction(0)]
    for difference in exact:
        sums = [total + sign * difference for total in sums for sign in (1, -1)]
    n_reached = sum(abs(total) >= abs(sum(exact, Fraction(0))) for total in sums)
    found = sign_flip_test(
        pair_up([float(t) for t, _ in rows], [float(b) for _, b in rows]).differences,
        resamples=256,
        rng=child_rng(1, "flips"),
    )
    assert found.p_value == n_reached / len(sums)


@settings(deadline=None, max_examples=40)
@given(
    clusters=st.lists(
        st.lists(st.tuples(shares, shares, shares), min_size=1, max_size=9), min_size=2, max_size=20
    )
)
def test_ranks_of_trials_are_those_of_exact_fractions(
    clusters: list[list[tuple[Fraction, Fraction, Fraction]]],
) -> None:
    clusters = [*clusters, [(Fraction(1, 2), Fraction(0), Fraction(1))] * 2]
    rows = np.array([[float(v) for v in row] for cluster in clusters for row in cluster])
    codes = np.repeat(np.arange(len(clusters)), [len(cluster) for cluster in clusters])
    means = [[sum(column, Fraction(0)) / len(column) for column in zip(*c, strict=True)] for c in clusters]
    ranks = np.array([[sorted(set(row)).index(mean) for mean in row] for row in means])
    expected = friedmanchisquare(*ranks.T).statistic
    assert omnibus_test(rows, codes).statistic == pytest.approx(expected, rel=1e-12)


def test_no_step_of_rounding_pulls_equal_numbers_apart() -> None:
    # 2**-13 has thirteen decimals: rounded to twelve, it goes up or down by its last digit.
    half = 2.0**-13
    values = np.array([half * (1 + 1e-15), -half * (1 - 1e-15)] * 20 + [1.0])
    found = look(values, np.zeros(41)).wilcoxon
    expected = wilcoxon([1, -1] * 20 + [2], correction=False, method="asymptotic")
    assert (found.statistic, found.p_value) == (expected.statistic, pytest.approx(expected.pvalue))
