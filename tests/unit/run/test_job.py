"""What a phase leaves behind: a record of what it made, or the reason why it made nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.errors import DataError
from scripts.run.job import Job, phase_job
from scripts.run.stop import StopRequested
from tests.fakes.sending_fakes import make_settings


@pytest.fixture
def job(tmp_path: Path) -> Job:
    root = make_settings(tmp_path).run_root
    (tmp_path / "in").write_text("in")
    return Job("parse", root, "t", (tmp_path / "in",), (tmp_path / "out",), "digest")


def reason(job: Job) -> str:
    kept: str = json.loads(job.error_path.read_text())["error"]
    return kept


def test_what_was_made_is_recorded_and_an_earlier_failure_forgotten(job: Job) -> None:
    job.error_path.parent.mkdir(parents=True, exist_ok=True)
    job.error_path.write_text("{}")
    with phase_job(job):
        job.outputs[0].write_text("out")
    record = json.loads(job.made_path.read_text())
    assert (record["phase"], record["unit"], record["made_from"]) == ("parse", "t", "digest")
    assert [list(record[files]) for files in ("inputs", "outputs")] == [
        [str(job.inputs[0])],
        [str(job.outputs[0])],
    ]
    assert record["started_at"] <= record["finished_at"]
    assert not job.error_path.exists()


def test_a_users_mistake_is_a_message_and_exit_code_1_and_its_reason_is_kept(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, phase_job(job):
        raise DataError("no item", where="d", fix="Write one.")
    assert ended.value.code == 1
    assert "d: no item" in capsys.readouterr().err
    assert reason(job).startswith("d: no item")
    assert not job.made_path.exists()


def test_a_bug_keeps_its_traceback_and_its_reason_is_kept(job: Job) -> None:
    with pytest.raises(ZeroDivisionError), phase_job(job):
        _ = 1 / 0
    assert reason(job) == "ZeroDivisionError: division by zero"


def test_a_stop_is_no_failure_of_the_job(job: Job) -> None:
    with pytest.raises(SystemExit), phase_job(job):
        raise StopRequested("lunch", where="r", fix="Go on later.")
    assert not job.error_path.exists()
    assert not job.made_path.exists()
