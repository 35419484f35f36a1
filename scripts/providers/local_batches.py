"""A batch service in a folder: what replay and simulated share, with the life of a paid batch."""

from __future__ import annotations

import abc
import dataclasses
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import ProviderError
from scripts.files import atomic_open, dump_line, read_json, read_jsonl, write_json
from scripts.providers.base import BatchState, BatchStatus, Limits, LostCall, Provider
from scripts.providers.chat import decode_chat_row
from scripts.records import Reply

if TYPE_CHECKING:
    from scripts.settings import Settings

LIMITS = Limits(max_requests=50_000, max_bytes=200 * 1024**2)


@dataclasses.dataclass(frozen=True)
class LocalBatches(Provider):
    """
    Batches as folders: ``batch.json`` (key, times), ``requests.jsonl`` (what was asked), ``replies.jsonl``.

    Like a paid service it keeps its own books, starts a second batch when asked twice, and is asked by key.
    """

    books: Path
    """The folder of the batches, outside every run's folder."""
    delay_seconds: tuple[float, float] = (0.0, 0.0)
    """Shortest and longest time that a batch takes."""
    limits: Limits = LIMITS

    @abc.abstractmethod
    def respond(
        self, rows: Iterator[dict[str, Any]], metadata: Mapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        """Answer the encoded requests, as rows of a batch's output and error files."""

    def decode(self, row: Mapping[str, Any]) -> tuple[str, Reply]:
        """Read one raw row: see `Provider.decode`."""
        return decode_chat_row(row)

    def find_existing(self, key: str, call: LostCall) -> str | None:
        """Look the key up in the books."""
        for path in sorted(self.books.glob("batch_*/batch.json")):
            if read_json(path)["key"] == key:
                return path.parent.name
        return None

    def create(self, payload: Path, *, key: str, metadata: Mapping[str, str]) -> str:
        """Start a batch: it exists from the moment its folder has its name."""
        batch_id = f"batch_{uuid.uuid4().hex[:16]}"
        draft = self.books / f".{batch_id}"
        draft.mkdir(parents=True)
        shutil.copyfile(payload, draft / "requests.jsonl")
        rows = (row for _, row in read_jsonl(payload))
        with atomic_open(draft / "replies.jsonl") as replies:
            for row in self.respond(rows, metadata):
                replies.write(dump_line(row, ascii_only=True))
        created = time.time()
        shortest, longest = self.delay_seconds
        share = int(key[:8], 16) / 0xFFFFFFFF
        ready = created + shortest + share * (longest - shortest)
        write_json(
            draft / "batch.json",
            {"key": key, "metadata": dict(metadata), "created_at": created, "ready_at": ready},
        )
        draft.rename(self.books / batch_id)
        return batch_id

    def status(self, batch_id: str) -> BatchState:
        """Look at the clock."""
        batch = read_json(self._folder(batch_id) / "batch.json")
        if time.time() >= batch["ready_at"]:
            return BatchState(BatchStatus.DONE, "completed")
        return BatchState(BatchStatus.RUNNING, "in_progress")

    def fetch(self, batch_id: str, into: Path) -> None:
        """Copy the replies."""
        shutil.copyfile(self._folder(batch_id) / "replies.jsonl", into)

    def _folder(self, batch_id: str) -> Path:
        folder = self.books / Path(batch_id).name
        if not (folder / "batch.json").is_file():
            raise ProviderError(
                f"batch {batch_id} is not in the books",
                where=str(self.books),
                fix="Was the folder moved or emptied? Give the run a new run_id to start afresh.",
            )
        return folder


def local_service(settings: Settings, provider: str) -> dict[str, Any]:
    """Arguments of the service itself, from ``providers.<provider>``."""
    given = settings.config["providers"].get(provider, {})
    delay = given.get("delay_seconds", 0)
    shortest, longest = delay if isinstance(delay, list) else (delay, delay)
    books = given.get("books") or Path(settings.config["experiments_dir"]) / f".{provider}" / settings.run_id
    return {
        "books": Path(books),
        "delay_seconds": (float(shortest), float(longest)),
        "limits": LIMITS.lowered(given),
    }
