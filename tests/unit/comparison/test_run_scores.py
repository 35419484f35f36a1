"""The scores of all trials side by side."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from scripts.comparison.run_scores import asked_of
from tests.fakes.scored_trials import SCORES, scores_of, write_scored_run


def share_requests(settings, trial, keys):
    """Give the rows of a trial these request keys."""
    path = settings.paths.output("score", trial)
    frame = pq.read_table(path).to_pandas().assign(request_key=keys)
    frame.to_parquet(path)


def test_every_trial_has_a_column_in_the_order_of_the_questions(tmp_path: Path) -> None:
    settings = write_scored_run(tmp_path, SCORES, clusters=[None] * 6)
    scores = scores_of(settings)
    frame = scores.side_by_side("correct", scores.trials)

    assert frame["item_id"].tolist() == [f"q{n}" for n in range(6)]
    for trial, expected in zip(scores.trials, SCORES, strict=True):
        assert frame[trial].tolist() == pytest.approx(expected, nan_ok=True)
    assert frame["n_items"].tolist() == [1] * 6
    assert scores.datasets() == ["all"]


def test_questions_that_share_a_request_in_a_trial_are_one_unit_wherever_it_is_compared(
    tmp_path: Path,
) -> None:
    settings = write_scored_run(tmp_path, SCORES, clusters=[None] * 6)
    names = [trial.name for trial in settings.trials]
    share_requests(settings, names[0], ["a", "a", "b", "c", "d", "e"])
    scores = scores_of(settings)

    shared = scores.side_by_side("correct", names[:2])
    alone = scores.side_by_side("correct", names[1:])

    assert (len(shared), len(alone)) == (5, 6)
    assert shared["n_items"].tolist() == [2, 1, 1, 1, 1]
    assert shared[names[0]].tolist()[0] == 1.0
    assert shared[names[1]].tolist()[0] == 0.5
    assert scores.clusters.loc[("d", "q0")] == scores.clusters.loc[("d", "q1")]


def test_a_unit_without_one_of_its_scores_has_none(tmp_path: Path) -> None:
    values = [[1.0, math.nan, 1, 0, 1, 1], [0.0, 1, 0, 0, 1, 1]]
    settings = write_scored_run(tmp_path, values, clusters=[None] * 6)
    names = [trial.name for trial in settings.trials]
    share_requests(settings, names[0], ["a", "a", "b", "c", "d", "e"])

    frame = scores_of(settings).side_by_side("correct", names)

    assert math.isnan(frame[names[0]][0])


def test_a_metric_leaves_out_the_questions_to_which_it_does_not_apply(tmp_path: Path) -> None:
    settings = write_scored_run(tmp_path, SCORES, clusters=[None] * 6)
    scores = scores_of(settings)
    frame = scores.side_by_side("false_answer", scores.trials)

    assert asked_of(frame, scores.trials, "all")["item_id"].tolist() == ["q4", "q5"]
    assert asked_of(frame, scores.trials, "elsewhere").empty
