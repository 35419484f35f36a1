from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.analysis.omnibus import omnibus_test
from scripts.comparison.omnibus import compare_all
from scripts.experiment.datasets import item_row, prepared_schema
from scripts.experiment.settings import Settings
from scripts.records import Item
from scripts.report import run_inputs
from scripts.score import scores_schema
from scripts.scorers import METRICS
from tests.fakes.sending_fakes import make_settings


def write_run(root: Path, values: list[list[float]], *, clusters: list[str | None]) -> Settings:
    """A run whose trials have these values for ``correct``; its last two items cannot be answered."""
    n_items = len(clusters)
    sweep = {"model": ["m"], "prompt": ["p"], "temperature": [place / 10 for place in range(len(values))]}
    settings = make_settings(root, n_items=n_items, trials={"sweep": sweep})
    prepared = settings.run_root / "datasets" / "d.parquet"
    prepared.parent.mkdir(parents=True, exist_ok=True)
    items = [
        Item(f"q{n}", "?", ("a",), cluster=cluster, is_unanswerable=n >= n_items - 2)
        for n, cluster in enumerate(clusters)
    ]
    pq.write_table(
        pa.Table.from_pylist([item_row(item) for item in items], schema=prepared_schema()), prepared
    )
    for trial, column in zip(settings.trials, values, strict=True):
        frame = pd.DataFrame({"item_id": [f"q{n}" for n in range(n_items)], "correct": column})
        frame = frame.assign(
            dataset="d", replicate=0, outcome="answered", **dict.fromkeys(METRICS[1:], math.nan)
        )
        frame.loc[n_items - 2 :, "false_answer"] = 1 - frame["correct"]
        path = settings.run_root / "trials" / trial.name / "score" / "scores.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pandas(frame, schema=scores_schema(), preserve_index=False), path)
    return settings


VALUES = [[1.0, 1, 1, 0, 1, 1], [0.0, 1, 0, 0, 1, math.nan], [0.0, 0, 1, 0, 0, 1]]


def test_all_trials_are_tested_at_once_on_the_items_that_all_answered(tmp_path: Path) -> None:
    settings = write_run(tmp_path, VALUES, clusters=[None] * 6)
    correct, again, false_answer, false_again = compare_all(settings)
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
    found = compare_all(write_run(tmp_path, VALUES, clusters=["x", "x", "y", "y", "z", None]))[0]
    assert (found["method"], found["n_clusters"]) == ("friedman on cluster means", 3)


def test_two_trials_have_their_effect_and_no_test_of_all(tmp_path: Path) -> None:
    settings = write_run(tmp_path, VALUES[:2], clusters=[None] * 6)
    assert compare_all(settings) == []


def test_the_runs_report_records_the_scores_that_it_has_read(tmp_path: Path) -> None:
    settings = write_run(tmp_path, VALUES, clusters=[None] * 6)
    scores = [path for path in run_inputs(settings) if path.name == "scores.parquet"]
    assert len(scores) == 3
    assert all(path.exists() for path in scores)
