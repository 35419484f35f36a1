"""
What was sent and paid, per trial: append-only, on disk before money moves, never deleted by Snakemake.

``ledger/<trial>/events.jsonl`` holds one event a line; a shard goes through ::

    planned -> intent -> submitted -> terminal -> downloaded -> reconciled
           |       `-> refused (the provider started nothing, or turned the batch away: send later)
           `-> claimed (another ledger has sent its requests: wait for them) -> downloaded -> reconciled

Events ``preflight`` tell of requests that were sent by themselves before the first batch: no shards.

``<shard>.keys`` lists the request keys of a shard, ``<shard>.replies.jsonl`` the raw rows that came back.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from scripts.clock import now
from scripts.errors import DataError, StateError
from scripts.files import atomic_open, dump_line
from scripts.run.paths import EVENTS_FILE

STATES = ("planned", "intent", "claimed", "submitted", "terminal", "downloaded", "reconciled", "refused")

PREFLIGHT = "preflight"
"""The event of a request that is sent by itself, before the first batch."""

LOCK_PATIENCE_S = 60.0
"""How long a second process waits for the first to end: another trial may be fetching what it waits for."""


@dataclasses.dataclass(frozen=True)
class ShardEntry:
    """What the ledger knows of one shard."""

    shard: str
    attempt: int
    n_requests: int
    state: str
    """One of `STATES`."""
    at: str
    """When it came into that state, in UTC."""
    model: str | None = None
    """The configuration's name of the model, so that others can ask for the batch."""
    key: str | None = None
    """How the provider finds the batch."""
    batch_id: str | None = None
    provider: str | None = None
    """Name of who was asked; None in a ledger of an earlier version, as the next two."""
    address: str | None = None
    """Where the provider was asked."""
    account: str | None = None
    """Fingerprint of the account that it was sent with."""
    provider_at: str | None = None
    """When it was sent, by the provider's clock; None where that is not known."""
    submitted_at: str | None = None
    status: str | None = None
    """The provider's final status, in the project's words."""
    error: str | None = None
    is_final: bool = False
    """Whether the batch failed for a reason that would come again."""
    n_beside: int | None = None
    """Of a batch that was turned away: how many others of its service the run had at the provider."""
    input_tokens: int | None = None
    """Estimate of what its requests hold."""
    reserved_usd: float | None = None
    """What the shard may cost, reserved before it was sent."""
    cost_usd: float | None = None
    """What it cost, once its rows are read."""
    service: str | None = None
    """Digest of who was asked, so that another run can take the answers over."""
    reused_from: str | None = None
    """Run, trial and shard that the answers were paid with; None: this shard was sent."""
    n_done: int | None = None
    """Requests that are done by the provider's own count, failures included."""
    n_unread: int = 0
    """Requests that may be billed and whose rows could not be had, so that nobody knows what they cost."""
    is_given_up: bool = False
    """Whether the user has said that what could not be had is lost."""

    @property
    def is_live(self) -> bool:
        """Whether its requests are sent, or may be."""
        return self.state not in {"planned", "refused"}

    @property
    def is_put_off(self) -> bool:
        """Whether the provider took its batch and turned it away later, before any request was run."""
        return self.state == "refused" and self.batch_id is not None

    @property
    def is_in_flight(self) -> bool:
        """Whether a batch of it is, or may be, at the provider."""
        return self.state in {"intent", "submitted"}


class Ledger:
    """
    One trial's ledger, held by one process at a time.

    Use as a context manager; entering takes the trial's lock, so that a second process (a job that outlived
    its Snakemake, a run started twice) can never send what this one is sending.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / EVENTS_FILE
        self.shards: dict[str, ShardEntry] = {}
        self._descriptor: int | None = None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a ledger that another process may hold; it cannot be written."""
        ledger = cls(folder)
        ledger.shards = read_shards(ledger.path)
        return ledger

    @contextlib.contextmanager
    def if_free(self) -> Iterator[bool]:
        """Enter this ledger if no other process holds it; tell whether."""
        try:
            self._enter(patience_s=0.0)
        except StateError:
            yield False
            return
        try:
            yield True
        finally:
            self.__exit__()

    def __enter__(self) -> Self:
        self._enter(patience_s=LOCK_PATIENCE_S)
        return self

    def _enter(self, *, patience_s: float) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        is_new = not self.path.exists()
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _lock(self._descriptor, self.path, patience_s)
            _drop_torn_line(self._descriptor, self.path)
            self.shards = read_shards(self.path)
        except BaseException:
            self.__exit__()
            raise
        for leftover in self.folder.glob("*.tmp"):  # of a process that was killed
            leftover.unlink()
        if is_new:
            _sync_folder(self.folder)
            _sync_folder(self.folder.parent)

    def __exit__(self, *_: object) -> None:
        assert self._descriptor is not None
        os.close(self._descriptor)
        self._descriptor = None

    def record(self, event: str, shard: str, **facts: Any) -> None:
        """
        Append one event; it is on disk when this returns.

        Raises
        ------
        StateError
            If the disk does not take it; then the file is as it was before.
        """
        assert self._descriptor is not None, "the ledger is written inside its context only"
        entry = {"event": event, "shard": shard, "at": now(), **facts}
        _append(self._descriptor, dump_line(entry, ascii_only=True).encode(), self.path)
        _apply(self.shards, entry)

    def plan(self, *, attempt: int, keys: Path, n_requests: int) -> str:
        """Enter a new shard whose request keys stand in the file `keys`, and name it."""
        shard = f"s{len(self.shards) + 1:04d}"
        keys.replace(self.keys_path(shard))
        self.sync()
        self.record("planned", shard, attempt=attempt, n_requests=n_requests)
        return shard

    def sync(self) -> None:
        """Return once the names of the files beside the ledger are on disk."""
        _sync_folder(self.folder)

    def keys_path(self, shard: str) -> Path:
        """Request keys of a shard, one a line."""
        return self.folder / f"{shard}.keys"

    def replies_path(self, shard: str) -> Path:
        """Raw rows of a shard."""
        return self.folder / f"{shard}.replies.jsonl"

    def read_keys(self, shard: str) -> Iterator[str]:
        """
        Yield the request keys of a shard.

        Raises
        ------
        DataError
            If the file is not there or not whole: then nobody knows what was sent.
        """
        path, n_keys = self.keys_path(shard), 0
        if path.is_file():
            with path.open(encoding="ascii", errors="replace") as handle:
                for line in handle:
                    n_keys += 1
                    yield line.rstrip("\n")
        if n_keys != self.shards[shard].n_requests:
            raise DataError(
                f"lists {n_keys} request keys, but {self.shards[shard].n_requests} were sent",
                where=str(path),
                fix="Restore the file from a backup; nothing is sent while it cannot be read.",
            )


def read_shards(path: Path) -> dict[str, ShardEntry]:
    """
    Read what the events add up to, shard by shard; an unfinished last line counts as not written.

    Raises
    ------
    DataError
        If a line in the middle is broken: then somebody has edited the ledger.
    """
    shards: dict[str, ShardEntry] = {}
    replay(path, functools.partial(_apply, shards))
    return shards


def replay(path: Path, apply: Callable[[dict[str, Any]], None]) -> None:
    """
    Hand every event of a ledger's file to `apply`, in order; an unfinished last line counts as not written.

    Raises
    ------
    DataError
        If a line in the middle is broken, or `apply` cannot read it.
    """
    if not path.exists():
        return
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        try:
            apply(json.loads(line))
        except (ValueError, LookupError, TypeError):
            raise DataError(
                "is not an event of the ledger",
                where=f"{path}, line {number}",
                fix="Restore the file from a backup; nothing is sent while it cannot be read.",
            ) from None


def write_keys(path: Path, keys: Iterable[str]) -> None:
    """Write request keys, one a line, on disk when this returns."""
    with atomic_open(path) as handle:
        for key in keys:
            handle.write(f"{key}\n")
        handle.flush()
        os.fsync(handle.fileno())


def _apply(shards: dict[str, ShardEntry], entry: dict[str, Any]) -> None:
    event, shard = entry["event"], entry["shard"]
    if event == PREFLIGHT:
        return  # no shard: see `scripts.money.preflights`
    if event not in STATES:
        raise ValueError(f"unknown event {event!r}")
    if event == "planned":
        shards[shard] = ShardEntry(shard, entry["attempt"], entry["n_requests"], "planned", entry["at"])
        return
    known = {field.name for field in dataclasses.fields(ShardEntry)} - {"shard", "attempt", "n_requests"}
    facts = {key: value for key, value in entry.items() if key in known}
    if event == "submitted":
        facts["submitted_at"] = entry["at"]
    shards[shard] = dataclasses.replace(shards[shard], state=event, **facts)


def _lock(descriptor: int, path: Path, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise StateError(
                    "another process is sending or polling this trial",
                    where=str(path),
                    fix="Wait until it has ended (is the run going in another terminal?), then run again.",
                ) from None
            time.sleep(0.1)
        else:
            return


def _drop_torn_line(descriptor: int, path: Path) -> None:
    """Cut an unfinished last line (a power cut while appending), so that the next event starts a line."""
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end != len(content):
        os.ftruncate(descriptor, end)


def _append(descriptor: int, line: bytes, path: Path) -> None:
    size = os.fstat(descriptor).st_size
    try:
        if os.write(descriptor, line) != len(line):
            raise OSError("only a part of it could be written")
        os.fsync(descriptor)
    except OSError as error:
        # Half a line would break the next one; a whole one that may not be on disk must not count.
        os.ftruncate(descriptor, size)
        raise StateError(
            f"the ledger cannot be written ({error.strerror or error})",
            where=str(path),
            fix="Free some space on the disk, then run again; nothing that was sent before is lost.",
        ) from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
