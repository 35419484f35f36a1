"""Meta-analysis over datasets: edges, refusals and properties."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.meta import METHOD, MetaEffect, combine_datasets, combine_effects

NAN = float("nan")
studies = st.lists(st.tuples(st.floats(-1, 1), st.floats(1e-3, 0.5)), min_size=2, max_size=12)


def combine(rows: list[tuple[float, float]], level: float = 0.95) -> MetaEffect:
    return combine_effects([row[0] for row in rows], [row[1] for row in rows], confidence_level=level)


@pytest.mark.parametrize("rows", [[], [(0.1, 0.2)]])
def test_fewer_than_two_datasets_are_refused_with_the_reason(rows: list[tuple[float, float]]) -> None:
    found = combine(rows)
    assert found == MetaEffect(
        n_datasets=len(rows), method="none: fewer than two datasets", reason="fewer than two datasets"
    )


@pytest.mark.parametrize("error", [0.0, NAN])
def test_a_standard_error_of_zero_is_refused_with_the_reason(error: float) -> None:
    found = combine([(0.1, 0.2), (0.3, error)])
    assert (found.effect, found.reason) == (None, "a standard error is zero or not there")


def test_a_dataset_whose_differences_do_not_vary_is_named() -> None:
    found = combine_datasets(
        [1, 0, 1, 1, 1], [0, 0, 1, 0, 0], ["b", "b", "b", "a", "a"], confidence_level=0.95
    )
    assert (found.n_datasets, found.reason) == (2, "the differences do not vary in a")


def test_one_dataset_is_refused_even_where_it_does_not_vary() -> None:
    assert (
        combine_datasets([1, 1], [0, 0], ["a", "a"], confidence_level=0.9).reason == "fewer than two datasets"
    )


def test_datasets_without_a_pair_do_not_count() -> None:
    found = combine_datasets([1, 0, NAN, 1], [0, 0, 1, NAN], ["a", "a", "b", "c"], confidence_level=0.95)
    assert (found.n_datasets, found.reason) == (1, "fewer than two datasets")
    assert combine_datasets([NAN], [1], ["a"], confidence_level=0.95).reason == "no pairs"


def test_unlike_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 trial, 2 baseline values, 1 datasets"):
        combine_datasets([1, 0], [1, 0], ["a"], confidence_level=0.95)
    with pytest.raises(ValueError, match="2 effects, but 1 standard errors"):
        combine_effects([1, 0], [1], confidence_level=0.95)
    with pytest.raises(ValueError, match="between 0 and 1"):
        combine_effects([1, 0], [1, 1], confidence_level=95)


def test_datasets_are_combined_by_their_paired_errors() -> None:
    rng = np.random.default_rng(3)
    differences = np.concatenate(
        [rng.normal(0.2, 0.3, 50), rng.normal(0.0, 0.3, 400), rng.normal(0.1, 0.5, 90)]
    )
    datasets = ["a"] * 50 + ["b"] * 400 + ["c"] * 90
    found = combine_datasets(differences, np.zeros(540), datasets, confidence_level=0.95)
    parts = np.split(differences, [50, 450])
    expected = combine([(float(part.mean()), float(part.std(ddof=1) / np.sqrt(len(part)))) for part in parts])
    assert found.effect == pytest.approx(expected.effect, rel=1e-9)
    assert found.low == pytest.approx(expected.low, rel=1e-9)
    assert found.method == METHOD


def test_clusters_widen_the_combined_interval() -> None:
    rng = np.random.default_rng(4)
    shared = np.repeat(rng.normal(0.1, 0.3, 40), 5)
    datasets = ["a"] * 100 + ["b"] * 100
    plain = combine_datasets(shared, np.zeros(200), datasets, confidence_level=0.95)
    clustered = combine_datasets(
        shared, np.zeros(200), datasets, np.repeat(np.arange(40), 5), confidence_level=0.95
    )
    assert None not in (plain.low, plain.high, clustered.low, clustered.high)
    assert clustered.high - clustered.low > 1.5 * (plain.high - plain.low)  # type: ignore[operator]


def test_two_datasets_have_no_prediction_interval() -> None:
    found = combine([(0.1, 0.1), (0.2, 0.1)])
    assert found.effect == pytest.approx(0.15)
    assert (found.prediction_low, found.prediction_high) == (None, None)


def test_equal_effects_show_no_heterogeneity() -> None:
    found = combine([(0.1, 0.1), (0.1, 0.2), (0.1, 0.3)])
    assert (found.tau_squared, found.i_squared) == (0, 0)
    assert found.q == pytest.approx(0, abs=1e-12)
    assert found.q_p_value == pytest.approx(1)


@settings(deadline=None)
@given(studies)
def test_the_combined_effect_lies_among_the_effects_and_never_claims_more_than_one_mean_error(
    rows: list[tuple[float, float]],
) -> None:
    found = combine(rows)
    assert found.effect is not None
    assert found.low is not None
    assert found.high is not None
    effects = [row[0] for row in rows]
    assert min(effects) - 1e-9 <= found.effect <= max(effects) + 1e-9
    assert found.p_value is not None
    assert 0 < found.p_value <= 1
    fixed = sum(error**-2 for _, error in rows) ** -0.5
    assert (found.high - found.low) / 2 >= 1.95 * fixed * (1 - 1e-9)
    assert found.tau_squared is not None
    assert found.tau_squared >= 0
    assert found.i_squared is not None
    assert 0 <= found.i_squared < 1
    if found.prediction_high is not None:
        assert found.prediction_high >= found.high
    json.dumps(dataclasses.asdict(found), allow_nan=False)


@settings(deadline=None)
@given(studies, st.floats(1e-3, 1e3))
def test_the_unit_of_the_metric_does_not_matter(rows: list[tuple[float, float]], unit: float) -> None:
    found, scaled = combine(rows), combine([(effect * unit, error * unit) for effect, error in rows])
    assert found.effect is not None
    assert scaled.effect == pytest.approx(found.effect * unit, rel=1e-6, abs=1e-9 * unit)
    assert scaled.p_value == pytest.approx(found.p_value, rel=1e-4, abs=1e-9)


def test_the_order_of_datasets_does_not_matter() -> None:
    rows = [(0.1, 0.05), (0.3, 0.1), (-0.2, 0.2)]
    assert combine(rows).low == pytest.approx(combine(rows[::-1]).low, rel=1e-9)
