"""A run's trials as a factorial design."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scripts.comparison.design import analyse_design
from scripts.records import Trial
from tests.fakes.scored_trials import scores_of, write_scored_run

OPTIONS = {"confidence_level": 0.95, "resamples": 999, "seed": 1}


def make_design(tmp_path: Path, cells: list[tuple[str, str, float]]):
    rng = np.random.default_rng(3)
    easy = rng.random(80)
    rates = {"control": 0.4, "treatment": 0.7}
    values = [(easy < rates[prompt]).astype(float).tolist() for _, prompt, _ in cells]
    settings = write_scored_run(tmp_path, values, clusters=[None] * 80)
    trials = [
        Trial(trial.name, model, prompt, {"temperature": temperature})
        for trial, (model, prompt, temperature) in zip(settings.trials, cells, strict=True)
    ]
    return scores_of(settings), trials


def test_a_sweep_of_two_factors_has_effects_and_an_interaction(tmp_path: Path) -> None:
    cells = [(model, prompt, 0.0) for model in ("m", "n") for prompt in ("treatment", "control")]
    scores, trials = make_design(tmp_path, cells)

    found = analyse_design(scores, trials, "correct", references={"prompt": "control"}, **OPTIONS)

    assert found is not None
    by_factors = {tuple(c["factors"]): c for c in found["contrasts"]}
    assert set(by_factors) == {("model",), ("prompt",), ("model", "prompt")}
    prompt = by_factors["prompt",]
    assert (prompt["levels"], prompt["references"]) == (("treatment",), ("control",))
    frame = scores.side_by_side("correct", scores.trials)
    assert prompt["estimate"] == pytest.approx(frame[trials[0].name].mean() - frame[trials[1].name].mean())
    assert by_factors["model",]["estimate"] == 0
    assert found["left_out"] == []


def test_a_numeric_factor_of_three_levels_has_a_trend(tmp_path: Path) -> None:
    scores, trials = make_design(tmp_path, [("m", "control", t) for t in (0.0, 0.5, 1.0)])

    found = analyse_design(scores, trials, "correct", references={}, **OPTIONS)

    assert found is not None
    assert [c["factors"] for c in found["contrasts"] if c["kind"] == "trend"] == [("temperature",)]


def test_two_trials_are_no_design(tmp_path: Path) -> None:
    scores, trials = make_design(tmp_path, [("m", "control", 0.0), ("m", "treatment", 0.0)])

    assert analyse_design(scores, trials, "correct", references={}, **OPTIONS) is None


def test_a_trial_outside_the_cross_is_named(tmp_path: Path) -> None:
    cells = [(model, prompt, 0.0) for model in ("m", "n") for prompt in ("treatment", "control")]
    scores, trials = make_design(tmp_path, [*cells, ("m", "control", 0.9)])

    found = analyse_design(scores, trials, "correct", references={}, **OPTIONS)

    assert found is not None
    assert [cell["trial"] for cell in found["left_out"]] == [trials[-1].name]


def test_levels_may_be_mappings(tmp_path: Path) -> None:
    scores, trials = make_design(tmp_path, [("m", "control", {"a": n}) for n in (1, 2, 3)])

    found = analyse_design(scores, trials, "correct", references={}, **OPTIONS)

    assert found is not None
    assert found["factors"][0]["levels"][0] == '{"a": 1}'
