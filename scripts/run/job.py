"""What all phases' commands have in common: options, settings, clear errors, a record of what was made."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.clock import now
from scripts.errors import PipelineError, user_errors
from scripts.experiment.settings import Settings, read_run_settings
from scripts.files import explain_disk, write_json
from scripts.run.file_identity import identify, identify_unchanged
from scripts.run.paths import RunPaths
from scripts.run.stop import StopRequested

SCHEMA_VERSION = 2


@dataclasses.dataclass(frozen=True)
class Job:
    """One phase of one unit: a trial, a dataset (prepare) or the whole run (its report)."""

    phase: str
    run: Path
    unit: str
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    made_from: str | None
    """Digest of the settings and code behind the outputs, as the rule computed it."""

    @property
    def made_path(self) -> Path:
        """The record of what was made, beside the outputs."""
        return RunPaths(self.run).made(self.phase, self.unit)

    @property
    def error_path(self) -> Path:
        """Why the last attempt failed."""
        return RunPaths(self.run).error(self.phase, self.unit)


def phase_parser(phase: str, purpose: str, *, unit: str = "trial") -> argparse.ArgumentParser:
    """Start a phase's command line with the options common to all phases."""
    parser = argparse.ArgumentParser(prog=f"python -m scripts.{phase}", description=purpose)
    parser.add_argument("--run", type=Path, required=True, help="the run's folder")
    if unit:
        parser.add_argument(f"--{unit}", required=True, help=f"name of the {unit}")
    parser.add_argument("--made-from", help="digest of settings and code, for the record")
    return parser


@contextlib.contextmanager
def phase_job(job: Job) -> Iterator[Settings]:
    """
    Run a phase's work: give it the run's settings, record what it made, keep why it failed.

    A user's mistake becomes one message and exit code 1; a bug keeps its traceback.  A stop on request is
    no failure: nothing is recorded.
    """
    started, paths = now(), RunPaths(job.run)
    with user_errors(), keeping_error(job.error_path):
        inputs = {paths.key(path): identify_unchanged(path, paths) for path in job.inputs}
        yield read_run_settings(job.run)
        record = {
            "schema_version": SCHEMA_VERSION,
            "phase": job.phase,
            "unit": job.unit,
            "made_from": job.made_from,
            "started_at": started,
            "finished_at": now(),
            "inputs": inputs,
            "outputs": {paths.key(path): identify(path) for path in job.outputs},
        }
        write_json(job.made_path, record)


@contextlib.contextmanager
def keeping_error(path: Path) -> Iterator[None]:
    """
    Write down why the block fails, and forget it when it does not; a stop on request is no failure.

    A disk that is full, or may not be written, is told as what it is, also where that cannot be written down.
    """
    try:
        yield
        path.unlink(missing_ok=True)
    except StopRequested:
        raise
    except PipelineError as error:
        _keep_error(path, str(error))
        raise
    except OSError as error:
        explained = explain_disk(error)
        _keep_error(path, str(explained or f"{type(error).__name__}: {error}"))
        if explained is None:
            raise
        raise explained from None
    except Exception as error:
        _keep_error(path, f"{type(error).__name__}: {error}")
        raise


def _keep_error(path: Path, error: str) -> None:
    # The reason is printed all the same: a full disk must not hide it behind another error.
    with contextlib.suppress(OSError):
        write_json(path, {"at": now(), "error": error.encode("utf-8", "replace").decode()})


def trial_job(
    phase: str, options: argparse.Namespace, *, inputs: Sequence[Path], outputs: Sequence[Path]
) -> Job:
    """Describe the job of a phase that works on one trial."""
    return Job(
        phase,
        options.run,
        options.trial,
        tuple(inputs),
        tuple(outputs),
        options.made_from,
    )


@functools.cache
def say_once(message: str) -> None:
    """Write a line to the job's log, the first time only."""
    say(message)


def say(message: str) -> None:
    """Write a line to the job's log."""
    print(f"{time.strftime('%H:%M:%S')} [{os.getpid()}] {message}", file=sys.stderr, flush=True)
