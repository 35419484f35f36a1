"""The parts of a run: one phase of one dataset, trial or the run itself, and what each reads."""

from __future__ import annotations

import dataclasses

from scripts.experiment.settings import Settings
from scripts.records import PHASES
from scripts.run.paths import RunPaths

MARK = "mark"
"""In the place of a phase: the unit is the marker that all trials have done the phase of its name."""

UPSTREAM = {
    "build": "prepare",
    "submit": "build",
    "poll": "submit",
    "parse": "poll",
    "score": "parse",
    "stats": "score",
    "costs": "parse",
}


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
    for phase in PHASES:
        covered = tuple((unit.phase, unit.name) for unit in units if unit.phase == phase)
        units.append(_unit(paths, MARK, phase, covered))
    marks = tuple((MARK, phase) for phase in PHASES)
    reports = tuple(("report", trial.name) for trial in settings.trials)
    units.append(_unit(paths, "report", "", (*reports, *marks)))
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


def needed_phases(phase: str) -> set[str]:
    """List every phase that must be done before `phase`."""
    before = {"report": ("stats", "costs")}.get(phase) or tuple(filter(None, (UPSTREAM.get(phase),)))
    return set(before).union(*(needed_phases(other) for other in before))
