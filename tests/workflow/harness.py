"""Real runs in a folder of their own: start snakemake, look at what it left."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
PATIENCE_S = 90.0


def simulated_config(**changes: Any) -> dict[str, Any]:
    """A small experiment: two prompts, two temperatures, eight items, a batch life of a moment."""
    config: dict[str, Any] = {
        "run_id": "t",
        "datasets": {"sums": {"path": "items.jsonl", "scorer": "short_answer"}},
        "prompts": {"control": {"user": "user.md"}, "treatment": {"user": "user.md", "system": "system.md"}},
        "models": {"sim": {"provider": "simulated", "accuracy": {"control": 0.5, "treatment": 0.9}}},
        "trials": {
            "sweep": {"prompt": ["control", "treatment"], "temperature": [0.0, 0.7]},
            "baseline": {"prompt": "control"},
        },
        "providers": {"simulated": {"poll_seconds": 0.1}},
    }
    return {**config, **changes}


@dataclasses.dataclass
class Experiment:
    """A folder with a configuration in it, and the runs that are started there."""

    folder: Path
    project: Path = ROOT
    """The checkout whose Snakefile is run."""

    def write(self, config: Mapping[str, Any], *, n_items: int = 8) -> Experiment:
        """Write the configuration and the files it names."""
        items = [
            {"id": f"q{n}", "question": f"What is {n} plus {n}?", "answers": [str(2 * n)]}
            for n in range(n_items)
        ]
        lines = (json.dumps(item) + "\n" for item in items)
        for name, text in (
            ("items.jsonl", "".join(lines)),
            ("user.md", "{{ question }}\n"),
            ("system.md", "Think twice.\n"),
            ("config.yaml", yaml.safe_dump(dict(config), sort_keys=False)),
        ):
            (self.folder / name).write_text(text)
        return self

    def reconfigure(self, **changes: Any) -> None:
        """Change top-level keys of the configuration."""
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}, sort_keys=False))

    def command(self, *arguments: str) -> list[str]:
        """Make the snakemake call of this experiment."""
        base = [sys.executable, "-m", "snakemake", "--snakefile", str(self.project / "Snakefile")]
        return [*base, "--configfile", "config.yaml", "--cores", "2", *arguments]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    @contextlib.contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start without waiting; whatever is left of it is killed at the end."""
        with subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    @property
    def root(self) -> Path:
        """The run's folder."""
        return self.folder / "experiments" / "run_t"

    def state(self) -> dict[str, Any]:
        """What run_state.json says."""
        state: dict[str, Any] = json.loads((self.root / "run_state.json").read_text())
        return state

    def summary(self) -> dict[str, Any]:
        """What summary.json says."""
        summary: dict[str, Any] = json.loads((self.root / "report" / "summary.json").read_text())
        return summary

    def table(self, trial: str, file: str) -> list[dict[str, Any]]:
        """Rows of one of a trial's Parquet files."""
        with pq.ParquetFile(self.root / "trials" / trial / file) as table:
            rows: list[dict[str, Any]] = table.read().to_pylist()
        return rows

    def ledgers(self) -> dict[str, bytes]:
        """Every event of the run's ledgers, as it stands there."""
        return {path.parent.name: path.read_bytes() for path in self.root.glob("ledger/*/events.jsonl")}

    def billed(self) -> list[str]:
        """Every request that the simulated provider was asked for, by its own books."""
        books = (self.folder / "experiments").glob(".simulated/*/batch_*/requests.jsonl")
        return [json.loads(line)["custom_id"] for book in books for line in book.read_text().splitlines()]


def wait_until(condition: Callable[[], bool], *, patience_s: float = 30.0) -> None:
    """Wait until something is so; fail if it takes too long."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
