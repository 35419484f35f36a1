"""A run's folder whose outputs are a few letters each, with the records that the real jobs keep."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from scripts.errors import DataError
from scripts.experiment.prompts import load_template
from scripts.experiment.settings import Settings, dump_config
from scripts.files import PROJECT_ROOT, write_json
from scripts.mark import mark_phase
from scripts.records import PHASES
from scripts.run.findings import RunView
from scripts.run.job import Job, phase_job
from scripts.run.paths import STARTED_WITH, STATE_FILE
from scripts.run.provenance import made_from
from scripts.run.state import derive_state, present_state
from scripts.run.units import MARK, Unit, run_units
from tests.fakes.small_experiments import SmallExperiment

PLAIN, BRIEF = "sim__plain__t0", "sim__brief__t0"
"""The two trials; the plain one is the other's baseline."""

AFTER = {
    "prepare": set(PHASES),
    "build": set(PHASES[1:]),
    "submit": set(PHASES[2:]),
    "poll": set(PHASES[3:]),
    "parse": {"parse", "score", "stats", "costs", "report"},
    "score": {"score", "stats", "report"},
    "stats": {"stats", "report"},
    "costs": {"costs", "report"},
    "report": {"report"},
}
"""Each phase with all that depend on it."""


class FakeRun:
    """Does what the run's jobs and its main process do to the files of a run, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.experiment = SmallExperiment(folder)
        self.experiment.config |= {
            "models": {"sim": {"provider": "simulated"}},
            "experiments_dir": str(folder / "experiments"),
            "trials": {"sweep": {"prompt": ["plain", "brief"]}, "baseline": {"prompt": "plain"}},
        }
        self.experiment.config["datasets"]["more"] = {"path": "more.jsonl", "scorer": "short_answer"}
        self.experiment.write_items({"id": "m", "question": "?", "answers": ["m"]}, name="more.jsonl")
        self._sizes = itertools.count(1)
        self._loaded: dict[str, Settings] = {}

    @property
    def settings(self) -> Settings:
        """The present configuration."""
        load_template.cache_clear()
        text = json.dumps(self.experiment.config)
        if text not in self._loaded:
            self._loaded[text] = self.experiment.load()
        return self._loaded[text]

    @property
    def root(self) -> Path:
        return self.experiment.folder / "experiments" / "run_small"

    def reconfigure(self, **changes: Any) -> None:
        self.experiment.config |= changes

    def unit(self, phase: str, name: str) -> Unit:
        return run_units(self.settings)[phase, name]

    def output(self, phase: str, name: str) -> Path:
        return Path(self.unit(phase, name).outputs[0])

    def record(self, phase: str, name: str) -> Path:
        return Path(self.unit(phase, name).made)

    def start(self) -> Settings:
        """Write what jobs read, as the start of a run does."""
        settings = self.settings
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "effective_config.yaml").write_text(dump_config(settings))
        write_json(self.root / STARTED_WITH, settings.started_with)
        return settings

    def complete(self, phase: str, name: str, *, settings: Settings | None = None) -> None:
        """Do one unit's job: no two of its outputs are alike.  The markers come before the run's report."""
        settings = settings or self.start()
        if (phase, name) == ("report", ""):
            for marked in PHASES:
                self.complete(MARK, marked, settings=settings)
        unit = run_units(settings)[phase, name]
        if phase == MARK:
            mark_phase(self.root, name, out=Path(unit.outputs[0]))
            return
        with phase_job(self._job(settings, unit)):
            for output in unit.outputs:
                Path(output).parent.mkdir(parents=True, exist_ok=True)
                Path(output).write_text("x" * next(self._sizes))

    def fail(self, phase: str, name: str, what: str = "the third line is wrong") -> None:
        """Have one unit's job fail with a message to the user."""
        settings = self.start()
        with (
            contextlib.suppress(SystemExit),
            phase_job(self._job(settings, run_units(settings)[phase, name])),
        ):
            raise DataError(what, where=f"{phase} of {name}", fix="Correct it.")

    def complete_all(self) -> FakeRun:
        """Do every job, and the run's report."""
        return self.complete_phases(*PHASES)

    def complete_phases(self, *phases: str) -> FakeRun:
        """Do all jobs of some phases."""
        settings = self.start()
        for phase, name in run_units(settings):
            if phase in phases:
                self.complete(phase, name, settings=settings)
        return self

    def state(self) -> dict[str, Any]:
        """The state at this moment, which always fits its schema."""
        return valid(present_state(self.settings))

    def save_state(self, *, is_live: bool, ended: str | None = None) -> None:
        """Write the state as a run's main process does."""
        state = derive_state(RunView(self.settings), is_live=is_live, ended=ended)
        write_json(self.root / STATE_FILE, valid(state))

    def _job(self, settings: Settings, unit: Unit) -> Job:
        units = run_units(settings)
        inputs = [Path(path) for key in unit.upstream for path in units[key].outputs]
        if unit.phase == "prepare":
            source = settings.config["datasets"][unit.name]["path"]
            inputs.append(settings.find_file(source, "datasets", unit.name, "path"))
        elif unit.phase == "build":
            prompt = settings.config["prompts"][settings.trial_by_name[unit.name].prompt]
            inputs += [settings.find_file(path, "prompts") for path in prompt.values()]
        outputs = tuple(Path(path) for path in unit.outputs)
        digest = made_from(settings, unit.phase, unit.name)
        return Job(unit.phase, self.root, unit.name, tuple(inputs), outputs, digest)


@functools.cache
def _validator() -> Any:
    schema = yaml.safe_load((PROJECT_ROOT / "workflow" / "schemas" / "run_state.schema.yaml").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def valid(state: dict[str, Any]) -> dict[str, Any]:
    """Hold a state to its schema, as written and read again."""
    _validator().validate(json.loads(json.dumps(state, allow_nan=False)))
    for phase in state["phases"].values():
        assert phase["done"] + phase["failed"] <= phase["total"]
    return state


def undone(state: dict[str, Any]) -> set[str]:
    """The phases that are not completed."""
    return {name for name, phase in state["phases"].items() if phase["status"] != "completed"}


def counts(state: dict[str, Any]) -> dict[str, int]:
    """How many units of each phase are done."""
    return {name: phase["done"] for name, phase in state["phases"].items()}


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder with its size and time, but for what Snakemake and Python keep for themselves."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if not {".snakemake", "__pycache__"} & set(path.relative_to(folder).parts)
    }
