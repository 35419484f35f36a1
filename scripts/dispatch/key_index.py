"""Look-ups by request key that do not grow in memory: SQLite's own temporary databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from types import TracebackType
from typing import Self

CACHE_KIB = 8192
"""What one look-up keeps in memory; SQLite puts the rest into a temporary file."""


class _Scratch:
    """A nameless database that is gone when it is closed: one transaction that nobody commits."""

    schema: str

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None, cached_statements=16)
        self._database.executescript(
            f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{CACHE_KIB};"
            f"BEGIN; {self.schema}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def _count(self, query: str, *values: bytes) -> int:
        return int(self._database.execute(query, values).fetchone()[0])


class KeySet(_Scratch):
    """
    A set of request keys.

    Examples
    --------
    >>> with KeySet() as keys:
    ...     keys.update(["k1", "k2"])
    ...     keys.add("k2"), keys.add("k3"), "k1" in keys, keys.discard("k1"), keys.discard("k1"), len(keys)
    (False, True, True, True, False, 2)
    """

    schema = "CREATE TABLE entries (key BLOB PRIMARY KEY) WITHOUT ROWID"

    def add(self, key: str) -> bool:
        """Add a key; True if it was not there."""
        done = self._database.execute("INSERT OR IGNORE INTO entries VALUES (?)", (_bytes(key),))
        return done.rowcount > 0

    def update(self, keys: Iterable[str]) -> None:
        """Add keys."""
        rows = ((_bytes(key),) for key in keys)
        self._database.executemany("INSERT OR IGNORE INTO entries VALUES (?)", rows)

    def discard(self, key: str) -> bool:
        """Take a key out; True if it was there."""
        return self._database.execute("DELETE FROM entries WHERE key = ?", (_bytes(key),)).rowcount > 0

    def __contains__(self, key: str) -> bool:
        return self._count("SELECT EXISTS (SELECT 1 FROM entries WHERE key = ?)", _bytes(key)) > 0

    def __len__(self) -> int:
        return self._count("SELECT COUNT(*) FROM entries")


class RowIndex(_Scratch):
    """
    Texts by key, in insertion order per key.

    Examples
    --------
    >>> with RowIndex() as index:
    ...     index.add([("k1", "first"), ("k2", "other"), ("k1", "second")])
    ...     index.get("k1"), "k3" in index, len(index)
    (['first', 'second'], False, 2)
    """

    schema = (
        "CREATE TABLE entries (key BLOB NOT NULL, text TEXT NOT NULL);CREATE INDEX by_key ON entries (key)"
    )

    def add(self, rows: Iterable[tuple[str, str]]) -> None:
        """Add rows of key and text."""
        encoded = ((_bytes(key), text) for key, text in rows)
        self._database.executemany("INSERT INTO entries VALUES (?, ?)", encoded)

    def get(self, key: str) -> list[str]:
        """List the texts of one key in the order they were added."""
        rows = self._database.execute("SELECT text FROM entries WHERE key = ? ORDER BY rowid", (_bytes(key),))
        return [text for (text,) in rows]

    def count(self, key: str) -> int:
        """Count the texts of one key."""
        return self._count("SELECT COUNT(*) FROM entries WHERE key = ?", _bytes(key))

    def __contains__(self, key: str) -> bool:
        return self._count("SELECT EXISTS (SELECT 1 FROM entries WHERE key = ?)", _bytes(key)) > 0

    def __len__(self) -> int:
        """Count the different keys."""
        return self._count("SELECT COUNT(DISTINCT key) FROM entries")


def _bytes(key: str) -> bytes:
    """A key as SQLite takes it, also one that is not valid Unicode (a broken row's)."""
    return key.encode("utf-8", "surrogatepass")
