from __future__ import annotations

from pathlib import Path

import pytest

from scripts.analysis.omnibus import omnibus_test
from scripts.comparison.omnibus import compare_all
from tests.fakes.scored_trials import SCORES, scores_of, write_scored_run


def test_all_trials_are_tested_at_once_on_the_items_that_all_answered(tmp_path: Path) -> None:
    settings = write_scored_run(tmp_path, SCORES, clusters=[None] * 6)
    correct, again, false_answer, false_again = compare_all(scores_of(settings))
    expected = omnibus_test([[1, 0, 0], [1, 1, 0], [1, 0, 1], [0, 0, 0], [1, 1, 0]])
    assert (correct["dataset"], correct["metric"], correct["n_trials"]) == ("all", "correct", 3)
    assert (correct["n_items"], correct["n_incomplete"], correct["method"]) == (5, 1, "cochran's q")
    assert correct["statistic"] == pytest.approx(expected.statistic)
    assert correct["p_value"] == pytest.approx(expected.p_value)
    assert again == {**correct, "dataset": "d"}
    assert (false_answer["metric"], false_answer["n_items"], false_answer["n_incomplete"]) == (
        "false_answer",
        1,
        1,
    )
    assert false_again["dataset"] == "d"


def test_clusters_are_averaged_in_the_test_of_all_trials(tmp_path: Path) -> None:
    found = compare_all(
        scores_of(write_scored_run(tmp_path, SCORES, clusters=["x", "x", "y", "y", "z", None]))
    )[0]
    assert (found["method"], found["n_clusters"]) == ("friedman on cluster means", 3)


def test_two_trials_have_their_effect_and_no_test_of_all(tmp_path: Path) -> None:
    settings = write_scored_run(tmp_path, SCORES[:2], clusters=[None] * 6)
    assert compare_all(scores_of(settings)) == []
