"""What a warm job is, and which jobs are left to plain Python."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.launcher import job, warm


def test_nothing_leaks_from_one_job_to_the_next(warm_launcher: Any, tmp_path: Path) -> None:
    (tmp_path / "leaked.py").write_text("WORD = 'leaked'\n")
    for _ in range(2):
        done = warm_launcher.run("leak", cwd=tmp_path)
        assert done.stdout.decode() == f"None {tmp_path.name} None False\n", done.stderr


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
    assert "platform is run as plain python: its name does not begin" in warm_launcher.log.read_text()


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
