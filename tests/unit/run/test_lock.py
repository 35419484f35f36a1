"""One process works on a run at a time, and a dead one does not block."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.errors import StateError
from scripts.files import PROJECT_ROOT
from scripts.run import lock
from scripts.run.lock import RunLock, read_holder
from scripts.run.paths import LOCK_FILE

HOLD = """
import sys
from pathlib import Path
from scripts.run.lock import RunLock
lock = RunLock(Path(sys.argv[1]))
lock.take()
print("held", flush=True)
sys.stdin.read()
lock.release()
print("released", flush=True)
"""


@pytest.fixture
def run_root(tmp_path: Path) -> Path:
    return tmp_path / "run_x"


@contextlib.contextmanager
def another(run_root: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run_root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT_ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_and_told_who_holds_the_run(run_root: Path) -> None:
    with another(run_root) as process:
        with pytest.raises(StateError) as caught:
            RunLock(run_root).take()
        message = (
            rf"{re.escape(str(run_root))}: another process is working on this run: "
            rf"host {re.escape(socket.gethostname())}, pid {process.pid}, since \d{{4}}-\d\d-\d\dT\S+\n"
            r"  Wait until it has ended, or ask it to stop; then start again\."
        )
        assert re.fullmatch(message, str(caught.value))
        assert process.poll() is None


def test_a_refused_process_leaves_the_lock_as_it_is(run_root: Path) -> None:
    with another(run_root):
        before = (run_root / LOCK_FILE).read_text()
        with pytest.raises(StateError):
            RunLock(run_root).take()
        assert (run_root / LOCK_FILE).read_text() == before
        assert read_holder(run_root) == before.strip()


def test_a_killed_holder_does_not_block(run_root: Path) -> None:
    with another(run_root) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert read_holder(run_root) is None
        assert f"pid {process.pid}," in (run_root / LOCK_FILE).read_text()  # it could not tidy up
        with RunLock(run_root):
            assert f"pid {process.pid}," not in (read_holder(run_root) or "")


def test_a_released_lock_can_be_taken_by_another(run_root: Path) -> None:
    with another(run_root) as process:
        out, _ = process.communicate("")
        assert out == "released\n"
    with RunLock(run_root):
        pass
    with RunLock(run_root):
        pass


def test_a_lock_is_released_also_when_the_work_fails(run_root: Path) -> None:
    with pytest.raises(ZeroDivisionError), RunLock(run_root):
        _ = 1 / 0
    assert read_holder(run_root) is None
    RunLock(run_root).release()  # what is not held need not be released


def test_two_locks_in_one_process_exclude_each_other(run_root: Path) -> None:
    with RunLock(run_root), pytest.raises(StateError, match="another process is working on this run: host "):
        RunLock(run_root).take()


def test_taking_a_lock_makes_the_folder_of_the_run(run_root: Path) -> None:
    with RunLock(run_root):
        assert [path.name for path in run_root.iterdir()] == [LOCK_FILE]


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.touch()])
def test_nobody_holds_a_run_without_a_lock_file(run_root: Path, make: object) -> None:
    assert callable(make)
    make(run_root)  # nothing, a folder, a file where the folder should be
    assert read_holder(run_root) is None


def test_the_text_of_a_lock_that_nobody_holds_counts_for_nothing(run_root: Path) -> None:
    run_root.mkdir()
    (run_root / LOCK_FILE).write_text("host elsewhere, pid 1, since 2020\n")
    assert read_holder(run_root) is None


def test_a_holder_that_has_not_written_yet_is_one_that_does_not_say(run_root: Path) -> None:
    run_root.mkdir()
    with (run_root / LOCK_FILE).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert read_holder(run_root) == "an unknown process"


def test_looking_at_the_holder_does_not_keep_anybody_from_starting(
    run_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`status --watch` looks at every run once a second; a start may fall into such a moment."""
    monkeypatch.setattr(lock, "LOOK_OVER_S", 5.0)
    run_root.mkdir()
    handle = (run_root / LOCK_FILE).open("a+")
    fcntl.flock(handle, fcntl.LOCK_SH)
    look_ends = threading.Timer(0.1, handle.close)
    look_ends.start()
    with RunLock(run_root):
        assert read_holder(run_root) is not None
    look_ends.join()


def test_a_refusal_does_not_take_long(run_root: Path) -> None:
    with RunLock(run_root):
        began = time.monotonic()
        with pytest.raises(StateError):
            RunLock(run_root).take()
        assert time.monotonic() - began < 30 * lock.LOOK_OVER_S


def test_who_deletes_a_held_lock_file_lets_another_in_and_the_first_does_it_no_harm(run_root: Path) -> None:
    """Nobody has a reason to delete it; what holds then is that neither breaks the other's lock."""
    first, second = RunLock(run_root), RunLock(run_root)
    first.take()
    (run_root / LOCK_FILE).unlink()
    assert read_holder(run_root) is None
    second.take()
    first.release()
    assert read_holder(run_root) is not None
    with pytest.raises(StateError):
        RunLock(run_root).take()
    second.release()
    assert read_holder(run_root) is None


def test_a_reader_that_holds_the_lock_shared_is_not_in_the_way(run_root: Path) -> None:
    run_root.mkdir(parents=True, exist_ok=True)
    (run_root / LOCK_FILE).touch()
    with (run_root / LOCK_FILE).open() as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        assert read_holder(run_root) is None
        with RunLock(run_root):
            assert f"pid {os.getpid()}" in (read_holder(run_root) or "")
            with pytest.raises(StateError, match="another process is working on this run"):
                RunLock(run_root).take()
        assert read_holder(run_root) is None
