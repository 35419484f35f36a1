"""Receiving results: a download counts once it holds what the provider says is done."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

from scripts.dispatch.key_index import KeySet
from scripts.dispatch.replies import read_rows
from scripts.errors import ProviderError
from scripts.files import file_sha256
from scripts.money.ledger import Ledger, ShardEntry
from scripts.providers import BatchState, BatchStatus, Provider
from scripts.run.job import say

MIN_LOOKS, PATIENCE_S = 8, 10.0
"""A doubt is put to the user after so many looks, over so long a time at least."""

AGREEING_LOOKS = 5
"""So many downloads must lack the same rows before that is believed where no count speaks against it."""

MAX_REST_S = 5.0
"""Longest rest between two looks in doubt, if ``poll_seconds`` is not longer."""


@dataclasses.dataclass
class Doubt:
    """Something about a batch that may mend itself: how often it was seen, and since when."""

    problem: str = ""
    n_looks: int = 0
    since: float = dataclasses.field(default_factory=time.monotonic)

    def see(self, problem: str) -> None:
        """Note one more look that found a problem."""
        self.problem, self.n_looks = problem, self.n_looks + 1

    @property
    def is_over(self) -> bool:
        """Whether it was looked at often and long enough."""
        return self.n_looks >= MIN_LOOKS and self.waited_s >= PATIENCE_S

    @property
    def waited_s(self) -> float:
        """How long it has lasted, in seconds."""
        return time.monotonic() - self.since

    def rest_s(self, poll_seconds: float) -> float:
        """Seconds until the next look."""
        growing = poll_seconds * 2.0 ** min(self.n_looks - 1, 30)
        return min(growing, max(MAX_REST_S, poll_seconds))


@dataclasses.dataclass(frozen=True)
class Download:
    """What a file of results holds, held against the requests of its shard."""

    n_requests: int
    """Different requests of the shard that have a row."""
    n_rows: int
    """Rows of them, those that came again included."""
    strange: str | None = None
    """The first row that is none of the shard's, in words."""


def count_rows(ledger: Ledger, entry: ShardEntry, provider: Provider, path: Path) -> Download:
    """Count the requests of a shard that have a row in a file of results; the file may hold anything."""
    n_requests, n_rows, strange = 0, 0, None
    with KeySet() as open_keys, KeySet() as seen:
        open_keys.update(ledger.read_keys(entry.shard))
        for row in read_rows(path, provider):
            if row.key is not None and open_keys.discard(row.key):
                seen.add(row.key)
                n_requests, n_rows = n_requests + 1, n_rows + 1
            elif row.key is not None and row.key in seen:
                n_rows += 1
            elif strange is None:
                strange = f"line {row.number} {row.problem}"
    return Download(n_requests, n_rows, strange)


def find_lack(
    entry: ShardEntry, state: BatchState, found: Download, provider: Provider, *, n_looks: int
) -> str | None:
    """
    Say what a download lacks by the provider's own word; None if it is whole.

    That a request has no row is believed only where nothing speaks against it: not the provider's count, not
    a status that says all is done, not a row that may be its own under another name.
    """
    if found.n_requests == entry.n_requests:
        return None
    if found.strange is not None:
        return f"hold rows of {found.n_requests} of {entry.n_requests} requests, and {found.strange}"
    if provider.has_books_here:
        return None
    n_done, is_done = state.n_done, state.status is BatchStatus.DONE
    if n_done is not None and (found.n_requests if is_done else found.n_rows) < n_done:
        return f"hold {found.n_requests} of the {n_done} requests that it says are done"
    if is_done and (n_done != found.n_requests or not n_done):
        return f"hold {found.n_requests} of {entry.n_requests} requests"
    is_sure = state.status is BatchStatus.FAILED or (n_done is not None and not is_done)
    if is_sure or n_looks >= AGREEING_LOOKS:
        return None
    return f"hold {found.n_requests} of {entry.n_requests} requests so far"


def keep_rows(ledger: Ledger, entry: ShardEntry, downloaded: Path, **facts: Any) -> None:
    """Keep a download as the shard's replies, with what else is known; all is on disk when this returns."""
    path = ledger.replies_path(entry.shard)
    with downloaded.open("rb") as handle:
        os.fsync(handle.fileno())
    downloaded.replace(path)
    ledger.sync()
    ledger.record("downloaded", entry.shard, sha256=file_sha256(path), **facts)


def give_up(ledger: Ledger, entry: ShardEntry, provider: Provider) -> None:
    """Keep what has come of a shard, as the user says; the rest is lost, and may be billed."""
    path = ledger.replies_path(entry.shard).with_suffix(".tmp")
    path.touch()
    n_rows = count_rows(ledger, entry, provider, path).n_requests
    if entry.is_in_flight:
        ledger.record("terminal", entry.shard, status=BatchStatus.UNKNOWN.value, raw="given up")
    n_done = entry.n_done if (entry.n_done or 0) > n_rows else entry.n_requests
    say(f"shard {entry.shard}: {entry.n_requests - n_rows} requests without a row are given up")
    keep_rows(ledger, entry, path, is_given_up=True, n_unread=(n_done or 0) - n_rows)


def ask_about(entry: ShardEntry, ledger: Ledger, doubt: Doubt) -> ProviderError:
    """Make the question to the user about results that cannot be had."""
    name = f"{ledger.folder.name}/{entry.shard}"
    return ProviderError(
        f"batch {entry.batch_id} is paid and cannot be collected: {doubt.problem} (seen {doubt.n_looks} "
        f"times in {doubt.waited_s:.0f} seconds)",
        where=f"{ledger.path}, shard {entry.shard}",
        fix="Nothing of it was sent again. Run the same command later: it looks and downloads again.\n"
        f"  {give_up_words(name)}",
    )


def give_up_words(name: str) -> str:
    """Say how to give up what cannot be had of a shard."""
    return (
        "If what is missing is lost, so that sending it again, and paying again, is right, add to the "
        f"configuration:\n  resubmit: [{name}]"
    )
