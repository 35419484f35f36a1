"""Warm servers whose jobs are in ``launcher_jobs``, and clients that talk to them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.launcher import warm

JOBS = warm.ROOT / "tests" / "fakes"
CLIENT = [sys.executable, "-I", "-S", str(warm.ROOT / "scripts" / "launcher" / "client.py")]


class Launcher:
    """Starts clients of a server (`server` is None while there is none)."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.server: warm.WarmServer | None = None

    def serve(self, *modules: str) -> warm.WarmServer:
        self.server = warm.start(self.log, prefix="launcher_jobs", modules=modules)
        assert self.server is not None
        return self.server

    def start(self, *arguments: str | bytes, **options: Any) -> subprocess.Popen[bytes]:
        options = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        } | options
        return subprocess.Popen([*CLIENT, "launcher_jobs", *arguments], **options)

    def run(self, *arguments: str | bytes, **options: Any) -> subprocess.CompletedProcess[bytes]:
        options = {"timeout": 30, "capture_output": True} | options
        return subprocess.run([*CLIENT, "launcher_jobs", *arguments], check=False, **options)

    def parent_of_job(self) -> int:
        """Process id of the parent of a job: the server, or this process for plain python."""
        return int(self.run("parent").stdout)


@pytest.fixture
def launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Launcher]:
    for name in [name for name in os.environ if name.startswith("PYTHON")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", str(JOBS))
    monkeypatch.delenv("TRIALMAKE_WARM", raising=False)
    result = Launcher(tmp_path / "server.log")
    yield result
    if result.server is not None:
        result.server.stop()


@pytest.fixture
def warm_launcher(launcher: Launcher) -> Launcher:
    """Give a launcher whose jobs do run warm; a silent fall-back would prove nothing."""
    server = launcher.serve("json", "launcher_jobs")
    assert launcher.parent_of_job() == server.process.pid
    return launcher


@pytest.fixture(params=["warm", "plain"])
def either(request: pytest.FixtureRequest, launcher: Launcher) -> Launcher:
    """Give a launcher with a server, then one without: what is true of one must be of the other."""
    return request.getfixturevalue("warm_launcher") if request.param == "warm" else launcher


@pytest.fixture
def wait_until() -> Callable[..., None]:
    def wait(condition: Callable[[], object], *, seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)

    return wait


@pytest.fixture
def is_running() -> Callable[[int], bool]:
    def running(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    return running


@pytest.fixture(autouse=True)
def hear_ctrl_c() -> Iterator[None]:
    """Pass on no ignored Ctrl-C: what a shell starts in the background ignores it, with all its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
