"""A small experiment to plan for, a pilot to learn from, and the plan as a user gets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.build import build_trial
from scripts.comparison.metrics import NAMES
from scripts.experiment.settings import Settings, dump_config
from scripts.experiment.trials import Trial
from scripts.money.ledger import Ledger, write_keys
from scripts.plan import main
from scripts.prepare import prepare_dataset
from scripts.score import scores_schema
from tests.fakes.small_experiments import SmallExperiment

BRIEF, PLAIN = "sim__brief__t0", "sim__plain__t0"


def make_experiment(folder: Path) -> SmallExperiment:
    made = SmallExperiment(folder)
    made.config |= {
        "experiments_dir": str(folder / "experiments"),
        "sampling": {"max_tokens": 100},
        "trials": {
            "sweep": {"model": ["sim"], "prompt": ["plain", "brief"]},
            "baseline": {"prompt": "plain"},
        },
    }
    return made


def plan_of(experiment: SmallExperiment, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    experiment.load()
    assert main(["--configfile", str(experiment.folder / "config.yaml"), "--json", *options]) == 0
    plan: dict[str, Any] = json.loads(capsys.readouterr().out)
    return plan


def text_of(experiment: SmallExperiment, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    experiment.load()
    assert main(["--configfile", str(experiment.folder / "config.yaml"), *options]) == 0
    return capsys.readouterr().out


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path): (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def write_pilot(
    experiment: SmallExperiment, scores: dict[str, list[list[float]]], *, tokens: int | None = None
) -> Path:
    """Write a finished run `first`, with scores by trial: a list of replicates per item."""
    loaded = experiment.load(run_id="first")
    loaded.run_root.mkdir(parents=True)
    (loaded.run_root / "effective_config.yaml").write_text(dump_config(loaded))
    for trial, items in scores.items():
        rows = [
            {"dataset": "quiz", "item_id": f"i{number}", "replicate": replicate, "outcome": "answered"}
            | dict.fromkeys(NAMES, score)
            for number, replicates in enumerate(items)
            for replicate, score in enumerate(replicates)
        ]
        folder = loaded.run_root / "trials" / trial
        (folder / "score").mkdir(parents=True)
        pq.write_table(
            pa.Table.from_pylist(rows, schema=scores_schema()), folder / "score" / "scores.parquet"
        )
        if tokens is not None:
            (folder / "parse").mkdir()
            column = pa.array([tokens, None], pa.int64())
            pq.write_table(pa.table({"output_tokens": column}), folder / "parse" / "outcomes.parquet")
    return loaded.run_root


def build_requests(loaded: Settings, trial: Trial) -> Path:
    """Do what prepare and build do for one trial."""
    prepared = []
    for name, entry in loaded.config["datasets"].items():
        prepared.append(loaded.run_root / "datasets" / f"{name}.parquet")
        prepared[-1].parent.mkdir(parents=True, exist_ok=True)
        prepare_dataset(Path(entry["path"]), limit=loaded.config["limit_items"], out=prepared[-1])
    out = loaded.run_root / f"{trial.name}.jsonl"
    build_trial(loaded, trial, prepared, out=out)
    return out


def enter_shard(
    loaded: Settings, trial: str, keys: list[str], *, state: str = "submitted", **facts: Any
) -> None:
    """Enter keys as a shard of the ledger."""
    with Ledger(loaded.run_root / "ledger" / trial) as ledger:
        temporary = ledger.folder / "keys.tmp"
        write_keys(temporary, keys)
        shard = ledger.plan(attempt=1, keys=temporary, n_requests=len(keys))
        ledger.record("intent", shard, key="k", model="sim", **facts)
        ledger.record(state, shard)
