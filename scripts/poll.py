"""Phase poll: wait for a trial's batches, fetch what came back, send again what failed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from scripts.dispatch import (
    Sender,
    hours_since,
    live_shards,
    make_sender,
    read_request_keys,
    unsent_requests,
)
from scripts.dispatch.key_index import KeySet
from scripts.dispatch.replies import Attempts
from scripts.errors import BusyError, NoBatchError, ProviderError, StateError
from scripts.experiment.settings import Settings
from scripts.files import atomic_open, file_sha256
from scripts.money.ledger import Ledger, ShardEntry
from scripts.money.price_book import Price, find_price
from scripts.providers import BatchState, BatchStatus, provider_settings
from scripts.records import FAILED_OUTCOMES, Outcome, Request, Trial
from scripts.run.job import phase_job, phase_parser, say, say_once, trial_job

FIRST_WAIT_S = 0.05
MAX_PUT_OFF_S = 900.0
"""How long to wait at most before a batch that was turned away is sent again."""


def poll_trial(settings: Settings, trial: Trial, requests: Path, *, out: Path) -> None:
    """
    Wait until every request of a trial has its outcome, and write the replies in the order of the requests.

    Raises
    ------
    StopRequested
        While waiting; the batches stay at the provider.
    ProviderError
        If a batch takes longer than ``max_wait_hours``, or more requests fail than ``max_error_rate`` allows.
    """
    options = provider_settings(settings, trial.model)
    price = find_price(settings.config, trial.model)
    with (
        Ledger(settings.run_root / "ledger" / trial.name) as ledger,
        Attempts(max_attempts=options["max_attempts"]) as attempts,
        contextlib.closing(make_sender(settings, trial, ledger)) as sender,
    ):
        sender.reconcile()
        put_off = PutOff()
        while True:
            collect(sender, options)
            take_in(attempts, sender, requests, price)
            if put_off.wait(sender, options):
                sender.send(unsent_requests(requests, ledger), attempt=1, at_most=put_off.at_most)
            elif not sender.provider.resends or attempts.is_settled:
                break
            else:
                say("requests that failed are sent again")
            for attempt in range(2, options["max_attempts"] + 1):
                sender.send(_to_resend(requests, attempts, attempt=attempt), attempt=attempt)
        outcomes = write_replies(requests, attempts, out=out)
        reason = next((error for error, _ in attempts.errors.most_common(1)), None)
    say(", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))
    check_error_rate(settings, trial, outcomes, reason)


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
        say(f"{len(fresh)} batches were turned away ({fresh[-1].error}); goes on in {rest_s:.0f} seconds")
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
            say(f"{error.where}: {error.what}; looks again in {pause:.0f} seconds")
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
            say_once(f"batch {batch_id}: the status {state.raw!r} is not known here; looks again later")
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
            fix="Look at the batch at the provider; raise max_wait_hours to wait on.",
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


def write_replies(requests: Path, attempts: Attempts, *, out: Path) -> Counter[Outcome]:
    """
    Write every attempt at every request, in the order of the requests, and count the outcomes.

    Requests of one key (items whose rendered texts are the same) were sent once; their rows stand once.

    Raises
    ------
    StateError
        If a request was never sent.
    """
    outcomes: Counter[Outcome] = Counter()
    with KeySet() as written, atomic_open(out) as handle:
        for key, line in read_request_keys(requests):
            outcome, lines = attempts.read(key)
            if outcome is None:
                raise StateError(
                    f"item {json.loads(line)['item_id']!r} was never sent",
                    where=str(requests),
                    fix="Run `snakemake` again: it submits what is not sent yet, then polls.",
                )
            outcomes[outcome] += 1
            if written.add(key):
                handle.writelines(lines)
    return outcomes


def check_error_rate(
    settings: Settings, trial: Trial, outcomes: Counter[Outcome], reason: str | None = None
) -> None:
    """
    Refuse a trial of which too much failed; `reason` is what was heard most often.

    Raises
    ------
    ProviderError
        If the share of errored, expired and missing requests is above ``max_error_rate``.
    """
    total = sum(outcomes.values())
    failed = sum(outcomes[outcome] for outcome in FAILED_OUTCOMES)
    allowed = settings.config["max_error_rate"]
    if failed > allowed * total:
        counts = ", ".join(f"{outcomes[kind]} {kind}" for kind in sorted(FAILED_OUTCOMES) if outcomes[kind])
        said = f"Heard most often: {reason}. " if reason else ""
        raise ProviderError(
            f"{failed} of {total} requests failed ({counts}): "
            f"{failed / total:.1%}, but max_error_rate is {allowed:.1%}",
            where=trial.name,
            fix=f"{said}What came back is kept. Find the cause, or raise max_error_rate and run again.",
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Collect one trial's replies (the command of rule ``poll``)."""
    parser = phase_parser("poll", "Wait for a trial's batches and collect the replies.")
    parser.add_argument("--requests", type=Path, required=True, help="the trial's requests.jsonl")
    parser.add_argument("--batches", type=Path, required=True, help="the trial's batches.json")
    parser.add_argument("--out", type=Path, required=True, help="JSONL file to write")
    options = parser.parse_args(argv)
    inputs = [options.requests, options.batches]
    with phase_job(trial_job("poll", options, inputs=inputs, outputs=[options.out])) as settings:
        poll_trial(settings, settings.trial(options.trial), options.requests, out=options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
