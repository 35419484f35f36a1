"""Sending requests: shard by shard, each once a slot is free, and never a request twice."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Iterable, Mapping

from scripts.dispatch.claims import Claims
from scripts.dispatch.lost_calls import Decisions, Search
from scripts.dispatch.payloads import Payload, write_payloads
from scripts.dispatch.places import place_of
from scripts.dispatch.preflight import Preflight, make_preflight
from scripts.dispatch.slots import Queue, Slot, held_slots, is_batch_over, queue_lock
from scripts.errors import BusyError, NoBatchError, ProviderError, StateError, UnknownOutcomeError
from scripts.experiment.settings import Settings
from scripts.files import file_sha256
from scripts.money.budget import make_reserve
from scripts.money.ledger import Ledger, ShardEntry, write_keys
from scripts.providers import Provider, make_provider
from scripts.providers.options import provider_settings, service_digest, service_digests
from scripts.records import Request, Trial, Usage, digest
from scripts.run.job import say, say_once
from scripts.run.stop import StopToken, make_job_stop_token

MAX_SLEEP_S = 2.0
"""How long a wait may go without a look at the stop sentinel; hundreds of jobs may wait at once."""

MAX_TRIES = 8
"""How often a busy provider is asked to start one batch."""

FIRST_REST_S, MAX_REST_S = 5.0, 300.0
"""How long to wait for a busy provider that does not say how long."""

NOT_THERE = "no batch of it is at the provider"


def backoff_s(n_tries: int) -> float:
    """Seconds to wait after so many tries."""
    return min(FIRST_REST_S * 2.0 ** (n_tries - 1), MAX_REST_S)


class OvertakenError(Exception):
    """Another trial has sent requests of a shard that was about to go out."""


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
    claims: Claims
    """What others have paid for."""
    preflight: Preflight | None = None
    """Asks the provider before the first batch."""

    def send_due(
        self, find: Callable[[], Iterable[Request]], *, attempt: int, at_most: int | None = None
    ) -> None:
        """
        Send the requests that `find` yields, but for those that others have paid for: see `send`.

        `find` is called again after every change, and yields what no live shard of the ledger holds.
        """
        while True:
            keys = (request.request_key for request in find())
            self.claims.claim(keys, self.provider, attempt=attempt)
            if self.send(find(), attempt=attempt, at_most=at_most):
                return

    def send(self, requests: Iterable[Request], *, attempt: int, at_most: int | None = None) -> bool:
        """
        Send the requests, shard by shard (of `at_most` so many), each once a slot is free.

        Returns
        -------
        bool
            False if another trial has meanwhile sent some of them, whose shards were left out.

        Raises
        ------
        StopRequested
            While waiting for a slot; what is sent is in the ledger.
        ProviderError
            The provider refused a shard, or it cannot be known whether it took it.
        """
        is_all, path, known = True, self.ledger.folder / "payload.tmp", None
        with contextlib.closing(write_payloads(requests, self.provider, path, at_most=at_most)) as payloads:
            for payload in payloads:
                known = self._ask_for_batches() if known is None else known
                keys = self.ledger.folder / "keys.tmp"
                write_keys(keys, payload.keys)
                shard = self.ledger.plan(attempt=attempt, keys=keys, n_requests=len(payload.keys))
                try:
                    self._send_shard(shard, payload, known)
                except OvertakenError:
                    is_all = False
        return is_all

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
                batch_id = self._search(self.decisions).find(entry, entry.key)
                if batch_id is None:
                    self.ledger.record("refused", entry.shard, error=NOT_THERE)
                else:
                    self._enter(entry.shard, batch_id)

    def _search(self, decisions: Decisions) -> Search:
        return Search(
            ledger=self.ledger,
            provider=self.provider,
            service=self.service,
            decisions=decisions,
            rest=self.rest,
            backoff=backoff_s,
            poll_seconds=self.poll_seconds,
        )

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

    def _send_shard(self, shard: str, payload: Payload, known: Mapping[str, str]) -> None:
        key = self._key_of(shard, payload)
        if (batch_id := known.get(key)) is not None:
            self._claim_slot(shard, payload, key, set(), is_there=True)
            say(f"shard {shard} is at the provider already: batch {batch_id}, which this folder did not know")
        else:
            if self.preflight is not None and payload.first is not None:
                self.preflight.check(self.provider, payload.first, rest=self.rest)
            batch_id = self._create(shard, payload, key)
        self._enter(shard, batch_id)

    def _key_of(self, shard: str, payload: Payload) -> str:
        """
        Make the key of a shard from what it holds, so that a folder that is lost or copied makes it again.

        What the provider has turned away goes out again under a new key.
        """
        about = [self.run_id, self.ledger.folder.name, self.ledger.shards[shard].attempt]
        used = {entry.key for entry in self.ledger.shards.values() if entry.is_put_off}
        content = file_sha256(payload.path)
        return next(key for n in itertools.count() if (key := digest([*about, content, n])) not in used)

    def _create(self, shard: str, payload: Payload, key: str) -> str:
        """Start a batch; one whose answer was lost is looked for, and sent again if it is not there."""
        attempt = self.ledger.shards[shard].attempt
        metadata = {"run": self.run_id, "trial": self.ledger.folder.name, "attempt": str(attempt)}
        for n_tries in itertools.count(1):
            self._wait_for_slot(shard, payload, key)
            try:
                return self.provider.create(payload.path, key=key, metadata=metadata)
            except UnknownOutcomeError as error:
                if error.ask_again_s is None:
                    raise
                say(f"{error.where}: {error.what}; looking for it")
                batch_id = self._search(Decisions()).find(self.ledger.shards[shard], key)
                if batch_id is not None:
                    return batch_id
                self.ledger.record("refused", shard, error=NOT_THERE)
                self._rest_after(error, n_tries)
            except ProviderError as error:
                self.ledger.record("refused", shard, error=str(error))
                self._rest_after(error, n_tries)
        raise AssertionError("not reached")

    def _rest_after(self, error: ProviderError, n_tries: int) -> None:
        """Leave the provider alone for a while; raises what will not pass."""
        if not isinstance(error, BusyError | UnknownOutcomeError):
            raise error
        if n_tries == MAX_TRIES:
            raise ProviderError(
                f"{error.what} ({n_tries} times; nothing of it is at the provider)"
                if isinstance(error, UnknownOutcomeError)
                else error.what,
                where=error.where,
                fix="Nothing is paid twice: run again later.",
            ) from error
        rest_s = error.retry_after_s if isinstance(error, BusyError) else None
        rest_s = backoff_s(n_tries) if rest_s is None else rest_s
        say(f"{error.where}: {error.what}; retrying in {rest_s:.3g} seconds")
        self.rest(rest_s)

    def _enter(self, shard: str, batch_id: str) -> None:
        """Write down the batch of a shard."""
        try:
            self.ledger.record("submitted", shard, batch_id=batch_id, account=self.provider.account)
        except StateError as error:
            raise UnknownOutcomeError(
                f"batch {batch_id} was started, but {error.what}", where=error.where, fix=error.fix
            ) from None

    def _ask_for_batches(self) -> Mapping[str, str]:
        """Ask which batches are there, as the folder may have forgotten some (a backup, a copy)."""
        for n_tries in itertools.count(1):
            try:
                return self.provider.list_batches()
            except NoBatchError as error:
                say_once(f"{error.where}: {error.what}. {error.fix}")
                return {}
            except BusyError as error:
                self._rest_after(error, n_tries)
        raise AssertionError("not reached")

    def _wait_for_slot(self, shard: str, payload: Payload, key: str) -> None:
        over: set[Slot] = set()
        next_look, reason = time.monotonic() + self.poll_seconds, None
        while (refusal := self._claim_slot(shard, payload, key, over)) is not None:
            if reason is None:
                say(f"waiting for a slot: {refusal}")
            reason = refusal
            self.stop.check()
            time.sleep(min(self.poll_seconds, MAX_SLEEP_S))
            if time.monotonic() >= next_look:
                over |= {slot for slot, entry in held_slots(self.queue.root) if self.is_over(entry)}
                next_look = time.monotonic() + self.poll_seconds

    def _claim_slot(
        self, shard: str, payload: Payload, key: str, over: set[Slot], *, is_there: bool = False
    ) -> str | None:
        """
        Write the intent, or say what it must wait for; under the lock, so that no two take one slot.

        What `is_there` already waits for nothing.

        Raises
        ------
        OvertakenError
            If another trial has sent some of its requests.
        """
        usage = payload.usage
        with self.claims.lock(), queue_lock(self.queue.root):
            self.stop.check()
            takes_slots = self.provider.takes_slots
            if takes_slots and not is_there and self.claims.is_overtaken(payload.keys):
                raise OvertakenError
            refusal = self.queue.refusal(usage, over) if takes_slots and not is_there else None
            if refusal is None:
                reserved = self.reserve(usage)
                if takes_slots:
                    self.queue.take((self.ledger.folder.name, shard), over)
                about = {"key": key, "model": self.model, "service": self.service, **place_of(self.provider)}
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
        claims=Claims(
            ledger,
            service_digests(settings, trial.model),
            is_store=settings.config["reuse"] == "store",
        ),
        preflight=make_preflight(settings, trial, ledger),
    )
