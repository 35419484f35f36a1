"""The stop sentinel: when a file asks a run to stop, what is said of it, and how it is put away."""

from __future__ import annotations

import datetime
import getpass
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.files import PROJECT_ROOT
from scripts.run.lock import read_holder
from scripts.run.paths import DRAIN_FILE, STOP_FILE
from scripts.run.stop import (
    HOLDER_VARIABLE,
    JobStopToken,
    StopRequested,
    StopToken,
)

HOUR = 3600.0


@pytest.fixture(autouse=True)
def no_main_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HOLDER_VARIABLE, raising=False)


def ask(folder: Path, *, seconds_old: float = 0.0, text: str = "please") -> Path:
    """Write a stop file of some age."""
    path = folder / STOP_FILE
    path.write_text(text)
    os.utime(path, (time.time() - seconds_old,) * 2)
    return path


def test_without_a_file_nobody_is_asked_to_stop(tmp_path: Path) -> None:
    token = StopToken(tmp_path, stale_minutes=60)
    token.check()
    assert not token.is_set()
    assert not token.is_stale()
    assert not token.exists()
    assert token.age_minutes() is None
    assert token.describe() == "already gone"


def test_a_run_that_has_no_folder_yet_is_not_asked_to_stop(tmp_path: Path) -> None:
    token = StopToken(tmp_path / "run_new", stale_minutes=60)
    token.check()
    (tmp_path / "file").write_text("")
    StopToken(tmp_path / "file").check()


def test_the_folder_may_be_given_as_text(tmp_path: Path) -> None:
    ask(tmp_path)
    assert StopToken(str(tmp_path)).is_set()


@pytest.mark.parametrize(
    ("seconds_old", "stale_minutes", "is_set"),
    [
        (0, 60, True),
        (59 * 60, 60, True),
        (61 * 60, 60, False),
        (400 * 24 * HOUR, None, True),  # null: never stale
        (1, 0, False),
        (20, 0.34, True),
        (20, 0.33, False),
        (-30 * 24 * HOUR, 60, True),  # the clock of another machine is ahead
        (-30 * 24 * HOUR, 0, True),
    ],
)
def test_a_file_counts_until_it_is_older_than_the_limit(
    tmp_path: Path, seconds_old: float, stale_minutes: float | None, is_set: bool
) -> None:
    ask(tmp_path, seconds_old=seconds_old)
    token = StopToken(tmp_path, stale_minutes=stale_minutes)
    assert token.is_set() is is_set
    assert token.is_stale() is not is_set


def test_an_mtime_in_the_future_is_no_negative_age(tmp_path: Path) -> None:
    ask(tmp_path, seconds_old=-HOUR)
    dated = re.escape("UTC, ahead of this machine's clock: please")
    assert re.fullmatch(rf"dated \d{{4}}-\d\d-\d\d \d\d:\d\d {dated}", StopToken(tmp_path).describe())


def test_a_token_made_hours_ago_does_not_take_a_new_file_for_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = StopToken(tmp_path, stale_minutes=60)
    token.check()
    later = time.time() + 5 * HOUR
    path = ask(tmp_path)
    os.utime(path, (later - 30, later - 30))
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(StopRequested, match=r"0\.5 minutes old"):
        token.check()


def test_the_age_counts_at_the_moment_of_the_look(tmp_path: Path) -> None:
    token = StopToken(tmp_path, stale_minutes=60)
    path = ask(tmp_path)
    assert token.is_set()
    os.utime(path, (time.time() - 2 * HOUR,) * 2)
    assert not token.is_set()
    path.touch()
    assert token.is_set()


def test_who_is_asked_to_stop_is_told_which_file_how_old_and_who_wrote_it(tmp_path: Path) -> None:
    path = ask(tmp_path, seconds_old=120, text='{"requested_by": "ann@host", "reason": "lunch"}\n')
    with pytest.raises(StopRequested) as caught:
        StopToken(tmp_path, stale_minutes=60).check()
    said = '(2.0 minutes old: {"requested_by": "ann@host", "reason": "lunch"})'
    assert str(caught.value) == (
        f"{path}: a stop is requested {said}\n"
        "  Paid batches stay at the provider; start the run again to collect them."
    )


def test_setting_writes_who_when_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    token = StopToken(tmp_path)
    token.set("die Prompts sind falsch: ä")
    said = json.loads(token.path.read_text(encoding="utf-8"))
    assert said["requested_by"] == f"ann@{socket.gethostname()} (pid {os.getpid()})"
    assert said["reason"] == "die Prompts sind falsch: ä"
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(said["requested_at"])
    assert -1 < age.total_seconds() < 60
    assert token.is_set()
    assert [path.name for path in tmp_path.iterdir()] == [STOP_FILE]


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("no name")])
def test_a_user_without_a_name_can_ask_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def nameless() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nameless)
    token = StopToken(tmp_path)
    token.set()
    assert f"user {os.getuid()}@" in token.describe()


def test_a_reason_that_is_no_text_is_written_as_far_as_it_is_one(tmp_path: Path) -> None:
    token = StopToken(tmp_path)
    token.set("caf\udce9")  # how a command line shows a byte that is not UTF-8
    assert json.loads(token.path.read_text(encoding="utf-8"))["reason"] == "caf?"


def test_asking_again_renews_the_file(tmp_path: Path) -> None:
    ask(tmp_path, seconds_old=5 * HOUR)
    token = StopToken(tmp_path, stale_minutes=60)
    token.set("still")
    assert token.is_set()


def test_an_unreadable_file_asks_too(tmp_path: Path) -> None:
    ask(tmp_path).chmod(0)
    token = StopToken(tmp_path, stale_minutes=60)
    assert token.is_set()
    shown = "please" if os.access(token.path, os.R_OK) else "(its text cannot be read)"  # root reads anything
    assert token.describe() == f"0.0 minutes old: {shown}"


def test_a_folder_of_that_name_asks_too(tmp_path: Path) -> None:
    (tmp_path / STOP_FILE).mkdir()
    (tmp_path / STOP_FILE / "inside").write_text("")
    token = StopToken(tmp_path, stale_minutes=60)
    assert token.describe() == "0.0 minutes old: (its text cannot be read)"
    with pytest.raises(StopRequested):
        token.check()
    aside = token.set_aside("honored")
    assert aside is not None
    assert (aside / "inside").exists()
    assert not token.is_set()


def test_a_dangling_link_asks_too(tmp_path: Path) -> None:
    (tmp_path / STOP_FILE).symlink_to(tmp_path / "nowhere")
    token = StopToken(tmp_path, stale_minutes=60)
    assert token.is_set()
    assert token.describe() == "0.0 minutes old: (its text cannot be read)"
    assert token.set_aside("stale") is not None
    assert not token.exists()


def test_the_age_of_a_link_is_its_own(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text("from long ago")
    os.utime(old, (1, 1))
    (tmp_path / STOP_FILE).symlink_to(old)
    assert StopToken(tmp_path, stale_minutes=60).is_set()


def test_a_pipe_of_that_name_does_not_keep_anybody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / STOP_FILE)
    assert StopToken(tmp_path).describe() == "0.0 minutes old"


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\xff\x1b[31m\r\n\x07" * 10_000,
        b"x" * 5_000_000,
        ("\u202e" + "é" * 9000).encode(),
        b"a\nb\n" * 999,
    ],
    ids=["binary", "huge", "other letters", "many lines"],
)
def test_any_content_is_described_in_one_printable_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / STOP_FILE).write_bytes(content)
    said = StopToken(tmp_path).describe()
    assert said.startswith("0.0 minutes old: ")
    assert said.isprintable()
    assert len(said) < 600


@pytest.mark.parametrize("text", ["", "\n", "  \t\n"])
def test_a_file_without_text_asks_too_and_only_its_age_is_said(tmp_path: Path, text: str) -> None:
    ask(tmp_path, text=text)
    token = StopToken(tmp_path, stale_minutes=60)
    assert token.is_set()
    assert token.describe() == "0.0 minutes old"


def test_who_ignores_the_file_is_not_asked_by_it(tmp_path: Path) -> None:
    path = ask(tmp_path)
    token = StopToken(tmp_path, ignore_file=True, stale_minutes=60)
    token.check()
    assert not token.is_set()
    assert path.read_text() == "please"


@pytest.mark.parametrize("ignore_file", [False, True])
def test_a_signal_to_the_main_process_counts_whatever_is_said_of_the_file(
    tmp_path: Path, ignore_file: bool
) -> None:
    (tmp_path / DRAIN_FILE).write_text("SIGTERM to pid 1\n")
    token = StopToken(tmp_path, ignore_file=ignore_file, stale_minutes=0)
    assert token.is_set()
    assert not token.is_requested()
    with pytest.raises(StopRequested, match=re.escape(f"{tmp_path / DRAIN_FILE}: the run was told to stop")):
        token.check()


@pytest.mark.parametrize("label", ["stale", "honored"])
def test_a_file_put_aside_is_named_by_the_label_and_the_time_in_utc(tmp_path: Path, label: str) -> None:
    ask(tmp_path)
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    aside = StopToken(tmp_path).set_aside(label)
    assert aside is not None
    assert aside.read_text() == "please"
    assert re.fullmatch(rf"STOP_REQUESTED\.{label}\.\d{{8}}T\d{{6}}Z", aside.name)
    stamp = datetime.datetime.strptime(aside.name.rsplit(".", 1)[1], "%Y%m%dT%H%M%S%z")
    assert before <= stamp <= before + datetime.timedelta(seconds=10)
    assert [path.name for path in tmp_path.iterdir()] == [aside.name]


def test_files_put_aside_in_one_second_do_not_overwrite_each_other(tmp_path: Path) -> None:
    asides = set()
    for number in range(5):
        ask(tmp_path, text=str(number))
        asides.add(StopToken(tmp_path).set_aside("honored"))
    texts = sorted(path.read_text() for path in tmp_path.iterdir())
    assert texts == ["0", "1", "2", "3", "4"]
    assert len(asides) == 5
    names = [path.name for path in tmp_path.iterdir()]
    assert all(re.fullmatch(r"STOP_REQUESTED\.honored\.\d{8}T\d{6}Z", name) for name in names)


def test_without_a_file_there_is_nothing_to_put_aside(tmp_path: Path) -> None:
    assert StopToken(tmp_path).set_aside("stale") is None


def test_a_file_that_cannot_be_renamed_stays_and_this_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    path = ask(tmp_path)
    monkeypatch.setattr(Path, "rename", refuse)
    assert StopToken(tmp_path).set_aside("stale") is None
    assert path.exists()


HOLD = """
import sys, time
from pathlib import Path
from scripts.run.lock import RunLock
lock = RunLock(Path(sys.argv[1]))
lock.take()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def main_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """Another process that works on the run, as its jobs are told."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        monkeypatch.setenv(HOLDER_VARIABLE, read_holder(tmp_path) or "")
        yield process
        process.kill()


def test_a_waiting_job_ends_when_its_main_process_is_gone(
    tmp_path: Path, main_process: subprocess.Popen[str]
) -> None:
    token = JobStopToken(tmp_path, stale_minutes=60)
    token.check()
    main_process.send_signal(signal.SIGKILL)
    main_process.wait()
    message = (
        rf"{re.escape(str(tmp_path))}: the run's main process is gone \(host .*, pid {main_process.pid}, "
    )
    with pytest.raises(StopRequested, match=message):
        token.check()


def test_a_waiting_job_ends_when_another_process_has_taken_over(
    tmp_path: Path, main_process: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOLDER_VARIABLE, "host here, pid 1, since yesterday")
    with pytest.raises(StopRequested, match=r"gone \(host here, pid 1, since yesterday"):
        JobStopToken(tmp_path).check()


def test_a_job_started_by_hand_goes_on_whoever_works_on_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = JobStopToken(tmp_path)
    token.check()
    monkeypatch.setenv(HOLDER_VARIABLE, "")
    JobStopToken(tmp_path).check()


def test_a_job_heeds_the_file_as_its_run_does(tmp_path: Path) -> None:
    ask(tmp_path)
    with pytest.raises(StopRequested, match="a stop is requested"):
        JobStopToken(tmp_path, stale_minutes=60).check()
    JobStopToken(tmp_path, ignore_file=True).check()
