"""Finding a run, and the settings that it has now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts import status, stop_run
from scripts.run.paths import STARTED_WITH
from tests.fakes.fake_runs import FakeRun


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    """A run of which half is done, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return FakeRun(tmp_path).complete_phases("prepare", "build", "submit")


def look(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What `status --json` says."""
    capsys.readouterr()
    assert status.main(["--run_id", "small", "--json"]) == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


@pytest.mark.parametrize("command", [stop_run.main, status.main])
def test_a_run_that_is_not_there_is_wrong_usage_and_those_there_are_named(
    run: FakeRun, capsys: pytest.CaptureFixture[str], command: Any
) -> None:
    (run.root.parent / "run_other").mkdir()
    with pytest.raises(SystemExit) as caught:
        command(["--run_id", "smal"])
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "Error: experiments: there is no run 'smal'\n"
        "  Runs here: other, small. Say where it is with --experiments_dir DIR.\n"
    )
    assert not (run.root / "STOP_REQUESTED").exists()


@pytest.mark.parametrize("spoil", ["delete", "break"])
def test_without_its_configuration_file_a_run_is_what_it_was_started_with(
    run: FakeRun, capsys: pytest.CaptureFixture[str], spoil: str
) -> None:
    config = run.experiment.folder / "config.yaml"
    config.unlink() if spoil == "delete" else config.write_text("run_id: [")
    assert look(capsys)["phases"]["submit"]["status"] == "completed"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"files": 3, "overrides": {}}', '{"files": [], "overrides": 1}']
)
def test_a_broken_note_of_what_it_was_started_with_does_no_harm(
    run: FakeRun, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (run.root / STARTED_WITH).write_text(text)
    assert look(capsys)["phases"]["submit"]["status"] == "completed"


@pytest.mark.parametrize("text", ["", "[", "- a\n", "run_id: small\n", "\x00"])
def test_a_run_with_a_broken_configuration_is_wrong_usage(
    run: FakeRun, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (run.root / STARTED_WITH).unlink()
    (run.root / "effective_config.yaml").write_text(text)
    with pytest.raises(SystemExit) as caught:
        look(capsys)
    assert caught.value.code == 2
    message = (
        "effective_config.yaml: is not as the start of a run wrote it\n  Start the run again to rewrite it."
    )
    assert message in capsys.readouterr().err


def test_a_run_can_be_looked_at_under_another_name(run: FakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run.complete_all()
    run.root.rename(run.root.with_name("run_copy"))
    assert status.main(["--run_id", "copy", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["run_id"], said["phases"]["stats"]["status"]) == ("copy", "completed")


def ask(run_id: str = "small", **options: str) -> int:
    pairs = [text for name, value in options.items() for text in (f"--{name}", value)]
    return stop_run.main(["--run_id", run_id, *pairs])


def test_without_any_run_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        ask("x", experiments_dir="elsewhere")
    assert capsys.readouterr().err == (
        "Error: elsewhere: there is no run 'x'\n"
        "  There is no run here yet. Say where it is with --experiments_dir DIR.\n"
    )
    assert list(tmp_path.iterdir()) == []
