"""The status of a run: it tells the truth, and writes nothing."""

from __future__ import annotations

import datetime
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from scripts import list_runs, status, stop_run
from scripts.run.lock import RunLock
from scripts.run.paths import STATE_FILE
from tests.fakes.fake_runs import BRIEF, FakeRun, snapshot

OF_THE_STATE = [
    *(
        "schema_version",
        "run_id",
        "config_hash",
        "status",
        "stop_requested",
        "updated_at",
        "phases",
        "trials",
    ),
]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    """A run of which half is done, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return FakeRun(tmp_path).complete_phases("prepare", "build", "submit")


def ask(run_id: str = "small", **options: str) -> int:
    pairs = [text for name, value in options.items() for text in (f"--{name}", value)]
    return stop_run.main(["--run_id", run_id, *pairs])


def look(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What `status --json` says."""
    capsys.readouterr()
    assert status.main(["--run_id", "small", "--json"]) == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


def drawn(run: FakeRun) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(status.render(status.describe_run(run.root)))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_status_as_json_holds_the_state_the_batches_and_the_money(
    run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    said = look(capsys)
    more = ["configuration", "works_on_it", "batches", "spent_usd", "reserved_usd", "eta_seconds"]
    assert list(said) == OF_THE_STATE + more
    assert (said["works_on_it"], said["batches"], said["eta_seconds"]) == (None, [], None)
    assert (said["spent_usd"], said["reserved_usd"]) == (None, None)
    assert said["phases"]["submit"]["status"] == "completed"


def test_a_dead_writer_reads_as_interrupted(run: FakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    with RunLock(run.root):
        run.save_state(is_live=True)
        said = look(capsys)
        assert (said["status"], said["stop_requested"]) == ("running", False)
        assert f"pid {said['works_on_it'].split('pid ')[1]}" in drawn(run)
    assert json.loads((run.root / STATE_FILE).read_text())["status"] == "running"
    said = look(capsys)
    assert (said["status"], said["works_on_it"]) == ("interrupted", None)
    assert "interrupted" in drawn(run)


def test_a_stop_request_shows(run: FakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    ask()
    assert look(capsys)["stop_requested"] is True
    assert "stop requested" in drawn(run)


def test_what_was_changed_since_the_start_counts_at_once(
    run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run.complete_all()
    assert look(capsys)["status"] == "completed"
    run.reconfigure(trials={"sweep": {"prompt": ["plain", "brief"], "temperature": [0.0, 1.0]}})
    assert run.settings
    said = look(capsys)
    assert said["status"] == "interrupted"
    assert said["trials"]["sim__brief__t1"]["status"] == "not_started"


def test_failures_are_shown_with_their_reasons(run: FakeRun) -> None:
    run.fail("poll", BRIEF, "the batch [b_1] expired")
    run.fail("prepare", "more", "no item")
    run.output("prepare", "more").unlink()
    shown = drawn(run)
    assert f"{BRIEF}, poll: poll of {BRIEF}: the batch [b_1] expired" in shown
    assert "prepare: prepare of more: no item" in shown


def test_the_rest_is_estimated_from_the_pace_so_far() -> None:
    started = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=30)).isoformat()
    phase = {"status": "in_progress", "done": 3, "total": 9, "started_at": started}
    state = {"status": "running", "phases": {"poll": phase}}
    assert status.estimate_seconds(state) == pytest.approx(60, rel=0.1)
    assert status.estimate_seconds({**state, "status": "stopped"}) is None
    assert status.estimate_seconds({"status": "running", "phases": {"poll": {**phase, "done": 0}}}) is None
    assert (
        status.estimate_seconds({"status": "running", "phases": {"poll": {**phase, "started_at": None}}})
        is None
    )


def test_looking_writes_nothing(run: FakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    (run.root / "STOP_REQUESTED").write_text("old")
    before = snapshot(run.experiment.folder)
    look(capsys)
    assert status.main(["--run_id", "small"]) == 0
    assert list_runs.main([]) == 0
    assert list_runs.main(["--json"]) == 0
    assert snapshot(run.experiment.folder) == before


@pytest.mark.parametrize("form", ["--watch", "--json"])
def test_watching_and_json_exclude_each_other(capsys: pytest.CaptureFixture[str], form: str) -> None:
    with pytest.raises(SystemExit):
        status.main(["--run_id", "small", "--json", "--watch"])
    assert "not allowed with argument" in capsys.readouterr().err


def test_watching_ends_quietly_with_ctrl_c(
    run: FakeRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looks = []

    def interrupt(_seconds: float) -> None:
        looks.append(1)
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    assert status.main(["--run_id", "small", "--watch"]) == 0
    assert "small" in capsys.readouterr().out
