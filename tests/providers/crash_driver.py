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
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = frozenset({"os.rename", "os.remove", "os.rmdir", "os.truncate", "os.link"})
PATIENCE_S = 20
IMPORTED = "imported "
MAX_TOLD = 100
"""So much of what is sent is told of."""


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
        stride: int = 1,
        start_call: str = "",
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
        stride : int
            Of the steps that change nothing that lasts, every so many is counted.
        start_call : str
            How the call begins that starts a batch: all its steps are counted.
        environment, patches : mapping
            What is set in the child: variables, and attributes by ``module:name.name``.
        """
        counting = {"kill_at": kill_at, "stride": stride, "start_call": start_call}
        job = {"phases": phases, "counting": counting, "log": str(self._log)}
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
    """
    Counts the steps of a child, tells them through a pipe, and kills it in front of one of them.

    Files that are written, renamed or removed always count, and so does what comes next; of the rest, each
    piece of a call that starts a batch, and every so many.
    """

    def __init__(self, pipe: int, *, kill_at: int | None, stride: int, start_call: str) -> None:
        self.kill_at = kill_at
        self._stride, self._start_call = stride, start_call
        self._count, self._n_slight = 0, 0
        self._is_after_change = self._is_starting = False
        self._lock = threading.Lock()
        self._tell = functools.partial(_WRITE, pipe)

    def step(self, what: str) -> int:
        """Count a step; how many there were."""
        with self._lock:
            if self._counts(what):
                self._count += 1
                if self._count == self.kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)
                self._tell(f"{what}\n".encode())
            return self._count

    def _counts(self, what: str) -> bool:
        is_change = what.startswith(("write", "os."))
        if what.startswith(("send '", 'send "', "sendall")) and " HTTP/1.1" in what:
            self._is_starting = bool(self._start_call) and self._start_call in what
        self._is_starting &= not is_change
        self._n_slight = 0 if is_change or self._is_after_change else self._n_slight + 1
        counts = is_change or self._is_after_change or self._is_starting or self._n_slight >= self._stride
        self._is_after_change = is_change
        if counts:
            self._n_slight = 0
        return counts

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
            sent = arguments[1] if name.startswith("send") else b""
            line = bytes(sent[:MAX_TOLD]).partition(b"\r\n")[0].decode("latin-1")
            self.step(f"{name} {line!a}")
            return call(*arguments, **options)

        return counted

    def _write(self, descriptor: int, content: bytes) -> int:
        """Write as os.write does, but so that the child can be killed halfway (as a power cut may)."""
        number = self.step("write")
        half = len(content) // 2
        if number + 1 == self.kill_at:
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
    Steps(pipe, **job["counting"]).watch()
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
            with contextlib.suppress(ModuleNotFoundError):  # some put themselves there under another name
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
