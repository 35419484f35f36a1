"""Whoever goes away: nothing is left running, and nothing is run twice."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from scripts.launcher import warm

Wait = Callable[..., None]
IsRunning = Callable[[int], bool]


def started_pid(counter: Path, wait_until: Wait) -> int:
    wait_until(lambda: counter.exists() and counter.read_text().endswith("\n"))
    return int(counter.read_text())


def test_a_server_killed_in_mid_job_fails_the_job_and_does_not_run_it_again(
    warm_launcher: Any, tmp_path: Path, wait_until: Wait, is_running: IsRunning
) -> None:
    counter = tmp_path / "counter"
    job = warm_launcher.start("sleep", str(counter), "30")
    child = started_pid(counter, wait_until)
    warm_launcher.server.process.kill()
    _, err = job.communicate(timeout=10)
    assert job.returncode == 1
    assert err.decode().splitlines() == [
        "Error: launcher_jobs: the warm server ended while running this job; the job was not run again"
    ]
    wait_until(lambda: not is_running(child))
    assert counter.read_text().splitlines() == [str(child)]


def test_a_killed_client_takes_its_child_with_it(
    warm_launcher: Any, tmp_path: Path, wait_until: Wait, is_running: IsRunning
) -> None:
    job = warm_launcher.start("sleep", str(tmp_path / "counter"), "30")
    child = started_pid(tmp_path / "counter", wait_until)
    job.kill()
    job.communicate()
    wait_until(lambda: not is_running(child), seconds=3)
    assert warm_launcher.parent_of_job() == warm_launcher.server.process.pid


def test_a_child_that_ignores_sigterm_is_killed_after_five_seconds(
    warm_launcher: Any, tmp_path: Path, wait_until: Wait, is_running: IsRunning
) -> None:
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    job = warm_launcher.start("stubborn", str(tmp_path / "counter"), "30", **streams)
    child = started_pid(tmp_path / "counter", wait_until)
    job.terminate()
    assert job.wait() == -signal.SIGTERM
    assert warm_launcher.parent_of_job() == warm_launcher.server.process.pid
    assert is_running(child)
    wait_until(lambda: not is_running(child), seconds=8)


def test_stop_ends_the_server_and_what_it_runs_and_removes_its_folder(
    warm_launcher: Any, tmp_path: Path, wait_until: Wait, is_running: IsRunning
) -> None:
    job = warm_launcher.start("sleep", str(tmp_path / "counter"), "30")
    child = started_pid(tmp_path / "counter", wait_until)
    folder = warm_launcher.server.folder
    warm_launcher.server.stop()
    assert job.wait(5) == 128 + signal.SIGTERM
    job.communicate()
    assert "TRIALMAKE_WARM" not in os.environ
    assert not folder.exists()
    assert not is_running(child)
    warm_launcher.server.stop()


def test_a_killed_main_process_ends_the_server_and_its_children(
    launcher: Any, tmp_path: Path, wait_until: Wait, is_running: IsRunning
) -> None:
    script = f"""
        import os, sys, time
        sys.path.insert(0, {str(warm.ROOT)!r})
        from pathlib import Path
        from scripts.launcher import warm
        server = warm.start(Path({str(launcher.log)!r}), prefix="launcher_jobs", modules=["launcher_jobs"])
        print(server.process.pid, os.environ["TRIALMAKE_WARM"], flush=True)
        time.sleep(60)
    """
    main = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE)
    assert main.stdout is not None
    pid, address = main.stdout.readline().decode().split()
    job = launcher.start(
        "sleep", str(tmp_path / "counter"), "30", env={**os.environ, "TRIALMAKE_WARM": address}
    )
    child = started_pid(tmp_path / "counter", wait_until)
    main.kill()
    main.communicate()
    assert job.wait(10) == 128 + signal.SIGTERM
    job.communicate()
    wait_until(lambda: not is_running(child) and not is_running(int(pid)))
    assert not Path(address).parent.exists()


def test_many_jobs_can_wait_though_few_files_may_be_open(
    launcher: Any, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(128, hard), hard))
    try:
        server = launcher.serve("launcher_jobs")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    waiting = [launcher.start("sleep", str(tmp_path / "started"), "30") for _ in range(16)]
    wait_until(lambda: (tmp_path / "started").exists(), seconds=20)
    wait_until(lambda: len((tmp_path / "started").read_text().splitlines()) == 16, seconds=20)
    server.stop()
    for process in waiting:
        process.communicate()


def test_jobs_are_served_while_the_server_still_warms_up(launcher: Any) -> None:
    server = launcher.serve("launcher_jobs", "launcher_slow", "json")
    began = time.monotonic()
    parents = [launcher.parent_of_job() for _ in range(3)]
    assert parents == [server.process.pid] * 3
    assert time.monotonic() - began < 20


def test_a_job_waits_for_what_stands_in_front_of_its_module(launcher: Any, tmp_path: Path) -> None:
    server = launcher.serve("launcher_slow", "launcher_jobs")
    gone = launcher.start("sleep", str(tmp_path / "started"), "30")
    waiting = [launcher.start("loaded", "launcher_slow", text=True) for _ in range(3)]
    time.sleep(0.5)
    gone.kill()
    assert [process.communicate(timeout=30)[0] for process in waiting] == ["True\n"] * 3
    assert launcher.parent_of_job() == server.process.pid
    gone.communicate()
    assert not (tmp_path / "started").exists()


def test_a_module_that_cannot_be_imported_is_logged_and_passed_over(
    launcher: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "launcher_broken.py").write_text("import not_there_at_all\n")
    monkeypatch.setenv("PYTHONPATH", f"{os.environ['PYTHONPATH']}:{tmp_path}")
    server = launcher.serve("launcher_absent", "launcher_broken", "launcher_jobs")
    assert launcher.parent_of_job() == server.process.pid
    log = launcher.log.read_text()
    assert "No module named 'not_there_at_all'" in log
    assert "launcher_absent" not in log


def test_two_hundred_jobs_at_once_all_end_well(warm_launcher: Any) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(200) as pool:
        codes = list(pool.map(lambda n: warm_launcher.run("code", str(n % 7)).returncode, range(200)))
    assert codes == [n % 7 for n in range(200)]
    assert time.monotonic() - began < 60
    assert len(list(Path(f"/proc/{warm_launcher.server.process.pid}/fd").iterdir())) < 10


def test_the_socket_is_for_this_user_alone(warm_launcher: Any) -> None:
    path = Path(os.environ["TRIALMAKE_WARM"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
