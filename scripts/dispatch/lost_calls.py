"""Create calls whose answer was lost: a crash, a broken connection, a power cut."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

from scripts.errors import ConfigError, NoBatchError, UnknownOutcomeError
from scripts.money.ledger import Ledger, ShardEntry, read_shards
from scripts.providers import LostCall, Provider
from scripts.run.job import say
from scripts.run.paths import ALL_LEDGERS


@dataclasses.dataclass(frozen=True)
class Decisions:
    """What a user has decided about lost calls of one trial, after a look at the provider."""

    adopt: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The batch of each shard that is there."""
    resubmit: frozenset[str] = frozenset()
    """Shards of which no batch is there."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any], trial: str) -> Decisions:
        """Read what ``adopt`` and ``resubmit`` say about a trial."""
        adopt = {name.rpartition("/"): batch_id for name, batch_id in config["adopt"].items()}
        named = [name.rpartition("/") for name in config["resubmit"]]
        return cls(
            {shard: batch_id for (owner, _, shard), batch_id in adopt.items() if owner == trial},
            frozenset(shard for owner, _, shard in named if owner == trial),
        )


def find_lost_batch(
    ledger: Ledger,
    entry: ShardEntry,
    key: str,
    provider: Provider,
    *,
    decisions: Decisions,
    rest: Callable[[float], None],
    poll_seconds: float,
) -> str | None:
    """
    Look for the batch of a lost call; that it is absent counts once the provider's lists have had their time.

    That time counts from the first look: when the call was made, after an upload of any length, nobody knows.

    Raises
    ------
    UnknownOutcomeError
        If the provider cannot tell and the user has not decided; the message says how to.
    """
    end = time.monotonic() + provider.lag_seconds
    try:
        while (batch_id := _find_existing(ledger, entry, key, provider)) is None:
            left = end - time.monotonic()
            if left <= 0:
                break
            say(f"a batch may not be listed yet: asking again for {left:.0f} seconds")
            rest(min(left, poll_seconds))
    except UnknownOutcomeError as error:
        return _decide(error, ledger, entry, provider, decisions)
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
    paths = set(experiments.glob(ALL_LEDGERS)) - {ledger.path}
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


def _decide(
    error: UnknownOutcomeError, ledger: Ledger, entry: ShardEntry, provider: Provider, decisions: Decisions
) -> str | None:
    """Take the user's word where the provider cannot tell."""
    if entry.shard in decisions.resubmit:
        return None
    batch_id = decisions.adopt.get(entry.shard)
    if batch_id is None:
        raise _ask_user(error, ledger, entry)
    _check_adopted(batch_id, ledger, entry, provider)
    return batch_id


def _check_adopted(batch_id: str, ledger: Ledger, entry: ShardEntry, provider: Provider) -> None:
    where = f"adopt: {ledger.folder.name}/{entry.shard}"
    if batch_id in lost_call(ledger, entry).known:
        raise ConfigError(
            f"the batch {batch_id} already belongs to another shard",
            where=where,
            fix="Look for the batch that no ledger names (`python -m scripts.ledger` lists those of a run).",
        )
    try:
        provider.status(batch_id)
    except NoBatchError as error:
        raise ConfigError(
            f"the batch {batch_id} is not at the provider",
            where=where,
            fix=f"Correct its id, or name the shard under resubmit. ({error.what})",
        ) from None


def _ask_user(error: UnknownOutcomeError, ledger: Ledger, entry: ShardEntry) -> UnknownOutcomeError:
    name, sent = f"{ledger.folder.name}/{entry.shard}", f"{entry.n_requests} requests"
    return UnknownOutcomeError(
        error.what,
        where=f"{ledger.path}, shard {entry.shard}",
        fix=f"{error.fix}\n  To decide by hand, look at the provider for a batch of {sent} that was "
        f"made at {entry.at} or a few minutes later, and add one line to the configuration:\n"
        f"  it is there:   adopt: {{{name}: ITS-ID}}\n"
        f"  it is not, so that sending again pays once:   resubmit: [{name}]",
    )
