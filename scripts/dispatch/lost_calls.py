"""Create calls whose answer was lost: a crash, a broken connection, a power cut."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any

from scripts.dispatch.places import find_change
from scripts.errors import ConfigError, NoBatchError, UnknownOutcomeError
from scripts.money.ledger import Ledger, ShardEntry, read_shards
from scripts.providers import LostCall, Provider
from scripts.run.job import say
from scripts.run.paths import ALL_LEDGERS

MAX_ASKS = 8
"""How often a provider that cannot tell for the moment is asked for one batch."""

MAX_ASK_REST_S = 3600.0
"""If it cannot tell for longer than this, a person has to decide."""


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


@dataclasses.dataclass(frozen=True)
class Search:
    """How a trial looks for its lost batches."""

    ledger: Ledger
    provider: Provider
    service: str
    """Digest of who is asked."""
    decisions: Decisions
    rest: Callable[[float], None]
    """Sleeps; raises if a stop is requested."""
    backoff: Callable[[int], float]
    """Seconds to leave a busy provider alone, by the number of tries."""
    poll_seconds: float

    def find(self, entry: ShardEntry, key: str) -> str | None:
        """
        Look for the batch of a lost call; that it is absent counts once the lists have had their time.

        That time counts from the first look: when the call was made, after an upload of any length, nobody
        knows.  At another place than the call's nothing counts as absent.

        Raises
        ------
        UnknownOutcomeError
            If the provider cannot tell and the user has not decided; the message says how to.
        """
        try:
            change = find_change(entry, self.provider, self.service)
            if change is None:
                return self._wait_for(entry, key)
            if self.provider.keeps_keys and (batch_id := self._ask(entry, key)) is not None:
                return batch_id
            raise UnknownOutcomeError(
                f"the call of {entry.at} was sent {change.what}: whether it started a batch cannot be asked "
                "here, so a paid one may exist",
                where=entry.shard,
                fix=f"{change.fix} Then run again: it looks for the batch there.",
            )
        except UnknownOutcomeError as error:
            return _decide(error, self.ledger, entry, self.provider, self.decisions)

    def _wait_for(self, entry: ShardEntry, key: str) -> str | None:
        """Ask until the batch is there, or surely is not."""
        end = time.monotonic() + self.provider.lag_seconds
        while (batch_id := self._ask(entry, key)) is None:
            left = end - time.monotonic()
            if left <= 0:
                return None
            say(f"a batch may not be listed yet: asking again for {left:.0f} seconds")
            self.rest(min(left, self.poll_seconds))
        return batch_id

    def _ask(self, entry: ShardEntry, key: str) -> str | None:
        """Ask once, or until a provider that cannot tell for the moment can."""
        for n_tries in itertools.count(1):
            try:
                return _find_existing(self.ledger, entry, key, self.provider)
            except UnknownOutcomeError as error:
                rest_s = error.ask_again_s
                if rest_s is None or rest_s > MAX_ASK_REST_S or n_tries == MAX_ASKS:
                    raise
                rest_s = max(rest_s, self.backoff(n_tries))
                say(f"{error.where}: {error.what}; asking again in {rest_s:.3g} seconds")
                self.rest(rest_s)
        raise AssertionError("not reached")


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
        provider_at=datetime.datetime.fromisoformat(entry.provider_at) if entry.provider_at else None,
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
