"""Whoever goes away: nothing is left running, and nothing is run twice."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.launcher import client, warm

Wait = Callable[..., None]
IsRunning = Callable[[int], bool]


def started_pid(counter: Path, wait_until: Wait) -> int:
    wait_until(lambda: counter.exists() and counter.read_text().endswith("\n"))
    return int(counter.read_text())


def test_without_a_server_a_job_is_plain_python(launcher: Any) -> None:
    assert launcher.parent_of_job() == os.getpid()


def test_the_value_off_means_plain_python_and_no_server(
    launcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIALMAKE_WARM", "off")
    assert warm.start(launcher.log) is None
    assert launcher.parent_of_job() == os.getpid()


def test_a_socket_that_is_not_there_means_plain_python(
    launcher: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIALMAKE_WARM", str(tmp_path / "nothing"))
    done = launcher.run("code", "3")
    assert (done.returncode, done.stderr) == (3, b"")


def test_a_dead_server_means_plain_python(warm_launcher: Any) -> None:
    warm_launcher.server.process.kill()
    warm_launcher.server.process.wait()
    assert warm_launcher.parent_of_job() == os.getpid()


def test_a_server_that_dies_before_it_accepts_means_plain_python(launcher: Any, tmp_path: Path) -> None:
    server = launcher.serve("launcher_slow", "launcher_jobs")
    os.kill(server.process.pid, signal.SIGSTOP)
    counter = tmp_path / "counter"
    job = launcher.start("sleep", str(counter), "0")
    with pytest.raises(subprocess.TimeoutExpired):
        job.wait(0.3)
    server.process.kill()
    assert job.communicate(timeout=20) == (b"", b"")
    assert job.returncode == 0
    assert len(counter.read_text().splitlines()) == 1


def test_a_server_that_hangs_means_plain_python_and_the_job_is_not_run_later(
    warm_launcher: Any, tmp_path: Path, wait_until: Wait
) -> None:
    impatient = tmp_path / "checkout" / "scripts" / "launcher" / "client.py"
    impatient.parent.mkdir(parents=True)
    text = Path(client.__file__).read_text().replace("START_TIMEOUT_S = 30.0", "START_TIMEOUT_S = 0.2")
    impatient.write_text(text)
    counter = tmp_path / "counter"
    server = warm_launcher.server.process.pid
    os.kill(server, signal.SIGSTOP)
    command = [sys.executable, "-I", "-S", str(impatient), "launcher_jobs", "sleep", str(counter), "0"]
    assert subprocess.run(command, timeout=20, check=False).returncode == 0
    os.kill(server, signal.SIGCONT)
    assert warm_launcher.parent_of_job() == server
    assert len(counter.read_text().splitlines()) == 1


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
        "Error: launcher_jobs: the warm server ended while it ran this job; it was not run again"
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


def test_ctrl_c_reaches_the_child_which_may_clean_up(
    warm_launcher: Any, tmp_path: Path, wait_until: Wait
) -> None:
    job = warm_launcher.start(
        "interrupted", str(tmp_path / "counter"), str(tmp_path / "note"), process_group=0
    )
    started_pid(tmp_path / "counter", wait_until)
    os.killpg(job.pid, signal.SIGINT)
    _, err = job.communicate(timeout=30)
    assert job.returncode == 130
    assert err.decode().endswith("KeyboardInterrupt\n")
    assert (tmp_path / "note").read_text() == "cleaned up"


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


def test_a_folder_for_temporary_files_with_too_long_a_name_means_no_server(
    launcher: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    assert warm.start(launcher.log) is None
    assert "TRIALMAKE_WARM" not in os.environ
    assert list(long.iterdir()) == []
