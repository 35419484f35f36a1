"""A batch's requests being asked in the background, a bounded number at a time, each row kept as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from scripts.files import dump_line, read_jsonl
from scripts.providers.base import BatchState, BatchStatus
from scripts.providers.local_asking import Asker, ChatServer
from scripts.providers.local_batches import sync

LOOK_S = 0.1
"""How long it takes until the background hears that it is to end."""

PLACE_LOOK_S = 0.2
"""How often to look whether another process has left a place at the server."""

CLOSE_S = 2.0
"""How long to wait for the background to end; its thread does not keep the process alive."""


class Journal:
    """
    The rows of a batch as they come, one line each.

    A row is with the operating system once it is appended, so that no end of this process loses it; `sync`
    brings it to the disk.  A line that a power cut has torn is dropped, and its request asked again.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._whole = folder / "replies.part.jsonl", folder / "replies.jsonl"
        _drop_torn_line(self._path)
        self.keys = {row["custom_id"] for _, row in read_jsonl(self._path)}
        """The requests that have their row."""
        self._handle = self._path.open("ab")

    def append(self, row: dict[str, Any]) -> None:
        """Keep a row."""
        self._handle.write(dump_line(row, ascii_only=True).encode())
        self._handle.flush()
        self.keys.add(row["custom_id"])

    def sync(self) -> None:
        """Return once every row is on disk."""
        os.fsync(self._handle.fileno())

    def finish(self) -> None:
        """Give the rows their final name: from then on the batch is done."""
        self._path.replace(self._whole)
        sync(self._whole.parent)

    def close(self) -> None:
        """Close the file."""
        self._handle.close()


class Places:
    """
    The places at one server, shared by all processes that use the same folder.

    A place is a locked file: it is free again when its process ends, however that happens.
    """

    def __init__(self, folder: Path, n_places: int) -> None:
        self.n_places = n_places
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def take(self) -> IO[str] | None:
        """Take a free place, which closing gives back; None if there is none."""
        for number in range(self.n_places):
            handle = (self._folder / f"place{number}").open("w")
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle.close()
            else:
                return handle
        return None


class Work:
    """
    The work on one batch, from the start until it is done, has failed or is closed.

    Parameters
    ----------
    server : ChatServer
        Who answers.
    places : Places
        How many requests may be with the server at once.
    folder : Path
        The batch's folder.
    n_requests : int
        How many requests it holds.
    """

    def __init__(self, server: ChatServer, places: Places, folder: Path, n_requests: int) -> None:
        self.folder = folder
        self._server, self._places = server, places
        self._journal = Journal(folder)
        self._n_left = n_requests - len(self._journal.keys)
        self._rows = self._read_open_rows()
        self._asker: Asker | None = None
        self._n_seen = -1
        self._error: BaseException | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=folder.name, daemon=True)
        self._thread.start()

    def look(self) -> BatchState:
        """
        See how far the work is; rows that count are on disk.

        Raises
        ------
        BusyError
            If the server is not there, or asks to wait, and nothing was answered since the last look.
        ProviderError
            If the server refuses whatever it is asked.
        """
        is_over = not self._thread.is_alive()
        n_done = len(self._journal.keys)
        trouble = self._asker.trouble if self._asker else None
        self._journal.sync()
        if self._error is not None:
            raise self._error
        if is_over:
            self._journal.finish()
            return BatchState(BatchStatus.DONE, "answered", n_done=n_done)
        is_news, self._n_seen = n_done != self._n_seen, n_done
        if trouble is not None and not is_news:
            raise trouble
        return BatchState(BatchStatus.RUNNING, "asking", n_done=n_done)

    def close(self) -> None:
        """End the work; what is with the server is given up, and its connections are closed."""
        self._closing.set()
        self._thread.join(CLOSE_S)
        if not self._thread.is_alive():
            self._journal.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._work_until_closed())
        except BaseExceptionGroup as group:
            self._error = group.exceptions[0]
        except BaseException as error:
            self._error = error

    async def _work_until_closed(self) -> None:
        work = asyncio.create_task(self._ask_all())
        while not work.done() and not self._closing.is_set():
            await asyncio.wait([work], timeout=LOOK_S)
        if work.done():
            work.result()
        else:
            work.cancel()
            await asyncio.wait([work])

    async def _ask_all(self) -> None:
        with contextlib.ExitStack() as places:  # a task that is cancelled before it starts closes nothing
            async with self._server.make_client() as client, asyncio.TaskGroup() as tasks:
                self._asker = Asker(self._server, client)
                for _ in range(min(self._places.n_places, self._n_left)):
                    place = await self._wait_for_place()
                    if place is None:
                        break
                    places.enter_context(place)
                    tasks.create_task(self._ask_in_turn(self._asker, place))

    async def _wait_for_place(self) -> IO[str] | None:
        """Wait for a place at the server; None once every request is with somebody else."""
        while self._n_left:
            if (place := self._places.take()) is not None:
                return place
            await asyncio.sleep(PLACE_LOOK_S)
        return None

    async def _ask_in_turn(self, asker: Asker, place: IO[str]) -> None:
        """Ask one request after another, from one place."""
        with place:
            for row in self._rows:
                self._journal.append(await asker.ask(row))

    def _read_open_rows(self) -> Iterator[dict[str, Any]]:
        """Yield the requests without a row, one in memory at a time, each to whoever asks first."""
        done = frozenset(self._journal.keys)
        for _, row in read_jsonl(self.folder / "requests.jsonl"):
            if row["custom_id"] not in done:
                self._n_left -= 1
                yield row


def _drop_torn_line(path: Path) -> None:
    """Cut a file after its last line feed; make it if it is not there."""
    with path.open("a+b") as handle:
        end = handle.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - (1 << 16))
            handle.seek(start)
            found = handle.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        handle.truncate(end)
