"""The phase-done markers: what one holds, and whether it is up to date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scripts.clock import now
from scripts.records import digest

SCHEMA_VERSION = 1


def make_marker(
    phase: str, trials: Iterable[str], records: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """
    Make the content of a marker.

    Parameters
    ----------
    phase : str
        The phase that every trial has done.
    trials : iterable of str
        Names of all trials of the run.
    records : mapping
        By trial (or dataset), what its outputs were made from: the content of its ``<phase>.made.json``.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "phase": phase,
        "completed_at": now(),
        "trials": list(trials),
        "digest": covered_digest(records),
    }


def covers(marker: Any, trials: Iterable[str], records: Mapping[str, Mapping[str, Any]]) -> bool:
    """Tell whether a marker's content, whatever it is, is that of these trials and records."""
    return (
        isinstance(marker, Mapping)
        and marker.get("trials") == list(trials)
        and marker.get("digest") == covered_digest(records)
    )


def covered_digest(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Digest of what a marker covers: what every output was made from, and its content."""
    return digest({name: [record["made_from"], record["outputs"]] for name, record in records.items()})
