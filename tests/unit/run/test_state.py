"""The state of a run is derived from its outputs, and true at every moment."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from scripts.files import write_json
from scripts.records import PHASES, RUN_OUTPUTS
from scripts.run.findings import RunView
from scripts.run.paths import STATE_FILE
from scripts.run.state import derive_state
from tests.fakes.fake_runs import AFTER, BRIEF, PLAIN, FakeRun, counts, undone, valid

FIRST = {"prepare": "quiz"}
"""Which unit of a phase the tests spoil: the first; of the others it is the first trial."""


@pytest.fixture
def run(tmp_path: Path) -> FakeRun:
    return FakeRun(tmp_path)


@pytest.fixture
def finished(run: FakeRun) -> FakeRun:
    return run.complete_all()


def trials_but(state: dict[str, Any], trial: str) -> set[str]:
    return {entry["status"] for name, entry in state["trials"].items() if name != trial}


def test_of_a_run_that_was_never_started_nothing_is_done(run: FakeRun) -> None:
    state = run.state()
    assert state["status"] == "not_started"
    assert {phase["status"] for phase in state["phases"].values()} == {"not_started"}
    assert state["trials"] == {
        trial: {"phase": "build", "status": "not_started", "error": None} for trial in (PLAIN, BRIEF)
    }
    assert {phase["total"] for phase in state["phases"].values()} == {2}
    assert not run.root.exists()


def test_of_a_finished_run_everything_is_completed(finished: FakeRun) -> None:
    state = finished.state()
    assert state["schema_version"] == 2
    assert state["run_id"] == "small"
    assert state["status"] == "completed"
    assert state["stop_requested"] is False
    assert undone(state) == set()
    assert state["trials"] == {
        trial: {"phase": "report", "status": "completed", "error": None} for trial in (PLAIN, BRIEF)
    }
    for phase in state["phases"].values():
        assert phase["started_at"] <= phase["updated_at"] == phase["completed_at"] <= state["updated_at"]


def test_deleting_the_state_file_loses_nothing(finished: FakeRun) -> None:
    finished.save_state(is_live=False)
    before = finished.state()
    (finished.root / STATE_FILE).unlink()
    assert {**finished.state(), "updated_at": before["updated_at"]} == before


@pytest.mark.parametrize("phase", PHASES)
def test_a_phase_is_in_progress_until_its_last_unit_is_done(run: FakeRun, phase: str) -> None:
    run.complete_phases(*PHASES[: PHASES.index(phase)])
    run.complete(phase, "more" if phase == "prepare" else PLAIN)
    state = valid(derive_state(RunView(run.settings), is_live=True))
    assert state["status"] == "running"
    assert state["phases"][phase]["status"] == "in_progress"
    assert state["phases"][phase]["done"] == 1
    assert state["phases"][phase]["completed_at"] is None
    assert set(PHASES[: PHASES.index(phase)]).isdisjoint(undone(state))
    assert state["trials"][BRIEF]["phase"] == ("build" if phase == "prepare" else phase)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("spoil", ["delete", "edit", "truncate", "replace by a folder"])
def test_a_spoilt_output_is_not_done_nor_is_what_hangs_on_it(
    finished: FakeRun, phase: str, spoil: str
) -> None:
    path = finished.output(phase, FIRST.get(phase, PLAIN))
    text = path.read_text()
    path.unlink()
    if spoil == "replace by a folder":
        path.mkdir()
    elif spoil != "delete":
        path.write_text("y" * len(text) if spoil == "edit" else text[1:])
    state = finished.state()
    assert undone(state) == AFTER[phase]
    assert state["status"] == "interrupted"
    assert state["phases"][phase]["done"] == 1


@pytest.mark.parametrize("name", RUN_OUTPUTS)
def test_a_run_without_one_of_its_report_files_is_not_completed(finished: FakeRun, name: str) -> None:
    (finished.root / "report" / name).unlink()
    state = finished.state()
    assert state["status"] == "interrupted"
    assert undone(state) == set()  # a phase counts its trials


@pytest.mark.parametrize("phase", PHASES)
def test_a_file_that_was_only_touched_is_still_done(finished: FakeRun, phase: str) -> None:
    unit = finished.unit(phase, FIRST.get(phase, PLAIN))
    for path in (*unit.outputs, unit.made, str(finished.experiment.folder / "plain.md")):
        os.utime(path, (2e9, 2e9))
    assert finished.state()["status"] == "completed"


@pytest.mark.parametrize("phase", PHASES)
def test_an_output_without_its_record_is_not_done(finished: FakeRun, phase: str) -> None:
    finished.record(phase, FIRST.get(phase, PLAIN)).unlink()
    assert undone(finished.state()) == AFTER[phase]


def test_the_marker_of_an_earlier_run_counts_for_nothing(finished: FakeRun) -> None:
    for phase in PHASES:
        write_json(
            finished.root / "phases" / f"{phase}.done.json", {"phase": phase, "trials": [PLAIN, BRIEF]}
        )
    finished.output("poll", BRIEF).unlink()
    state = finished.state()
    assert undone(state) == AFTER["poll"]
    assert state["status"] != "completed"
    assert state["phases"]["poll"]["completed_at"] is None


BROKEN_TEXTS = [
    "",
    "{",
    "[]",
    '"text"',
    "null",
    "7",
    "NaN",
    "{}",
    "\x00\x01",
    "[" * 100_000,
    '{"made_from": {}, "outputs": {}, "inputs": {}}',
]


@pytest.mark.parametrize("text", BROKEN_TEXTS, ids=lambda text: text[:12])
def test_a_broken_record_is_no_record(finished: FakeRun, text: str) -> None:
    finished.record("parse", PLAIN).write_text(text)
    assert undone(finished.state()) == AFTER["parse"]


def test_a_record_that_is_not_utf_8_or_no_file_is_no_record(finished: FakeRun) -> None:
    record = finished.record("parse", PLAIN)
    record.write_bytes(b'{"made_from": "\xff"}')
    assert undone(finished.state()) == AFTER["parse"]
    record.unlink()
    record.mkdir()
    assert undone(finished.state()) == AFTER["parse"]


def first_of(files: dict[str, Any], identity: Any) -> dict[str, Any]:
    return {**files, next(iter(files)): identity}


SPOILT = {
    "made from something else": {"made_from": "0" * 64},
    "made from nothing known": {"made_from": None},
    "outputs a list": {"outputs": ["a"]},
    "outputs null": {"outputs": None},
    "outputs a text": {"outputs": "outcomes.parquet"},
    "no outputs": {"outputs": {}},
    "inputs a list": {"inputs": []},
    "inputs null": {"inputs": None},
    "inputs a number": {"inputs": 3},
    "an input gone": {"inputs": {"nowhere": {"size": 1, "mtime_ns": 1, "sha256": "0"}}},
    "an input with no possible path": {"inputs": {"a\x00b": {"size": 1}}},
    "an input with no path in Unicode": {"inputs": {"\ud800": {"size": 1}}},
    "an input below a file": {"inputs": {f"{__file__}/below": {"size": 1}}},
    "an input with an endless name": {"inputs": {"x" * 5000: {"size": 1}}},
    "an input that is null": {"inputs": {__file__: None}},
    "an input that is a list": {"inputs": {__file__: [1, 2]}},
    "an input with texts for numbers": {"inputs": {__file__: {"size": "1", "mtime_ns": "1"}}},
}


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT)
def test_a_record_that_says_something_else_is_no_record(finished: FakeRun, spoilt: dict[str, Any]) -> None:
    path = finished.record("parse", PLAIN)
    path.write_text(json.dumps({**json.loads(path.read_text()), **spoilt}))
    assert undone(finished.state()) == AFTER["parse"]


@pytest.mark.parametrize("identity", [None, [], "x", 1, {}, {"size": 1}, {"size": None, "sha256": []}])
def test_an_output_whose_identity_is_broken_is_not_done(finished: FakeRun, identity: Any) -> None:
    path = finished.record("parse", PLAIN)
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "outputs": first_of(record["outputs"], identity)}))
    assert undone(finished.state()) == AFTER["parse"]


@pytest.mark.parametrize("moment", [None, 5, [], "yesterday", "2025-01-01", "2025-01-01T00:00:00"])
def test_a_time_that_is_none_is_left_out(finished: FakeRun, moment: Any) -> None:
    for name in (PLAIN, BRIEF):
        path = finished.record("parse", name)
        path.write_text(json.dumps({**json.loads(path.read_text()), "started_at": moment}))
    state = finished.state()
    assert state["status"] == "completed"
    assert state["phases"]["parse"]["started_at"] is None


def test_a_trial_that_is_added_to_a_finished_run_is_left_to_do(finished: FakeRun) -> None:
    finished.save_state(is_live=False)
    sweep = {"prompt": ["plain", "brief"], "temperature": [0.0, 0.5]}
    finished.reconfigure(trials={"sweep": sweep, "baseline": {"prompt": "plain"}})
    state = finished.state()
    assert state["status"] == "interrupted"
    assert undone(state) == set(PHASES[1:])
    assert {(phase["done"], phase["total"]) for phase in state["phases"].values()} == {(2, 2), (2, 4)}
    added = state["trials"]["sim__brief__t0.5"]
    assert added == {"phase": "build", "status": "not_started", "error": None}
    assert state["trials"][PLAIN]["status"] == "completed"


def test_a_trial_that_is_removed_no_longer_counts_but_the_runs_report_is_out_of_date(
    finished: FakeRun,
) -> None:
    finished.reconfigure(trials={"sweep": {"prompt": ["plain"]}})
    state = finished.state()
    assert list(state["trials"]) == [PLAIN]
    assert {phase: entry["total"] for phase, entry in state["phases"].items()} == {
        phase: 2 if phase == "prepare" else 1 for phase in PHASES
    }
    assert undone(state) == set()
    assert state["status"] == "interrupted"
    finished.complete("report", "")
    assert finished.state()["status"] == "completed"


def test_an_edited_prompt_undoes_its_own_trial_only(finished: FakeRun) -> None:
    finished.experiment.write("brief.md", "In one word: {{ question }}")
    state = finished.state()
    assert undone(state) == AFTER["build"]
    assert state["trials"][PLAIN]["status"] == "completed"
    assert state["trials"][BRIEF] == {"phase": "build", "status": "not_started", "error": None}


def test_an_edited_prompt_of_the_baseline_undoes_the_comparison_too(finished: FakeRun) -> None:
    finished.experiment.write("plain.md", "Say: {{ question }}")
    state = finished.state()
    expected = dict.fromkeys(PHASES, 1) | {"prepare": 2, "stats": 0, "report": 0}
    assert counts(state) == expected
    assert state["trials"][BRIEF] == {"phase": "stats", "status": "stopped", "error": None}


def test_an_edited_dataset_undoes_every_trial(finished: FakeRun) -> None:
    finished.experiment.write_items({"id": "n", "question": "New?", "answers": ["new"]}, name="more.jsonl")
    state = finished.state()
    assert counts(state) == dict.fromkeys(PHASES, 0) | {"prepare": 1}
    assert state["status"] == "interrupted"


@pytest.mark.parametrize("name", ["quiz.jsonl", "plain.md"])
def test_a_file_that_is_gone_while_the_run_goes_on_is_no_crash(finished: FakeRun, name: str) -> None:
    settings = finished.settings
    (finished.experiment.folder / name).unlink()
    state = valid(derive_state(RunView(settings), is_live=True))
    assert undone(state) == AFTER["prepare" if name == "quiz.jsonl" else "build"]


@pytest.mark.parametrize(
    ("changes", "phases"),
    [
        ({"prices": {"sim": {"input": 1, "output": 2}}}, {"stats", "costs", "report"}),
        ({"stats": {"resamples": 500}}, {"stats", "report"}),
        ({"datasets": {"quiz": {"path": "quiz.jsonl", "scorer": "short_answer"}}}, AFTER["build"]),
        ({"sampling": {"max_tokens": 7}}, AFTER["build"]),
    ],
    ids=["price", "resamples", "a dataset less", "max_tokens"],
)
def test_a_changed_setting_undoes_what_is_made_from_it(
    finished: FakeRun, changes: dict[str, Any], phases: set[str]
) -> None:
    before = finished.state()
    finished.reconfigure(**changes)
    state = finished.state()
    assert undone(state) == phases
    assert state["status"] == "interrupted"
    assert state["config_hash"] != before["config_hash"]


@pytest.mark.parametrize(
    "changes", [{"ignore_stop": True}, {"stop_stale_minutes": None}, {"max_active_batches": 1}]
)
def test_a_setting_that_changes_no_result_undoes_nothing(finished: FakeRun, changes: dict[str, Any]) -> None:
    before = finished.state()
    finished.reconfigure(**changes)
    state = finished.state()
    assert state["status"] == "completed"
    assert state["config_hash"] == before["config_hash"]


@pytest.mark.parametrize("phase", PHASES[1:])
def test_one_failed_trial_fails_its_phase_and_the_others_go_on(run: FakeRun, phase: str) -> None:
    run.complete_phases(*PHASES[: PHASES.index(phase)])
    run.complete(phase, PLAIN)
    run.fail(phase, BRIEF, "the server was down")
    reason = f"{phase} of {BRIEF}: the server was down\n  Correct it."
    for is_live, status in ((True, "running"), (False, "failed")):
        state = valid(derive_state(RunView(run.settings), is_live=is_live))
        assert state["status"] == status
        assert state["phases"][phase]["status"] == "failed"
        assert state["phases"][phase]["last_error"] == reason
        assert (state["phases"][phase]["done"], state["phases"][phase]["failed"]) == (1, 1)
        assert state["trials"][BRIEF] == {"phase": phase, "status": "failed", "error": reason}
        assert trials_but(state, BRIEF) <= {"in_progress", "stopped", "completed"}
    run.complete(phase, BRIEF)
    assert run.state()["phases"][phase]["last_error"] is None


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{}", '{"error": null}', '{"error": [1]}', '{"error": ""}']
)
def test_a_failure_whose_reason_cannot_be_read_is_still_a_failure(run: FakeRun, text: str) -> None:
    run.complete_phases("prepare")
    path = Path(run.unit("build", PLAIN).error)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    state = run.state()
    assert state["status"] == "failed"
    assert state["trials"][PLAIN]["error"] == f"the job failed; {path} cannot be read"


def test_a_failed_dataset_fails_the_phase_prepare(run: FakeRun) -> None:
    run.fail("prepare", "more", "no item")
    state = run.state()
    assert state["status"] == "failed"
    assert state["phases"]["prepare"]["last_error"] == "prepare of more: no item\n  Correct it."


def test_a_failed_report_of_the_run_fails_the_phase_report(finished: FakeRun) -> None:
    finished.output("report", "").unlink()
    finished.fail("report", "", "the disk is full")
    report = finished.state()["phases"]["report"]
    assert (report["status"], report["done"], report["failed"]) == ("failed", 2, 0)
    assert "the disk is full" in report["last_error"]
