"""What every phase's command has in common: options, settings, clear errors, a record of what was made."""

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
from typing import Any

from scripts.clock import now
from scripts.errors import DataError, PipelineError, user_errors
from scripts.experiment.settings import Settings, read_run_settings
from scripts.files import file_sha256, read_json, write_json
from scripts.run.stop import StopRequested

SCHEMA_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Job:
    """One phase of one unit: a trial, a dataset (prepare) or the whole run (its report)."""

    phase: str
    run: Path
    folder: Path
    """Where the phase's outputs of this unit are."""
    unit: str
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    made_from: str | None
    """Digest of the settings and code behind the outputs, as the rule computed it."""

    @property
    def record_path(self) -> Path:
        """The record of what was made, beside the outputs."""
        return record_path(self.folder, self.phase, self.unit)

    @property
    def error_path(self) -> Path:
        """Why the last try failed."""
        return Path(error_path(str(self.record_path)))


def record_path(folder: Path, phase: str, unit: str) -> Path:
    """Path of the record beside the outputs; the datasets share a folder, so it carries their name."""
    return folder / (f"{unit}.made.json" if phase == "prepare" else f"{phase}.made.json")


def error_path(record: str) -> str:
    """Path of the reason of a failure, beside the record of what was made (texts: thousands a second)."""
    return record.removesuffix(".made.json") + ".error.json"


def phase_parser(phase: str, purpose: str, *, unit: str = "trial") -> argparse.ArgumentParser:
    """Start a phase's command line with the options that all of them have."""
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
    started = now()
    with user_errors():
        try:
            inputs = {str(path): checked_fingerprint(path) for path in job.inputs}
            yield read_run_settings(job.run)
        except StopRequested:
            raise
        except PipelineError as error:
            _keep_error(job, str(error))
            raise
        except Exception as error:
            _keep_error(job, f"{type(error).__name__}: {error}")
            raise
        record = {
            "schema_version": SCHEMA_VERSION,
            "phase": job.phase,
            "unit": job.unit,
            "made_from": job.made_from,
            "started_at": started,
            "finished_at": now(),
            "inputs": inputs,
            "outputs": {str(path): fingerprint(path) for path in job.outputs},
        }
        write_json(job.record_path, record)
        job.error_path.unlink(missing_ok=True)


def _keep_error(job: Job, error: str) -> None:
    write_json(job.error_path, {"at": now(), "error": error.encode("utf-8", "replace").decode()})


def checked_fingerprint(path: Path) -> dict[str, Any]:
    """
    Take a file's fingerprint, and refuse one that is not as the phase that made it has left it.

    Raises
    ------
    DataError
        If the file was edited or cut off since; nothing is computed from it.
    """
    print_ = fingerprint(path)
    for record in path.parent.glob("*.made.json"):
        made = read_json(record).get("outputs", {}).get(str(path))
        if made is not None and made["sha256"] != print_["sha256"]:
            raise DataError(
                "has changed since it was made",
                where=str(path),
                fix="Delete it and run again: it is made anew.",
            )
    return print_


def fingerprint(path: Path) -> dict[str, Any]:
    """Say what tells one content of a file from another: size, mtime in ns, SHA-256."""
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": file_sha256(path)}


def trial_job(
    phase: str, options: argparse.Namespace, *, inputs: Sequence[Path], outputs: Sequence[Path]
) -> Job:
    """Describe the job of a phase that works on one trial."""
    return Job(
        phase,
        options.run,
        options.run / "trials" / options.trial / phase,
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
