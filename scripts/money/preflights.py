"""What a ledger knows of preflight requests: sent by themselves before a trial's first batch."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from scripts.money.ledger import PREFLIGHT, Ledger, replay

PERHAPS_PAID = frozenset({"intent", "accepted", "lost"})


@dataclasses.dataclass(frozen=True)
class PreflightEntry:
    """One request."""

    name: str
    """``p0001`` and so on: shards are counted by themselves."""
    state: str
    """
    ``intent``, then ``accepted``, ``rejected``, ``busy`` (not run), ``not_offered`` or ``lost``.

    An ``intent`` that stays one was cut off, and counts as ``lost``.
    """
    at: str
    """When it came into that state, in UTC."""
    request_key: str | None = None
    reserved_usd: float | None = None
    cost_usd: float | None = None
    error: str | None = None

    @property
    def is_perhaps_paid(self) -> bool:
        """Whether it is paid, or may be: then it is not sent again."""
        return self.state in PERHAPS_PAID


def read_preflights(path: Path) -> list[PreflightEntry]:
    """
    Read the preflight requests of a ledger's file of events; an unfinished last line counts as not written.

    Raises
    ------
    DataError
        If a line in the middle is broken.
    """
    entries: dict[str, PreflightEntry] = {}
    known = {field.name for field in dataclasses.fields(PreflightEntry)} - {"name"}

    def apply(event: dict[str, Any]) -> None:
        if event["event"] == PREFLIGHT:
            name = event["shard"]
            facts = {key: value for key, value in event.items() if key in known}
            entries[name] = PreflightEntry(**{**vars(entries.get(name, _NOTHING)), **facts, "name": name})

    replay(path, apply)
    return list(entries.values())


_NOTHING = PreflightEntry("", "", "")


def record_preflight(ledger: Ledger, name: str, state: str, **facts: Any) -> None:
    """Append what became of a preflight request; it is on disk when this returns."""
    ledger.record(PREFLIGHT, name, state=state, **facts)
