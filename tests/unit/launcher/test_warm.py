"""Where there is a warm server, and what it has loaded."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.launcher import warm


def test_the_warm_server_has_one_thread_after_all_imports(
    launcher: Any, wait_until: Callable[..., None]
) -> None:
    server = launcher.serve(*warm.WARM_MODULES, "launcher_jobs")
    task = Path(f"/proc/{server.process.pid}/task")
    wait_until(lambda: launcher.log.exists() and "warm after" in launcher.log.read_text(), seconds=60)
    assert len(list(task.iterdir())) == 1
    assert launcher.parent_of_job() == server.process.pid


def test_the_value_off_means_plain_python_and_no_server(
    launcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIALMAKE_WARM", "off")
    assert warm.start(launcher.log) is None
    assert launcher.parent_of_job() == os.getpid()


def test_a_folder_for_temporary_files_with_too_long_a_name_means_no_server(
    launcher: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    assert warm.start(launcher.log) is None
    assert "TRIALMAKE_WARM" not in os.environ
    assert list(long.iterdir()) == []
