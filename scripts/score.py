"""Phase score: score every answer; an outcome without an answer has no score."""

from __future__ import annotations

import dataclasses
import math
import re
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
from scripts.scorers.base import NO_TEXT, judge_unread
from scripts.scorers.several import value_of

_SURROGATES = re.compile("[\ud800-\udfff]")
COLUMNS = ("dataset", "item_id", "replicate", "outcome", "request_key")


ENDED_BY_ITSELF = frozenset(
    {
        "",
        "stop",
        "end",
        "end_turn",
        "stop_sequence",
        "stop_token",
        "eos",
        "eos_token",
        "completed",
        "complete",
    }
)
"""Finish reasons of a reply that was not cut; the empty one: none is recorded."""

MAX_READ = 2_000
"""Characters that are kept of what was read."""


@dataclasses.dataclass(frozen=True)
class Policy:
    """What the configuration says of answers that are hard to score."""

    scores_refusals: bool = True
    """Whether a refusal that has a text counts as an answer."""
    unread_is_wrong: bool = False
    """Whether a text in which no answer could be read counts as a wrong answer."""


def score_outcome(row: Mapping[str, Any], item: Item, scorer: Scorer, policy: Policy = Policy()) -> Score:
    """
    Score one outcome; all NaN if it carries no answer.

    A reply without a text has no score; only if it ended by itself, its scorer may count it as an abstention.
    """
    outcome = Outcome(row["outcome"])
    if outcome in FAILED_OUTCOMES or (outcome is Outcome.REFUSED and not policy.scores_refusals):
        return NO_TEXT
    text = row["text"] or ""
    trimmed = scorer.trim(text)
    if not trimmed.text and (trimmed.is_cut or not _ended_by_itself(outcome, row.get("finish_reason"))):
        return NO_TEXT
    score = scorer.score(text, item)
    if score.unread == 1 and policy.unread_is_wrong:
        return dataclasses.replace(judge_unread(item, f1=0.0 if scorer.has_f1 else math.nan), more=score.more)
    return score


def _ended_by_itself(outcome: Outcome, finish_reason: str | None) -> bool:
    return outcome is Outcome.ANSWERED and (finish_reason or "").casefold() in ENDED_BY_ITSELF


def score_trial(settings: Settings, outcomes: Path, prepared: Sequence[Path], *, out: Path) -> None:
    """Write ``scores.parquet`` of a trial."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    items = {path.stem: PreparedItems(path) for path in prepared}
    scorers = {name: make_scorer(settings, name) for name in items}
    options = settings.config["score"]
    policy = Policy(options["refused"] == "scored", unread_is_wrong=options["unread"] == "wrong")
    names = [metric.name for metric in run_metrics(settings)]
    schema = scores_schema(names)
    with atomic_path(out) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for batch in _batches(outcomes):
            scores = score_rows(batch.to_pylist(), items, scorers, policy)
            metrics = {name: [value_of(score, name) for score in scores] for name in names}
            columns = {name: batch[name] for name in COLUMNS}
            read = {"read": [_kept(score.read) for score in scores]}
            writer.write_table(pa.table({**columns, **read, **metrics}, schema=schema))


def _kept(read: str | None) -> str | None:
    """Cut what was read to what the file keeps of it, in characters that it can hold."""
    if read is None:
        return None
    cut = read if len(read) <= MAX_READ else read[: MAX_READ - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", cut)


def score_rows(
    rows: Sequence[Mapping[str, Any]],
    items: Mapping[str, PreparedItems],
    scorers: Mapping[str, Scorer],
    policy: Policy = Policy(),
) -> list[Score]:
    """Score outcomes of several datasets, one after another."""
    ids: dict[str, set[str]] = {name: set() for name in items}
    for row in rows:
        ids[row["dataset"]].add(row["item_id"])
    found = {name: items[name].find(ids[name]) for name in items}
    return [
        score_outcome(row, found[row["dataset"]][row["item_id"]], scorers[row["dataset"]], policy)
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
        ("read", pa.string()),
    ]
    metrics = [(name, pa.float64()) for name in names]
    return pa.schema([*texts, *metrics, ("request_key", pa.string())])


def _batches(outcomes: Path) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(outcomes) as file:
        yield from file.iter_batches(batch_size=BATCH_ROWS, columns=[*COLUMNS, "text", "finish_reason"])


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
