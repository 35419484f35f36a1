"""Where every file of a run is: the only place that spells their names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from scripts.records import OUTPUTS, RUN_OUTPUTS

STATE_FILE = "run_state.json"
LOCK_FILE = ".lock"
STOP_FILE = "STOP_REQUESTED"
DRAIN_FILE = ".draining"
STARTED_WITH = ".started_with.json"

INSIDE = "<run>/"
"""Begins the name of a file of the run in records."""

SLOTS_FILE = "slots.json"
"""Which batches are in the queue of the run, in the folder of its ledgers."""

EVENTS_FILE = "events.jsonl"
"""The file of a trial's ledger."""

ALL_LEDGERS = f"run_*/ledger/*/{EVENTS_FILE}"
"""The ledgers of all runs, relative to the folder of all runs."""


@dataclasses.dataclass(frozen=True)
class RunPaths:
    """
    The files of the run in the folder `root`.

    Examples
    --------
    >>> paths = RunPaths(Path("experiments/run_demo"))
    >>> str(paths.output("score", "t1"))
    'experiments/run_demo/trials/t1/score/scores.parquet'
    """

    root: Path

    @classmethod
    def of(cls, experiments_dir: str | Path, run_id: str) -> RunPaths:
        """Find the folder of the run `run_id` in the folder of all runs."""
        return cls(Path(experiments_dir) / f"run_{run_id}")

    @property
    def run_id(self) -> str:
        """Name of the run, from its folder."""
        return self.root.name.removeprefix("run_")

    @property
    def effective_config(self) -> Path:
        """The configuration that the run was started with, every default filled in."""
        return self.root / "effective_config.yaml"

    @property
    def started_with(self) -> Path:
        """Which configuration files and overrides the run was last started with."""
        return self.root / STARTED_WITH

    @property
    def trial_table(self) -> Path:
        """The table of all trials."""
        return self.root / "trials.tsv"

    @property
    def state(self) -> Path:
        """The state of the run."""
        return self.root / STATE_FILE

    @property
    def lock(self) -> Path:
        """The lock of the process that works on the run."""
        return self.root / LOCK_FILE

    @property
    def stop(self) -> Path:
        """The file that asks the run to stop."""
        return self.root / STOP_FILE

    @property
    def draining(self) -> Path:
        """The file by which the main process tells its jobs that it was told to end."""
        return self.root / DRAIN_FILE

    @property
    def digests(self) -> Path:
        """Digests of outputs, by their size and time: Snakemake dates an output anew once it is recorded."""
        return self.root / ".digests.json"

    @property
    def prices(self) -> Path:
        """What the price table said about the run's models when it was first consulted."""
        return self.root / "prices.json"

    @property
    def checked(self) -> Path:
        """What the checks of a start have found in the datasets, so that the next one need not read them."""
        return self.root / "checked.json"

    @property
    def datasets(self) -> Path:
        """The folder of the prepared datasets."""
        return self.root / "datasets"

    def dataset(self, name: str) -> Path:
        """A prepared dataset."""
        return self.datasets / f"{name}.parquet"

    def prepared(self, names: Iterable[str]) -> list[Path]:
        """The prepared datasets, in the order of `names`."""
        return [self.dataset(name) for name in names]

    @property
    def ledgers(self) -> Path:
        """The folder of what was sent and paid, with a folder for each trial."""
        return self.root / "ledger"

    @property
    def looks(self) -> Path:
        """When results were seen, and with how many questions."""
        return self.ledgers / "looks.jsonl"

    def ledger(self, trial: str) -> Path:
        """The folder of a trial's ledger."""
        return self.ledgers / trial

    @property
    def trials(self) -> Path:
        """The folder with a folder for each trial."""
        return self.root / "trials"

    def trial(self, name: str) -> Path:
        """A trial on its own, so that a job need not expand them all."""
        return self.trials / name / "trial.json"

    def expected(self, phase: str, unit: str) -> Path:
        """What outputs are to be made from, by phase (of a trial) or by dataset, as the start has said."""
        folder = self.datasets if phase == "prepare" else self.trials / unit if unit else self.root
        return folder / "expected.json"

    def folder(self, phase: str, unit: str) -> Path:
        """The folder of a phase's outputs for a dataset (prepare), a trial, or the whole run (no name)."""
        return Path(self._folder(phase, unit))

    def _folder(self, phase: str, unit: str) -> str:
        # Texts: thousands of these are made at each look at a run.
        if phase == "prepare":
            return f"{self.root}/datasets"
        if phase == "mark":
            return f"{self.root}/phases"
        return f"{self.root}/trials/{unit}/{phase}" if unit else f"{self.root}/{phase}"

    def outputs(self, phase: str, unit: str) -> tuple[Path, ...]:
        """What a phase makes for a dataset (prepare), a trial, or the whole run (its report)."""
        if phase == "prepare":
            return (self.dataset(unit),)
        if phase == "mark":
            return (self.marker(unit),)
        names = (OUTPUTS[phase],) if unit else RUN_OUTPUTS
        folder = self._folder(phase, unit)
        return tuple(Path(f"{folder}/{name}") for name in names)

    def key(self, path: str | Path) -> str:
        """
        Name a file in records: those of the run so that it can be moved, others by their paths.

        Examples
        --------
        >>> paths = RunPaths(Path("experiments/run_demo"))
        >>> paths.key("experiments/run_demo/trials.tsv"), paths.key("quiz.jsonl")
        ('<run>/trials.tsv', 'quiz.jsonl')
        """
        own = f"{self.root}/"
        text = str(path)
        return INSIDE + text[len(own) :] if text.startswith(own) else text

    def path(self, key: str) -> str:
        """Find the file that `key` has named; a key of an earlier version is its path."""
        return f"{self.root}/{key[len(INSIDE) :]}" if key.startswith(INSIDE) else key

    def output(self, phase: str, trial: str) -> Path:
        """What a phase makes for a trial."""
        return self.folder(phase, trial) / OUTPUTS[phase]

    def made(self, phase: str, unit: str) -> Path:
        """What outputs were made from, beside them; a marker says so itself."""
        ending = ".done.json" if phase == "mark" else ".made.json"
        return Path(self._stem(phase, unit) + ending)

    def error(self, phase: str, unit: str) -> Path:
        """Why the last try to make outputs failed, beside them."""
        return Path(self._stem(phase, unit) + ".error.json")

    def _stem(self, phase: str, unit: str) -> str:
        name = unit if phase in ("prepare", "mark") else phase  # units that share a folder
        return f"{self._folder(phase, unit)}/{name}"

    def marker(self, phase: str) -> Path:
        """What says that all trials have done a phase."""
        return self.made("mark", phase)

    @property
    def report(self) -> Path:
        """The page about the run."""
        return self.folder("report", "") / "report.html"

    @property
    def summary(self) -> Path:
        """Every number of the report."""
        return self.report.with_name("summary.json")

    def figure(self, name: str) -> Path:
        """A figure of the report."""
        return self.report.parent / "figures" / f"{name}.svg"
