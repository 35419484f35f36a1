"""
What scores, statistics and reports cost: two trials over two datasets, 100,000 rows in all.

Run it with ``python -m benchmarks.analysis [--rows N]... [--replicates N] [--json]``.  It makes the files
that these phases read, and runs the phases as a run on two cores does: each job a child of a process that
has loaded the libraries, two at a time.  Seconds are of the clock; ``cpu`` is processor time, user and
system, of all jobs of the phase; on a machine with other work the clock says little.  ``peak MB`` is the most
that one job held, ``at once`` the sum of the two peaks; both count the libraries that jobs share.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import gc
import hashlib
import importlib
import itertools
import json
import os
import random
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from scripts.experiment.settings import Settings, load_settings
from scripts.launcher.server import WARM_MODULES, forbid_threads
from scripts.records import Item, Trial

N_TRIALS = 2
DATASETS = ("reading", "trivia")
CHUNK_ROWS = 5000
QUESTIONS_PER_PASSAGE = 5
N_WORDS = 20_000
SYLLABLES = ("ba", "de", "fi", "go", "lu", "mer", "nos", "pa", "rin", "sta", "tol", "ur", "ven", "xan", "yor")
ABSTENTION = "I don't know."
FAILED = ("errored", "expired", "missing")


class Language:
    """Words, a few of them in most texts and most of them in few, as in a language."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.words = ["".join(self.random.choices(SYLLABLES, k=1 + n % 3)) for n in range(N_WORDS)]

    def text(self, n_words: int) -> str:
        """Make a text of so many words."""
        return " ".join(self.words[int(N_WORDS * self.random.random() ** 3)] for _ in range(n_words))

    def answer(self) -> str:
        """Make a short answer."""
        return self.text(self.random.randint(1, 3)).title()

    def phrase(self, passage: str) -> str:
        """Take some words of a passage."""
        words = passage.split()
        first = self.random.randrange(len(words))
        return " ".join(words[first : first + self.random.randint(1, 3)]).title()

    def items(self, dataset: str, n_items: int) -> Iterator[Item]:
        """Make items; those for reading share passages, and a third of them has no answer."""
        passage = ""
        for number in range(n_items):
            is_read = dataset == "reading"
            if is_read and number % QUESTIONS_PER_PASSAGE == 0:
                passage = self.text(self.random.randint(40, 80))
            first = self.phrase(passage) if is_read else self.answer()
            others = [self.answer() for _ in range(self.random.randint(0, 3))]
            is_unanswerable = is_read and self.random.random() < 1 / 3
            yield Item(
                id=f"{dataset}-{number:07d}",
                question=f"Which {self.text(12)}?",
                answers=() if is_unanswerable else (first, *others),
                is_unanswerable=is_unanswerable,
                context=passage if is_read else None,
                cluster=f"passage {number // QUESTIONS_PER_PASSAGE}" if is_read else None,
            )

    def reply(self, item: Item, skill: float) -> tuple[str, str | None]:
        """Make the outcome and the text of an answer."""
        chance = self.random.random()
        if chance < 0.015:
            return self.random.choice(FAILED), None
        if chance < 0.02:
            return "refused", "I cannot help with that."
        if chance < (0.5 if item.is_unanswerable else 0.1):
            return "answered", ABSTENTION
        text = item.answers[0] if item.answers and self.random.random() < skill else self.answer()
        if chance > 0.98:
            return "truncated", f"{text}, as {self.text(40)}"
        return "answered", f"{text}." if chance > 0.8 else text


def write_experiment(folder: Path, n_rows: int, replicates: int) -> Settings:
    """Write a run whose trials have been parsed."""
    (folder / "user.md").write_text("{{ question }}\n")
    for name in DATASETS:
        (folder / f"{name}.jsonl").touch()
    config = {
        "run_id": "bench",
        "experiments_dir": str(folder / "experiments"),
        "datasets": {
            name: {"path": str(folder / f"{name}.jsonl"), "scorer": "short_answer"} for name in DATASETS
        },
        "prompts": {name: {"user": str(folder / "user.md")} for name in ("plain", "brief")},
        "models": {"m": {"provider": "simulated"}},
        "sampling": {"replicates": replicates},
        "trials": {"sweep": {"model": ["m"], "prompt": ["plain", "brief"]}, "baseline": {"prompt": "plain"}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    settings = load_settings([folder / "config.yaml"])
    settings.run_root.mkdir(parents=True)
    (settings.run_root / "effective_config.yaml").write_text(yaml.safe_dump(dict(settings.config)))
    n_items = n_rows // (N_TRIALS * len(DATASETS) * replicates)
    for place, name in enumerate(DATASETS):
        write_items(settings, name, Language(place).items(name, n_items))
    for trial in settings.trials:
        write_outcomes(settings, trial)
    return settings


def write_items(settings: Settings, dataset: str, items: Iterator[Item]) -> None:
    """Write a prepared dataset."""
    from scripts.experiment.datasets import item_row, prepared_schema

    rows = (item_row(item) for item in items)
    write_parquet(settings.run_root / "datasets" / f"{dataset}.parquet", rows, prepared_schema())


def write_outcomes(settings: Settings, trial: Trial) -> None:
    """Write what a trial answered."""
    from scripts.parse import outcomes_schema

    path = settings.run_root / "trials" / trial.name / "parse" / "outcomes.parquet"
    write_parquet(path, outcome_rows(settings, trial), outcomes_schema())


def outcome_rows(settings: Settings, trial: Trial) -> Iterator[dict[str, Any]]:
    """Make the rows of a trial: the brief prompt does a little better."""
    from scripts.experiment.datasets import read_prepared

    language = Language(sum(trial.name.encode()))
    skill = 0.62 if trial.prompt == "brief" else 0.6
    for name in DATASETS:
        for item in read_prepared(settings.run_root / "datasets" / f"{name}.parquet"):
            for replicate in range(trial.replicates):
                outcome, text = language.reply(item, skill)
                key = f"{trial.name} {item.id} {replicate}".encode()
                yield {
                    "request_key": hashlib.sha256(key).hexdigest(),
                    "dataset": name,
                    "item_id": item.id,
                    "replicate": replicate,
                    "outcome": outcome,
                    "text": text,
                    "finish_reason": {"answered": "stop", "truncated": "length"}.get(outcome),
                    "input_tokens": None if text is None else 150,
                    "output_tokens": None if text is None else len(text) // 4,
                    "cached_tokens": None if text is None else 0,
                    "error_code": "server_error" if outcome == "errored" else None,
                    "batch_id": "batch_1",
                    "attempts": 1,
                    "is_reused": False,
                }


def write_parquet(path: Path, rows: Iterator[dict[str, Any]], schema: Any) -> None:
    """Write rows in pieces, as the phases do."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while chunk := list(itertools.islice(rows, CHUNK_ROWS)):
            writer.write_table(pa.Table.from_pylist(chunk, schema=schema))


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a phase took, over all its jobs."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    """The most that one of its jobs held."""
    at_once_mb: float
    """The peaks of the jobs that ran beside each other, added up; what they share counts twice."""


def phase_commands(settings: Settings) -> Iterator[tuple[str, list[list[str]]]]:
    """Give for each phase the arguments of its jobs, as its rule has them."""
    root = settings.run_root
    prepared = ["--prepared", *(str(root / "datasets" / f"{name}.parquet") for name in DATASETS)]

    def path(trial: str | None, phase: str, file: str) -> str:
        return str(root / "trials" / trial / phase / file) if trial else ""

    def command(trial: Trial, *options: str) -> list[str]:
        return ["--run", str(root), "--trial", trial.name, *options]

    def files(phase: str, trial: Trial) -> list[str]:
        name = trial.name
        outcomes = ["--outcomes", path(name, "parse", "outcomes.parquet")]
        scores = ["--scores", path(name, "score", "scores.parquet"), "--baseline-scores"]
        scores += [path(trial.baseline, "score", "scores.parquet")] * (trial.baseline is not None)
        return {
            "costs": [*outcomes, "--out", path(name, "costs", "costs.json")],
            "score": [*outcomes, *prepared, "--out", path(name, "score", "scores.parquet")],
            "stats": [*scores, *prepared, "--out", path(name, "stats", "stats.json")],
            "report": ["--out", path(name, "report", "report.html")],
        }[phase]

    for phase in ("costs", "score", "stats", "report"):
        yield phase, [command(trial, *files(phase, trial)) for trial in settings.trials]
    yield "report", [["--run", str(root), "--out", str(root / "report" / "report.html")]]


def start(phase: str, arguments: Sequence[str]) -> int:
    """Start a job as a child; give its process id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        code = importlib.import_module(f"scripts.{phase}").main(arguments)
    except BaseException:  # whatever it is, a child must not go on as the parent
        traceback.print_exc()
    os._exit(code)


def measured(phase: str, commands: Sequence[Sequence[str]]) -> Cost:
    """Run the jobs of a phase beside each other, and say what they took."""
    began = time.perf_counter()
    children = [start(phase, arguments) for arguments in commands]
    usages = []
    for child in children:
        _, status, usage = os.wait4(child, 0)
        if status:
            raise RuntimeError(f"phase {phase} has failed")
        usages.append(usage)
    seconds = time.perf_counter() - began
    peaks = [usage.ru_maxrss / 1024 for usage in usages]
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return Cost(seconds, cpu, max(peaks), sum(peaks))


def in_child(work: Any, *arguments: Any) -> None:
    """Do work whose memory the jobs must not begin with."""
    child = os.fork()
    if not child:
        code = 1
        try:
            work(*arguments)
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("the files could not be made")


def measure(n_rows: int, replicates: int) -> dict[str, Cost]:
    """Make a run, and measure its phases; what is paid for (costs) is not among them."""
    folder = Path(tempfile.mkdtemp(prefix="trialmake-bench-"))
    try:
        in_child(write_experiment, folder, n_rows, replicates)
        settings = load_settings([folder / "config.yaml"])
        costs: dict[str, Cost] = {}
        for phase, commands in phase_commands(settings):
            cost = measured(phase, commands)
            if phase != "costs":
                costs["run report" if len(commands) == 1 else phase] = cost
        return costs
    finally:
        shutil.rmtree(folder)


def total(costs: Sequence[Cost]) -> Cost:
    """All phases after each other."""
    return Cost(
        sum(cost.seconds for cost in costs),
        sum(cost.cpu_seconds for cost in costs),
        max(cost.peak_mb for cost in costs),
        max(cost.at_once_mb for cost in costs),
    )


def show(n_rows: int, replicates: int, costs: dict[str, Cost]) -> None:
    """Print the table."""
    print(f"{datetime.date.today()}, {n_rows:,} rows, {replicates} to an item and trial")
    print(f"{'':<14}{'rows/s':>12}{'seconds':>9}{'cpu':>9}{'peak MB':>9}{'at once':>9}")
    for name, cost in costs.items():
        times = f"{n_rows / cost.seconds:>12,.0f}{cost.seconds:>9.2f}{cost.cpu_seconds:>9.2f}"
        print(f"{name:<14}{times}{cost.peak_mb:>9.0f}{cost.at_once_mb:>9.0f}", flush=True)


def warm_up() -> None:
    """Load what a run's warm process loads."""
    for name in WARM_MODULES:
        module = importlib.import_module(name)
        if hasattr(module, "warm_up"):
            module.warm_up()
    gc.collect()
    gc.freeze()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.analysis", description=__doc__)
    parser.add_argument("--rows", type=int, action="append", help="rows of both trials (100000); repeatable")
    parser.add_argument("--replicates", type=int, default=1, help="answers to each item in each trial")
    parser.add_argument("--json", action="store_true", help="a JSON object per line instead of a table")
    options = parser.parse_args()
    forbid_threads()
    warm_up()
    for n_rows in options.rows or [100_000]:
        costs = measure(n_rows, options.replicates)
        costs["all"] = total(list(costs.values()))
        if options.json:
            phases = {name: dataclasses.asdict(cost) for name, cost in costs.items()}
            print(
                json.dumps({"rows": n_rows, "replicates": options.replicates, "phases": phases}), flush=True
            )
        else:
            show(n_rows, options.replicates, costs)


if __name__ == "__main__":
    main()
