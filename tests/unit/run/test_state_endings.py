"""How a run ended, and whether somebody works on it: the status of the whole run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.files import write_json
from scripts.records import PHASES
from scripts.run.findings import RunView
from scripts.run.lock import RunLock
from scripts.run.paths import STATE_FILE
from scripts.run.state import derive_state, read_last_state
from scripts.run.stop import StopToken
from scripts.run.units import needed_phases
from tests.fakes.fake_runs import BRIEF, PLAIN, FakeRun, undone, valid


@pytest.fixture
def run(tmp_path: Path) -> FakeRun:
    return FakeRun(tmp_path)


@pytest.fixture
def half(run: FakeRun) -> FakeRun:
    """A run of which the first four phases are done."""
    return run.complete_phases(*PHASES[:4])


def test_a_run_is_running_only_while_somebody_holds_its_lock(half: FakeRun) -> None:
    with RunLock(half.root):
        state = half.state()
        assert state["status"] == "running"
        assert state["phases"]["parse"]["status"] == "in_progress"
        assert state["trials"][PLAIN] == {"phase": "parse", "status": "in_progress", "error": None}
    state = half.state()
    assert state["status"] == "interrupted"
    assert state["phases"]["parse"]["status"] == "stopped"
    assert state["phases"]["score"]["status"] == "not_started"
    assert state["trials"][PLAIN] == {"phase": "parse", "status": "stopped", "error": None}


def test_a_process_killed_before_anything_was_done_was_interrupted(run: FakeRun) -> None:
    run.start()
    run.save_state(is_live=True)
    assert run.state()["status"] == "interrupted"


def test_a_run_is_running_even_if_everything_is_done(run: FakeRun) -> None:
    run.complete_all()
    with RunLock(run.root):
        assert run.state()["status"] == "running"
    assert run.state()["status"] == "completed"


@pytest.mark.parametrize("ended", ["stopped", "failed", "interrupted"])
def test_how_a_run_ended_is_remembered_until_it_goes_on(half: FakeRun, ended: str) -> None:
    half.save_state(is_live=False, ended=ended)
    assert half.state()["status"] == ended
    with RunLock(half.root):
        assert half.state()["status"] == "running"
    half.complete_all()
    assert half.state()["status"] == "completed"


@pytest.mark.parametrize("ended", [None, "stopped", "failed"])
def test_a_run_is_completed_only_if_all_is_done_however_it_ended(half: FakeRun, ended: str | None) -> None:
    state = valid(derive_state(RunView(half.settings), is_live=False, ended=ended))
    assert state["status"] == (ended or "interrupted")
    half.complete_all()
    state = valid(derive_state(RunView(half.settings), is_live=False, ended=ended))
    assert state["status"] == "completed"


def test_a_last_word_of_completed_does_not_make_a_run_completed(run: FakeRun) -> None:
    run.complete_all().save_state(is_live=False)
    run.output("parse", BRIEF).unlink()
    assert run.state()["status"] == "interrupted"


def test_a_run_whose_outputs_are_all_out_of_date_was_started_all_the_same(run: FakeRun) -> None:
    run.complete_all()
    for name in ("quiz", "more"):
        run.experiment.write_items({"id": "z", "question": "?", "answers": ["z"]}, name=f"{name}.jsonl")
    state = run.state()
    assert state["status"] == "interrupted"
    assert undone(state) == set(PHASES)


def test_a_failure_without_a_last_word_is_a_failure(half: FakeRun) -> None:
    half.fail("parse", PLAIN)
    assert half.state()["status"] == "failed"


def test_after_a_stop_a_failed_trial_is_still_told(half: FakeRun) -> None:
    half.fail("parse", PLAIN)
    half.save_state(is_live=False, ended="stopped")
    state = half.state()
    assert state["status"] == "stopped"
    assert state["phases"]["parse"]["status"] == "failed"
    assert state["trials"][PLAIN]["status"] == "failed"


def test_a_request_to_stop_is_told_while_it_counts(half: FakeRun) -> None:
    StopToken(half.root).set()
    assert half.state()["stop_requested"] is True
    half.reconfigure(ignore_stop=True)
    assert half.state()["stop_requested"] is False


BROKEN_STATES = ["", "{", "[]", "null", '"completed"', "{}", '{"status": ["running"]}', "[" * 100_000]


@pytest.mark.parametrize("text", BROKEN_STATES, ids=lambda text: text[:12])
def test_a_broken_state_file_changes_nothing(half: FakeRun, text: str) -> None:
    (half.root / STATE_FILE).write_text(text)
    assert half.state()["status"] == "interrupted"


def test_a_state_file_that_is_a_folder_changes_nothing(half: FakeRun) -> None:
    (half.root / STATE_FILE).mkdir()
    assert read_last_state(half.root) is None
    assert half.state()["status"] == "interrupted"


def test_the_state_of_an_earlier_version_is_read_for_its_last_word(half: FakeRun) -> None:
    write_json(half.root / STATE_FILE, {"schema_version": 1, "status": "stopped"})
    assert half.state()["status"] == "stopped"


def test_looking_again_at_a_run_sees_what_has_changed(half: FakeRun) -> None:
    view = RunView(half.settings)
    assert "parse" in undone(derive_state(view, is_live=True))
    half.complete_phases("parse")
    assert "parse" not in undone(derive_state(view, is_live=True))
    half.output("submit", PLAIN).unlink()
    assert {"submit", "poll", "parse"} <= undone(derive_state(view, is_live=True))


def test_a_state_is_plain_json(half: FakeRun) -> None:
    state = half.state()
    assert json.loads(json.dumps(state)) == state


def test_a_phase_needs_every_phase_that_it_hangs_on() -> None:
    assert needed_phases("prepare") == set()
    assert needed_phases("score") == {"prepare", "build", "submit", "poll", "parse"}
    assert needed_phases("costs") == {"prepare", "build", "submit", "poll", "parse"}
    assert needed_phases("report") == set(PHASES) - {"report"}
