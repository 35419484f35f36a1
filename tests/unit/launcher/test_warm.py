"""What is peculiar to warm jobs: nothing is shared between them, and who is refused."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from scripts.launcher import job, warm


def test_nothing_leaks_from_one_job_to_the_next(warm_launcher: Any, tmp_path: Path) -> None:
    (tmp_path / "leaked.py").write_text("WORD = 'leaked'\n")
    for _ in range(2):
        done = warm_launcher.run("leak", cwd=tmp_path)
        assert done.stdout.decode() == f"None {tmp_path.name} None False\n", done.stderr


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


def test_random_numbers_differ_between_jobs(launcher: Any) -> None:
    launcher.serve("random", "numpy", "numpy.random", "launcher_jobs")
    drawn = [launcher.run("draw").stdout.split() for _ in range(2)]
    assert drawn[0][0] != drawn[1][0]
    assert drawn[0][1] != drawn[1][1]


def test_a_module_with_another_prefix_is_left_to_plain_python(warm_launcher: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(warm.ROOT / "scripts/launcher/client.py"), "platform"],
        capture_output=True,
        check=True,
    )
    assert done.stdout
    assert "platform is left to plain python: its name does not begin" in warm_launcher.log.read_text()


def test_settings_that_python_reads_at_its_start_lead_to_plain_python(
    warm_launcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    assert warm_launcher.parent_of_job() == os.getpid()
    assert "another value of PYTHONHASHSEED" in warm_launcher.log.read_text()


def test_a_package_of_the_same_name_in_the_working_directory_leads_to_plain_python(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    environment = dict(os.environb)
    request = job.Request(0, 0o22, False, os.fsencode(tmp_path), "scripts.score", [], environment)
    assert job.reason_to_refuse(request, "scripts.") is None
    (tmp_path / "scripts" / "__init__.py").touch()
    assert "a package scripts of its own" in (job.reason_to_refuse(request, "scripts.") or "")


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


def test_the_warm_server_has_one_thread_after_all_imports(
    launcher: Any, wait_until: Callable[..., None]
) -> None:
    server = launcher.serve(*warm.WARM_MODULES, "launcher_jobs")
    task = Path(f"/proc/{server.process.pid}/task")
    wait_until(lambda: launcher.log.exists() and "warm after" in launcher.log.read_text(), seconds=60)
    assert len(list(task.iterdir())) == 1
    assert launcher.parent_of_job() == server.process.pid
