"""Collecting what was sent: wait for batches, download and settle them, and find what is due again."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from scripts.dispatch.claims import find_source, has_answers, read_source
from scripts.dispatch.key_index import KeySet
from scripts.dispatch.lost_calls import Decisions
from scripts.dispatch.places import find_change
from scripts.dispatch.receiving import (
    Doubt,
    ask_about,
    count_rows,
    find_lack,
    give_up,
    give_up_words,
    keep_rows,
)
from scripts.dispatch.replies import Attempts
from scripts.dispatch.selection import live_shards, read_request_keys
from scripts.dispatch.sender import Sender
from scripts.dispatch.slots import hours_since
from scripts.dispatch.store import copy_rows
from scripts.errors import BusyError, NoBatchError, ProviderError, UnreadableError
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


class Collector:
    """
    Waits for a trial's batches and keeps what comes back.

    Parameters
    ----------
    sender : Sender
        Whose ledger and provider they are.
    options : mapping
        The provider's settings.
    price : Price, optional
        Of what is collected for another trial, as nobody works on that.
    """

    def __init__(self, sender: Sender, options: Mapping[str, Any], price: Price | None = None) -> None:
        self.sender = sender
        self._options, self._price = options, price
        self._others: dict[Path, Collector] = {}
        self._lost_claims: set[str] = set()
        self.poll_seconds: float = options["poll_seconds"]
        self.max_wait_hours: float = options["max_wait_hours"]
        self._doubts: dict[str, Doubt] = {}

    def collect(self) -> None:
        """Wait for every batch of the ledger that is in flight, and keep what came back."""
        ledger, wait = self.sender.ledger, FIRST_WAIT_S
        while in_flight := [entry for entry in ledger.shards.values() if _is_awaited(ledger, entry)]:
            n_arrived, pause = self._look_at_all(in_flight)
            if not n_arrived:
                for entry in in_flight:
                    _check_wait(entry, self.max_wait_hours)
                self.sender.rest(max(wait, pause))
                wait = min(wait * 1.5, self.poll_seconds)

    def _look_at_all(self, in_flight: Sequence[ShardEntry]) -> tuple[int, float]:
        """Look at every batch once; count those whose rows are here now, and say how long to leave off."""
        looks = [self.look_at(entry) for entry in in_flight]
        return sum(has_arrived for has_arrived, _ in looks), max(pause for _, pause in looks)

    def look_at(self, entry: ShardEntry) -> tuple[bool, float]:
        """Look at one batch; whether it needs no further look, and how long to leave off."""
        try:
            return self._advance(entry), 0.0
        except UnreadableError as error:
            rest_s = self._doubt(entry, error.what)
            return rest_s is None, rest_s or 0.0
        except BusyError as error:
            pause = max(error.retry_after_s or 0.0, self.poll_seconds)
            say(f"{error.where}: {error.what}; checking again in {pause:.3g} seconds")
            return False, pause

    def _advance(self, entry: ShardEntry) -> bool:
        """
        Look at one batch; True if it needs no further look.

        Raises
        ------
        UnreadableError
            If what the provider says, or gives, is not all of it, or cannot be read.
        """
        if entry.state == "claimed":
            return self._follow(entry)
        ledger, batch_id = self.sender.ledger, entry.batch_id
        assert batch_id is not None, "reconcile() leaves no shard without a batch"
        state = self._look(entry, batch_id)
        if state.status is BatchStatus.UNKNOWN:
            say_once(f"batch {batch_id}: the status {state.raw!r} is unknown here; checking again later")
        if not state.status.is_terminal:
            self._doubts.pop(entry.shard, None)
            return False
        if entry.is_in_flight:
            about = {"status": state.status.value, "raw": state.raw, "error": state.error}
            if state.is_put_off:
                n_beside = max(0, self.sender.queue.n_in_flight() - 1)
                ledger.record("refused", entry.shard, **about, n_beside=n_beside)
                return True
            ledger.record("terminal", entry.shard, **about, n_done=state.n_done, is_final=state.is_final)
        self._receive(entry, batch_id, state)
        return True

    def _follow(self, entry: ShardEntry) -> bool:
        """Look at a shard of another ledger that this one waits for; True if it needs no further look."""
        ledger, provider = self.sender.ledger, self.sender.provider
        folder, name = find_source(ledger, entry)
        found = read_source(ledger, entry)
        if found is None or entry.shard in self.sender.decisions.resubmit:
            ledger.record("refused", entry.shard, error=f"{entry.reused_from} did not bring its answers")
            self._lost_claims.add(entry.shard)
            return True
        source = Ledger.read(folder)
        if has_answers(source, found):
            path = ledger.replies_path(entry.shard).with_suffix(".tmp")
            copy_rows(source, found, ledger, entry, provider, path)
            about = {name: getattr(found, name) for name in ("batch_id", "status", "error", "is_final")}
            keep_rows(ledger, entry, path, is_given_up=found.is_given_up, **about)
            return True
        with source.if_free() as is_free:  # its trial is at work, or is not: then this one sees to it
            if not is_free:
                return False
            try:
                self._advance_other(source, name)
            except ProviderError as error:
                way_out = give_up_words(f"{ledger.folder.name}/{entry.shard}")
                raise ProviderError(error.what, where=error.where, fix=f"{error.fix}\n  {way_out}") from None
        return self._follow(entry) if has_answers(source, source.shards[name]) else False

    def _advance_other(self, source: Ledger, name: str) -> None:
        """Do a step for a shard of a trial that nobody works on; what it cost goes into its own ledger."""
        sender = dataclasses.replace(self.sender, ledger=source, decisions=Decisions())
        sender.reconcile()
        other = self._others.setdefault(source.folder, Collector(sender, self._options))
        other.sender = sender
        other.look_at(source.shards[name])
        if source.shards[name].state == "downloaded":
            with Attempts(max_attempts=1) as attempts:
                enter_cost(attempts, sender, source.shards[name], self._price)

    def has_lost_claims(self) -> bool:
        """Whether requests that somebody else was to send were not sent, since the last question."""
        is_lost, self._lost_claims = bool(self._lost_claims), set()
        return is_lost

    def _receive(self, entry: ShardEntry, batch_id: str, state: BatchState) -> None:
        """Download the rows of a batch that has ended, and keep them if they are all that there will be."""
        ledger, provider = self.sender.ledger, self.sender.provider
        path = ledger.replies_path(entry.shard).with_suffix(".tmp")
        try:
            provider.fetch(batch_id, path)
        except NoBatchError as error:  # a file that was just written may not be found yet
            raise UnreadableError(error.what, where=error.where, fix=error.fix) from None
        except BusyError as error:
            if error.is_cut:  # the provider is there, but its file never comes whole
                raise UnreadableError(error.what, where=error.where, fix=error.fix) from None
            raise
        found = count_rows(ledger, entry, provider, path)
        doubt = self._doubts.get(entry.shard, Doubt())
        lack = find_lack(entry, state, found, provider, n_looks=doubt.n_looks + 1)
        if lack is not None:
            what = f"the provider calls it {state.raw!r} and its results {lack}"
            raise UnreadableError(what, where=batch_id, fix="")
        keep_rows(ledger, entry, path)

    def _doubt(self, entry: ShardEntry, problem: str) -> float | None:
        """
        Note what is wrong with a batch; seconds until the next look, None if there will be none.

        Raises
        ------
        ProviderError
            If it was seen often enough to be asked about.
        """
        doubt = self._doubts.setdefault(entry.shard, Doubt())
        doubt.see(problem)
        if not doubt.is_over:
            rest_s = doubt.rest_s(self.poll_seconds)
            say(f"batch {entry.batch_id}: {problem}; checking again in {rest_s:.3g} seconds")
            return rest_s
        if entry.shard not in self.sender.decisions.resubmit:
            raise ask_about(entry, self.sender.ledger, doubt)
        give_up(self.sender.ledger, self.sender.ledger.shards[entry.shard], self.sender.provider)
        return None

    def _look(self, entry: ShardEntry, batch_id: str) -> BatchState:
        """Look at a batch; one that was just made may not be found yet."""
        provider, ledger = self.sender.provider, self.sender.ledger
        try:
            return provider.status(batch_id)
        except NoBatchError as error:
            if 3600 * hours_since(entry.submitted_at or entry.at) < provider.lag_seconds:
                return BatchState(BatchStatus.QUEUED, "not found yet")
            if entry.shard in self.sender.decisions.resubmit:
                raise UnreadableError(error.what, where=error.where, fix=error.fix) from None
            give_up = give_up_words(f"{ledger.folder.name}/{entry.shard}")
            if (changed := find_change(entry, provider, self.sender.service)) is None:
                raise NoBatchError(error.what, where=error.where, fix=f"{error.fix}\n  {give_up}") from None
            raise ProviderError(
                f"batch {batch_id} is not there, and was sent {changed.what}",
                where=error.where,
                fix=f"{changed.fix} It is paid.\n  {give_up}",
            ) from None


def _is_awaited(ledger: Ledger, entry: ShardEntry) -> bool:
    """Whether rows are still to come: also if somebody has deleted a downloaded file."""
    return entry.is_live and (
        entry.state not in {"downloaded", "reconciled"} or not ledger.replies_path(entry.shard).exists()
    )


def _check_wait(entry: ShardEntry, max_wait_hours: float) -> None:
    waited = hours_since(entry.submitted_at or entry.at)
    if waited > max_wait_hours:
        name = f"batch {entry.batch_id}" if entry.batch_id else f"what it waits for ({entry.reused_from})"
        raise ProviderError(
            f"{name} is not done after {waited:.1f} hours",
            where=f"shard {entry.shard}",
            fix="Look at the batch at the provider; raise max_wait_hours to keep waiting.",
        )


def take_in(attempts: Attempts, sender: Sender, requests: Path, price: Price | None) -> None:
    """Take in the shards that have come; enter what they cost when they are read first."""
    for entry in live_shards(requests, sender.ledger):
        if entry.shard not in attempts.shards:
            enter_cost(attempts, sender, entry, price)


def enter_cost(attempts: Attempts, sender: Sender, entry: ShardEntry, price: Price | None) -> None:
    """Take in a shard; what it cost is not known if a part of it could not be read."""
    cost = attempts.add_shard(sender.ledger, entry, sender.provider, price)
    if entry.state == "downloaded":
        cost = Decimal(0) if entry.reused_from else None if entry.n_unread else cost
        sender.ledger.record("reconciled", entry.shard, cost_usd=None if cost is None else float(cost))


def requests_to_resend(
    requests: Path, attempts: Attempts, ledger: Ledger, *, attempt: int
) -> Iterator[Request]:
    """Yield the requests that are worth this attempt as their next and not under way, each key once."""
    with KeySet() as sent:
        for entry in ledger.shards.values():
            if entry.is_live and entry.attempt == attempt and entry.shard not in attempts.shards:
                sent.update(ledger.read_keys(entry.shard))
        for key, line in read_request_keys(requests):
            is_due = attempts.is_worth_another(key) and attempts.count(key) == attempt - 1
            if is_due and sent.add(key):
                yield Request.from_json(json.loads(line))
