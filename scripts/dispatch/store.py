"""
Answers that an earlier run has paid for, taken over into a trial's ledger (``reuse: store``).

A request is the same if its key is the same (model, body and replicate) and the same service was asked, under
the same settings.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.dispatch.key_index import KeySet
from scripts.dispatch.replies import Settled, settle_shard
from scripts.dispatch.selection import unsent_requests
from scripts.files import dump_line, file_sha256
from scripts.money.ledger import Ledger, ShardEntry, write_keys
from scripts.providers import BatchStatus, Provider
from scripts.records import FAILED_OUTCOMES
from scripts.run.job import say
from scripts.run.paths import ALL_LEDGERS


def take_from_store(requests: Path, ledger: Ledger, provider: Provider, *, service: str) -> int:
    """
    Enter the answers to unsent requests that other ledgers of the experiments folder hold; count them.

    Each is taken from the first ledger that has it, by name of run and trial.  Every source makes one shard.
    """
    with KeySet() as wanted:
        wanted.update(request.request_key for request in unsent_requests(requests, ledger))
        n_wanted = len(wanted)
        if n_wanted:
            for source, entry in find_sources(ledger.folder, service):
                _take(source, entry, ledger, provider, wanted)
        return n_wanted - len(wanted)


def find_sources(folder: Path, service: str) -> Iterator[tuple[Ledger, ShardEntry]]:
    """Yield the shards of all other ledgers beside the one in `folder` that hold answers of this service."""
    experiments = folder.parents[2]
    for path in sorted(experiments.glob(ALL_LEDGERS)):
        if path.parent != folder:
            source = Ledger.read(path.parent)
            for entry in source.shards.values():
                is_here = entry.state in {"downloaded", "reconciled"}
                if is_here and entry.service == service and source.replies_path(entry.shard).is_file():
                    yield source, entry


def read_answers(source: Ledger, entry: ShardEntry, provider: Provider) -> Iterator[Settled]:
    """Yield the attempts of a shard that brought an answer; what failed is not worth keeping."""
    for settled, reply in settle_shard(source, entry, provider):
        if settled.row is not None and reply.outcome not in FAILED_OUTCOMES:
            yield settled


def _take(source: Ledger, entry: ShardEntry, ledger: Ledger, provider: Provider, wanted: KeySet) -> None:
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
        _enter(ledger, copied, keys, entry, origin)
        say(f"{len(keys)} answers are taken over from {origin}, which paid for them")


def _enter(ledger: Ledger, copied: Path, keys: Sequence[str], entry: ShardEntry, origin: str) -> None:
    temporary = ledger.folder / "keys.tmp"
    write_keys(temporary, keys)
    shard = ledger.plan(attempt=1, keys=temporary, n_requests=len(keys))
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
