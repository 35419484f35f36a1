"""
What Snakemake's main process does besides running jobs: the lock, stops and signals, ``run_state.json``.

Only the process that holds the run's lock writes the state.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scripts.clock import now
from scripts.errors import PipelineError, StateError
from scripts.experiment.settings import dump_config
from scripts.experiment.trials import write_trial, write_trials
from scripts.files import explain_disk, read_json, write_json, write_text
from scripts.launcher import warm
from scripts.launcher.server import WARM_MODULES
from scripts.money.price_book import record_prices
from scripts.providers import adapter_modules
from scripts.run.findings import RunView
from scripts.run.folder import POINTER, describe_start
from scripts.run.helpers import Helpers
from scripts.run.lock import RunLock, read_holder
from scripts.run.state import derive_state, last_ending
from scripts.run.stop import HOLDER_VARIABLE, LEFT_THERE_VARIABLE, StopToken, make_stop_token

LOOK_S = 0.5
STATE_S = 1.0
PATIENCE_S = 5.0
"""How long a helper may be suspended before it is ended, and the watching thread may take to end."""

REPEAT_S = {signal.SIGINT: 0.05, signal.SIGTERM: 2.0, signal.SIGHUP: 2.0}
"""Signals that ask a run to end; one that comes again as soon as this was sent to the whole group, too."""


class Supervisor:
    """
    One run's main process, from the first job to the final state.

    Parameters
    ----------
    view : RunView
        The run; what was looked at when jobs were chosen need not be read again.
    drain : callable
        Makes the scheduler start no further job and end once the running ones have ended.
    """

    def __init__(self, view: RunView, drain: Callable[[], None]) -> None:
        self.view = view
        settings = self.settings = view.settings
        self.root = settings.run_root
        self.paths = settings.paths
        self.stop = make_stop_token(settings)
        self._drain = drain
        self._lock = RunLock(self.root)
        self._warm: warm.WarmServer | None = None
        self._helpers = Helpers(patience_s=PATIENCE_S)
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._written: dict[str, Any] = {}
        self._signal: signal.Signals | None = None
        self._signalled_at = 0.0
        self._is_draining = False
        self._fault: str | None = None
        """What went wrong in the watching thread."""

    def start(self) -> None:
        """
        Take the run's lock, check for a stop request, write what jobs read, and start watching.

        Raises
        ------
        StateError
            If another process works on this run, a stop is requested, or the run's folder cannot be written.
        """
        try:
            self._lock.take()
            self._begin()
        except OSError as error:
            self._lock.release()
            raise explain_disk(error) or error from None
        except StateError:
            self._lock.release()
            raise

    def _begin(self) -> None:
        os.environ[HOLDER_VARIABLE] = read_holder(self.root) or ""
        try:
            left_there = self._heed_stop()
        except StateError:
            self._write_state(is_live=False, ended="stopped")
            raise
        os.environ[LEFT_THERE_VARIABLE] = left_there or ""
        self.stop = make_stop_token(self.settings, is_live=True, left_there=left_there)
        self.stop.drain_path.unlink(missing_ok=True)
        self._forget_errors()
        self._write_run_files()
        self._warm = warm.start(
            self.settings.logs_root / "warm.log",
            modules=self._warm_modules(),
        )
        self._write_state(is_live=True)
        for number in REPEAT_S:
            signal.signal(number, self._on_signal)
        self._thread = threading.Thread(target=self._watch, name="run-watch", daemon=True)
        self._thread.start()

    def _warm_modules(self) -> list[str]:
        """
        List what jobs load, in the order in which they need it.

        A provider's client takes a second and 60 MB in each job if it is not already loaded.
        """
        adapters = [name for name in adapter_modules(self.settings) if name not in WARM_MODULES]
        if not adapters:
            return list(WARM_MODULES)
        first_sender = WARM_MODULES.index("scripts.submit")
        return [
            *WARM_MODULES[:first_sender],
            "scripts.money.price_book",
            *adapters,
            *WARM_MODULES[first_sender:],
        ]

    def finish(self, *, succeeded: bool) -> None:
        """Say how the run ended; a stop that was honoured does not block the next start."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(PATIENCE_S)
        if self._warm is not None:
            self._warm.stop()
        # A waiting job may have seen the stop, and ended, before the watching thread looked.
        is_stopping = self._is_stopping or self.stop.is_set()
        was_stopped = not succeeded and is_stopping and self._fault is None
        if was_stopped or self._is_draining:
            self._set_stop_aside()
        ended = None if succeeded else "stopped" if was_stopped else "failed"
        self._is_draining, self._signal = False, None
        with self._complaints():
            self.stop.drain_path.unlink(missing_ok=True)
            self._write_state(is_live=False, ended=ended)
            self.view.remember()
        self._lock.release()

    @property
    def _is_stopping(self) -> bool:
        """Whether the run was told to stop, from the moment when a signal arrives."""
        return self._is_draining or self._signal is not None

    def sync(self) -> None:
        """Bring the state up to date if no job had to run, unless another process is working on the run."""
        if not self.root.is_dir():
            return
        with contextlib.suppress(StateError), self._lock:
            self._write_run_files()
            self._write_state(is_live=False, ended=last_ending(self.root))
            self.view.remember()
        if self.stop.is_requested():
            tell(f"{self.stop.path} exists ({self.stop.describe()}), but there was nothing to stop.")

    def note_failed(self, output: str) -> None:
        """
        Tell the user why the job of an output failed, whatever Snakemake is told to print.

        If a job could not report its own failure (killed, out of memory), a message is written for it.
        """
        unit = next((unit for unit in self.view.units.values() if output in unit.outputs), None)
        if unit is None or self._is_stopping or self.stop.is_set():
            return
        if not Path(unit.error).exists():
            log = self.settings.logs_root / unit.phase / f"{unit.name or 'run'}.log"
            reason = f"the job ended without giving a reason; see {log}"
            self.view.reasons[unit.error] = reason
            with self._complaints():
                write_json(Path(unit.error), {"at": now(), "error": reason})
        error = self.view.reasons.get(unit.error) or read_reason(Path(unit.error))
        tell(f"\n{unit.phase} of {unit.name or 'the run'} failed:\n{error}\n")

    def _on_signal(self, number: int, _frame: object) -> None:
        """First signal: the watching thread drains the run.  Second: end at once."""
        known = signal.Signals(number)
        if self._signal is None:
            self._signal, self._signalled_at = known, time.monotonic()
        elif time.monotonic() - self._signalled_at > REPEAT_S[known]:
            self._end_at_once(number)

    def _end_at_once(self, number: int) -> None:
        import psutil

        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
        self._over.set()
        self._set_stop_aside()
        self._is_draining, self._signal = False, None
        with self._complaints():
            self.stop.drain_path.unlink(missing_ok=True)
            self._write_state(is_live=False, ended="stopped")
        os._exit(128 + number)

    def _watch(self) -> None:
        """Look for stops and for helpers that hang, and keep the state up to date."""
        next_state = time.monotonic()
        while not self._over.wait(LOOK_S):
            try:
                if not self._is_draining and (self._is_stopping or self.stop.is_requested()):
                    self._begin_to_drain()
                warm_pid = self._warm.process.pid if self._warm else None
                self._helpers.look(warm_pid, is_draining=self._is_draining)
                if time.monotonic() >= next_state:
                    with self._complaints():
                        self._write_state(is_live=True)
                    next_state = time.monotonic() + STATE_S
            except Exception as error:
                self._fault = f"{type(error).__name__}: {error}"
                tell(f"The run is ended, as it cannot be watched any more ({self._fault}).")
                self._drain()
                raise

    @contextlib.contextmanager
    def _complaints(self) -> Iterator[None]:
        """Say once what goes wrong (a full disk), and go on: a stop must still be seen."""
        try:
            yield
        except OSError as error:
            tell_once(f"{error.filename or self.paths.state} cannot be written: {error.strerror or error}")

    def _begin_to_drain(self) -> None:
        self._is_draining = True
        if self._signal is not None:
            cause = self._signal.name
            self._tell_jobs(cause)
        else:
            cause = f"{self.stop.path} ({self.stop.describe()})"
        tell(
            f"\nStopping: {cause}. Waiting jobs end now, computing ones finish; paid batches stay at the "
            "provider.\nStart the run again to resume it. (Press Ctrl-C again to end it at once.)"
        )
        self._drain()

    def _tell_jobs(self, cause: str) -> None:
        """Have waiting jobs end: by a file or, where none can be written, as if this process had died."""
        try:
            write_text(self.stop.drain_path, f"{cause} to pid {os.getpid()}, {now()}\n")
        except OSError as error:
            tell_once(f"{self.stop.drain_path} cannot be written: {error.strerror or error}")
            self._lock.release()

    def _heed_stop(self) -> str | None:
        """Refuse to start while a stop is requested; give the identity of a stale file that has to stay."""
        if self.stop.ignore_file or not self.stop.exists():
            return None
        if self.stop.is_stale():
            age, identity = self.stop.describe(), self.stop.identity()
            aside = self.stop.set_aside("stale")
            said = f"renamed to {aside.name}" if aside else "it cannot be renamed and stays where it is"
            tell(f"Ignoring a stale {self.stop.path} ({age}): {said}.")
            return None if aside else identity
        what, fix = explain_stop(self.stop)
        raise StateError(what, where=str(self.stop.path), fix=fix)

    def _set_stop_aside(self) -> None:
        """Rename the honoured file, so that it does not block the next start."""
        if self.stop.is_requested() and self.stop.set_aside("honored") is None:
            tell(f"{self.stop.path} cannot be renamed; delete it before the next start.")

    def _forget_errors(self) -> None:
        """Remove the reasons why jobs failed in an earlier start: they are tried again now."""
        for unit in self.view.units.values():
            Path(unit.error).unlink(missing_ok=True)

    def _write_run_files(self) -> None:
        write_text(self.paths.effective_config, dump_config(self.settings))
        write_json(self.paths.started_with, describe_start(self.settings))
        write_text(self.settings.logs_root / POINTER, f"{self.root.absolute()}\n")
        record_prices(self.settings.config)
        write_trials(self.settings.trials, self.paths.trial_table)
        for trial in self.settings.trials:
            write_trial(trial, self.paths.trial(trial.name))
        for path, expected in self.view.expectations().items():
            write_json(path, expected)

    def _write_state(self, *, is_live: bool, ended: str | None = None) -> None:
        requested = self.stop.is_requested() or self._is_stopping
        state = derive_state(self.view, is_live=is_live, ended=ended, stop_requested=requested)
        if {**state, "updated_at": None} != self._written:
            write_json(self.paths.state, state)
            self._written = {**state, "updated_at": None}


def tell(text: str) -> None:
    """Tell the user, if there still is somebody to be told: a terminal may be closed."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


@functools.cache
def tell_once(text: str) -> None:
    """Tell the user, the first time only."""
    tell(text)


def read_reason(path: Path) -> str:
    """Read why a job failed, whatever the file contains."""
    try:
        return str(read_json(path)["error"])
    except (PipelineError, OSError, KeyError, TypeError):
        return f"{path} cannot be read"


def explain_stop(stop: StopToken) -> tuple[str, str]:
    """Say that a stop is requested, by whom and since when, and the ways to proceed."""
    what = f"a stop is requested, so no job starts ({stop.describe()})"
    limit = "never" if stop.stale_minutes is None else f"after {stop.stale_minutes:g} minutes"
    fix = (
        "Ways to proceed: delete the file; or run with `--config ignore_stop=true`; "
        f"or wait: it becomes stale {limit} (`--config stop_stale_minutes=M`)."
    )
    return what, fix
