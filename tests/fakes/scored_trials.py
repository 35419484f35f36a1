"""Scores of a trial and of its baseline in files, and what the phase stats makes of them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.comparison.metrics import BY_NAME, COMPARED, NAMES
from scripts.comparison.run_scores import RunScores, read_run_scores
from scripts.experiment.datasets import item_row, prepared_schema
from scripts.experiment.settings import Settings
from scripts.parse import outcomes_schema
from scripts.records import Item, Trial
from scripts.score import scores_schema
from scripts.stats import ArmFiles, stats_trial
from tests.fakes.sending_fakes import make_settings

TRIAL = Trial("new", "m", "p", {}, baseline="old")


class Bench:
    """Scores of a trial and of its baseline, on items that may come in clusters."""

    def __init__(self, root, clusters, unanswerable=(), fields=None, **options):
        """By dataset, the cluster of each item; `fields`: the further ones, by an item's place."""
        self.root = root
        self.settings = make_settings(root, seed=7, stats={"resamples": 500, **options})
        self.prepared = []
        for dataset, labels in clusters.items():
            items = [
                Item(
                    f"q{n}",
                    "?",
                    ("a",),
                    cluster=label,
                    is_unanswerable=n in unanswerable,
                    fields=(fields or {}).get(n, {}),
                )
                for n, label in enumerate(labels)
            ]
            path = root / f"{dataset}.parquet"
            table = pa.Table.from_pylist([item_row(item) for item in items], schema=prepared_schema())
            pq.write_table(table, path)
            self.prepared.append(path)

    def write(self, name, rows, keys=None):
        """Rows of dataset, item, replicate, outcome, correct (false_answer, abstained), and their keys."""
        columns = ["dataset", "item_id", "replicate", "outcome", "correct"]
        frame = pd.DataFrame([row[:5] for row in rows], columns=columns).assign(request_key=keys, read=None)
        for metric in NAMES[1:]:
            frame[metric] = math.nan
        frame["unread"] = frame["correct"] * 0
        for place, metric in enumerate(("false_answer", "abstained"), start=5):
            frame[metric] = [row[place] if len(row) > place else math.nan for row in rows]
        path = self.root / f"{name}.scores.parquet"
        pq.write_table(pa.Table.from_pandas(frame, schema=scores_schema(), preserve_index=False), path)
        return ArmFiles(path, write_outcomes(self.root / f"{name}.outcomes.parquet", frame), None)

    def stats(self, new, old=None, *, trial=TRIAL, name="stats", keys=None):
        out = self.root / f"{name}.json"
        baseline = None if old is None else self.write("old", old, keys)
        stats_trial(self.settings, trial, self.write("new", new, keys), baseline, self.prepared, out=out)
        return json.loads(out.read_text())


def write_outcomes(path: Path, frame: pd.DataFrame) -> Path:
    """Outcomes of these rows, each an answer of one character where there is one."""
    columns = {name: frame[name].tolist() for name in ("dataset", "item_id", "replicate", "outcome")}
    columns["text"] = ["a" if outcome == "answered" else None for outcome in columns["outcome"]]
    columns["request_key"] = [
        key if isinstance(key, str) else str(n) for n, key in enumerate(frame["request_key"])
    ]
    names = outcomes_schema().names
    rows = [
        dict.fromkeys(names) | dict(zip(columns, row, strict=True))
        for row in zip(*columns.values(), strict=True)
    ]
    table = pa.Table.from_pylist(rows, schema=outcomes_schema())
    pq.write_table(table, path)
    return path


def rows(values, *, dataset="d"):
    """One row per item and replicate; None is an outcome without an answer."""
    return [
        (dataset, f"q{n}", replicate, "errored" if value is None else "answered", value)
        for n, several in enumerate(values)
        for replicate, value in enumerate(several if isinstance(several, list) else [several])
    ]


def effect_of(stats, metric="correct", dataset="all"):
    (found,) = [e for e in stats["effects"] if (e["metric"], e["dataset"]) == (metric, dataset)]
    return found


def write_scored_run(root: Path, values: list[list[float]], *, clusters: list[str | None]) -> Settings:
    """A run whose trials have these values for ``correct``; its last two items cannot be answered."""
    n_items = len(clusters)
    sweep = {"model": ["m"], "prompt": ["p"], "temperature": [place / 10 for place in range(len(values))]}
    settings = make_settings(root, n_items=n_items, trials={"sweep": sweep})
    prepared = settings.run_root / "datasets" / "d.parquet"
    prepared.parent.mkdir(parents=True, exist_ok=True)
    items = [
        Item(f"q{n}", "?", ("a",), cluster=cluster, is_unanswerable=n >= n_items - 2)
        for n, cluster in enumerate(clusters)
    ]
    pq.write_table(
        pa.Table.from_pylist([item_row(item) for item in items], schema=prepared_schema()), prepared
    )
    for trial, column in zip(settings.trials, values, strict=True):
        frame = pd.DataFrame({"item_id": [f"q{n}" for n in range(n_items)], "correct": column})
        frame = frame.assign(
            dataset="d",
            replicate=0,
            request_key=None,
            read=None,
            outcome="answered",
            **dict.fromkeys(NAMES[1:], math.nan),
        )
        frame["unread"] = 0.0
        frame.loc[n_items - 2 :, "false_answer"] = 1 - frame["correct"]
        path = settings.run_root / "trials" / trial.name / "score" / "scores.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pandas(frame, schema=scores_schema(), preserve_index=False), path)
    return settings


SCORES = [[1.0, 1, 1, 0, 1, 1], [0.0, 1, 0, 0, 1, math.nan], [0.0, 0, 1, 0, 0, 1]]


NAN = math.nan


def with_abstentions(values, abstained, *, dataset="d"):
    """Rows of items that can be answered; an abstention is wrong on them."""
    return [(*row, NAN, silent) for row, silent in zip(rows(values, dataset=dataset), abstained, strict=True)]


def scores_of(settings: Settings, *metrics: str) -> RunScores:
    """Scores of all trials of such a run."""
    prepared = settings.paths.prepared(settings.config["datasets"])
    return read_run_scores(
        settings.trials, settings.paths, prepared, {name: BY_NAME[name] for name in metrics or COMPARED}
    )
