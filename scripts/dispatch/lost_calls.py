"""Create calls whose answer was lost: a crash, a broken connection, a power cut."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable

from scripts.dispatch.slots import hours_since
from scripts.errors import UnknownOutcomeError
from scripts.files import dump_line
from scripts.jobs import say
from scripts.ledger import Ledger, ShardEntry, read_shards
from scripts.providers import LostCall, Provider


def find_lost_batch(
    ledger: Ledger,
    entry: ShardEntry,
    key: str,
    provider: Provider,
    *,
    rest: Callable[[float], None],
    poll_seconds: float,
) -> str | None:
    """
    Look for the batch of a lost call; that it is absent counts once the provider's lists have had their time.

    Raises
    ------
    UnknownOutcomeError
        If the provider cannot tell; with the lines by which a user can decide.
    """
    try:
        while (batch_id := _find_existing(ledger, entry, key, provider)) is None:
            left = provider.lag_seconds - 3600 * hours_since(entry.at)
            if left <= 0:
                break
            say(f"a batch may not be listed yet: asks again for {left:.0f} seconds")
            rest(min(left, poll_seconds))
    except UnknownOutcomeError as error:
        raise _ask_user(error, ledger, entry) from None
    return batch_id


def _find_existing(ledger: Ledger, entry: ShardEntry, key: str, provider: Provider) -> str | None:
    """Ask the provider, and again if meanwhile others have sent what may look like the lost batch."""
    call = lost_call(ledger, entry)
    while True:
        batch_id = provider.find_existing(key, call)
        asked, call = call, lost_call(ledger, entry)
        if batch_id is None or (call.known, call.n_rivals) == (asked.known, asked.n_rivals):
            return batch_id


def lost_call(ledger: Ledger, entry: ShardEntry) -> LostCall:
    """Gather what the ledgers of all runs beside this one know of a call that was never answered."""
    experiments = ledger.folder.parents[2]
    paths = set(experiments.glob("run_*/ledger/*/events.jsonl")) - {ledger.path}
    others = [other for path in paths for other in read_shards(path).values()]
    own = [other for other in ledger.shards.values() if other.shard != entry.shard]
    return LostCall(
        at=datetime.datetime.fromisoformat(entry.at),
        n_requests=entry.n_requests,
        known=frozenset(other.batch_id for other in [*others, *own] if other.batch_id is not None),
        n_rivals=sum(
            other.state == "intent" and other.n_requests == entry.n_requests for other in [*others, *own]
        ),
        read_keys=functools.partial(ledger.read_keys, entry.shard),
    )


def _ask_user(error: UnknownOutcomeError, ledger: Ledger, entry: ShardEntry) -> UnknownOutcomeError:
    fate = {"shard": entry.shard, "at": entry.at}
    found = dump_line({"event": "submitted", **fate, "batch_id": "ITS-ID"}).rstrip()
    absent = dump_line({"event": "refused", **fate, "error": "decided by hand"}).rstrip()
    return UnknownOutcomeError(
        error.what,
        where=f"{ledger.path}, shard {entry.shard}",
        fix=f"{error.fix}\n  To decide by hand, append one line to that file.  The batch is there: {found}\n"
        f"  No batch is there, so that sending again pays once: {absent}",
    )
