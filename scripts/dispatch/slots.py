"""The run's queue: how many batches are at the providers, and who may send the next."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import fcntl
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from scripts.clock import now
from scripts.errors import BusyError, DataError, NoBatchError
from scripts.experiment.settings import Settings
from scripts.files import read_json, write_json
from scripts.money.books import ledger_files
from scripts.money.ledger import ShardEntry, read_shards
from scripts.providers import Limits, make_provider
from scripts.records import Usage
from scripts.run.paths import EVENTS_FILE, SLOTS_FILE

Slot = tuple[str, str]
"""A batch in flight: its trial and shard."""


@contextlib.contextmanager
def queue_lock(ledger_root: Path) -> Iterator[None]:
    """Hold the lock of the run's slots and budget; held for milliseconds only."""
    with (ledger_root / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@dataclasses.dataclass(frozen=True)
class Queue:
    """Who may send, by the limits of the run and of one provider; asked under the run's lock."""

    root: Path
    """Folder of the run's ledgers."""
    provider: str
    service: str
    max_active_batches: int
    limits: Limits

    def refusal(self, usage: Usage, over: Collection[Slot] = ()) -> str | None:
        """
        Say why a batch may not go out now; None if it may.

        Parameters
        ----------
        usage : Usage
            Estimate of what its requests hold.
        over : collection of Slot
            Batches known to have ended, whatever their ledgers say.
        """
        held = [entry for slot, entry in held_slots(self.root) if slot not in over]
        if len(held) >= self.max_active_batches:
            return f"max_active_batches is {self.max_active_batches}"
        n_tokens = sum(entry.input_tokens or 0 for entry in held if entry.service == self.service)
        most = self.limits.max_enqueued_tokens
        if most is not None and n_tokens + (usage.input_tokens or 0) > most:
            return f"{n_tokens:,} tokens are queued, and max_enqueued_tokens is {most:,}"
        n_creates, most = len(self._creates()), self.limits.max_creates_per_hour
        if most is not None and n_creates >= most:
            return f"{n_creates:,} batches were started within the hour, and max_creates_per_hour is {most:,}"
        return None

    def take(self, slot: Slot, over: Collection[Slot] = ()) -> None:
        """Enter a batch that is about to be made; its intent follows."""
        held = [slot for slot, _ in held_slots(self.root) if slot not in over]
        creates = {**_read_slots(self.root)["creates"], self.provider: [*self._creates(), now()]}
        write_json(self.root / SLOTS_FILE, {"in_flight": [*held, slot], "creates": creates})

    def n_in_flight(self) -> int:
        """Count the batches of the service that are at the provider, or may be."""
        return sum(entry.service == self.service for _, entry in held_slots(self.root))

    def _creates(self) -> list[str]:
        """When batches were made at this provider within the last hour."""
        return [at for at in _read_slots(self.root)["creates"].get(self.provider, []) if hours_since(at) < 1]


def held_slots(root: Path) -> list[tuple[Slot, ShardEntry]]:
    """List the batches that are in flight, over all trials of the run."""
    slots = [(trial, shard) for trial, shard in _read_slots(root)["in_flight"]]
    entries = ((slot, read_shards(root / slot[0] / EVENTS_FILE).get(slot[1])) for slot in slots)
    return [(slot, entry) for slot, entry in entries if entry is not None and entry.is_in_flight]


def _read_slots(root: Path) -> dict[str, Any]:
    """Read the file of the slots; where it is not there, or was lost in a power cut, the ledgers know."""
    try:
        slots: dict[str, Any] = read_json(root / SLOTS_FILE)
        _ = [(trial, shard) for trial, shard in slots["in_flight"]], slots["creates"].items()
    except (DataError, LookupError, TypeError, ValueError, AttributeError):
        folders = [events.parent for events in ledger_files(root)]
        shards = [(folder.name, shard) for folder in folders for shard in read_shards(folder / EVENTS_FILE)]
        return {"in_flight": shards, "creates": {}}
    return slots


def is_batch_over(settings: Settings, entry: ShardEntry, *, max_wait_hours: float) -> bool:
    """
    Ask the provider whether a batch of any trial has ended.

    The trial or its model may be gone from the configuration: a batch that nobody can ask for is over once
    it is older than `max_wait_hours`.
    """
    model = entry.model or ""
    if entry.batch_id is not None and model in settings.config["models"]:
        with contextlib.suppress(BusyError, NoBatchError):  # the batch's own trial tells what that means
            provider = make_provider(settings, model)
            return not provider.takes_slots or provider.status(entry.batch_id).status.is_terminal
    return hours_since(entry.at) > max_wait_hours


def hours_since(at: str) -> float:
    """Hours from a time of the ledger to now."""
    passed = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(at)
    return passed.total_seconds() / 3600
