"""The books of a run: the ledgers of all its trials, read once, and their sums."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from scripts.money.ledger import ShardEntry, read_shards
from scripts.money.preflights import PreflightEntry, read_preflights
from scripts.run.paths import EVENTS_FILE


@dataclasses.dataclass(frozen=True)
class Books:
    """
    Every shard of a run, with the trial that it belongs to.

    Nothing is locked and nothing written: the run may be sending meanwhile.
    """

    shards: tuple[tuple[str, ShardEntry], ...]
    """Trial and shard, in the order of the trials' names and then of sending."""

    preflights: tuple[tuple[str, PreflightEntry], ...] = ()
    """Trial and preflight request, in the same order."""

    @functools.cached_property
    def live(self) -> tuple[ShardEntry, ...]:
        """Shards that are sent, or may be; those whose answers another run has paid for count too."""
        return tuple(entry for _, entry in self.shards if entry.is_live)

    @functools.cached_property
    def sent(self) -> tuple[ShardEntry, ...]:
        """Shards that this run has sent, or may have."""
        return tuple(entry for entry in self.live if not entry.reused_from)

    @property
    def spent_usd(self) -> Decimal | None:
        """What the collected shards and the preflights cost; None where that is not known of any."""
        return add_dollars(entry.cost_usd for entry in self._paid)

    @property
    def reserved_usd(self) -> Decimal | None:
        """What is reserved for what was sent and whose cost is not known (yet); None where nothing is."""
        return add_dollars(entry.reserved_usd for entry in self._paid if entry.cost_usd is None)

    @property
    def _paid(self) -> list[ShardEntry | PreflightEntry]:
        """Whatever is paid, or may be."""
        return [*self.live, *(entry for _, entry in self.preflights if entry.is_perhaps_paid)]

    @property
    def committed_usd(self) -> Decimal:
        """What counts against the budget: spent and reserved."""
        return (self.spent_usd or Decimal(0)) + (self.reserved_usd or Decimal(0))


def read_books(ledgers: Path) -> Books:
    """
    Read every ledger below a run's folder `ledgers`.

    Raises
    ------
    DataError
        If somebody has edited a ledger.
    """
    files = [(events.parent.name, events) for events in ledger_files(ledgers)]
    return Books(
        tuple((trial, entry) for trial, events in files for entry in read_shards(events).values()),
        tuple((trial, entry) for trial, events in files for entry in read_preflights(events)),
    )


def ledger_files(ledgers: Path) -> list[Path]:
    """List the files of events below a run's folder `ledgers`, by the names of the trials."""
    return sorted(ledgers.glob(f"*/{EVENTS_FILE}"))


def add_dollars(amounts: Iterable[float | None]) -> Decimal | None:
    """
    Add up, exactly, the amounts that are known; None where none is.

    Examples
    --------
    >>> add_dollars([0.1, 0.2, None]), add_dollars([None])
    (Decimal('0.3'), None)
    """
    known = [Decimal(str(amount)) for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None


def as_float(amount: Decimal | None) -> float | None:
    """Give an amount as JSON has it."""
    return None if amount is None else float(amount)
