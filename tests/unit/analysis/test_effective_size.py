"""What effective sample sizes are made of."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.analysis.effective_size import cautious_variation, effective_freedom


def of(values: np.ndarray, clusters: np.ndarray, shares: np.ndarray | None = None) -> tuple[float, float]:
    return cautious_variation(
        values - values.mean(), clusters, np.ones(len(values)) if shares is None else shares
    )


def test_with_many_units_it_is_the_robust_variance() -> None:
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(5000), 3)
    values = rng.normal(size=5000)[clusters] + rng.normal(size=15_000)
    sums = np.bincount(clusters, weights=values - values.mean())
    assert of(values, clusters)[0] == pytest.approx(float(np.sum(sums**2)), rel=2e-3)


def test_clusters_that_vary_as_expected_are_known_better_than_others() -> None:
    values, clusters = np.array([1.0, -1.0, 2.0, -2.0]), np.arange(4)
    known, unknown = of(values, clusters, values**2), of(values, clusters)
    # 4 / 3 of the sum of squares, and half an item.
    assert known[0] == pytest.approx(10 * 4 / 3 + 0.5)
    assert unknown[0] > known[0]


def test_copies_of_items_in_their_cluster_only_change_the_scale() -> None:
    values = np.array([0.2, 0.0, 0.4, -0.2, 0.0])
    one = of(values, np.arange(5), np.abs(values))
    copied = of(np.repeat(values, 4), np.repeat(np.arange(5), 4), np.repeat(np.abs(values), 4))
    assert copied == pytest.approx((16 * one[0], 4 * one[1]))


@pytest.mark.parametrize(
    ("sizes", "freedom"), [([1] * 8, 7.0), ([3] * 8, 7.0), ([50, 1, 1], 1.0), ([4, 2, 2], 64 / 24 - 1)]
)
def test_degrees_of_freedom_count_clusters_by_their_size(sizes: list[int], freedom: float) -> None:
    assert effective_freedom(np.repeat(np.arange(len(sizes)), sizes)) == pytest.approx(freedom)
