import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.detectable import detectable_by_rule
from scripts.analysis.pairs import infer_difference, pair_up
from scripts.analysis.resampling import child_rng
from scripts.analysis.sensitivity import Sensitivity, examine

NAN = float("nan")
binary = st.sampled_from([0.0, 1.0, NAN])
thirds = st.sampled_from([0.0, 1 / 3, 2 / 3, 1.0, NAN])
arms = st.lists(st.tuples(binary, binary), max_size=40) | st.lists(st.tuples(thirds, thirds), max_size=40)
MIRRORED = {"low": "high", "high": "low", "p_lower": "p_upper", "p_upper": "p_lower"}
SIGNED = {"estimate", "mean", "low", "high"}


def look(trial: Any, baseline: Any, clusters: Any = None, **options: Any) -> Sensitivity:
    pairs = pair_up(trial, baseline, clusters, bounds=(0.0, 1.0))
    settings = {
        "confidence_level": 0.95,
        "margin": 0.1,
        "higher_is_better": True,
        "resamples": 200,
        **options,
    }
    inference = infer_difference(pairs, bounds=(0.0, 1.0)) if pairs.n else None
    return examine(pairs, inference, rng=child_rng(1, "test"), **settings)


def split(rows: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    array = np.array(rows, dtype=float).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def leaves(found: Any) -> list[dict[str, Any]]:
    """Every record with a method, as a dictionary."""
    fields = dataclasses.asdict(found) if dataclasses.is_dataclass(found) else found
    inner = [value for value in fields.values() if isinstance(value, dict)]
    return [fields] if "method" in fields else [leaf for value in inner for leaf in leaves(value)]


def test_binary_pairs_get_all_but_the_pseudo_median() -> None:
    found = look([1] * 30 + [0] * 10, [1] * 20 + [0] * 18 + [1] * 2)
    assert found.hodges_lehmann.method == "none: values are 0 or 1"
    assert [leaf["method"] for leaf in leaves(found) if leaf["method"].startswith("none")] == [
        "none: values are 0 or 1"
    ]


def test_averaged_replicates_get_no_table() -> None:
    found = look([1, 0.5, 0.5, 0], [0, 0.5, 0, 0.5])
    reason = "none: values are not all 0 or 1"
    assert [part.method for part in (found.mid_p, found.newcombe, found.posterior)] == [reason] * 3
    assert found.effect_sizes.cohen_h.method == reason
    assert found.hodges_lehmann.estimate is not None
    assert found.wilcoxon.p_value is not None


def test_clustered_pairs_are_averaged_or_left_out() -> None:
    found = look([1, 1, 1, 0, 1, 0, 1, 1], [0, 1, 0, 0, 0, 1, 0, 1], list("aabbccdd"))
    assert [part.method for part in (found.mid_p, found.newcombe, found.posterior)] == [
        "none: clustered pairs"
    ] * 3
    assert found.wilcoxon.method.endswith(", on cluster means")
    assert found.hodges_lehmann.n == 4
    assert found.bootstrap.method == "bca bootstrap of clusters"
    assert found.non_inferiority.method == "two one-sided tests, tango score, effective sample size"


def test_without_a_pair_every_number_is_missing_and_every_method_says_why() -> None:
    for leaf in leaves(look([NAN], [1.0])):
        assert leaf["method"].startswith("none: ")
        numbers = {
            name: value for name, value in leaf.items() if name not in ("method", "n", "resamples", "margin")
        }
        assert set(numbers.values()) == {None}


def test_a_run_shows_nothing_smaller_where_nothing_varies() -> None:
    found = look([0.5, 0.25, 1], [0.5, 0.25, 1]).detectable_difference
    assert (found.power_80, found.power_90, found.method) == (None, None, "none: no variation")


def test_the_detectable_difference_is_that_of_the_verdicts_rule() -> None:
    rng = np.random.default_rng(6)
    trial, baseline = rng.integers(0, 2, (2, 400)).astype(float)
    found = [
        look(trial, baseline, n_tests=n, adjustment=how) for n, how in ((1, "holm"), (9, "none"), (9, "holm"))
    ]
    alone, unadjusted, in_family = (one.detectable_difference for one in found)
    expected = detectable_by_rule(pair_up(trial, baseline), alpha=0.05, power=0.8)
    assert (alone.power_80, alone.method) == expected
    assert alone == unadjusted
    assert in_family.power_80 == detectable_by_rule(pair_up(trial, baseline), alpha=0.05 / 9, power=0.8)[0]


def test_too_few_resamples_for_a_large_family_could_have_shown_nothing() -> None:
    values = np.random.default_rng(7).integers(0, 4, (2, 60)) / 3
    found = look(*values, n_tests=20, resamples=200).detectable_difference
    assert (found.power_80, found.method) == (None, "none: 200 resamples are too few for this level")


def test_without_a_margin_there_is_no_margin_test() -> None:
    found = look([1, 0, 1, 1], [0, 0, 1, 0], margin=None)
    assert found.non_inferiority.method == "none: no margin is set"
    assert found.posterior.p_equivalent is None


def test_non_inferiority_goes_by_the_direction_of_the_metric() -> None:
    trial, baseline = [1] * 12 + [0] * 8, [1] * 9 + [0] * 11
    up, down = (look(trial, baseline, higher_is_better=better).non_inferiority for better in (True, False))
    assert up.p_non_inferiority == up.p_lower
    assert down.p_non_inferiority == down.p_upper
    assert up.p_equivalence == max(up.p_lower or 0, up.p_upper or 0)


@settings(deadline=None, max_examples=60)
@given(rows=arms, seed=st.integers(0, 2**32), is_clustered=st.booleans())
def test_swapping_the_arms_mirrors_all_that_is_looked_at(
    rows: list[tuple[float, float]], seed: int, is_clustered: bool
) -> None:
    trial, baseline = split(rows)
    clusters = np.random.default_rng(seed).integers(0, 10, len(rows)) if is_clustered else None
    one = look(trial, baseline, clusters)
    other = look(baseline, trial, clusters, higher_is_better=False)
    for here, there in zip(leaves(one), leaves(other), strict=True):
        for name, value in here.items():
            mirror = there[MIRRORED.get(name, name)]
            if not isinstance(value, float):
                assert mirror == value, name
            else:
                assert mirror == pytest.approx(-value if name in SIGNED else value, abs=1e-7), (name, here)


@settings(deadline=None, max_examples=60)
@given(rows=arms, seed=st.integers(0, 2**32), is_clustered=st.booleans())
def test_the_order_of_items_does_not_matter_and_nothing_is_infinite(
    rows: list[tuple[float, float]], seed: int, is_clustered: bool
) -> None:
    trial, baseline = split(rows)
    rng = np.random.default_rng(seed)
    clusters = rng.integers(0, 10, len(rows)) if is_clustered else np.arange(len(rows))
    order = rng.permutation(len(rows))
    one, other = look(trial, baseline, clusters), look(trial[order], baseline[order], clusters[order])
    json.dumps(dataclasses.asdict(one), allow_nan=False)
    for here, there in zip(leaves(one), leaves(other), strict=True):
        for name, value in here.items():
            is_number = isinstance(value, float)
            assert there[name] == (pytest.approx(value, abs=1e-9) if is_number else value), name
            if name.startswith("p_") and value is not None:
                assert 0 <= value <= 1
            if name == "p_value" and value is not None:
                assert value > 0
