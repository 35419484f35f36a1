"""Places of trials."""

from __future__ import annotations

import math
from pathlib import Path

from scripts.comparison.leaderboard import place_trials
from tests.fakes.scored_trials import scores_of, write_scored_run

OPTIONS = {"confidence_level": 0.95, "resamples": 999, "seed": 1}


def test_equal_trials_share_a_place_and_all_means_are_over_the_common_questions(tmp_path: Path) -> None:
    right = [1.0] * 30 + [0.0] * 10
    values = [right, list(reversed(right)), [math.nan] * 10 + [1.0] * 20 + [0.0] * 10]
    settings = write_scored_run(tmp_path, values, clusters=[None] * 40)

    board = place_trials(scores_of(settings), "correct", **OPTIONS)

    one, two, three = (board["places"][trial.name] for trial in settings.trials)
    assert board["n_common"] == 30
    assert one["mean"] == three["mean"] == 20 / 30
    assert two["mean"] == 1.0
    assert (two["place"], one["place"], three["place"]) == (1, 2, 2)
    assert one["low"] <= one["place"] <= one["high"]


def test_without_a_common_question_there_is_no_place(tmp_path: Path) -> None:
    nan = math.nan
    settings = write_scored_run(tmp_path, [[1.0, nan, nan, nan], [nan, 1.0, 1.0, 0.0]], clusters=[None] * 4)

    board = place_trials(scores_of(settings), "correct", **OPTIONS)

    assert {place["place"] for place in board["places"].values()} == {None}
    assert board["method"] == "none: no item has a value in every trial"
