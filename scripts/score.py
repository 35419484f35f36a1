"""Phase score: score every answer; an outcome without an answer has no score."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.comparison.metrics import NAMES
from scripts.experiment.dataset_scorer import make_scorer, run_metrics
from scripts.experiment.datasets import BATCH_ROWS, PreparedItems
from scripts.experiment.settings import Settings
from scripts.files import atomic_path
from scripts.records import FAILED_OUTCOMES, Item, Outcome
from scripts.run.job import phase_job, phase_parser, trial_job
from scripts.scorers import Score, Scorer
from scripts.scorers.base import NO_TEXT
from scripts.scorers.several import value_of

COLUMNS = ("dataset", "item_id", "replicate", "outcome", "request_key")


def score_outcome(row: Mapping[str, Any], item: Item, scorer: Scorer, *, scores_refusals: bool) -> Score:
    """Score one outcome; all NaN if it carries no answer."""
    outcome = Outcome(row["outcome"])
    has_answer = row["text"] is not None and outcome not in FAILED_OUTCOMES
    if not has_answer or (outcome is Outcome.REFUSED and not scores_refusals):
        return NO_TEXT
    return scorer.score(row["text"], item)


def score_trial(settings: Settings, outcomes: Path, prepared: Sequence[Path], *, out: Path) -> None:
    """Write ``scores.parquet`` of a trial."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    items = {path.stem: PreparedItems(path) for path in prepared}
    scorers = {name: make_scorer(settings, name) for name in items}
    scores_refusals = settings.config["score"]["refused"] == "scored"
    names = [metric.name for metric in run_metrics(settings)]
    schema = scores_schema(names)
    with atomic_path(out) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for batch in _batches(outcomes):
            scores = score_rows(batch.to_pylist(), items, scorers, scores_refusals=scores_refusals)
            metrics = {name: [value_of(score, name) for score in scores] for name in names}
            columns = {name: batch[name] for name in COLUMNS}
            writer.write_table(pa.table({**columns, **metrics}, schema=schema))


def score_rows(
    rows: Sequence[Mapping[str, Any]],
    items: Mapping[str, PreparedItems],
    scorers: Mapping[str, Scorer],
    *,
    scores_refusals: bool,
) -> list[Score]:
    """Score outcomes of several datasets, one after another."""
    ids: dict[str, set[str]] = {name: set() for name in items}
    for row in rows:
        ids[row["dataset"]].add(row["item_id"])
    found = {name: items[name].find(ids[name]) for name in items}
    return [
        score_outcome(
            row,
            found[row["dataset"]][row["item_id"]],
            scorers[row["dataset"]],
            scores_refusals=scores_refusals,
        )
        for row in rows
    ]


def scores_schema(names: Sequence[str] = NAMES) -> Any:
    """Columns of ``scores.parquet``, with these metrics."""
    import pyarrow as pa

    texts = [
        ("dataset", pa.string()),
        ("item_id", pa.string()),
        ("replicate", pa.int64()),
        ("outcome", pa.string()),
    ]
    metrics = [(name, pa.float64()) for name in names]
    return pa.schema([*texts, *metrics, ("request_key", pa.string())])


def _batches(outcomes: Path) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(outcomes) as file:
        yield from file.iter_batches(batch_size=BATCH_ROWS, columns=[*COLUMNS, "text"])


def main(argv: Sequence[str] | None = None) -> int:
    """Score one trial's outcomes (the command of rule ``score``)."""
    parser = phase_parser("score", "Score every outcome of a trial against its item.")
    parser.add_argument("--outcomes", type=Path, required=True, help="the trial's outcomes.parquet")
    parser.add_argument("--prepared", type=Path, nargs="+", required=True, help="the prepared datasets")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file to write")
    options = parser.parse_args(argv)
    inputs = [options.outcomes, *options.prepared]
    with phase_job(trial_job("score", options, inputs=inputs, outputs=[options.out])) as settings:
        score_trial(settings, options.outcomes, options.prepared, out=options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
