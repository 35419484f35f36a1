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
        self._beside: IO[str] | None = None
        """The second file, where readers hold the first."""

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
        if not _take(handle) and not self._take_beside(handle):
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

    def _take_beside(self, handle: IO[str]) -> bool:
        """Where only readers (a backup, say) hold the lock, share it with them, and take the second file."""
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self._beside = _beside(self.path).open("a+", encoding="utf-8")
        if _take(self._beside):
            return True
        self._beside.close()
        self._beside = None
        return False

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._beside is not None:
            self._beside.close()
            self._beside = None
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


def _beside(lock: Path) -> Path:
    return lock.with_name(f"{lock.name}.beside")


def _is_held(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def read_holder(run_root: Path) -> str | None:
    """Say who is working on the run now (host, pid, since when); None if nobody is."""
    path = RunPaths(run_root).lock
    try:
        with path.open(encoding="utf-8") as handle:
            is_held = _is_held(handle)
            if not is_held and _beside(path).exists():
                with _beside(path).open(encoding="utf-8") as second:
                    is_held = _is_held(second)
            if is_held:
                return handle.read().strip() or "an unknown process"
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise StateError(
            "this run belongs to somebody else: its lock may not be read",
            where=str(error.filename or run_root),
            fix="Ask its owner, or the owner of the folder for permission to read it.",
        ) from None
    return None
