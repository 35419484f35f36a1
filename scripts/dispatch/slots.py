"""The run's queue: how many batches are at the providers, and who may send the next."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
from collections.abc import Iterator
from pathlib import Path

from scripts.errors import BusyError, DataError, NoBatchError
from scripts.files import read_json
from scripts.ledger import ShardEntry, read_shards
from scripts.providers import make_provider
from scripts.settings import Settings

Slot = tuple[str, str]
"""A batch in flight: its trial and shard."""

SLOTS_FILE = "slots.json"


@contextlib.contextmanager
def run_lock(ledger_root: Path) -> Iterator[None]:
    """Hold the lock of the run's slots and budget; held for milliseconds only."""
    with (ledger_root / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def held_slots(root: Path) -> list[tuple[Slot, ShardEntry]]:
    """List the batches that are in flight, over all trials of the run."""
    try:
        slots = [(trial, shard) for trial, shard in read_json(root / SLOTS_FILE)]
    except (DataError, TypeError, ValueError):  # not there yet, or lost in a power cut: the ledgers know
        folders = sorted(events.parent for events in root.glob("*/events.jsonl"))
        slots = [(folder.name, shard) for folder in folders for shard in read_shards(folder / "events.jsonl")]
    entries = ((slot, read_shards(root / slot[0] / "events.jsonl").get(slot[1])) for slot in slots)
    return [(slot, entry) for slot, entry in entries if entry is not None and entry.is_in_flight]


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
