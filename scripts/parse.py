"""Phase parse: one row for every request, including those that failed."""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.dispatch.key_index import KeySet, RowIndex
from scripts.dispatch.replies import Settled
from scripts.dispatch.selection import read_requests
from scripts.files import atomic_path, read_jsonl
from scripts.providers import Provider, make_provider
from scripts.records import Outcome, Reply, Request, Usage
from scripts.run.job import phase_job, phase_parser, trial_job

CHUNK_ROWS = 5000
RARE_TOKENS = ("cache_write_tokens", "cache_write_1h_tokens", "reasoning_tokens")
"""Counts that only some providers give."""


def outcome_row(
    request: Request, attempts: Sequence[Settled], provider: Provider, *, is_counted: bool
) -> dict[str, Any]:
    """
    Make the row of ``outcomes.parquet`` for one request from all attempts at it.

    The last attempt decides the outcome; tokens are summed over all attempts, as each was billed, and kept
    apart as well where there were several.  When `is_counted` is false (another item with the same rendered
    text represents it), tokens are null.
    """
    replies = [attempt.read(provider) for attempt in attempts]
    reply = replies[-1] if replies else Reply(Outcome.MISSING, error_code="no_row")
    usages = [each.usage for each in replies] if is_counted else []
    usage = Usage.total(usages)
    return {
        "request_key": request.request_key,
        "dataset": request.dataset,
        "item_id": request.item_id,
        "replicate": request.replicate,
        "outcome": reply.outcome.value,
        "text": reply.text,
        "finish_reason": reply.finish_reason,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
        "error_code": reply.error_code,
        "error_message": reply.error_message,
        "batch_id": attempts[-1].batch_id if attempts else None,
        "attempts": len(attempts),
        **{name: getattr(usage, name) for name in RARE_TOKENS},
        "is_reused": any(attempt.is_reused for attempt in attempts),
        "n_unread": sum(attempt.is_unread for attempt in attempts) if is_counted else 0,
        "usage_by_attempt": [dataclasses.asdict(each) for each in usages] if len(usages) > 1 else None,
    }


def parse_trial(requests: Path, replies: Path, provider: Provider, *, out: Path) -> None:
    """Write ``outcomes.parquet``, a chunk of rows in memory at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = outcomes_schema()
    rows = outcome_rows(requests, replies, provider)
    with atomic_path(out) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        while chunk := list(itertools.islice(rows, CHUNK_ROWS)):
            writer.write_table(pa.Table.from_pylist(chunk, schema=schema))


def outcome_rows(requests: Path, replies: Path, provider: Provider) -> Iterator[dict[str, Any]]:
    """Yield a row per request, in the order of the requests."""
    with RowIndex() as index, KeySet() as counted:
        index.add((row["request_key"], json.dumps(row)) for _, row in read_jsonl(replies))
        for request in read_requests(requests):
            key = request.request_key
            attempts = [Settled.from_json(json.loads(text)) for text in index.get(key)]
            yield outcome_row(request, attempts, provider, is_counted=counted.add(key))


def outcomes_schema() -> Any:
    """Columns of ``outcomes.parquet``."""
    import pyarrow as pa

    text, count = pa.string(), pa.int64()
    columns: Mapping[str, Any] = {
        "request_key": text,
        "dataset": text,
        "item_id": text,
        "replicate": count,
        "outcome": text,
        "text": text,
        "finish_reason": text,
        "input_tokens": count,
        "output_tokens": count,
        "cached_tokens": count,
        "error_code": text,
        "error_message": text,
        "batch_id": text,
        "attempts": count,
        **dict.fromkeys(RARE_TOKENS, count),
        "is_reused": pa.bool_(),
        "n_unread": count,
        "usage_by_attempt": pa.list_(pa.struct([(field.name, count) for field in dataclasses.fields(Usage)])),
    }
    return pa.schema(list(columns.items()))


def main(argv: Sequence[str] | None = None) -> int:
    """Parse one trial's replies (the command of rule ``parse``)."""
    parser = phase_parser("parse", "Give every request of a trial its outcome.")
    parser.add_argument("--requests", type=Path, required=True, help="the trial's requests.jsonl")
    parser.add_argument("--replies", type=Path, required=True, help="the trial's replies.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file to write")
    options = parser.parse_args(argv)
    inputs = [options.requests, options.replies]
    with phase_job(trial_job("parse", options, inputs=inputs, outputs=[options.out])) as settings:
        provider = make_provider(settings, settings.trial(options.trial).model)
        parse_trial(options.requests, options.replies, provider, out=options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
