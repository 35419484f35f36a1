"""The stop file: STOP_REQUESTED in a run's folder asks the run to stop."""

from __future__ import annotations

import datetime
import getpass
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import StateError
from scripts.files import dump_line, write_text
from scripts.run.lock import read_holder
from scripts.run.paths import STOP_FILE, RunPaths

if TYPE_CHECKING:
    from scripts.experiment.settings import Settings

MAX_TEXT = 500
"""At most so many bytes of the file are shown."""

HOLDER_VARIABLE = "TRIALMAKE_RUN_HOLDER"
"""Tells a job, by its environment, which process holds the run's lock."""


LEFT_THERE_VARIABLE = "TRIALMAKE_STALE_STOP"
"""Tells a job, by its environment, which stale file asks nothing although it is still there."""


class StopRequested(StateError):  # noqa: N818 - it is no fault, but an answer to a request
    """The run was asked to stop, and this process complies."""


class StopToken:
    """
    Whether a run is asked to stop.

    Parameters
    ----------
    run_root : path-like
        The run's folder.
    ignore_file : bool
        Ignore the file.
    stale_minutes : float, optional
        A file older than this (by its mtime when it is looked at) is ignored; None: never stale.
        An mtime in the future is another machine's clock, not age.
    left_there : str, optional
        Identity (see `StopToken.identity`) of a stale file that could not be set aside: it asks nothing.
    """

    def __init__(
        self,
        run_root: str | os.PathLike[str],
        *,
        ignore_file: bool = False,
        stale_minutes: float | None = None,
        left_there: str | None = None,
    ) -> None:
        self.run_root = Path(run_root)
        self.path = RunPaths(self.run_root).stop
        self.drain_path = RunPaths(self.run_root).draining
        self.ignore_file = ignore_file
        self.stale_minutes = stale_minutes
        self.left_there = left_there

    def set(self, reason: str = "") -> None:
        """Ask the run to stop: write the file, with who, when and why."""
        who = f"{_user()}@{socket.gethostname()} (pid {os.getpid()})"
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        why = reason.encode("utf-8", "replace").decode()  # a command line may hold what is no text
        write_text(self.path, dump_line({"requested_by": who, "requested_at": now, "reason": why}))

    def is_set(self) -> bool:
        """Whether the run should stop now: because of the file, or because its main process was told to."""
        return self.is_requested() or self.drain_path.exists()

    def is_requested(self) -> bool:
        """Whether the file asks the run to stop."""
        if self.ignore_file or not self.exists() or self.is_stale():
            return False
        return self.left_there is None or self.identity() != self.left_there

    def identity(self) -> str | None:
        """Tell this file from a later one of its name; None if there is no file."""
        try:
            status = self.path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return f"{status.st_ino}:{status.st_mtime_ns}"

    def check(self) -> None:
        """
        Raise an error if the run should stop.

        Raises
        ------
        StopRequested
            With the file, its age and who wrote it.
        """
        if self.is_set():
            is_file = self.is_requested()
            raise StopRequested(
                f"a stop is requested ({self.describe()})" if is_file else "the run was told to stop",
                where=str(self.path if is_file else self.drain_path),
                fix="Paid batches stay at the provider; start the run again to collect them.",
            )

    def exists(self) -> bool:
        """Whether the file is there, whatever its age."""
        return os.path.lexists(self.path)

    def is_stale(self) -> bool:
        """Whether the file is older than `stale_minutes`."""
        age = self.age_minutes()
        return age is not None and self.stale_minutes is not None and age > self.stale_minutes

    def age_minutes(self) -> float | None:
        """Age of the file by its mtime, at least 0; None if there is no file."""
        try:
            return max(0.0, time.time() - self.path.lstat().st_mtime) / 60
        except (FileNotFoundError, NotADirectoryError):
            return None

    def describe(self) -> str:
        """Say how old the file is and what it says, in one line."""
        try:
            dated = self.path.lstat().st_mtime
        except (FileNotFoundError, NotADirectoryError):
            return "already gone"
        minutes = (time.time() - dated) / 60
        age = f"{max(0.0, minutes):.1f} minutes old"
        if minutes < -1:
            moment = datetime.datetime.fromtimestamp(dated, datetime.UTC)
            age = f"dated {moment:%Y-%m-%d %H:%M} UTC, ahead of this machine's clock"
        said = self._text()
        return f"{age}: {said}" if said else age

    def set_aside(self, label: str) -> Path | None:
        """
        Rename the file to ``STOP_REQUESTED.<label>.<UTC>``, one second later for each such name that exists.

        Returns
        -------
        Path or None
            The new name; None if there was nothing to rename, or the folder does not allow it.
        """
        moment = datetime.datetime.now(datetime.UTC)
        while os.path.lexists(target := self.path.with_name(f"{STOP_FILE}.{label}.{moment:%Y%m%dT%H%M%SZ}")):
            moment += datetime.timedelta(seconds=1)
        try:
            return self.path.rename(target)
        except OSError:
            return None

    def _text(self) -> str:
        try:
            text = _read_start(self.path).decode("utf-8", "replace")
        except OSError:
            return "(its text cannot be read)"
        return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _read_start(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would have us wait for its writer
    try:
        return os.read(handle, MAX_TEXT)
    finally:
        os.close(handle)


def _user() -> str:
    """Name the user; a container may run under a user id without a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


class JobStopToken(StopToken):
    """
    The stop token of a waiting job, which also ends when the run's main process is gone (kill -9).

    The main process tells its jobs who it is; a job that is started by hand is not affected.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.holder = os.environ.get(HOLDER_VARIABLE) or None

    def check(self) -> None:
        """Raise an error if the run should stop or has lost its main process: see `StopToken.check`."""
        super().check()
        if self.holder is not None and read_holder(self.run_root) != self.holder:
            raise StopRequested(
                f"the run's main process is gone ({self.holder})",
                where=str(self.run_root),
                fix="Paid batches stay at the provider; start the run again to collect them.",
            )


def make_stop_token(settings: Settings, *, is_live: bool = False, left_there: str | None = None) -> StopToken:
    """
    Make the stop token of a run from its settings.

    Parameters
    ----------
    settings : Settings
        The run.
    is_live : bool
        Whether the run is going: then the age of the file says nothing, as it was not there at the start.
    left_there : str, optional
        Identity of a stale file that the start could not set aside.
    """
    return StopToken(
        settings.run_root,
        ignore_file=settings.config["ignore_stop"],
        stale_minutes=None if is_live else settings.config["stop_stale_minutes"],
        left_there=left_there,
    )


def make_job_stop_token(settings: Settings) -> JobStopToken:
    """Make the stop token of a waiting job, which the run's main process has started."""
    return JobStopToken(
        settings.run_root,
        ignore_file=settings.config["ignore_stop"],
        left_there=os.environ.get(LEFT_THERE_VARIABLE) or None,
    )
