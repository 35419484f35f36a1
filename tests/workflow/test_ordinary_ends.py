"""The ordinary ways in which a run ends: closed terminals, signals, late stops, hanging jobs, full disks."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.workflow.harness import Experiment, wait_until
from tests.workflow.slow_runs import (
    assert_resumes,
    is_polling,
    make_stop,
    polls_of,
    small_config,
    status_of,
    stop_files,
)

pytestmark = pytest.mark.workflow


def assert_stopped(experiment: Experiment) -> None:
    """The run says that it was stopped, nothing failed, and nothing is in the way of the next start."""
    state = experiment.state()
    assert (state["status"], state["stop_requested"]) == ("stopped", False)
    assert {trial["error"] for trial in state["trials"].values()} == {None}
    assert {phase["last_error"] for phase in state["phases"].values()} == {None}
    assert stop_files(experiment) == []
    assert not (experiment.root / ".draining").exists()
    assert polls_of(experiment) == []


@pytest.mark.parametrize(
    ("number", "warm"),
    [(signal.SIGTERM, "on"), (signal.SIGHUP, "off")],
    ids=["SIGTERM", "SIGHUP, plain jobs"],
)
def test_a_signal_to_the_whole_group_stops_the_run(
    slow: Experiment, number: signal.Signals, warm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIALMAKE_WARM", warm)
    with slow.started() as process:
        wait_until(lambda: is_polling(slow), patience_s=60)
        os.killpg(process.pid, number)
        process.wait(timeout=20)

    assert process.returncode != 0
    assert_stopped(slow)
    assert_resumes(slow)


def test_a_signal_to_every_process_of_the_run_stops_it(slow: Experiment) -> None:
    with slow.started() as process:
        wait_until(lambda: is_polling(slow), patience_s=60)
        main = psutil.Process(process.pid)
        for each in [main, *main.children(recursive=True)]:
            each.send_signal(signal.SIGTERM)
        process.wait(timeout=20)

    assert_stopped(slow)
    assert_resumes(slow)


def test_a_closed_terminal_stops_the_run(slow: Experiment) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        ["setsid", "--ctty", "--wait", *slow.command()],
        cwd=slow.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        main = psutil.Process(process.pid)
        wait_until(lambda: drained(ours) and is_polling(slow), patience_s=60)
        snakemake = [*main.children(), main]
        os.close(ours)
        psutil.wait_procs(snakemake, timeout=20)
        process.kill()

    assert_stopped(slow)
    assert_resumes(slow)


def drained(terminal: int) -> bool:
    """Read what was written to a terminal, so that writers do not wait."""
    os.set_blocking(terminal, False)
    try:
        while os.read(terminal, 1 << 16):
            pass
    except BlockingIOError:
        return True
    return True


def test_a_stop_that_appears_while_the_run_goes_counts_however_old_it_is(slow: Experiment) -> None:
    slow.reconfigure(stop_stale_minutes=0)
    with slow.started() as process:
        wait_until(lambda: is_polling(slow), patience_s=60)
        make_stop(slow, minutes_old=120)
        process.wait(timeout=20)

    assert process.returncode != 0
    assert slow.state()["status"] == "stopped"
    (name,) = stop_files(slow)
    assert name.startswith("STOP_REQUESTED.honored.")
    assert_resumes(slow)


def test_a_stop_ends_a_run_whose_warm_process_is_suspended(slow: Experiment) -> None:
    with slow.started() as process:
        wait_until(lambda: is_polling(slow), patience_s=60)
        (server,) = warm_servers(process.pid)
        server.suspend()
        make_stop(slow)
        process.wait(timeout=30)

    assert slow.state()["status"] in {"stopped", "failed"}
    assert not server.is_running()
    assert_resumes(slow)


def test_a_run_whose_warm_process_is_suspended_does_not_wait_for_ever(slow: Experiment) -> None:
    with slow.started() as process:
        wait_until(lambda: is_polling(slow), patience_s=60)
        (server,) = warm_servers(process.pid)
        server.suspend()
        process.communicate(timeout=30)

    assert process.returncode != 0
    assert slow.state()["status"] == "failed"
    assert_resumes(slow)


def warm_servers(pid: int) -> list[psutil.Process]:
    """Find the warm process of a run's main process."""
    children = psutil.Process(pid).children(recursive=True)
    return [
        child for child in children if child.ppid() == pid and "scripts.launcher.server" in child.cmdline()
    ]


def test_a_suspended_job_does_not_hold_a_stop_up(slow: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIALMAKE_WARM", "off")
    with slow.started() as process:
        wait_until(lambda: is_polling(slow) and polls_of(slow) != [], patience_s=60)
        for child in psutil.Process(process.pid).children(recursive=True):
            if "scripts.poll" in child.cmdline():
                child.suspend()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)

    assert slow.state()["status"] == "stopped"
    assert_resumes(slow)


def test_two_interrupts_leave_no_stop_behind(slow: Experiment) -> None:
    with slow.started() as process:
        wait_until(lambda: is_polling(slow), patience_s=60)
        make_stop(slow)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=10)

    state = slow.state()
    assert (state["status"], state["stop_requested"]) == ("stopped", False)
    assert "STOP_REQUESTED" not in stop_files(slow)
    assert_resumes(slow)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with hardly any room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=140k", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_ends_the_run_and_with_room_the_same_command_goes_on(
    tmp_path: Path, small_disk: Path
) -> None:
    experiment = Experiment(tmp_path).write(small_config(experiments_dir=str(small_disk)), n_items=40)

    began = time.monotonic()
    full = experiment.run()

    assert full.returncode == 1
    assert time.monotonic() - began < 60
    assert "no space left" in full.stdout + full.stderr
    assert "Traceback" not in full.stdout + full.stderr
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    done = experiment.run()
    assert done.returncode == 0, done.stderr
    books = small_disk.glob(".simulated/*/batch_*/requests.jsonl")
    sent = [line for book in books for line in book.read_text().splitlines()]
    assert len(sent) == len(set(sent)) == 80
    assert shutil.disk_usage(small_disk).free > 0


def test_a_read_only_run_is_refused_in_one_sentence(tmp_path: Path, small_disk: Path) -> None:
    experiment = Experiment(tmp_path).write(small_config(experiments_dir=str(small_disk)))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    refused = experiment.run()

    assert refused.returncode == 1
    assert "the disk is read-only" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_run_that_was_suspended_stops_when_it_goes_on(slow: Experiment) -> None:
    slow.reconfigure(stop_stale_minutes=0.01)
    with slow.started() as process:
        wait_until(lambda: is_polling(slow), patience_s=60)
        os.killpg(process.pid, signal.SIGSTOP)
        make_stop(slow)
        time.sleep(2)
        assert status_of(slow)["stop_requested"] is True
        os.killpg(process.pid, signal.SIGCONT)
        process.communicate(timeout=20)

    assert slow.state()["status"] == "stopped"
    assert_resumes(slow)
