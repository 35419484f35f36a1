"""Intervals of all comparisons of a run that hold together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scripts.analysis.intervals import robust_interval
from scripts.comparison.simultaneous import simultaneous_intervals
from scripts.records import Trial
from tests.fakes.scored_trials import scores_of, write_scored_run

OPTIONS = {"confidence_level": 0.95, "resamples": 2000, "seed": 1}


def make_run(tmp_path: Path, n_trials: int, n_items: int = 60):
    rng = np.random.default_rng(5)
    values = [(rng.random(n_items) < 0.5).astype(float).tolist() for _ in range(n_trials)]
    settings = write_scored_run(tmp_path, values, clusters=[None] * n_items)
    first, *others = settings.trials
    trials = [first, *(Trial(t.name, t.model, t.prompt, t.sampling, baseline=first.name) for t in others)]
    return settings, trials, values


def test_one_comparison_needs_no_interval_of_its_own(tmp_path: Path) -> None:
    settings, trials, _ = make_run(tmp_path, 2)
    assert simultaneous_intervals(scores_of(settings), trials, ["correct"], **OPTIONS) == {}


def test_intervals_of_several_comparisons_are_wider_than_each_by_itself(tmp_path: Path) -> None:
    settings, trials, values = make_run(tmp_path, 4)

    found = simultaneous_intervals(scores_of(settings), trials, ["correct"], **OPTIONS)

    assert set(found) == {(trial.name, name, "correct") for trial in trials[1:] for name in ("all", "d")}
    for trial, scores in zip(trials[1:], values[1:], strict=True):
        interval = found[trial.name, "all", "correct"]
        assert interval == found[trial.name, "d", "correct"]
        differences = np.array(scores) - np.array(values[0])
        alone = robust_interval(differences, np.arange(60), confidence_level=0.95)
        assert interval["low"] < alone.low < alone.high < interval["high"]
        assert (interval["low"] + interval["high"]) / 2 == pytest.approx(differences.mean())
