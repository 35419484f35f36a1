"""Batches in a folder: what the providers share that run on this machine."""

from __future__ import annotations

import abc
import dataclasses
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from scripts.errors import ProviderError
from scripts.files import atomic_open, dump_line, read_json, read_jsonl, write_json
from scripts.providers.base import BatchState, BatchStatus, Limits, LostCall, Provider
from scripts.providers.chat import decode_chat_row
from scripts.records import Reply

if TYPE_CHECKING:
    from scripts.experiment.settings import Settings

LIMITS = Limits(max_requests=50_000, max_bytes=200 * 1024**2)


@dataclasses.dataclass(frozen=True)
class BookedBatches(Provider):
    """Batches as folders: ``batch.json`` (its key), ``requests.jsonl`` (what is asked), ``replies.jsonl``."""

    books: Path
    """The folder of the batches, outside every run's folder."""
    limits: Limits = LIMITS
    has_books_here: ClassVar[bool] = True

    def decode(self, row: Mapping[str, Any]) -> tuple[str, Reply]:
        """Read one raw row: see `Provider.decode`."""
        return decode_chat_row(row)

    def find_existing(self, key: str, call: LostCall) -> str | None:
        """Look the key up in the books."""
        return self.find_key(key)

    def fetch(self, batch_id: str, into: Path) -> None:
        """Copy the replies."""
        shutil.copyfile(self.folder(batch_id) / "replies.jsonl", into)

    def find_key(self, key: str) -> str | None:
        """Find the first batch with this key."""
        for path in sorted(self.books.glob("batch_*/batch.json")):
            if read_json(path)["key"] == key:
                return path.parent.name
        return None

    def enter(
        self, payload: Path, facts: Mapping[str, Any], *, replies: Iterable[Mapping[str, Any]] | None = None
    ) -> str:
        """
        Enter a batch into the books: it exists from the moment its folder has its name, and is on disk.

        Parameters
        ----------
        payload : Path
            What :meth:`create` was given.
        facts : mapping
            What ``batch.json`` is to say; it must hold the ``key``.
        replies : iterable of mapping, optional
            The rows of ``replies.jsonl``, where they are known already.
        """
        batch_id = f"batch_{uuid.uuid4().hex[:16]}"
        draft = self.books / f".{batch_id}"
        draft.mkdir(parents=True)
        shutil.copyfile(payload, draft / "requests.jsonl")
        if replies is not None:
            with atomic_open(draft / "replies.jsonl") as handle:
                handle.writelines(dump_line(row, ascii_only=True) for row in replies)
        write_json(draft / "batch.json", facts)
        for path in (*draft.iterdir(), draft):
            sync(path)
        draft.rename(self.books / batch_id)
        sync(self.books)
        return batch_id

    def folder(self, batch_id: str) -> Path:
        """
        Return the folder of a batch.

        Raises
        ------
        ProviderError
            If it is not recorded here.
        """
        folder = self.books / Path(batch_id).name
        if not (folder / "batch.json").is_file():
            raise ProviderError(
                f"batch {batch_id} is not recorded here",
                where=str(self.books),
                fix="Was the folder moved or emptied? Give the run a new run_id to start afresh.",
            )
        return folder


def sync(path: Path) -> None:
    """Return once a file's content, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclasses.dataclass(frozen=True)
class LocalBatches(BookedBatches):
    """
    A batch service that knows its answers at once, with the life of a paid batch: replay and simulated.

    Like a paid service it keeps its own books, starts a second batch when asked twice, and is asked by key.
    """

    delay_seconds: tuple[float, float] = (0.0, 0.0)
    """Shortest and longest time that a batch takes."""

    @abc.abstractmethod
    def respond(
        self, rows: Iterator[dict[str, Any]], metadata: Mapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        """Answer the encoded requests, as rows of a batch's output and error files."""

    def create(self, payload: Path, *, key: str, metadata: Mapping[str, str]) -> str:
        """Start a batch: see `Provider.create`."""
        created = time.time()
        shortest, longest = self.delay_seconds
        share = int(key[:8], 16) / 0xFFFFFFFF
        ready = created + shortest + share * (longest - shortest)
        facts = {"key": key, "metadata": dict(metadata), "created_at": created, "ready_at": ready}
        rows = (row for _, row in read_jsonl(payload))
        return self.enter(payload, facts, replies=self.respond(rows, metadata))

    def status(self, batch_id: str) -> BatchState:
        """Look at the clock."""
        batch = read_json(self.folder(batch_id) / "batch.json")
        if time.time() >= batch["ready_at"]:
            return BatchState(BatchStatus.DONE, "completed")
        return BatchState(BatchStatus.RUNNING, "in_progress")


def local_service(settings: Settings, provider: str) -> dict[str, Any]:
    """Arguments of a `LocalBatches`, from ``providers.<provider>``."""
    delay = settings.config["providers"].get(provider, {}).get("delay_seconds", 0)
    shortest, longest = delay if isinstance(delay, list) else (delay, delay)
    return {**local_books(settings, provider), "delay_seconds": (float(shortest), float(longest))}


def local_books(settings: Settings, provider: str) -> dict[str, Any]:
    """Arguments of a `BookedBatches`, from ``providers.<provider>``."""
    given = settings.config["providers"].get(provider, {})
    books = given.get("books") or Path(settings.config["experiments_dir"]) / f".{provider}" / settings.run_id
    return {
        "books": Path(books),
        "limits": LIMITS.lowered(given),
    }
