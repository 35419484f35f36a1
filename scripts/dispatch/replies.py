"""From raw rows to settled replies: every request of a shard has exactly one row per attempt."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from scripts.dispatch.key_index import KeySet, RowIndex
from scripts.errors import DataError
from scripts.files import dump_line, read_jsonl
from scripts.money.ledger import Ledger, ShardEntry
from scripts.money.price import Price
from scripts.providers import BatchStatus, Provider
from scripts.records import FAILED_OUTCOMES, Outcome, Reply
from scripts.run.job import say

MAX_ERRORS = 100


@dataclasses.dataclass(frozen=True)
class Settled:
    """What one attempt at a request came to."""

    request_key: str
    batch_id: str
    attempt: int
    row: Mapping[str, Any] | None
    """The raw row; None if none came back."""
    absent: str | None = None
    """Why none came back: the batch's final status, with its error where it has one."""
    is_final: bool = False
    """Whether the whole batch failed for a reason that would come again."""
    is_reused: bool = False
    """Whether another run has paid for it."""

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Settled:
        """Read a row of ``replies.jsonl``."""
        return cls(**row)

    def to_line(self) -> str:
        """Write a line of ``replies.jsonl``."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return dump_line(fields, ascii_only=True)

    def read(self, provider: Provider) -> Reply:
        """Say in the project's words what the attempt came to."""
        if self.row is not None:
            return provider.decode(self.row)[1]
        status, _, error = (self.absent or BatchStatus.DONE.value).partition(": ")
        message = error or f"the batch ended as {status} without a row for this request"
        if status == BatchStatus.EXPIRED:
            return Reply(
                Outcome.EXPIRED, error_code="batch_expired", error_message=message, is_retryable=True
            )
        if status == BatchStatus.FAILED:
            return Reply(
                Outcome.ERRORED,
                error_code="batch_failed",
                error_message=message,
                is_retryable=not self.is_final,
            )
        return Reply(Outcome.MISSING, error_code="no_row", error_message=message, is_retryable=True)


def settle_shard(ledger: Ledger, entry: ShardEntry, provider: Provider) -> Iterator[tuple[Settled, Reply]]:
    """
    Yield what each request of a downloaded shard came to, once; a row that came twice counts once.

    Raises
    ------
    DataError
        If a row is not the provider's, or answers a request that the shard did not hold.
    """
    raw = ledger.replies_path(entry.shard)
    batch_id, n_again = entry.batch_id or "", 0
    with KeySet() as open_keys, KeySet() as seen:
        open_keys.update(ledger.read_keys(entry.shard))
        for number, row in read_jsonl(raw):
            key, reply = _decode(row, provider, f"{raw}, line {number}")
            if open_keys.discard(key):
                seen.add(key)
                is_reused = entry.reused_from is not None
                yield Settled(key, batch_id, entry.attempt, row, is_reused=is_reused), reply
            elif key in seen:
                n_again += 1
            else:
                raise DataError(
                    f"request {key!r} was never sent in batch {batch_id}",
                    where=f"{raw}, line {number}",
                    fix="Another batch's file? Remove that line; the batch's other rows are untouched.",
                )
        if n_again:
            say(f"{raw}: {n_again} rows came more than once and count once")
        absent = f"{entry.status}: {entry.error}" if entry.error else str(entry.status)
        for key in ledger.read_keys(entry.shard):
            if key in open_keys:
                settled = Settled(key, batch_id, entry.attempt, None, absent, entry.is_final)
                yield settled, settled.read(provider)


def _decode(row: Mapping[str, Any], provider: Provider, place: str) -> tuple[str, Reply]:
    try:
        return provider.decode(row)
    except ValueError as error:
        raise DataError(
            f"is not a row of {provider.name} ({error})",
            where=place,
            fix="Remove that line, or restore the file.",
        ) from None


class Attempts:
    """
    Every attempt at every request of a trial, and which requests are worth another.

    Parameters
    ----------
    max_attempts : int
        How often a request is sent in all.
    """

    def __init__(self, *, max_attempts: int) -> None:
        self.max_attempts = max_attempts
        self.shards: set[str] = set()
        """Names of the shards that are in already."""
        self.errors: Counter[str] = Counter()
        """How often each error was seen, for a message; of the first `MAX_ERRORS` kinds."""
        self._lines = RowIndex()
        self._to_resend = KeySet()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.__exit__(kind, error, trace)
        self._to_resend.__exit__(kind, error, trace)

    def add_shard(
        self, ledger: Ledger, entry: ShardEntry, provider: Provider, price: Price | None
    ) -> Decimal | None:
        """
        Take in a downloaded shard, after the shards of earlier attempts.

        Returns
        -------
        Decimal or None
            What the shard cost in USD; None if that cannot be said.
        """
        total: Decimal | None = None if price is None else Decimal(0)
        for settled, reply in settle_shard(ledger, entry, provider):
            self._add(settled, reply)
            cost = None if price is None else price.cost(reply.usage)
            if cost is not None and total is not None:
                total += cost
            elif reply.outcome not in FAILED_OUTCOMES:
                total = None
        self.shards.add(entry.shard)
        return total

    def _add(self, settled: Settled, reply: Reply) -> None:
        key = settled.request_key
        if reply.error_code is not None:
            error = f"{reply.error_code}: {reply.error_message}"
            if error in self.errors or len(self.errors) < MAX_ERRORS:
                self.errors[error] += 1
        self._lines.add([(key, f"{reply.outcome.value} {settled.to_line()}")])
        if reply.is_retryable and self._lines.count(key) < self.max_attempts:
            self._to_resend.add(key)
        elif settled.attempt > 1:
            self._to_resend.discard(key)

    @property
    def is_settled(self) -> bool:
        """Whether no request is worth another attempt."""
        return not len(self._to_resend)

    def is_worth_another(self, key: str) -> bool:
        """Whether a request's last attempt failed in a way that sending it again may mend."""
        return key in self._to_resend

    def count(self, key: str) -> int:
        """Count the attempts at a request so far."""
        return self._lines.count(key)

    def read(self, key: str) -> tuple[Outcome | None, list[str]]:
        """Give a request's outcome and its lines of ``replies.jsonl``; None and none if it was never sent."""
        outcome, lines = None, []
        for text in self._lines.get(key):
            outcome, _, line = text.partition(" ")
            lines.append(line)
        return None if outcome is None else Outcome(outcome), lines
