"""From raw rows to settled replies: every request of a shard has exactly one row per attempt."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scripts.dispatch.key_index import KeySet, RowIndex
from scripts.errors import DataError
from scripts.files import MAX_LINE_BYTES, dump_line
from scripts.money.ledger import Ledger, ShardEntry
from scripts.money.price import Price
from scripts.providers import BatchStatus, Provider
from scripts.records import FAILED_OUTCOMES, Outcome, Reply
from scripts.run.job import say

MAX_ERRORS = 100

CANCELLED_CODES = frozenset({"canceled", "cancelled", "batch_cancelled", "batch_canceled"})
"""How providers call a request of a batch that was cancelled."""


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
    """Whether another trial or run has paid for it."""
    is_unread: bool = False
    """Whether it may be billed though its row could not be had."""

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
        if status == BatchStatus.CANCELLED:
            message = error or "the batch was cancelled at the provider"
            return Reply(Outcome.MISSING, error_code="batch_cancelled", error_message=message)
        if status == BatchStatus.FAILED:
            return Reply(
                Outcome.ERRORED,
                error_code="batch_failed",
                error_message=message,
                is_retryable=not self.is_final,
            )
        return Reply(Outcome.MISSING, error_code="no_row", error_message=message, is_retryable=True)


@dataclasses.dataclass(frozen=True)
class RawRow:
    """A line of a file of results, as far as it can be read."""

    number: int
    """Number of the line."""
    row: Mapping[str, Any]
    key: str | None = None
    """The request that it answers; None: it is not a row of the provider's."""
    reply: Reply | None = None
    cause: str = ""
    """Why it is no row."""

    @property
    def problem(self) -> str:
        """What is wrong with it where the shard does not hold its request."""
        return self.cause or f"answers request {self.key!r}, which was never sent in it"


def read_rows(path: Path, provider: Provider) -> Iterator[RawRow]:
    """Yield every row of a file of results; whatever else stands there comes with its cause."""
    with path.open("rb") as handle:
        for number, line in enumerate(iter(lambda: handle.readline(MAX_LINE_BYTES), b""), start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, parse_constant=_refuse_constant)
                if not isinstance(row, dict):
                    raise ValueError("no JSON object")
                key, reply = provider.decode(row)
            except (ValueError, RecursionError) as error:
                yield RawRow(number, {}, cause=f"is not a row of {provider.name} ({error})")
            else:
                yield RawRow(number, row, key, reply)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def settle_shard(ledger: Ledger, entry: ShardEntry, provider: Provider) -> Iterator[tuple[Settled, Reply]]:
    """
    Yield what each request of a downloaded shard came to, once; of several rows an answer wins.

    A row that is none of the shard's is passed over if every request has its row, or if what is not there
    was given up.

    Raises
    ------
    DataError
        If it may be the row of a request that has none.
    """
    raw = ledger.replies_path(entry.shard)
    n_again, strange = 0, None
    with KeySet() as open_keys, KeySet() as seen, RowIndex() as failed:
        open_keys.update(ledger.read_keys(entry.shard))
        for row in read_rows(raw, provider):
            key, reply = row.key, row.reply
            if key is None or reply is None or not (key in open_keys or key in seen):
                strange = strange or row
                continue
            is_failure = reply.outcome in FAILED_OUTCOMES
            is_first = seen.add(key)
            n_again += not is_first
            if is_failure and is_first:
                failed.add([(key, json.dumps(row.row))])
            elif not is_failure and open_keys.discard(key):
                yield _settle(entry, key, row.row), reply
        if n_again:
            say(f"{raw}: {n_again} rows came more than once and count once")
        for key in ledger.read_keys(entry.shard):
            if key in open_keys:
                text = next(iter(failed.get(key)), None)
                if text is None and strange is not None and not entry.is_given_up:
                    raise _strange_row(strange, raw, key)
                settled = _settle(entry, key, None if text is None else json.loads(text))
                yield settled, settled.read(provider)
        if strange is not None:
            say(f"{raw}, line {strange.number} {strange.problem}: passed over")


def _settle(entry: ShardEntry, key: str, row: Mapping[str, Any] | None) -> Settled:
    """Say what a request of a shard came to: a row, or none."""
    about = (key, entry.batch_id or "", entry.attempt, row)
    if row is not None:
        return Settled(*about, is_reused=entry.reused_from is not None)
    error = "its row could not be had and was given up" if entry.is_given_up else entry.error
    absent = f"{entry.status}: {error}" if error else str(entry.status)
    return Settled(*about, absent, entry.is_final, is_unread=entry.n_unread > 0)


def _strange_row(strange: RawRow, raw: Path, key: str) -> DataError:
    return DataError(
        f"{strange.problem}, and request {key[:12]}... has no row",
        where=f"{raw}, line {strange.number}",
        fix="Delete the file, and the batch's results are downloaded again.",
    )


class Attempts:
    """
    Every attempt at every request of a trial, and which requests are worth another.

    Parameters
    ----------
    max_attempts : int
        How often a request is sent in all.
    resend_cancelled : bool
        Whether that goes for what was cancelled at the provider, too.
    """

    def __init__(self, *, max_attempts: int, resend_cancelled: bool = False) -> None:
        self.max_attempts = max_attempts
        self.resend_cancelled = resend_cancelled
        self.shards: set[str] = set()
        """Names of the shards that are in already."""
        self.errors: Counter[str] = Counter()
        """How often each error was seen, for a message; of the first `MAX_ERRORS` kinds."""
        self.n_cancelled = 0
        """Requests that somebody cancelled at the provider, and that are not sent again for that."""
        self._lines = RowIndex()
        self.requests_to_resend = KeySet()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.__exit__(kind, error, trace)
        self.requests_to_resend.__exit__(kind, error, trace)

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
            self._add(settled, reply, is_cancelled=_is_cancelled(entry, reply))
            cost = None if price is None else price.cost(reply.usage)
            if cost is not None and total is not None:
                total += cost
            elif reply.outcome not in FAILED_OUTCOMES:
                total = None
        self.shards.add(entry.shard)
        return total

    def _add(self, settled: Settled, reply: Reply, *, is_cancelled: bool) -> None:
        key = settled.request_key
        if reply.error_code is not None:
            error = f"{reply.error_code}: {reply.error_message}"
            if error in self.errors or len(self.errors) < MAX_ERRORS:
                self.errors[error] += 1
        self._lines.add([(key, f"{reply.outcome.value} {settled.to_line()}")])
        is_worth = self.resend_cancelled if is_cancelled else reply.is_retryable
        self.n_cancelled += is_cancelled and not is_worth
        if is_worth and self._is_open(key):
            self.requests_to_resend.add(key)
        elif settled.attempt > 1:
            self.requests_to_resend.discard(key)

    def _is_open(self, key: str) -> bool:
        """Whether a request may be sent once more, and has no answer among its attempts."""
        texts = self._lines.get(key)
        return len(texts) < self.max_attempts and all(_outcome(text) in FAILED_OUTCOMES for text in texts)

    @property
    def is_settled(self) -> bool:
        """Whether no request is worth another attempt."""
        return not len(self.requests_to_resend)

    def is_worth_another(self, key: str) -> bool:
        """Whether a request's last attempt failed in a way that sending it again may mend."""
        return key in self.requests_to_resend

    def count(self, key: str) -> int:
        """Count the attempts at a request so far."""
        return self._lines.count(key)

    def read(self, key: str) -> tuple[Outcome | None, list[str]]:
        """
        Give a request's outcome and its lines of ``replies.jsonl``; None and none if it was never sent.

        The last attempt decides, but an answer wins over a failure: its line comes last.
        """
        texts = self._lines.get(key)
        texts.sort(key=lambda text: _outcome(text) not in FAILED_OUTCOMES)  # stable
        outcome = _outcome(texts[-1]) if texts else None
        return outcome, [text.partition(" ")[2] for text in texts]


def _outcome(text: str) -> Outcome:
    return Outcome(text.partition(" ")[0])


def _is_cancelled(entry: ShardEntry, reply: Reply) -> bool:
    """Whether a request has failed as somebody cancelled its batch at the provider."""
    was_cancelled = entry.status == BatchStatus.CANCELLED or reply.error_code in CANCELLED_CODES
    return was_cancelled and reply.outcome in FAILED_OUTCOMES
