"""Phase poll: wait for a trial's batches, fetch what came back, send again what failed."""

from __future__ import annotations

import contextlib
import functools
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from scripts.dispatch.collecting import Collector, PutOff, requests_to_resend, take_in
from scripts.dispatch.key_index import KeySet
from scripts.dispatch.replies import Attempts
from scripts.dispatch.selection import read_request_keys, unsent_requests
from scripts.dispatch.sender import make_sender
from scripts.errors import ProviderError, StateError
from scripts.experiment.settings import Settings
from scripts.files import atomic_open
from scripts.money.ledger import Ledger
from scripts.money.price_book import find_price
from scripts.providers.options import provider_settings
from scripts.records import FAILED_OUTCOMES, Outcome, Trial
from scripts.run.job import phase_job, phase_parser, say, trial_job


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
        Ledger(settings.paths.ledger(trial.name)) as ledger,
        Attempts(
            max_attempts=options["max_attempts"], resend_cancelled=options.get("resend_cancelled", False)
        ) as attempts,
        contextlib.closing(make_sender(settings, trial, ledger)) as sender,
    ):
        sender.reconcile()
        put_off, collector = PutOff(), Collector(sender, options, price)
        while True:
            collector.collect()
            take_in(attempts, sender, requests, price)
            if put_off.wait(sender, options) or collector.has_lost_claims():
                unsent = functools.partial(unsent_requests, requests, ledger)
                sender.send_due(unsent, attempt=1, at_most=put_off.at_most)
            elif not sender.provider.resends or attempts.is_settled:
                break
            else:
                say("sending failed requests again")
            for attempt in range(2, options["max_attempts"] + 1):
                due = functools.partial(requests_to_resend, requests, attempts, ledger, attempt=attempt)
                sender.send_due(due, attempt=attempt)
        outcomes = write_replies(requests, attempts, out=out)
        reason = next((error for error, _ in attempts.errors.most_common(1)), None)
    if attempts.n_cancelled:
        name = settings.config["models"][trial.model]["provider"]
        say(
            f"{attempts.n_cancelled} requests were cancelled at the provider and are not sent again; "
            f"providers.{name}.resend_cancelled: true sends them"
        )
        reason = f"{reason} (providers.{name}.resend_cancelled: true sends what was cancelled again)"
    say(", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))
    check_error_rate(settings, trial, outcomes, reason)


def write_replies(requests: Path, attempts: Attempts, *, out: Path) -> Counter[Outcome]:
    """
    Write every attempt at every request, in the order of the requests, and count the outcomes.

    Requests with the same key (items with the same rendered texts) were sent once; their rows appear once.

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
                    fix="Run `snakemake` again: it submits what has not been sent, then polls.",
                )
            outcomes[outcome] += 1
            if written.add(key):
                handle.writelines(lines)
    return outcomes


def check_error_rate(
    settings: Settings, trial: Trial, outcomes: Counter[Outcome], reason: str | None = None
) -> None:
    """
    Refuse a trial if too many of its requests failed; `reason` is the most frequent error.

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
        said = f"Most frequent error: {reason}. " if reason else ""
        raise ProviderError(
            f"{failed} of {total} requests failed ({counts}): "
            f"{failed / total:.1%}, but max_error_rate is {allowed:.1%}",
            where=trial.name,
            fix=f"{said}What arrived is kept. Find the cause, or raise max_error_rate, and run again.",
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
