"""The lock of a run: only one process works on it at a time, and a dead one blocks nothing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from pathlib import Path
from typing import IO, Self

from scripts.clock import now
from scripts.errors import StateError
from scripts.run.paths import RunPaths

LOOK_OVER_S = 0.2
"""A process that only reads who holds the lock blocks it for a moment; by then that is over."""


class RunLock:
    """
    An advisory lock (`flock`) on a file of the run's folder, which says who holds it.

    It ends with its process, however that ends, and works across hosts on a shared file system.
    """

    def __init__(self, run_root: Path) -> None:
        self.path = RunPaths(run_root).lock
        self._handle: IO[str] | None = None

    def take(self) -> None:
        """
        Take the lock.

        Raises
        ------
        StateError
            If another process holds it; names its host and pid.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = self.path.open("a+", encoding="utf-8")
        if not _take(handle):
            handle.close()
            raise StateError(
                f"another process is working on this run: {read_holder(self.path.parent) or 'unknown'}",
                where=str(self.path.parent),
                fix="Wait until it has ended, or ask it to stop; then start again.",
            )
        handle.truncate(0)
        handle.write(f"host {socket.gethostname()}, pid {os.getpid()}, since {now()}\n")
        handle.flush()
        self._handle = handle

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._handle is not None:
            with contextlib.suppress(OSError):  # a disk that cannot be written keeps the text, not the lock
                self._handle.truncate(0)
            self._handle.close()
            self._handle = None

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _take(handle: IO[str]) -> bool:
    """Take the lock; retry while another process may only be reading who holds it."""
    deadline = time.monotonic() + LOOK_OVER_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_OVER_S / 20)
        else:
            return True


def read_holder(run_root: Path) -> str | None:
    """Say who is working on the run now (host, pid, since when); None if nobody is."""
    try:
        with RunPaths(run_root).lock.open(encoding="utf-8") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return handle.read().strip() or "an unknown process"
    except (FileNotFoundError, NotADirectoryError):
        return None
    return None
