"""
The truth about a run, derived from its outputs: what is done, what failed, what is left.

An output counts only if its record says that it was made from the present configuration and inputs; what an
earlier run has left behind (an output, a marker) counts for nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.clock import now
from scripts.errors import PipelineError, StateError
from scripts.experiment.settings import Settings
from scripts.files import cached_sha256, write_json
from scripts.records import PHASES, digest
from scripts.run.folder import present_settings
from scripts.run.lock import RunLock, read_holder
from scripts.run.paths import RunPaths
from scripts.run.provenance import made_from
from scripts.run.stop import make_stop_token

UPSTREAM = {
    "build": "prepare",
    "submit": "build",
    "poll": "submit",
    "parse": "poll",
    "score": "parse",
    "stats": "score",
    "costs": "parse",
}
STATE_VERSION = 2
ENDINGS = {"stopped": "stopped", "failed": "failed", "running": "interrupted", "interrupted": "interrupted"}
"""How a run ended, as last recorded by a process that no longer exists."""


@dataclasses.dataclass(frozen=True)
class Unit:
    """One phase of one dataset, one trial or (its report) the whole run."""

    phase: str
    name: str
    """Dataset or trial; empty for the whole run."""
    made: str
    """Path of what its outputs were made from."""
    error: str
    """Path of the reason for a failure."""
    outputs: tuple[str, ...]
    upstream: tuple[tuple[str, str], ...]
    """Phase and name of every unit whose output this one reads."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """What was found of one unit."""

    is_done: bool
    is_ready: bool
    """Whether everything that it reads is done."""
    was_made: bool = False
    """Whether it was ever done, even if that is out of date."""
    started_at: str | None = None
    finished_at: str | None = None
    error: str | None = None


def run_units(settings: Settings) -> dict[tuple[str, str], Unit]:
    """List every unit of a run in the order of the pipeline, by phase and name."""
    paths = settings.paths
    units: list[Unit] = []
    for name in settings.config["datasets"]:
        units.append(_unit(paths, "prepare", name, ()))
    for phase in PHASES[1:]:
        for trial in settings.trials:
            upstream = _upstream(settings, phase, trial.name, trial.baseline)
            units.append(_unit(paths, phase, trial.name, upstream))
    reports = tuple(("report", trial.name) for trial in settings.trials)
    units.append(_unit(paths, "report", "", reports))
    return {(unit.phase, unit.name): unit for unit in units}


def _unit(paths: RunPaths, phase: str, name: str, upstream: tuple[tuple[str, str], ...]) -> Unit:
    outputs = tuple(map(str, paths.outputs(phase, name)))
    return Unit(phase, name, str(paths.made(phase, name)), str(paths.error(phase, name)), outputs, upstream)


def _upstream(
    settings: Settings, phase: str, trial: str, baseline: str | None
) -> tuple[tuple[str, str], ...]:
    if phase == "build":
        return tuple(("prepare", name) for name in settings.config["datasets"])
    if phase == "report":
        return ("stats", trial), ("costs", trial)
    own = ((UPSTREAM[phase], trial),)
    return (*own, ("score", baseline)) if phase == "stats" and baseline else own


class RunView:
    """A view of a run's folder; remembers the records that have not changed since the last look."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.units = run_units(settings)
        self._records: dict[str, tuple[int, Any]] = {}
        self._made_from: dict[tuple[str, str], str] = {}
        self._stats: dict[str, os.stat_result | None] = {}

    def look(self) -> dict[tuple[str, str], Finding]:
        """Find out about every unit, once."""
        self._stats.clear()
        findings: dict[tuple[str, str], Finding] = {}
        for key, unit in self.units.items():
            is_ready = all(findings[other].is_done for other in unit.upstream)
            was_made = self._stat(unit.made) is not None
            record = self._read(unit.made) if is_ready else None
            if record is not None and self._is_current(unit, record):
                times = _moment(record.get("started_at")), _moment(record.get("finished_at"))
                findings[key] = Finding(True, True, True, *times)
            else:
                findings[key] = Finding(False, is_ready, was_made, error=self._read_error(unit))
        return findings

    def _is_current(self, unit: Unit, record: Mapping[str, Any]) -> bool:
        outputs, inputs = record.get("outputs"), record.get("inputs")
        return (
            isinstance(outputs, dict)
            and isinstance(inputs, dict)
            and record.get("made_from") == self._expected(unit)
            and all(path in outputs for path in unit.outputs)
            and all(self._is_same(path, print_) for path, print_ in outputs.items())
            and all(self._is_same(path, print_) for path, print_ in inputs.items())
        )

    def _expected(self, unit: Unit) -> str | object:
        """What a current record says that it was made from; nothing does where a file of it is gone."""
        key = unit.phase, unit.name
        if key not in self._made_from:
            try:
                self._made_from[key] = made_from(self.settings, *key)
            except (OSError, PipelineError):
                return object()
        return self._made_from[key]

    def _is_same(self, path: str, print_: Any) -> bool:
        """Whether a file is as recorded: the same size and mtime or, if only touched, the same content."""
        status = self._stat(path)
        if status is None or not isinstance(print_, dict) or status.st_size != print_.get("size"):
            return False
        if status.st_mtime_ns == print_.get("mtime_ns"):
            return True
        try:
            return cached_sha256(Path(path)) == print_.get("sha256")
        except OSError:
            return False

    def _read_error(self, unit: Unit) -> str | None:
        """Why the last attempt failed; None if it did not."""
        if self._stat(unit.error) is None:
            return None
        said = (self._read(unit.error) or {}).get("error")
        return said if isinstance(said, str) and said else f"the job failed; {unit.error} cannot be read"

    def _stat(self, path: str) -> os.stat_result | None:
        """Stat a file once per look."""
        if path not in self._stats:
            try:
                self._stats[path] = os.stat(path)  # noqa: PTH116 - thousands of these a second
            except (OSError, ValueError):  # a broken record may name what is no path
                self._stats[path] = None
        return self._stats[path]

    def _read(self, path: str) -> Any:
        status = self._stat(path)
        if status is None:
            return None
        known = self._records.get(path)
        if known is None or known[0] != status.st_mtime_ns:
            try:
                value = json.loads(Path(path).read_bytes())
            except (OSError, ValueError, RecursionError):
                value = None
            known = (status.st_mtime_ns, value if isinstance(value, dict) else None)
            self._records[path] = known
        return known[1]


def _moment(text: Any) -> str | None:
    """Take a time from a record, if it is one."""
    try:
        return text if datetime.datetime.fromisoformat(text).tzinfo is not None else None
    except (TypeError, ValueError):
        return None


def needed_phases(phase: str) -> set[str]:
    """List every phase that must be done before `phase`."""
    before = {"report": ("stats", "costs")}.get(phase) or tuple(filter(None, (UPSTREAM.get(phase),)))
    return set(before).union(*(needed_phases(other) for other in before))


def read_last_state(run_root: Path) -> dict[str, Any] | None:
    """Read ``run_state.json`` as it was last written; None if there is none that can be read."""
    try:
        state = json.loads(RunPaths(run_root).state.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return state if isinstance(state, dict) and "status" in state else None


def last_ending(run_root: Path) -> str | None:
    """How the last process that worked on a run ended, if known; a killed one could not say."""
    return ENDINGS.get(str((read_last_state(run_root) or {}).get("status")))


def present_state(settings: Settings) -> dict[str, Any]:
    """Derive the state of a run at this moment, whether or not a process is working on it."""
    return derive_state(
        RunView(settings),
        is_live=read_holder(settings.run_root) is not None,
        ended=last_ending(settings.run_root),
        stop_requested=make_stop_token(settings).is_set(),
    )


def sync_run_state(run_root: str | os.PathLike[str]) -> dict[str, Any]:
    """
    Bring ``run_state.json`` up to date with the outputs, and return what it says.

    While a process works on the run, that process alone writes the file.

    Raises
    ------
    ConfigError
        If the run has no configuration that can be read.
    """
    settings = present_settings(Path(run_root))
    state = present_state(settings)
    with contextlib.suppress(StateError), RunLock(settings.run_root):
        write_json(settings.paths.state, state)
    return state


def derive_state(
    view: RunView, *, is_live: bool, ended: str | None = None, stop_requested: bool = False
) -> dict[str, Any]:
    """
    Derive the content of ``run_state.json`` from the outputs.

    Parameters
    ----------
    view : RunView
        The run.
    is_live : bool
        Whether a process is working on it now.
    ended : str, optional
        How the last process ended, if known: ``stopped``, ``failed`` or ``interrupted``.
    stop_requested : bool
        Whether the run has been asked to stop.
    """
    findings = view.look()
    status = _run_status(findings, is_live=is_live, ended=ended)
    phases = {phase: _phase_state(phase, findings, status) for phase in PHASES}
    trials = {trial.name: _trial_state(trial.name, findings, status) for trial in view.settings.trials}
    return {
        "schema_version": STATE_VERSION,
        "run_id": view.settings.run_id,
        "config_hash": digest(_hashed_config(view.settings)),
        "status": status,
        "stop_requested": stop_requested,
        "updated_at": now(),
        "phases": phases,
        "trials": trials,
    }


def _hashed_config(settings: Settings) -> dict[str, Any]:
    """The configuration without what changes no result."""
    apart = {"ignore_stop", "stop_stale_minutes", "max_active_batches", "budget_usd", "providers"}
    return {key: value for key, value in settings.config.items() if key not in apart}


def _run_status(findings: Mapping[tuple[str, str], Finding], *, is_live: bool, ended: str | None) -> str:
    if is_live:
        return "running"
    if all(finding.is_done for finding in findings.values()):
        return "completed"
    if ended is not None:
        return ended
    if any(finding.error for finding in findings.values()):
        return "failed"
    return "interrupted" if any(finding.was_made for finding in findings.values()) else "not_started"


def _phase_state(phase: str, findings: Mapping[tuple[str, str], Finding], status: str) -> dict[str, Any]:
    own = {unit: finding for (name, unit), finding in findings.items() if name == phase}
    units = [finding for unit, finding in own.items() if unit]
    done = [finding for finding in units if finding.is_done]
    errors = [finding.error for finding in own.values() if finding.error]  # also of the run's own page
    word = _phase_status(units, status, n_done=len(done), has_failed=bool(errors))
    starts = [finding.started_at for finding in done if finding.started_at]
    ends = [finding.finished_at for finding in done if finding.finished_at]
    return {
        "status": word,
        "done": len(done),
        "failed": sum(finding.error is not None for finding in units),
        "total": len(units),
        "started_at": min(starts, default=None),
        "updated_at": max(ends, default=None),
        "completed_at": max(ends, default=None) if word == "completed" else None,
        "last_error": errors[-1] if errors else None,
    }


def _phase_status(units: Sequence[Finding], status: str, *, n_done: int, has_failed: bool) -> str:
    if has_failed:
        return "failed"
    if n_done == len(units):
        return "completed"
    has_begun = n_done > 0 or any(unit.is_ready for unit in units)
    if not has_begun or status == "not_started":
        return "not_started"
    return "in_progress" if status == "running" else "stopped"


def _trial_state(trial: str, findings: Mapping[tuple[str, str], Finding], status: str) -> dict[str, Any]:
    own = [(phase, findings[phase, trial]) for phase in PHASES[1:]]
    failed = next(((phase, finding) for phase, finding in own if finding.error), None)
    if failed is not None:
        return {"phase": failed[0], "status": "failed", "error": failed[1].error}
    phase, finding = next(((phase, finding) for phase, finding in own if not finding.is_done), own[-1])
    if finding.is_done:
        return {"phase": phase, "status": "completed", "error": None}
    has_begun = any(finding.is_done for _, finding in own)
    if status == "running":
        word = "in_progress" if has_begun or finding.is_ready else "not_started"
    else:
        word = "stopped" if has_begun else "not_started"
    return {"phase": phase, "status": word, "error": None}
