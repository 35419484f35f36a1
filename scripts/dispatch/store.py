"""
Answers that are paid already, taken over from another ledger into a trial's own.

A request is the same if its key is the same (model, body and replicate) and the same service was asked, under
the same settings.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.dispatch.key_index import KeySet
from scripts.dispatch.replies import Settled, settle_shard
from scripts.files import dump_line, file_sha256
from scripts.money.ledger import Ledger, ShardEntry, write_keys
from scripts.providers import BatchStatus, Provider
from scripts.records import FAILED_OUTCOMES
from scripts.run.job import say


def copy_rows(
    source: Ledger, entry: ShardEntry, ledger: Ledger, claimed: ShardEntry, provider: Provider, into: Path
) -> None:
    """Copy the rows of a shard that answer the requests of a claimed one, whatever they say."""
    with KeySet() as wanted, into.open("w", encoding="utf-8") as handle:
        wanted.update(ledger.read_keys(claimed.shard))
        for settled, _ in settle_shard(source, entry, provider):
            if settled.row is not None and wanted.discard(settled.request_key):
                handle.write(dump_line(settled.row, ascii_only=True))


def read_answers(source: Ledger, entry: ShardEntry, provider: Provider) -> Iterator[Settled]:
    """Yield the attempts of a shard that brought an answer; what failed is not worth keeping."""
    for settled, reply in settle_shard(source, entry, provider):
        if settled.row is not None and reply.outcome not in FAILED_OUTCOMES:
            yield settled


def take_answers(
    source: Ledger, entry: ShardEntry, ledger: Ledger, provider: Provider, wanted: KeySet, *, attempt: int
) -> None:
    """Copy a shard's answers to wanted requests into a shard of this ledger; then they are wanted no more."""
    if not any(key in wanted for key in source.read_keys(entry.shard)):
        return
    copied, keys = ledger.folder / "store.tmp", []
    with copied.open("w", encoding="utf-8") as handle:
        for settled in read_answers(source, entry, provider):
            if wanted.discard(settled.request_key):
                handle.write(dump_line(settled.row, ascii_only=True))
                keys.append(settled.request_key)
        handle.flush()
        os.fsync(handle.fileno())
    if keys:
        origin = entry.reused_from or f"{source.folder.parents[1].name}/{source.folder.name}/{entry.shard}"
        _enter(ledger, copied, keys, entry, origin, attempt)
        say(f"{len(keys)} answers are taken over from {origin}, which paid for them")


def _enter(
    ledger: Ledger, copied: Path, keys: Sequence[str], entry: ShardEntry, origin: str, attempt: int
) -> None:
    temporary = ledger.folder / "keys.tmp"
    write_keys(temporary, keys)
    shard = ledger.plan(attempt=attempt, keys=temporary, n_requests=len(keys))
    replies = ledger.replies_path(shard)
    copied.replace(replies)
    ledger.sync()
    ledger.record(
        "downloaded",
        shard,
        batch_id=entry.batch_id,
        status=BatchStatus.DONE.value,
        model=entry.model,
        service=entry.service,
        reused_from=origin,
        sha256=file_sha256(replies),
    )
