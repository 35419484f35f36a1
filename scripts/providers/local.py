"""Chat servers without a batch API (vLLM, llama.cpp, Ollama): asked request by request, from this machine."""

from __future__ import annotations

import dataclasses
import math
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from scripts.files import dump_line, read_json
from scripts.providers.base import BatchState, BatchStatus, Messages
from scripts.providers.chat import chat_body, chat_row
from scripts.providers.keys import find_key, need_key
from scripts.providers.local_asking import ChatServer, warm_up
from scripts.providers.local_batches import BookedBatches, local_books
from scripts.providers.local_work import Places, Work
from scripts.records import Item, Request, Trial, digest

if TYPE_CHECKING:
    from scripts.experiment.settings import Settings

__all__ = ["LocalChat", "warm_up"]

VARIABLE = "LOCAL_API_KEY"

RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, math.inf),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "repetition_penalty": (0, math.inf),
}
WHOLE_RANGES: dict[str, tuple[float, float]] = {
    "max_tokens": (1, math.inf),
    "top_k": (-1, math.inf),
    "seed": (-math.inf, math.inf),
}
TEXTS = ("stop", "reasoning_effort")


@dataclasses.dataclass(frozen=True)
class LocalChat(BookedBatches):
    """
    One model of a chat server; its batches are kept in books here, and go on while somebody polls them.

    Asking again costs nothing but time, yet a request that has its row is never asked again.
    """

    name: ClassVar[str] = "local"
    parameters: ClassVar[frozenset[str] | None] = frozenset({*RANGES, *WHOLE_RANGES, *TEXTS})
    is_paid: ClassVar[bool] = False
    takes_slots: ClassVar[bool] = False

    provider_model: str = ""
    base_url: str = ""
    concurrency: int = 8
    timeout_seconds: float = 600.0
    _works: list[Work] = dataclasses.field(default_factory=list, repr=False, compare=False)
    """The work that goes on in this process: none, or that on one batch."""

    @classmethod
    def from_settings(cls, settings: Settings, model: str) -> Self:
        """Make the adapter: see `Provider.from_settings`."""
        from scripts.providers.options import provider_settings

        options = provider_settings(settings, model)
        given = settings.config["models"][model]
        return cls(
            **local_books(settings, cls.name),
            provider_model=given.get("model", model),
            base_url=given.get("base_url", options["base_url"]),
            concurrency=options["concurrency"],
            timeout_seconds=options["timeout_seconds"],
        )

    @classmethod
    def check(cls, settings: Settings, model: str, item_ids: Mapping[str, frozenset[str]]) -> None:
        """Check the address and every decoding setting: see `Provider.check`."""
        _check_base_url(settings, model, cls.from_settings(settings, model).base_url)
        for trial in settings.trials:
            if trial.model == model:
                _check_sampling(settings, trial)

    @classmethod
    def check_key(cls) -> None:
        """Check the key, if there is one: see `Provider.check_key`."""
        if find_key(VARIABLE) is not None:
            need_key(VARIABLE, cls.name)

    def body(self, messages: Messages, trial: Trial, dataset: str, item: Item) -> dict[str, Any]:
        """Render a chat body: see `Provider.body`."""
        return chat_body(self.provider_model, messages, trial)

    def encode(self, request: Request) -> str:
        """Write one request as a line: see `Provider.encode`."""
        return dump_line(chat_row(request))

    def create(self, payload: Path, *, key: str, metadata: Mapping[str, str]) -> str:
        """Enter a batch into the books, once for a `key`; nothing is asked yet."""
        with payload.open("rb") as lines:
            n_requests = sum(1 for _ in lines)
        facts = {
            "key": key,
            "metadata": dict(metadata),
            "created_at": time.time(),
            "n_requests": n_requests,
        }
        return self.find_key(key) or self.enter(payload, facts)

    def status(self, batch_id: str) -> BatchState:
        """
        Look at a batch, and begin with it, or go on where another process has left it, if none is in work.

        Raises
        ------
        BusyError
            If the server is not there, or asks to wait.
        ProviderError
            If it refuses whatever it is asked.
        """
        folder = self.folder(batch_id)
        n_requests = read_json(folder / "batch.json")["n_requests"]
        if (folder / "replies.jsonl").exists():
            return BatchState(BatchStatus.DONE, "answered", n_done=n_requests)
        if not self._works:
            self._works.append(Work(self._server, self._places, folder, n_requests))
        (work,) = self._works
        if work.folder != folder:
            return BatchState(BatchStatus.QUEUED, "another batch comes first", n_done=0)
        state = work.look()
        if state.status.is_terminal:
            self.close()
        return state

    def close(self) -> None:
        """End the work on a batch; what is with the server is given up, and asked again another time."""
        while self._works:
            self._works.pop().close()

    @property
    def _server(self) -> ChatServer:
        return ChatServer(self.base_url, self.timeout_seconds, find_key(VARIABLE))

    @property
    def _places(self) -> Places:
        """The server's places, common to all runs beside this one."""
        return Places(self.books.parent / ".places" / digest(self.base_url)[:16], self.concurrency)


def _check_base_url(settings: Settings, model: str, url: str) -> None:
    """Refuse an address that is none, or that holds a secret."""
    is_own = "base_url" in settings.config["models"][model]
    if re.fullmatch(r"https?://[^\s@?#]+", url) is None:
        raise settings.error(
            "is not a plain address",
            *(("models", model) if is_own else ("providers", "local")),
            "base_url",
            fix="Write it as http://HOST:PORT/v1, without a user, a key or a question mark.",
        )


def _check_sampling(settings: Settings, trial: Trial) -> None:
    """Refuse a decoding setting that no server takes, before an hour of errors."""
    for key, value in trial.sampling.items():
        if value is not None and (allowed := _breach(key, value)) is not None:
            raise settings.error(
                f"is {value!r}, but must be {allowed}",
                "sampling",
                key,
                fix=f"Set {key} to null, or to what is allowed, for the trial {trial.name}.",
            )


def _breach(key: str, value: Any) -> str | None:
    """Say what a setting must be; None if it is."""
    if key in TEXTS:
        return None if isinstance(value, str) and value else "a text"
    is_whole = key in WHOLE_RANGES
    low, high = (WHOLE_RANGES if is_whole else RANGES)[key]
    is_number = isinstance(value, int if is_whole else int | float) and not isinstance(value, bool)
    if is_number and low <= value <= high:
        return None
    bounds = f" from {low:g}" if math.isfinite(low) else ""
    return f"a {'whole ' if is_whole else ''}number{bounds}{f' to {high:g}' if math.isfinite(high) else ''}"
