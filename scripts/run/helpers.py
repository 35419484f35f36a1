"""Processes that work for a run: one that is suspended must not keep the run from going on or from ending."""

from __future__ import annotations

import contextlib
import os
import signal
import time

SUSPENDED = frozenset("Tt")
"""States of a process, as Linux shows them, in which it does nothing until somebody lets it go on."""


class Helpers:
    """
    Watches this process's helpers.

    Parameters
    ----------
    patience_s : float
        How long one may be suspended, by the clock of a process that is not.
    """

    def __init__(self, *, patience_s: float) -> None:
        self.patience_s = patience_s
        self._since: dict[int, float] = {}
        self._looked_at = time.monotonic()

    def look(self, warm_server: int | None, *, is_draining: bool) -> list[int]:
        """
        End the warm server if it is suspended and, while the run is stopping, every job that is.

        Returns
        -------
        list of int
            Process ids of those that were ended; the jobs of a warm server end with it.
        """
        now = time.monotonic()
        if now - self._looked_at > self.patience_s:  # this process was suspended as well
            self._since.clear()
        self._looked_at = now
        watched = {warm_server} if warm_server is not None else set()
        if is_draining:
            watched |= _descendants()
        suspended = {pid for pid in watched if read_state(pid) in SUSPENDED}
        self._since = {pid: self._since.get(pid, now) for pid in suspended}
        overdue = [pid for pid, since in self._since.items() if now - since >= self.patience_s]
        for pid in overdue:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return overdue


def read_state(pid: int) -> str:
    """Read the state of a process, one letter; an empty text where it is not there or cannot be read."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def _descendants() -> set[int]:
    import psutil

    return {child.pid for child in psutil.Process().children(recursive=True)}
