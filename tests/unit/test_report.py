from __future__ import annotations

from pathlib import Path

from scripts.report import run_inputs
from tests.fakes.scored_trials import SCORES, write_scored_run


def test_the_runs_report_records_the_scores_that_it_has_read(tmp_path: Path) -> None:
    settings = write_scored_run(tmp_path, SCORES, clusters=[None] * 6)
    scores = [path for path in run_inputs(settings) if path.name == "scores.parquet"]
    assert len(scores) == 3
    assert all(path.exists() for path in scores)
