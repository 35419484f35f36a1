"""Intervals and verdicts of a run that is looked at while it grows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scripts.analysis.anytime import anytime_effect, discordant_p_value
from tests.fakes.scored_trials import Bench, effect_of, rows

TRIAL = [1.0, 1.0, 0.0, 1.0] * 15
BASELINE = [0.0, 1.0, 0.0, 0.0] * 15


def test_the_interval_and_the_test_hold_at_every_look(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"d": [None] * 60}, monitoring="anytime")
    effect = effect_of(bench.stats(rows(TRIAL), rows(BASELINE)))

    differences = np.array(TRIAL) - np.array(BASELINE)
    found = anytime_effect(
        differences, np.arange(60), np.arange(60), confidence_level=0.95, bounds=(0.0, 1.0)
    )
    assert (effect["low"], effect["high"]) == pytest.approx((found.low, found.high))
    assert effect["p_value"] == pytest.approx(discordant_p_value(differences))
    assert effect["test"] == "beta mixture of discordant pairs"
    assert effect["interval_method"] == "confidence sequence by betting"
    assert effect["sensitivity"]["detectable_difference"]["power_80"] is None


def test_it_is_wider_than_one_look_would_need(tmp_path: Path) -> None:
    growing = Bench(tmp_path / "a", {"d": [None] * 60}, monitoring="anytime")
    single = Bench(tmp_path / "b", {"d": [None] * 60})

    wide, narrow = (effect_of(bench.stats(rows(TRIAL), rows(BASELINE))) for bench in (growing, single))

    assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]
    assert wide["p_value"] > narrow["p_value"]


def test_questions_count_in_the_order_of_the_dataset(tmp_path: Path) -> None:
    """The tenth question comes after the ninth, not after the first."""
    bench = Bench(tmp_path, {"d": [None] * 12}, monitoring="anytime")
    trial = [1.0] * 6 + [0.0] * 6
    baseline = [0.0] * 6 + [1.0] * 6

    effect = effect_of(bench.stats(rows(trial), rows(baseline)))

    assert effect["p_value"] == pytest.approx(discordant_p_value(np.array(trial) - np.array(baseline)))


def test_length_has_no_limits_and_so_no_such_interval(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"d": [None] * 60}, monitoring="anytime")
    effect = effect_of(bench.stats(rows(TRIAL), rows(BASELINE)), metric="characters")
    assert "confidence sequence" not in effect["interval_method"]
