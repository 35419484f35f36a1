"""What Snakemake is told to make again: what is there and out of date, and nothing else."""

from pathlib import Path

import pytest

from scripts.run.findings import RunView
from scripts.run.reruns import stale_outputs
from tests.fakes.fake_runs import BRIEF, PLAIN, FakeRun


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    monkeypatch.chdir(tmp_path)
    return FakeRun(tmp_path).complete_all()


def stale(run: FakeRun) -> set[str]:
    return {Path(path).name for path in stale_outputs(RunView(run.settings))}


def test_of_a_finished_run_nothing(finished: FakeRun) -> None:
    assert stale(finished) == set()


def test_what_is_not_there_is_left_to_snakemake(finished: FakeRun) -> None:
    for path in finished.root.rglob("*"):
        if path.is_file() and path.suffix != ".yaml":
            path.unlink()
    assert stale(finished) == set()


def test_what_reads_something_that_is_out_of_date(finished: FakeRun) -> None:
    finished.experiment.write("brief.md", "In one word: {{ question }}")
    again = stale_outputs(RunView(finished.settings))
    trials = {part for path in again for part in Path(path).parts if part in (PLAIN, BRIEF)}
    assert trials == {BRIEF}
    assert {"requests.jsonl", "scores.parquet", "report.html", "summary.json", "build.done.json"} <= {
        Path(path).name for path in again
    }
    assert "prepare.done.json" not in {Path(path).name for path in again}
