"""Collecting what was sent: wait for batches, download and settle them, and find what is due again."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from scripts.dispatch.key_index import KeySet
from scripts.dispatch.replies import Attempts
from scripts.dispatch.selection import live_shards, read_request_keys
from scripts.dispatch.sender import Sender
from scripts.dispatch.slots import hours_since
from scripts.errors import BusyError, NoBatchError, ProviderError
from scripts.files import file_sha256
from scripts.money.ledger import Ledger, ShardEntry
from scripts.money.price import Price
from scripts.providers import BatchState, BatchStatus
from scripts.records import Request
from scripts.run.job import say, say_once

FIRST_WAIT_S = 0.05


MAX_PUT_OFF_S = 900.0
"""How long to wait at most before a batch that was turned away is sent again."""


@dataclasses.dataclass
class PutOff:
    """Batches that the provider took and turned away later, as its queue was full: no attempt was made."""

    seen: set[str] = dataclasses.field(default_factory=set)
    """Shards whose requests were sent again, or were found to be."""
    n_rounds: int = 0
    """How often in a row."""
    since: float | None = None
    at_most: int | None = None
    """Requests of the next batches: a half of what was too much even for an empty queue."""

    def wait(self, sender: Sender, options: Mapping[str, Any]) -> bool:
        """
        Wait if batches were turned away; True if their requests are due.

        Raises
        ------
        ProviderError
            If this goes on for longer than ``max_wait_hours``.
        """
        fresh = [e for e in sender.ledger.shards.values() if e.is_put_off and e.shard not in self.seen]
        if not fresh:
            self.n_rounds, self.since = 0, None
            return False
        self.seen.update(entry.shard for entry in fresh)
        self.n_rounds += 1
        self.since = time.monotonic() if self.since is None else self.since
        if time.monotonic() - self.since > 3600 * options["max_wait_hours"]:
            raise ProviderError(
                f"the provider keeps turning batches away ({fresh[-1].error})",
                where=sender.ledger.folder.name,
                fix="Lower max_requests of the provider, or run again when its queue is shorter.",
            )
        alone = [entry.n_requests for entry in fresh if entry.n_beside == 0]
        if alone:
            self.at_most = max(1, min(alone) // 2)
        rest_s = min(options["poll_seconds"] * 2**self.n_rounds, MAX_PUT_OFF_S)
        rest_s = max(0.0, rest_s - 3600 * hours_since(fresh[-1].at))
        n_in_flight = sender.queue.n_in_flight()
        say(f"{len(fresh)} batches were turned away ({fresh[-1].error}); continuing in {rest_s:.0f} seconds")
        sender.rest(rest_s, until=lambda: sender.queue.n_in_flight() < n_in_flight)
        return True


def collect(sender: Sender, options: Mapping[str, Any]) -> None:
    """Wait for every batch of the ledger that is in flight, and keep what came back."""
    ledger, wait = sender.ledger, FIRST_WAIT_S
    while in_flight := [entry for entry in ledger.shards.values() if _is_awaited(ledger, entry)]:
        n_arrived, pause = _look_at_all(sender, in_flight, options["poll_seconds"])
        if not n_arrived:
            for entry in in_flight:
                _check_wait(entry, options["max_wait_hours"])
            sender.rest(max(wait, pause))
            wait = min(wait * 1.5, options["poll_seconds"])


def _look_at_all(sender: Sender, in_flight: Sequence[ShardEntry], poll_seconds: float) -> tuple[int, float]:
    """Look at every batch once; count those whose rows are here now, and say how long to leave off."""
    n_arrived, pause = 0, 0.0
    for entry in in_flight:
        try:
            n_arrived += _advance(sender, entry)
        except BusyError as error:
            pause = max(pause, error.retry_after_s or 0.0, poll_seconds)
            say(f"{error.where}: {error.what}; checking again in {pause:.0f} seconds")
    return n_arrived, pause


def _is_awaited(ledger: Ledger, entry: ShardEntry) -> bool:
    """Whether rows are still to come: also if somebody has deleted a downloaded file."""
    return entry.is_live and (
        entry.state not in {"downloaded", "reconciled"} or not ledger.replies_path(entry.shard).exists()
    )


def _advance(sender: Sender, entry: ShardEntry) -> bool:
    """Look at one batch; True if its rows are here now."""
    ledger, batch_id = sender.ledger, entry.batch_id
    assert batch_id is not None, "reconcile() leaves no shard without a batch"
    if entry.is_in_flight:
        state = _look(sender, entry, batch_id)
        if state.status is BatchStatus.UNKNOWN:
            say_once(f"batch {batch_id}: the status {state.raw!r} is unknown here; checking again later")
        if not state.status.is_terminal:
            return False
        about = {"status": state.status.value, "raw": state.raw, "error": state.error}
        if state.is_put_off:
            ledger.record("refused", entry.shard, **about, n_beside=max(0, sender.queue.n_in_flight() - 1))
            return True
        ledger.record("terminal", entry.shard, **about, is_final=state.is_final)
    path = ledger.replies_path(entry.shard)
    temporary = path.with_suffix(".tmp")
    sender.provider.fetch(batch_id, temporary)
    with temporary.open("rb") as handle:
        os.fsync(handle.fileno())
    temporary.replace(path)
    ledger.sync()
    ledger.record("downloaded", entry.shard, sha256=file_sha256(path))
    return True


def _look(sender: Sender, entry: ShardEntry, batch_id: str) -> BatchState:
    """Look at a batch; one that was just made may not be found yet."""
    provider = sender.provider
    try:
        return provider.status(batch_id)
    except NoBatchError as error:
        if 3600 * hours_since(entry.submitted_at or entry.at) < provider.lag_seconds:
            return BatchState(BatchStatus.QUEUED, "not found yet")
        if entry.account == provider.account:
            raise
        raise ProviderError(
            f"batch {batch_id} is not there, and was sent with another key ({entry.account})",
            where=error.where,
            fix="Use that key again to collect it: it is paid. The fingerprint is the start of its SHA-256.",
        ) from None


def _check_wait(entry: ShardEntry, max_wait_hours: float) -> None:
    waited = hours_since(entry.submitted_at or entry.at)
    if waited > max_wait_hours:
        raise ProviderError(
            f"batch {entry.batch_id} is not done after {waited:.1f} hours",
            where=f"shard {entry.shard}",
            fix="Look at the batch at the provider; raise max_wait_hours to keep waiting.",
        )


def take_in(attempts: Attempts, sender: Sender, requests: Path, price: Price | None) -> None:
    """Take in the shards that have come; enter what they cost when they are read first."""
    ledger = sender.ledger
    for entry in live_shards(requests, ledger):
        if entry.shard not in attempts.shards:
            cost = attempts.add_shard(ledger, entry, sender.provider, price)
            if entry.state == "downloaded":
                cost = Decimal(0) if entry.reused_from else cost
                ledger.record("reconciled", entry.shard, cost_usd=None if cost is None else float(cost))


def _to_resend(requests: Path, attempts: Attempts, *, attempt: int) -> Iterator[Request]:
    """Yield the requests that are worth this attempt as their next, each key once."""
    with KeySet() as sent:
        for key, line in read_request_keys(requests):
            is_due = attempts.is_worth_another(key) and attempts.count(key) == attempt - 1
            if is_due and sent.add(key):
                yield Request.from_json(json.loads(line))
