"""Sending requests: shard by shard, each once a slot is free, and never a request twice."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Iterable

from scripts.dispatch.lost_calls import Decisions, find_lost_batch
from scripts.dispatch.payloads import Payload, write_payloads
from scripts.dispatch.slots import Queue, Slot, held_slots, is_batch_over, queue_lock
from scripts.errors import BusyError, ProviderError, StateError, UnknownOutcomeError
from scripts.experiment.settings import Settings
from scripts.files import file_sha256
from scripts.money.budget import make_reserve
from scripts.money.ledger import Ledger, ShardEntry, write_keys
from scripts.providers import Provider, make_provider
from scripts.providers.options import provider_settings, service_digest
from scripts.records import Request, Trial, Usage, digest
from scripts.run.job import say
from scripts.run.stop import StopToken, make_job_stop_token

MAX_SLEEP_S = 2.0
"""How long a wait may go without a look at the stop sentinel; hundreds of jobs may wait at once."""

MAX_TRIES = 8
"""How often a busy provider is asked to start one batch."""

FIRST_REST_S, MAX_REST_S = 5.0, 300.0
"""How long to wait for a busy provider that does not say how long."""


@dataclasses.dataclass(frozen=True)
class Sender:
    """What sending takes: one trial's ledger and provider, and the run's common limits."""

    ledger: Ledger
    provider: Provider
    stop: StopToken
    run_id: str
    model: str
    """The configuration's name of the model."""
    service: str
    """Digest of who is asked."""
    max_active_batches: int
    poll_seconds: float
    reserve: Callable[[Usage], float | None]
    """Returns what a shard may cost, in USD; raises if it would pass the run's budget."""
    is_over: Callable[[ShardEntry], bool]
    """Asks the provider whether another trial's batch has ended (its own process may be gone)."""
    decisions: Decisions
    """What the user says of lost calls."""

    def send(self, requests: Iterable[Request], *, attempt: int, at_most: int | None = None) -> int:
        """
        Send the requests, shard by shard (of `at_most` so many), each once a slot is free; count the shards.

        Raises
        ------
        StopRequested
            While waiting for a slot; what is sent is in the ledger.
        ProviderError
            The provider refused a shard, or it cannot be known whether it took it.
        """
        n_shards, path = 0, self.ledger.folder / "payload.tmp"
        with contextlib.closing(write_payloads(requests, self.provider, path, at_most=at_most)) as payloads:
            for payload in payloads:
                keys = self.ledger.folder / "keys.tmp"
                write_keys(keys, payload.keys)
                shard = self.ledger.plan(attempt=attempt, keys=keys, n_requests=len(payload.keys))
                self._send_shard(shard, payload)
                n_shards += 1
        return n_shards

    def reconcile(self) -> None:
        """
        Ask the provider about every shard whose create call was never answered (a crash in between).

        Found: the batch is adopted.  Surely absent: the shard counts as not sent.

        Raises
        ------
        UnknownOutcomeError
            If the provider cannot tell, and neither ``adopt`` nor ``resubmit`` does.
        """
        for entry in list(self.ledger.shards.values()):
            if entry.state == "intent" and entry.key is not None:
                batch_id = find_lost_batch(
                    self.ledger,
                    entry,
                    entry.key,
                    self.provider,
                    decisions=self.decisions,
                    rest=self.rest,
                    poll_seconds=self.poll_seconds,
                )
                if batch_id is None:
                    self.ledger.record("refused", entry.shard, error="no batch of it is at the provider")
                else:
                    account = self.provider.account
                    self.ledger.record("submitted", entry.shard, batch_id=batch_id, account=account)

    def rest(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> None:
        """
        Sleep, with an eye on the stop sentinel, and no longer than `until` is false.

        Raises
        ------
        StopRequested
            As soon as a stop is requested.
        """
        end = time.monotonic() + seconds
        self.stop.check()
        while (left := end - time.monotonic()) > 0 and not until():
            time.sleep(min(left, MAX_SLEEP_S))
            self.stop.check()

    def close(self) -> None:
        """End what the provider does in this process: see `Provider.close`."""
        self.provider.close()

    def _send_shard(self, shard: str, payload: Payload) -> None:
        name = self.ledger.folder.name
        key = digest([self.run_id, name, shard, file_sha256(payload.path)])
        attempt = self.ledger.shards[shard].attempt
        metadata = {"run": self.run_id, "trial": name, "attempt": str(attempt)}
        for n_tries in itertools.count(1):
            self._wait_for_slot(shard, payload.usage, key)
            try:
                batch_id = self.provider.create(payload.path, key=key, metadata=metadata)
                break
            except UnknownOutcomeError:
                raise
            except ProviderError as error:
                self.ledger.record("refused", shard, error=str(error))
                if not isinstance(error, BusyError) or n_tries == MAX_TRIES:
                    raise
                rest_s = min(FIRST_REST_S * 2 ** (n_tries - 1), MAX_REST_S)
                rest_s = rest_s if error.retry_after_s is None else error.retry_after_s
                say(f"{error.where}: {error.what}; retrying in {rest_s:.0f} seconds")
                self.rest(rest_s)
        try:
            self.ledger.record("submitted", shard, batch_id=batch_id, account=self.provider.account)
        except StateError as error:
            raise UnknownOutcomeError(
                f"batch {batch_id} was started, but {error.what}", where=error.where, fix=error.fix
            ) from None

    def _wait_for_slot(self, shard: str, usage: Usage, key: str) -> None:
        over: set[Slot] = set()
        next_look, reason = time.monotonic() + self.poll_seconds, None
        while (refusal := self._claim_slot(shard, usage, key, over)) is not None:
            if reason is None:
                say(f"waiting for a slot: {refusal}")
            reason = refusal
            self.stop.check()
            time.sleep(min(self.poll_seconds, MAX_SLEEP_S))
            if time.monotonic() >= next_look:
                over |= {slot for slot, entry in held_slots(self.queue.root) if self.is_over(entry)}
                next_look = time.monotonic() + self.poll_seconds

    def _claim_slot(self, shard: str, usage: Usage, key: str, over: set[Slot]) -> str | None:
        """Write the intent, or say what it must wait for; under the lock, so that no two take one slot."""
        with queue_lock(self.queue.root):
            self.stop.check()
            takes_slots = self.provider.takes_slots
            refusal = self.queue.refusal(usage, over) if takes_slots else None
            if refusal is None:
                reserved = self.reserve(usage)
                if takes_slots:
                    self.queue.take((self.ledger.folder.name, shard), over)
                about = {"key": key, "model": self.model, "service": self.queue.service}
                sizes = {"input_tokens": usage.input_tokens, "reserved_usd": reserved}
                self.ledger.record("intent", shard, **about, **sizes)
        return refusal

    @property
    def queue(self) -> Queue:
        """The run's queue, as it holds for this provider."""
        return Queue(
            self.ledger.folder.parent,
            self.provider.name,
            self.service,
            self.max_active_batches,
            self.provider.limits,
        )


def make_sender(settings: Settings, trial: Trial, ledger: Ledger) -> Sender:
    """Make what sends a trial's requests."""
    options = provider_settings(settings, trial.model)
    return Sender(
        ledger=ledger,
        provider=make_provider(settings, trial.model),
        stop=make_job_stop_token(settings),
        run_id=settings.run_id,
        model=trial.model,
        service=service_digest(settings, trial.model),
        max_active_batches=settings.config["max_active_batches"],
        poll_seconds=options["poll_seconds"],
        reserve=make_reserve(settings, trial),
        is_over=functools.partial(is_batch_over, settings, max_wait_hours=options["max_wait_hours"]),
        decisions=Decisions.from_config(settings.config, trial.name),
    )
