"""
Runs phases in forked children, and kills a child in front of any of its steps.

Run as a program, it forks for each job it reads (a JSON object a line) and answers with how the child ended;
what a child had to import, it imports too, so that the next ones need not.  A step is whatever somebody
outside can see: a file that is opened for writing, written, renamed or removed, and every piece that is sent
to a server or read from one.  The phases know nothing of it.

`Driver` is the other end: what tests use.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
import importlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = frozenset({"os.rename", "os.remove", "os.rmdir", "os.truncate", "os.link"})
PATIENCE_S = 20
IMPORTED = "imported "


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a child ended."""

    code: int
    """Its exit code; -9 if it was killed."""
    errors: str
    """What it wrote to stderr."""
    steps: list[str]
    """What it did, in short, as far as it got."""

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Driver:
    """A warm process that forks a child for each job."""

    def __init__(self, log: Path) -> None:
        command = [sys.executable, "-m", "tests.providers.crash_driver"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._log = log

    def run(
        self,
        phases: Sequence[Sequence[str]],
        *,
        kill_at: int | None = None,
        environment: Mapping[str, str],
        patches: Mapping[str, Any],
    ) -> Ended:
        """
        Run phases one after another in one child.

        Parameters
        ----------
        phases : sequence of command lines
            The name of the phase, then its options.
        kill_at : int, optional
            The step, counted from 1, in front of which the child is killed.
        environment, patches : mapping
            What is set in the child: variables, and attributes by ``module:name.name``.
        """
        job = {"phases": phases, "kill_at": kill_at, "log": str(self._log)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(
            json.dumps({**job, "environment": dict(environment), "patches": dict(patches)}) + "\n"
        )
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Ended(answer["code"], self._log.read_text(), answer["steps"])

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


@contextlib.contextmanager
def driving(folder: Path) -> Iterator[Driver]:
    """Start a driver for as long as the block lasts."""
    driver = Driver(folder / "stderr.log")
    try:
        yield driver
    finally:
        driver.close()


class Steps:
    """Counts the steps of a child, tells them through a pipe, and kills it in front of one of them."""

    def __init__(self, kill_at: int | None, pipe: int) -> None:
        self.kill_at = kill_at
        self._count = 0
        self._tell = functools.partial(_WRITE, pipe)

    def step(self, what: str) -> None:
        self._count += 1
        if self._count == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self._tell(f"{what}\n".encode())

    def watch(self) -> None:
        """Watch this process, for good."""
        sys.addaudithook(self._hear)
        os.write = self._write
        for name in ("send", "sendall", "recv", "recv_into"):
            setattr(socket.socket, name, self._before(getattr(socket.socket, name), name))

    def _hear(self, event: str, details: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(details[2], int) and details[2] & WRITING:
            self.step(f"open {details[0]}")
        elif event == "os.mkdir":
            if not Path(details[0]).exists():
                self.step(f"make {details[0]}")
        elif event in CHANGES and os.path.exists(details[0]):  # noqa: PTH110 - or a descriptor
            self.step(f"{event} {details[0]}")

    def _before(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        @functools.wraps(call)
        def counted(*arguments: Any, **options: Any) -> Any:
            self.step(name)
            return call(*arguments, **options)

        return counted

    def _write(self, descriptor: int, content: bytes) -> int:
        """Write as os.write does, but so that the child can be killed halfway (as a power cut may)."""
        self.step("write")
        half = len(content) // 2
        if self._count + 1 == self.kill_at:
            _WRITE(descriptor, content[:half])
        self.step("write the rest")
        return _WRITE(descriptor, content)


_WRITE = os.write


def _run_child(job: Mapping[str, Any], pipe: int) -> int:
    signal.alarm(PATIENCE_S)
    with Path(job["log"]).open("wb") as log:
        os.dup2(log.fileno(), 2)
    os.environ.update(job["environment"])
    for place, value in job["patches"].items():
        module, _, path = place.partition(":")
        *owners, name = path.split(".")
        setattr(functools.reduce(getattr, owners, importlib.import_module(module)), name, value)
    phases = [(importlib.import_module(f"scripts.{name}"), options) for name, *options in job["phases"]]
    Steps(job["kill_at"], pipe).watch()
    try:
        for module, options in phases:
            module.main(options)
    except SystemExit as error:
        return int(error.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 70
    return 0


def _fork(job: Mapping[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    known = set(sys.modules)
    child = os.fork()
    if not child:
        os.close(reading)
        code = _run_child(job, writing)
        sys.stderr.flush()
        _WRITE(writing, "".join(f"{IMPORTED}{name}\n" for name in sys.modules.keys() - known).encode())
        os._exit(code)
    os.close(writing)
    with open(reading, encoding="utf-8", errors="replace") as pipe:  # noqa: PTH123 - a descriptor
        told = pipe.read().splitlines()
    for line in told:
        if line.startswith(IMPORTED):
            importlib.import_module(line.removeprefix(IMPORTED))
    gc.freeze()
    steps = [line for line in told if not line.startswith(IMPORTED)]
    return {"code": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), "steps": steps}


def main() -> None:
    """Serve jobs until stdin ends."""
    # No service here speaks TLS, and reading all certificates takes a client longer than all it then does.
    ssl.create_default_context = lambda *_, **__: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # type: ignore
    for line in sys.stdin:
        print(json.dumps(_fork(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
