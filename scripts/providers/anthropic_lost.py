"""
Finding a batch whose create call was never answered, where the provider keeps neither key nor metadata.

What is known of it: it was created after the call, it has as many requests as the call had, no ledger owns
it, and once it has ended, its results carry the keys of the call's requests.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from scripts.errors import UnknownOutcomeError, shorten
from scripts.providers.base import LostCall
from scripts.providers.provider_clocks import read_date

if TYPE_CHECKING:
    import anthropic
    from anthropic.types.messages import MessageBatch, MessageBatchRequestCounts

SKEW = datetime.timedelta(minutes=5)
"""How far a clock may be off after it was compared with the provider's."""

DOUBT = datetime.timedelta(days=1)
"""An unowned batch of that size that goes on and is no older than this before the call may be its own."""

SETTLING = datetime.timedelta(minutes=5)
"""So long after the end of a call, a batch that is not listed was never created."""

UPLOAD_PER_REQUEST = datetime.timedelta(milliseconds=20)
"""What a call may take for each of its requests on a slow line; the ledger knows only when it began."""

PAGE_SIZE = 100
CONSOLE = "Look at the batches in the provider's console"


def find_lost_batch(client: anthropic.Anthropic, call: LostCall, *, where: str) -> str | None:
    """
    Find the one batch that a lost call can have started.

    Returns
    -------
    str or None
        The batch's id; None only if no batch can be the call's and some minutes have passed.

    Raises
    ------
    UnknownOutcomeError
        If several can be, or it is too early to say that none was created.
    """
    server_now, candidates = _list_candidates(client, call)
    keys = frozenset(call.read_keys()) if any(map(_has_results, candidates)) else frozenset()
    ours, unclear = [], []
    for batch in candidates:
        if not _has_results(batch):
            unclear.append(batch)
        elif _first_custom_id(client, batch) in keys:
            ours.append(batch.id)
    if len(ours) == 1:
        return ours[0]
    since = [b.id for b in unclear if call.provider_at and b.created_at >= call.provider_at - SKEW]
    if not ours and len(since) == 1 and not call.n_rivals:
        return since[0]
    if ours or unclear:
        raise UnknownOutcomeError(
            f"the call of {_clock(call.at)} with {call.n_requests:,} requests was not answered, and which "
            "batch is its own cannot be told: it may be "
            f"{shorten(ours or since or [batch.id for batch in unclear])}",
            where=where,
            fix=f"{CONSOLE}, or wait until they have ended (24 hours at most) and run again: their results "
            "tell whose they are.",
        )
    _check_is_settled(call, server_now, where=where)
    return None


def _check_is_settled(call: LostCall, server_now: datetime.datetime, *, where: str) -> None:
    """Refuse to say so soon that a batch is not there; by the provider's clock, where the call's is known."""
    started = call.provider_at or call.at
    now = server_now if call.provider_at else datetime.datetime.now(datetime.UTC)
    wait = started + call.n_requests * UPLOAD_PER_REQUEST + SETTLING - now
    if wait > datetime.timedelta(0):
        sure_at = datetime.datetime.now(datetime.UTC) + wait
        raise UnknownOutcomeError(
            f"no batch of {call.n_requests:,} requests is listed since {_clock(call.at)}, but it is too "
            "early to be sure that none was created",
            where=where,
            fix=f"Run again after {_clock(sure_at)}. {CONSOLE} if it is urgent.",
            ask_again_s=wait.total_seconds(),
        )


def _list_candidates(
    client: anthropic.Anthropic, call: LostCall
) -> tuple[datetime.datetime, list[MessageBatch]]:
    """
    Say what time it is there, and list the batches of that size that nobody owns, newest first.

    They reach back a day behind the call: more than a clock that was set can hide.
    """
    response = client.messages.batches.with_raw_response.list(limit=PAGE_SIZE)
    now = datetime.datetime.now(datetime.UTC)
    server_now = read_date(response.headers.get("date")) or now
    starts = [call.provider_at] if call.provider_at else [call.at, call.at + (server_now - now)]
    earliest = min(*starts, now, server_now) - DOUBT
    candidates = []
    for page in response.parse().iter_pages():
        recent = [batch for batch in page.data if batch.created_at >= earliest]
        candidates += [
            batch
            for batch in recent
            if batch.id not in call.known and count_requests(batch) == call.n_requests
        ]
        if not recent:
            break
    return server_now, candidates


def count_requests(batch: MessageBatch) -> int:
    """Count the requests of a batch: at any time the sum of its counts."""
    counts: MessageBatchRequestCounts | None = getattr(batch, "request_counts", None)
    if counts is None:
        raise ValueError(f"batch {batch.id} comes without its counts")
    numbers = (counts.processing, counts.succeeded, counts.errored, counts.canceled, counts.expired)
    return sum(numbers)


def _has_results(batch: MessageBatch) -> bool:
    return batch.processing_status == "ended" and batch.results_url is not None


def _first_custom_id(client: anthropic.Anthropic, batch: MessageBatch) -> str | None:
    results = client.messages.batches.results(batch.id)
    try:
        return next((row.custom_id for row in results), None)
    finally:
        results.close()


def _clock(at: datetime.datetime) -> str:
    return f"{at.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"
