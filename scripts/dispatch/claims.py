"""
What other ledgers have paid for already: a request is paid by its key, whatever trial asks it.

Answers that are there are taken over; what is on its way is claimed, and waited for.  The ledgers that count
are those of the run and, with ``reuse: store``, those of all runs beside it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from scripts.dispatch.key_index import KeySet
from scripts.dispatch.store import read_answers, take_answers
from scripts.money.ledger import Ledger, ShardEntry, read_shards, write_keys
from scripts.providers import Provider
from scripts.run.job import say
from scripts.run.paths import ALL_LEDGERS, EVENTS_FILE

CLAIMS_LOCK = ".claims.lock"


@dataclasses.dataclass
class Claims:
    """What a trial need not pay for, as somebody else has."""

    ledger: Ledger
    services: frozenset[str]
    """Digests of who is asked: an answer of another service is another answer."""
    is_store: bool
    """Whether other runs count too."""
    _known: dict[Path, tuple[int, int]] | None = None
    """State of each other ledger when it was last looked through; None: nothing was claimed yet."""
    _settled: set[tuple[Path, str]] = dataclasses.field(default_factory=set)
    """Shards of others whose answers were looked through then: what they lack is free."""

    def claim(self, wanted: Iterable[str], provider: Provider, *, attempt: int) -> None:
        """
        Take over, or claim, what other ledgers hold of the wanted requests; each request once.

        What goes on only while its own trial polls (``takes_slots`` is false) is not waited for.
        """
        self._known, self._settled = {path: _signature(path) for path in self._paths()}, set()
        if not self._known:
            return
        with KeySet() as open_keys:
            open_keys.update(wanted)
            sources = [Ledger.read(path.parent) for path in self._known] if len(open_keys) else []
            found = [(source, entry) for source in sources for entry in self._usable(source)]
            for source, entry in found:
                if has_answers(source, entry):
                    self._settled.add((source.path, entry.shard))
                    take_answers(source, entry, self.ledger, provider, open_keys, attempt=attempt)
            for source, entry in found:
                if provider.takes_slots and is_coming(source, entry):
                    self._claim(source, entry, open_keys, attempt)

    def is_overtaken(self, keys: Collection[str]) -> bool:
        """Whether another ledger has sent any of these requests since `claim`; asked under the lock."""
        if self._known is None:
            return False
        wanted: set[str] = set()
        for path in self._paths():
            if (seen := _signature(path)) == self._known.get(path):
                continue
            source = Ledger.read(path.parent)
            wanted = wanted or set(keys)
            for entry in self._usable(source):
                is_new = entry.is_live and not entry.reused_from and (path, entry.shard) not in self._settled
                if is_new and any(key in wanted for key in source.read_keys(entry.shard)):
                    return True
            self._known[path] = seen
        return False

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold off the other runs that take over answers, while an intent is written."""
        if not self.is_store:
            yield
            return
        with (self._experiments / CLAIMS_LOCK).open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    @property
    def _experiments(self) -> Path:
        return self.ledger.folder.parents[2]

    def _paths(self) -> list[Path]:
        if self.is_store:
            paths = self._experiments.glob(ALL_LEDGERS)
        else:
            paths = self.ledger.folder.parent.glob(f"*/{EVENTS_FILE}")
        return sorted(path for path in paths if path != self.ledger.path)

    def _usable(self, source: Ledger) -> list[ShardEntry]:
        return [entry for entry in source.shards.values() if entry.service in self.services]

    def _claim(self, source: Ledger, entry: ShardEntry, open_keys: KeySet, attempt: int) -> None:
        keys = [key for key in source.read_keys(entry.shard) if open_keys.discard(key)]
        if not keys:
            return
        temporary = self.ledger.folder / "keys.tmp"
        write_keys(temporary, keys)
        shard = self.ledger.plan(attempt=attempt, keys=temporary, n_requests=len(keys))
        origin = origin_of(source, entry)
        self.ledger.record("claimed", shard, service=entry.service, model=entry.model, reused_from=origin)
        say(f"{len(keys)} requests are under way already, for {origin}: waits for their answers")


def paid_keys(
    ledgers: Iterable[Path], services: frozenset[str], provider: Provider
) -> Iterator[tuple[str, str]]:
    """Yield each request that ledgers have paid for, if its answer is here or to come, with run and trial."""
    for path in ledgers:
        source = Ledger.read(path.parent)
        origin = f"{path.parents[2].name}/{path.parent.name}"
        for entry in source.shards.values():
            if entry.service in services and has_answers(source, entry):
                yield from ((each.request_key, origin) for each in read_answers(source, entry, provider))
            elif entry.service in services and is_coming(source, entry):
                yield from ((key, origin) for key in source.read_keys(entry.shard))


def has_answers(source: Ledger, entry: ShardEntry) -> bool:
    """Whether the rows of a shard are here."""
    return entry.state in {"downloaded", "reconciled"} and source.replies_path(entry.shard).is_file()


def is_coming(source: Ledger, entry: ShardEntry) -> bool:
    """Whether a shard was sent, or may be, and its rows are still to come."""
    return entry.is_live and entry.reused_from is None and not has_answers(source, entry)


def origin_of(source: Ledger, entry: ShardEntry) -> str:
    """Name run, trial and shard that requests are paid with."""
    return entry.reused_from or f"{source.folder.parents[1].name}/{source.folder.name}/{entry.shard}"


def find_source(ledger: Ledger, entry: ShardEntry) -> tuple[Path, str]:
    """Find the folder of the ledger that a claimed shard waits for, and the shard's name there."""
    run, trial, shard = (entry.reused_from or "").split("/")
    return ledger.folder.parents[2] / run / ledger.folder.parent.name / trial, shard


def read_source(ledger: Ledger, entry: ShardEntry) -> ShardEntry | None:
    """Look at the shard that a claimed one waits for; None if it is not there, or was not sent after all."""
    folder, shard = find_source(ledger, entry)
    found = read_shards(folder / EVENTS_FILE).get(shard)
    return found if found is not None and found.is_live else None


def _signature(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
