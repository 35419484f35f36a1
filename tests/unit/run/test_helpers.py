"""A helper that is suspended is ended in time, and no other."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from scripts.run.helpers import SUSPENDED, Helpers, read_state


@pytest.fixture
def helper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def suspend(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGSTOP)
    while read_state(process.pid) not in SUSPENDED:
        time.sleep(0.01)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time as the helpers' watcher sees it."""
    now = [0.0]
    monkeypatch.setattr("scripts.run.helpers.time.monotonic", lambda: now[0])
    return now


def look(
    helpers: Helpers, clock: list[float], process: subprocess.Popen[bytes], *seconds: float
) -> list[int]:
    ended: list[int] = []
    for second in seconds:
        clock[0] = second
        ended += helpers.look(process.pid, is_draining=False)
    return ended


def test_a_helper_that_works_is_left_alone(helper: subprocess.Popen[bytes], clock: list[float]) -> None:
    assert look(Helpers(patience_s=2), clock, helper, 0, 1, 2, 3, 4) == []
    assert helper.poll() is None


def test_a_suspended_helper_is_ended_once_patience_is_over(
    helper: subprocess.Popen[bytes], clock: list[float]
) -> None:
    helpers = Helpers(patience_s=2)
    suspend(helper)
    assert look(helpers, clock, helper, 0, 1) == []
    assert look(helpers, clock, helper, 2) == [helper.pid]
    assert helper.wait() == -signal.SIGKILL


def test_time_for_which_the_watcher_itself_was_suspended_does_not_count(
    helper: subprocess.Popen[bytes], clock: list[float]
) -> None:
    helpers = Helpers(patience_s=2)
    suspend(helper)
    assert look(helpers, clock, helper, 0, 1, 3600, 3601) == []
    assert look(helpers, clock, helper, 3602) == [helper.pid]


def test_a_helper_that_goes_on_again_gets_its_patience_back(
    helper: subprocess.Popen[bytes], clock: list[float]
) -> None:
    helpers = Helpers(patience_s=2)
    suspend(helper)
    look(helpers, clock, helper, 0, 1)
    helper.send_signal(signal.SIGCONT)
    while read_state(helper.pid) in SUSPENDED:
        time.sleep(0.01)
    look(helpers, clock, helper, 1.5)
    suspend(helper)
    assert look(helpers, clock, helper, 2, 3) == []


def test_a_job_is_ended_only_while_the_run_stops(helper: subprocess.Popen[bytes], clock: list[float]) -> None:
    helpers = Helpers(patience_s=2)
    suspend(helper)
    for second in (0, 1, 2, 3):
        clock[0] = second
        assert helpers.look(None, is_draining=False) == []
    ended = []
    for second in (4, 5, 6):
        clock[0] = second
        ended += helpers.look(None, is_draining=True)
    assert ended == [helper.pid]


def test_a_process_that_is_gone_has_no_state() -> None:
    assert read_state(2**22 + 1) == ""
