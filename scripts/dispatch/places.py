"""Where a shard was sent to: who is asked at another place proves nothing by not knowing it."""

from __future__ import annotations

import dataclasses

from scripts.money.ledger import ShardEntry
from scripts.providers import Provider


@dataclasses.dataclass(frozen=True)
class Change:
    """What is asked now, against what was asked when a shard was sent."""

    what: str
    """Goes on after "was sent"."""
    fix: str


def find_change(entry: ShardEntry, provider: Provider, service: str) -> Change | None:
    """
    Say in what the place that is asked differs from the one that a shard was sent to; None: in nothing.

    An entry of an earlier version names no address: its digest of the service tells that something changed.
    """
    if entry.provider is not None and entry.provider != provider.name:
        return Change(f"to the provider {entry.provider}", f"Set the model's provider to {entry.provider}.")
    if entry.address is not None and entry.address != provider.address:
        return Change(
            f"to {entry.address}, not to {provider.address}",
            f"Set base_url (and account) to {entry.address}.",
        )
    if entry.account is not None and entry.account != provider.account:
        return Change(
            f"with another key ({entry.account}, now {provider.account})",
            "Use that key again; the fingerprint is the start of its SHA-256.",
        )
    if entry.address is None and entry.service not in {None, service}:
        return Change(
            "with other settings of the model or its provider", "Set base_url and the model's settings back."
        )
    return None


def place_of(provider: Provider) -> dict[str, str | None]:
    """Gather what the ledger keeps of the place that a shard is sent to."""
    at = provider.clock()
    return {
        "provider": provider.name,
        "address": provider.address,
        "account": provider.account,
        "provider_at": None if at is None else at.isoformat(timespec="seconds"),
    }
