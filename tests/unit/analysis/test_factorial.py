import itertools
from typing import Any

import numpy as np
import pytest

from scripts.analysis.factorial import Contrast, FactorialAnalysis, factorial_effects
from scripts.analysis.paired import paired_effect
from scripts.analysis.resampling import child_rng

NAN = float("nan")
ALIKE = "no two trials with scores differ in their levels of a factor"


def analyse(
    scores: Any, cells: list[dict[str, Any]], clusters: Any = None, **settings: Any
) -> FactorialAnalysis:
    options = {"confidence_level": 0.95, "resamples": 999, "rng": child_rng(1, "test"), **settings}
    return factorial_effects(scores, cells, clusters, **options)


def sweep(**factors: list[Any]) -> list[dict[str, Any]]:
    return [dict(zip(factors, levels, strict=True)) for levels in itertools.product(*factors.values())]


def draw(n_cells: int, n_items: int = 80, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(0.5, 0.1, (n_items, n_cells)) + rng.normal(0, 0.1, (n_items, 1)), 0, 1)


def only(found: FactorialAnalysis, kind: str, *factors: str) -> list[Contrast]:
    return [one for one in found.contrasts if (one.kind, one.factors) == (kind, factors)]


CELLS = sweep(model=["small", "large"], prompt=["plain", "steps", "short"])


def test_main_effects_are_averaged_over_the_other_factor_item_by_item() -> None:
    scores = draw(6)
    found = analyse(scores, CELLS)
    cube = scores.reshape(80, 2, 3)
    (model,) = only(found, "main effect", "model")
    differences = cube[:, 1].mean(axis=1) - cube[:, 0].mean(axis=1)
    assert (model.levels, model.references) == (("large",), ("small",))
    assert model.estimate == pytest.approx(differences.mean())
    assert model.standard_error == pytest.approx(differences.std(ddof=1) / 80**0.5)
    assert [one.levels for one in only(found, "main effect", "prompt")] == [("steps",), ("short",)]
    assert (model.interval_method, model.test) == ("t", "sign-flip permutation")


def test_an_interaction_is_a_difference_of_differences() -> None:
    scores = draw(6)
    found = only(analyse(scores, CELLS), "interaction", "model", "prompt")
    cube = scores.reshape(80, 2, 3)
    expected = (cube[:, 1, 2] - cube[:, 0, 2]) - (cube[:, 1, 0] - cube[:, 0, 0])
    assert [one.levels for one in found] == [("large", "steps"), ("large", "short")]
    assert {one.references for one in found} == {("small", "plain")}
    assert found[1].estimate == pytest.approx(expected.mean())


def test_a_trend_is_a_slope_per_unit_within_items() -> None:
    cells = sweep(temperature=[1.0, 0.0, 0.2], model=["a", "b"])
    numbers = np.array([cell["temperature"] for cell in cells])
    scores = draw(6) * 0.1 + 0.3 * numbers
    (trend,) = only(analyse(scores, cells), "trend", "temperature")
    slopes = np.polynomial.polynomial.polyfit(numbers, scores.T, 1)[1]
    assert (trend.levels, trend.references) == ((0.0, 1.0), ())
    assert trend.estimate == pytest.approx(slopes.mean())
    assert trend.low < 0.3 < trend.high
    assert trend.simultaneous_low < trend.low


def test_the_unit_of_a_number_does_not_change_what_is_significant() -> None:
    few, many = (sweep(tokens=[one * unit for one in (1, 2, 4)], model=["a", "b"]) for unit in (1, 1000))
    scores, codes = draw(6), np.arange(80) % 12
    (one,), (other,) = (only(analyse(scores, cells, codes), "trend", "tokens") for cells in (few, many))
    assert (one.p_value, one.p_adjusted) == (other.p_value, other.p_adjusted)
    assert one.interval_method == "wild cluster bootstrap-t"
    assert [1000 * bound for bound in (other.low, other.simultaneous_high)] == pytest.approx(
        [one.low, one.simultaneous_high], rel=1e-9
    )


def test_two_trials_are_a_plain_paired_comparison() -> None:
    scores = np.random.default_rng(3).integers(0, 2, (120, 2)).astype(float)
    (one,) = analyse(scores, sweep(prompt=["plain", "steps"]), bounds=(0.0, 1.0)).contrasts
    plain = paired_effect(
        scores[:, 1], scores[:, 0], confidence_level=0.95, resamples=10, rng=child_rng(1, "x")
    )
    assert (one.estimate, one.low, one.high) == (plain.difference, plain.low, plain.high)
    assert (one.interval_method, one.test) == ("tango score", "exact mcnemar")
    assert one.p_value == plain.p_value


def test_a_main_effect_is_a_paired_comparison_of_means_over_cells() -> None:
    scores, codes = np.round(draw(6)), np.arange(80) % 30
    (one,) = only(analyse(scores, CELLS, codes, bounds=(0.0, 1.0)), "main effect", "model")
    small, large = scores[:, :3].mean(axis=1), scores[:, 3:].mean(axis=1)
    plain = paired_effect(
        large,
        small,
        codes,
        confidence_level=0.95,
        resamples=999,
        rng=child_rng(1, "x"),
        bounds=(0.0, 1.0),
    )
    assert (one.low, one.high) == pytest.approx((plain.low, plain.high), rel=1e-9)
    assert (one.interval_method, one.test) == (plain.interval_method, plain.test)
    assert one.p_value == pytest.approx(plain.p_value, abs=0.05)


def test_a_reference_may_be_named_and_falls_back_on_the_first() -> None:
    found = analyse(draw(6), CELLS, references={"prompt": "short", "model": "missing"})
    assert [factor.reference for factor in found.factors] == ["small", "short"]
    assert [one.levels for one in only(found, "main effect", "prompt")] == [("plain",), ("steps",)]


def test_means_of_levels_are_over_all_levels_of_the_others() -> None:
    scores = draw(6)
    found = analyse(scores, CELLS, bounds=(0.0, 1.0))
    assert found.factors[1].levels == ("plain", "steps", "short")
    assert [mean.mean for mean in found.factors[1].means] == pytest.approx(
        scores.reshape(80, 2, 3).mean(axis=(0, 1)).tolist()
    )
    assert found.factors[0].means[0].method == "wilson, effective sample size"


def test_items_that_a_cell_lacks_fall_out_and_are_counted() -> None:
    scores = draw(6)
    scores[0, 0] = scores[1, 5] = NAN
    scores[2] = NAN
    found = analyse(scores, CELLS)
    assert (found.n_items, found.n_incomplete, found.n_clusters, found.n_cells) == (77, 2, 77, 6)
    expected = analyse(scores[3:], CELLS)
    for one, other in zip(found.contrasts, expected.contrasts, strict=True):
        assert (one.estimate, one.low) == pytest.approx((other.estimate, other.low), rel=1e-9)
        assert (one.p_value, one.p_adjusted) == (other.p_value, other.p_adjusted)


def test_trials_outside_the_cross_take_no_items_away() -> None:
    scores = np.column_stack([draw(6), np.full(80, NAN)])
    scores[:10, 6] = 1
    found = analyse(scores, [*CELLS, {"model": "huge", "prompt": "plain"}])
    assert (found.n_items, found.n_cells, [one.cell for one in found.left_out]) == (80, 6, [6])
    expected = analyse(scores[:, :6], CELLS)
    assert [one.p_adjusted for one in found.contrasts] == [one.p_adjusted for one in expected.contrasts]


def test_of_three_factors_the_third_is_averaged_over() -> None:
    cells = sweep(model=["a", "b"], prompt=["A", "B"], temperature=[0.0, 1.0])
    scores = draw(8)
    found = analyse(scores, cells)
    kinds = [(one.kind, one.factors) for one in found.contrasts]
    assert kinds == [
        ("main effect", ("model",)),
        ("main effect", ("prompt",)),
        ("main effect", ("temperature",)),
        ("trend", ("temperature",)),
        ("interaction", ("model", "prompt")),
        ("interaction", ("model", "temperature")),
        ("interaction", ("prompt", "temperature")),
    ]
    cube = scores.reshape(80, 2, 2, 2).mean(axis=3)
    expected = cube[:, 1, 1] - cube[:, 0, 1] - cube[:, 1, 0] + cube[:, 0, 0]
    assert found.contrasts[4].estimate == pytest.approx(expected.mean())
    assert len(found.tests) == 6
    assert len(found.shares) == 7


def test_what_does_nothing_has_no_interval_but_an_estimate() -> None:
    scores = np.repeat(np.random.default_rng(1).integers(0, 2, (50, 2)).astype(float), 2, axis=1)
    found = analyse(scores, sweep(model=["a", "b"], prompt=["A", "B"]))
    (prompt,), (crossed,) = (
        only(found, "main effect", "prompt"),
        only(found, "interaction", "model", "prompt"),
    )
    for one in (prompt, crossed):
        assert (one.estimate, one.standard_error, one.low, one.p_value) == (0.0, None, None, 1.0)
        assert (one.p_adjusted, one.reason, one.interval_method) == (
            None,
            "no variation",
            "none: no variation",
        )


def test_intervals_end_where_no_contrast_can_be() -> None:
    rng = np.random.default_rng(5)
    scores = np.stack([np.zeros(8), np.ones(8), np.ones(8), np.zeros(8)], axis=1)
    scores[rng.integers(0, 8, 1), 0] = 1
    (crossed,) = only(
        analyse(scores, sweep(model=["a", "b"], prompt=["A", "B"]), bounds=(0.0, 1.0)),
        *("interaction", "model", "prompt"),
    )
    assert crossed.estimate == -1.875
    assert crossed.low == crossed.simultaneous_low == -2.0


@pytest.mark.parametrize(
    ("scores", "cells", "reason"),
    [
        ([[1.0, 0.0]], [{"model": "a"}] * 2, ALIKE),
        (
            [[1.0, NAN]],
            sweep(model=["a", "b"]),
            "no two trials with scores differ in their levels of a factor",
        ),
        ([[1.0, NAN], [NAN, 1.0]], sweep(model=["a", "b"]), "no item has a value in every trial"),
        (
            np.zeros((0, 2)),
            sweep(model=["a", "b"]),
            "no two trials with scores differ in their levels of a factor",
        ),
    ],
)
def test_where_there_is_no_design_the_reason_is_given(
    scores: Any, cells: list[dict[str, Any]], reason: str
) -> None:
    found = analyse(scores, cells)
    assert (found.reason, found.contrasts, found.n_items) == (reason, (), 0)


def test_one_item_gives_estimates_alone() -> None:
    found = analyse([[0.0, 1.0, 1.0, 1.0]], sweep(model=["a", "b"], prompt=["A", "B"]))
    assert {(one.low, one.reason) for one in found.contrasts} == {(None, "one pair")}
    assert {test.p_value for test in found.tests} == {None}


@pytest.mark.parametrize(
    ("scores", "settings", "message"),
    [
        ([[1, 0, 1]], {}, "must have 2 columns"),
        ([[1, np.inf]], {}, "infinity"),
        ([[1, 2]], {"bounds": (0, 1)}, "bounds"),
        ([[1, 0]], {"confidence_level": 95}, "between 0 and 1"),
        ([[1, 0]], {"resamples": 0}, "resamples is 0"),
    ],
)
def test_a_callers_mistake_is_refused(scores: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        analyse(scores, sweep(model=["a", "b"]), **settings)
