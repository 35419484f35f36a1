"""Which requests a trial has, and which of them were never sent: one in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from scripts.dispatch.key_index import KeySet
from scripts.files import read_jsonl
from scripts.money.ledger import Ledger, ShardEntry
from scripts.records import Request

KEY_FIRST = b'{"request_key":"'
KEY_END = len(KEY_FIRST) + 64
"""Where the key of a request stands in its line."""


def read_requests(path: Path) -> Iterator[Request]:
    """Yield the requests of a trial, one in memory at a time."""
    return (Request.from_json(row) for _, row in read_jsonl(path))


def read_request_keys(path: Path) -> Iterator[tuple[str, bytes]]:
    """
    Yield the key of each request with its line, which few callers need to parse.

    The build phase writes the key first; a line that somebody has written otherwise is parsed.
    """
    with path.open("rb") as handle:
        for line in handle:
            if line.startswith(KEY_FIRST) and line[KEY_END : KEY_END + 1] == b'"':
                yield line[len(KEY_FIRST) : KEY_END].decode("ascii", "replace"), line
            elif line.strip():
                yield json.loads(line)["request_key"], line


def unsent_requests(requests: Path, ledger: Ledger) -> Iterator[Request]:
    """Yield the requests that no live shard of the ledger holds, each key once."""
    with KeySet() as sent:
        for entry in ledger.shards.values():
            if entry.is_live:
                sent.update(ledger.read_keys(entry.shard))
        for request in read_requests(requests):
            if sent.add(request.request_key):
                yield request


def live_shards(requests: Path, ledger: Ledger) -> list[ShardEntry]:
    """List the live shards that hold at least one of the present requests."""
    with KeySet() as wanted:
        wanted.update(key for key, _ in read_request_keys(requests))
        return [
            entry
            for entry in ledger.shards.values()
            if entry.is_live and any(key in wanted for key in ledger.read_keys(entry.shard))
        ]
