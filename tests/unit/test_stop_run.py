"""Asking a run to stop: what is written, and what is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts import stop_run
from scripts.run.lock import RunLock
from scripts.run.paths import LOCK_FILE
from tests.fakes.fake_runs import FakeRun


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    """A run of which half is done, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return FakeRun(tmp_path).complete_phases("prepare", "build", "submit")


def ask(run_id: str = "small", **options: str) -> int:
    pairs = [text for name, value in options.items() for text in (f"--{name}", value)]
    return stop_run.main(["--run_id", run_id, *pairs])


def test_stopping_writes_the_file_and_says_that_nobody_works_on_the_run(
    run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(reason="wrong prompt") == 0
    path = Path("experiments/run_small/STOP_REQUESTED")
    then = "No process is working on the run now; its next start will be refused for 60 minutes."
    expected = f"{path} is written.  {then}\n"
    assert capsys.readouterr().out == expected
    assert json.loads(path.read_text())["reason"] == "wrong prompt"


def test_stopping_a_run_that_goes_says_who_will_stop(
    run: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunLock(run.root):
        holder = (run.root / LOCK_FILE).read_text().strip()
        assert ask() == 0
    assert f"is written.  The run ({holder}) stops within seconds.\n" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_said(run: FakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    (run.root / "STOP_REQUESTED").mkdir()
    with pytest.raises(SystemExit) as caught:
        ask()
    assert caught.value.code == 1
    assert "STOP_REQUESTED: cannot be written (Is a directory)\n  Check who owns" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "promise"),
    [
        ({"ignore_stop": True}, "Its next start ignores it (ignore_stop: true)"),
        ({"stop_stale_minutes": 0}, "will rename it as stale"),
        ({"stop_stale_minutes": None}, "will be refused."),
    ],
)
def test_nothing_is_promised_that_does_not_happen(
    run: FakeRun, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], promise: str
) -> None:
    run.reconfigure(**changes)
    run.start()
    assert ask() == 0
    assert promise in capsys.readouterr().out


def test_a_run_that_ignores_stops_is_said_to(run: FakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run.reconfigure(ignore_stop=True)
    run.start()
    with RunLock(run.root):
        assert ask() == 0
    said = capsys.readouterr().out
    assert "ignores it (ignore_stop: true)" in said
    assert "stops within seconds" not in said
