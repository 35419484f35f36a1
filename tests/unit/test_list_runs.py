"""All runs of a folder, the broken ones too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import list_runs
from tests.fakes.fake_runs import PLAIN, FakeRun


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    """A run of which half is done, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return FakeRun(tmp_path).complete_phases("prepare", "build", "submit")


def test_an_empty_folder_has_no_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert list_runs.main(["--experiments_dir", str(folder)]) == 0
        assert capsys.readouterr().out == f"No runs in {folder}.\n"
        assert list_runs.main(["--experiments_dir", str(folder), "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == []


def test_runs_are_listed_also_beside_broken_ones(run: FakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run.complete_all()
    (run.root.parent / "run_empty").mkdir()
    (run.root.parent / "run_file").write_text("")
    (run.root.parent / "run_torn").mkdir()
    (run.root.parent / "run_torn" / "effective_config.yaml").write_text("run_id: [")
    assert list_runs.main(["--json"]) == 0
    empty, small, torn = json.loads(capsys.readouterr().out)
    assert (small["run_id"], small["status"]) == ("small", "completed")
    assert (small["completed"], small["trials"], small["error"]) == (2, 2, None)
    assert (empty["run_id"], empty["status"], empty["trials"]) == ("empty", "unreadable", None)
    assert "the run has no effective_config.yaml" in empty["error"]
    assert (torn["run_id"], torn["status"]) == ("torn", "unreadable")
    assert list_runs.main([]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("small", "2/2", "empty", "torn", "unreadable"))


def test_a_failure_that_belongs_to_no_trial_is_listed_too(
    run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run.output("prepare", "more").unlink()
    run.fail("prepare", "more", "no item")
    assert list_runs.main(["--json"]) == 0
    [small] = json.loads(capsys.readouterr().out)
    assert (small["status"], small["completed"]) == ("failed", 0)
    assert small["error"] == "prepare of more: no item\n  Correct it."
    assert run.state()["trials"][PLAIN]["error"] is None
