"""
What every provider does, whoever it is: pure coding of rows, and four calls that leave the machine.

The calls' errors are sorted by one question: has money been spent?
"""

from __future__ import annotations

import abc
import dataclasses
import datetime
import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from scripts.errors import LimitError, NoEndpointError
from scripts.records import Item, Reply, Request, Trial

if TYPE_CHECKING:
    from scripts.experiment.settings import Settings

Messages = Sequence[Mapping[str, str]]
"""A chat: mappings of ``role`` and ``content``."""


class BatchStatus(enum.StrEnum):
    """Where a batch is in its life, in the project's words."""

    QUEUED = "queued"
    RUNNING = "running"
    FINALIZING = "finalizing"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    """A word that the adapter does not know: keep polling."""

    @property
    def is_terminal(self) -> bool:
        """Whether nothing further will happen to the batch."""
        return self in {BatchStatus.DONE, BatchStatus.FAILED, BatchStatus.EXPIRED, BatchStatus.CANCELLED}


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one batch may hold."""

    max_requests: int
    max_bytes: int
    max_line_bytes: int | None = None
    """Bytes of one request, where that is less than a whole batch."""
    max_creates_per_hour: int | None = None
    """Batches that may be started within an hour, over all models."""
    max_enqueued_tokens: int | None = None
    """Input tokens of one model that may be in its batches at once."""

    def lowered(self, options: Mapping[str, Any]) -> Limits:
        """Take the lower of each limit and the provider's setting of the same name."""
        both = {
            field.name: [getattr(self, field.name), options.get(field.name)]
            for field in dataclasses.fields(self)
        }
        known = {name: [limit for limit in limits if limit is not None] for name, limits in both.items()}
        return Limits(**{name: min(limits) for name, limits in known.items() if limits})

    def check_payload(self, payload: Path, *, where: str, taker: str = "a batch") -> None:
        """
        Refuse a payload that is larger than `taker` takes.

        Raises
        ------
        LimitError
            With both sizes; nothing was sent.
        """
        n_bytes = payload.stat().st_size
        if n_bytes > self.max_bytes:
            raise LimitError(
                f"the shard has {n_bytes:,} bytes, but {taker} takes {self.max_bytes:,}",
                where=where,
                fix="Lower max_bytes or max_requests of the provider.",
            )


@dataclasses.dataclass(frozen=True)
class BatchState:
    """One look at a batch."""

    status: BatchStatus
    raw: str
    """The provider's own word."""
    n_done: int | None = None
    """Requests done so far, failures included; None where the provider does not say."""
    error: str | None = None
    """Why a batch failed as a whole."""
    is_put_off: bool = False
    """Failed before any request was run, as the provider's queue was full: to be sent again later."""
    is_final: bool = False
    """Failed for a reason that sending the same requests again would meet again."""


@dataclasses.dataclass(frozen=True)
class LostCall:
    """What the ledgers know of a create call whose answer was lost."""

    at: datetime.datetime
    """When the call was about to be made, in UTC by this machine's clock."""
    n_requests: int
    known: frozenset[str] = frozenset()
    """Batches that a ledger owns already: none of them is the lost one."""
    n_rivals: int = 0
    """Other calls with as many requests whose answers are not known either."""
    provider_at: datetime.datetime | None = None
    """The same by the provider's clock, where that is known."""
    read_keys: Callable[[], Iterable[str]] = tuple
    """Reads the keys of the call's requests."""


class Provider(abc.ABC):
    """One model at one provider."""

    name: ClassVar[str]
    limits: Limits
    parameters: ClassVar[frozenset[str] | None]
    """Decoding settings that the provider takes; None: it does not mind."""
    resends: ClassVar[bool] = True
    """Whether sending a failed request again can help."""
    needs_item_ids: ClassVar[bool] = False
    """Whether `check` looks at the ids of all items."""
    needs_texts: ClassVar[bool] = True
    """Whether a prompt without texts is an error."""
    is_paid: ClassVar[bool] = True
    """Whether a request costs money, so that a model without a price is an error."""
    takes_slots: ClassVar[bool] = True
    """Whether a batch counts towards ``max_active_batches``; one that goes on only while polled must not."""
    keeps_keys: ClassVar[bool] = True
    """Whether a batch can be found by the key that it was started with."""
    has_books_here: ClassVar[bool] = False
    """Whether batches lie in a folder of this machine: a row that is not there is not still on its way."""
    lag_seconds: float = 0.0
    """How long a new batch may not be found yet though it is there."""

    @property
    def account(self) -> str | None:
        """A fingerprint of the account that batches are sent with; None where there is none."""
        return None

    @property
    def address(self) -> str | None:
        """Where the provider is asked; None where that is this machine."""
        return None

    def clock(self) -> datetime.datetime | None:
        """Say what time it is at the provider, by its last answer in this process; None if not known."""
        return None

    def list_batches(self) -> Mapping[str, str]:
        """
        Ask for the batches that are there, before the first one is started: their ids by our keys.

        Whoever can be asked by key at any time, or keeps no keys, names none.  The call also tells the time.

        Raises
        ------
        BusyError
            They cannot be listed now; nothing may be started before they are.
        ProviderError
            The provider refuses.
        """
        return {}

    @classmethod
    @abc.abstractmethod
    def from_settings(cls, settings: Settings, model: str) -> Self:
        """Make the adapter of the configuration's model `model`; nothing leaves the machine."""

    @classmethod
    @abc.abstractmethod
    def check(cls, settings: Settings, model: str, item_ids: Mapping[str, frozenset[str]]) -> None:
        """
        Check what can be checked before anything is sent.

        Parameters
        ----------
        settings, model
            The configuration, and the name of one of its models.
        item_ids : mapping of str to frozenset of str
            Every item's id by dataset, where ``needs_item_ids``; without datasets that are not read whole.

        Raises
        ------
        PipelineError
            For whatever a user should mend first.
        """

    @classmethod  # noqa: B027 - some providers have none
    def check_key(cls) -> None:
        """
        Look for the key that calls need, if any.

        Raises
        ------
        ConfigError
            If it is not there, or cannot be one.
        """

    @abc.abstractmethod
    def body(self, messages: Messages, trial: Trial, dataset: str, item: Item) -> dict[str, Any]:
        """Render what the provider is sent for one item (pure)."""

    @abc.abstractmethod
    def encode(self, request: Request) -> str:
        """Write one request as a line of a batch, line feed included (pure)."""

    @abc.abstractmethod
    def decode(self, row: Mapping[str, Any]) -> tuple[str, Reply]:
        """
        Read one raw row (pure).

        Returns
        -------
        tuple of str and Reply
            The request's key, and what became of it.

        Raises
        ------
        ValueError
            If the row is not one of this provider's.
        """

    def preflight(self, request: Request) -> Reply:
        """
        Have one request answered at once, to hear whether the provider refuses it.  Costs money.

        Raises
        ------
        ProviderError
            The provider refuses the request; nothing is paid.
        BusyError
            The provider asks to wait or cannot be reached; nothing is paid, and it may be called again.
        NoEndpointError
            It answers nothing at once; nothing is paid.
        UnknownOutcomeError
            Nobody knows what became of the request; it may be paid.
        """
        raise NoEndpointError(
            "no request is answered at once", where=self.name, fix="Set `preflight: false` for the provider."
        )

    @abc.abstractmethod
    def find_existing(self, key: str, call: LostCall) -> str | None:
        """
        Ask the provider for the batch that an earlier, broken create call may have started.

        Parameters
        ----------
        key : str
            What :meth:`create` was called with.
        call : LostCall
            What else is known, for a provider that keeps no key.

        Returns
        -------
        str or None
            The batch's id; None only if surely no batch has this key.

        Raises
        ------
        UnknownOutcomeError
            If the provider cannot tell.
        """

    @abc.abstractmethod
    def create(self, payload: Path, *, key: str, metadata: Mapping[str, str]) -> str:
        """
        Start one batch.  Costs money; never call it twice for one `key` without asking first.

        Parameters
        ----------
        payload : Path
            JSONL in UTF-8, one :meth:`encode` result a line, within ``limits``.
        key : str
            SHA-256 that identifies the shard; how :meth:`find_existing` finds the batch.
        metadata : mapping of str to str
            What else goes along with the batch: ``run``, ``trial``, ``attempt``.

        Returns
        -------
        str
            The batch's id: enough to poll it from another machine, tomorrow.

        Raises
        ------
        LimitError
            The payload is over a limit; nothing was sent.
        BusyError
            The provider asks to wait or cannot be reached; nothing was started, and it may be called again.
        ProviderError
            The provider refused the batch; nothing was started.
        UnknownOutcomeError
            The connection broke after sending: a batch may exist.
        """

    @abc.abstractmethod
    def status(self, batch_id: str) -> BatchState:
        """
        Look at a batch once.

        Raises
        ------
        BusyError
            The provider asks to wait or cannot be reached; look again later.
        NoBatchError
            The provider knows no such batch.
        """

    @abc.abstractmethod
    def fetch(self, batch_id: str, into: Path) -> None:
        """
        Stream the raw rows of a terminal batch, errors included, into a JSONL file; maybe none.

        A result that is not named (yet) makes a short file: the caller holds it against the provider's count.

        Raises
        ------
        BusyError
            They did not come whole; fetch again later.
        """

    def close(self) -> None:  # noqa: B027 - most have nothing to end
        """End whatever goes on in this process; batches stay as they are."""
