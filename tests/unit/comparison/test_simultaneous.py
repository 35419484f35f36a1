"""Intervals of all comparisons of a run that hold together."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scripts.analysis.pairs import infer_difference, pair_up
from scripts.comparison.metrics import BY_NAME
from scripts.comparison.run_scores import pair_trials
from scripts.comparison.simultaneous import detectable_differences, simultaneous_intervals
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


def intervals_of(settings, trials):
    scores = scores_of(settings)
    return simultaneous_intervals(scores, members_of(scores, trials), **OPTIONS)


def members_of(scores, trials):
    return list(pair_trials(scores, trials, [BY_NAME["correct"]]))


def test_one_comparison_needs_no_interval_of_its_own(tmp_path: Path) -> None:
    settings, trials, _ = make_run(tmp_path, 2)
    assert intervals_of(settings, trials) == {}


def test_intervals_of_several_comparisons_are_wider_than_each_by_itself(tmp_path: Path) -> None:
    settings, trials, values = make_run(tmp_path, 4)

    found = intervals_of(settings, trials)

    assert set(found) == {(trial.name, name, "correct") for trial in trials[1:] for name in ("all", "d")}
    for trial, scores in zip(trials[1:], values[1:], strict=True):
        interval = found[trial.name, "all", "correct"]
        assert interval == found[trial.name, "d", "correct"]
        low, high, method = infer_difference(pair_up(scores, values[0])).interval(0.95)
        assert method == "tango score"
        assert interval["low"] < low < high < interval["high"]
        assert interval["method"] == "max-t sign flips"


def test_what_could_have_been_shown_is_less_with_more_comparisons(tmp_path: Path) -> None:
    settings, trials, _ = make_run(tmp_path, 4)
    scores = scores_of(settings)
    about = {"confidence_level": 0.95, "adjustment": "holm", "resamples": 2000}

    members = members_of(scores, trials)
    alone = detectable_differences(scores, members[:1], **about)
    together = detectable_differences(scores, members, **about)

    key = (trials[1].name, "all", "correct")
    assert alone[key]["power_80"] < together[key]["power_80"] < together[key]["power_90"]
    assert alone[key]["method"] == "exact power of mcnemar at the level 0.05"
    assert together[key]["method"] == "exact power of mcnemar at the level 0.0167"
    assert together[key] == together[key[0], "d", key[2]]
