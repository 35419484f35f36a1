"""
The truth about a run, derived from its outputs: what is done, what failed, what is left.

An output counts only if its record says that it was made from the present configuration and inputs; what an
earlier run has left behind (an output, a marker) counts for nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.clock import now
from scripts.errors import StateError
from scripts.experiment.settings import Settings
from scripts.files import write_json
from scripts.records import PHASES, digest
from scripts.run.findings import Finding, RunView
from scripts.run.folder import present_run
from scripts.run.lock import RunLock, read_holder
from scripts.run.paths import RunPaths
from scripts.run.stop import make_stop_token
from scripts.run.units import MARK

STATE_VERSION = 2
ENDINGS = {"stopped": "stopped", "failed": "failed", "running": "interrupted", "interrupted": "interrupted"}
"""How a run ended, as last recorded by a process that no longer exists."""


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
    is_live = read_holder(settings.run_root) is not None
    return derive_state(
        RunView(settings),
        is_live=is_live,
        ended=last_ending(settings.run_root),
        stop_requested=make_stop_token(settings, is_live=is_live).is_set(),
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
    with present_run(Path(run_root)) as settings:
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
    marker = findings[MARK, phase]
    units = [finding for unit, finding in own.items() if unit]
    done = [finding for finding in units if finding.is_done]
    # also of the run's own page, and of the marker
    errors = [finding.error for finding in (*own.values(), marker) if finding.error]
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
