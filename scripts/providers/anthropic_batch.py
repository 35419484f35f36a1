"""Message Batches of Anthropic: one JSON body in, one file of results out, and no key to find a batch by."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from scripts.errors import PipelineError
from scripts.files import dump_line
from scripts.providers.anthropic_lost import find_lost_batch
from scripts.providers.anthropic_rows import decode_message_row
from scripts.providers.base import BatchState, BatchStatus, Limits, LostCall, Messages, Provider
from scripts.providers.call_errors import CallErrors, count_done, need_id
from scripts.providers.capabilities import check_capabilities, find_place
from scripts.providers.downloads import CHUNK_BYTES, append_rows
from scripts.providers.keys import key_fingerprint, need_key
from scripts.providers.preflights import need_object
from scripts.providers.provider_clocks import note_date, provider_time
from scripts.records import Item, Reply, Request, Trial

if TYPE_CHECKING:
    import anthropic
    import httpx2
    from anthropic.types.messages import MessageBatch

    from scripts.experiment.settings import Settings

KEY_VARIABLE = "ANTHROPIC_API_KEY"
MESSAGES_PATH = "/v1/messages"
PATH = "/v1/messages/batches"
HEAD, TAIL = b'{"requests":[', b"]}"

LIMITS = Limits(max_requests=100_000, max_bytes=256 * 1000**2 - len(HEAD + TAIL))
"""https://platform.claude.com/docs/en/build-with-claude/batch-processing, read 2026-11: 100,000 requests or
256 MB, whichever is reached first; the brackets around the lines count too."""

KEPT_DAYS = 29
"""How long results can be fetched: the same page, read 2026-11."""

STATUS = {
    "in_progress": BatchStatus.RUNNING,
    "canceling": BatchStatus.FINALIZING,
    "ended": BatchStatus.DONE,
}
"""The provider's words; whatever else it says is `BatchStatus.UNKNOWN`."""

CREATE_PATIENCE = 10
"""A create call may take so many times ``timeout_seconds``: the answer comes after a body of 256 MB."""

LIST_RETRIES = 2
"""How often the client may repeat the question for a lost batch."""


@dataclasses.dataclass(frozen=True)
class AnthropicBatch(Provider):
    """A model of Anthropic's, through Message Batches."""

    name: ClassVar[str] = "anthropic"
    parameters: ClassVar[frozenset[str] | None] = frozenset({"temperature", "top_p", "top_k", "max_tokens"})
    keeps_keys: ClassVar[bool] = False

    model: str
    """The provider's name of the model."""
    base_url: str = "https://api.anthropic.com"
    timeout_seconds: float = 60.0
    limits: Limits = LIMITS
    cache_system: str | None = None
    """How long the system prompt is to stay in the provider's cache; None: it is not cached."""
    lag_seconds: float = 60.0
    """How long a batch may not be found before it counts as not there."""

    @classmethod
    def from_settings(cls, settings: Settings, model: str) -> Self:
        """Make the adapter: see `Provider.from_settings`."""
        from scripts.providers.options import provider_settings

        options = settings.config["models"][model]
        service = provider_settings(settings, model)
        return cls(
            model=options.get("model", model),
            base_url=service["base_url"],
            timeout_seconds=service["timeout_seconds"],
            limits=LIMITS.lowered(service),
            cache_system=options.get("cache_system"),
        )

    @classmethod
    def check(cls, settings: Settings, model: str, item_ids: Mapping[str, frozenset[str]]) -> None:
        """Refuse settings that would come back as errors a day later; then look for the key."""
        name = settings.config["models"][model].get("model", model)
        for trial in settings.trials:
            if trial.model == model:
                _check_sampling(settings, trial, f"{cls.name}/{name}")
                check_capabilities(settings, trial, cls.name, name)

    @classmethod
    def check_key(cls) -> None:
        """Look for the key: see `Provider.check_key`."""
        need_key(KEY_VARIABLE, cls.name)

    def body(self, messages: Messages, trial: Trial, dataset: str, item: Item) -> dict[str, Any]:
        """Render the parameters of a message; the system prompt has a place of its own there."""
        cache = (
            {"cache_control": {"type": "ephemeral", "ttl": self.cache_system}} if self.cache_system else {}
        )
        system = [
            {"type": "text", "text": turn["content"], **cache}
            for turn in messages
            if turn["role"] == "system"
        ]
        return {
            "model": self.model,
            **({"system": system} if system else {}),
            "messages": [dict(turn) for turn in messages if turn["role"] != "system"],
            **{key: value for key, value in trial.sampling.items() if value is not None},
        }

    def encode(self, request: Request) -> str:
        """Write one request as a line: see `Provider.encode`."""
        return dump_line({"custom_id": request.request_key, "params": request.body})

    def decode(self, row: Mapping[str, Any]) -> tuple[str, Reply]:
        """Read one raw row: see `Provider.decode`."""
        return decode_message_row(row)

    @property
    def account(self) -> str | None:
        """Fingerprint of the key."""
        return key_fingerprint(self._errors.key)

    @property
    def address(self) -> str | None:
        """Where the API is."""
        return self.base_url.rstrip("/")

    def clock(self) -> datetime.datetime | None:
        """Say what time it is at the provider: see `Provider.clock`."""
        return provider_time(self.base_url)

    def list_batches(self) -> Mapping[str, str]:
        """Ask for one batch, to hear what time it is; none can be found by a key."""
        with self._told(self._errors.of_first_list):
            self.client.with_options(max_retries=LIST_RETRIES).messages.batches.list(limit=1)
        return {}

    def find_existing(self, key: str, call: LostCall) -> str | None:
        """Look for the one batch that can be the lost one, as the provider keeps no key."""
        client = self.client.with_options(max_retries=LIST_RETRIES)
        with self._told(functools.partial(self._errors.of_list, key)):
            return find_lost_batch(client, call, where=self._where)

    def create(self, payload: Path, *, key: str, metadata: Mapping[str, str]) -> str:
        """Start a batch; the payload is streamed from the disk."""
        from anthropic.types.messages import MessageBatch

        self.limits.check_payload(payload, where=self._where)
        size = payload.stat().st_size + len(HEAD + TAIL)
        with self._told(functools.partial(self._errors.of_create, key)):
            batch = self.client.post(
                PATH,
                cast_to=MessageBatch,
                content=_stream_body(payload),
                options={
                    "headers": {"Content-Type": "application/json", "Content-Length": str(size)},
                    "timeout": CREATE_PATIENCE * self.timeout_seconds,
                    "follow_redirects": False,
                },
            )
            return need_id(getattr(batch, "id", None), "batch")

    def preflight(self, request: Request) -> Reply:
        """Send one request as a message: see `Provider.preflight`."""
        with self._told(self._errors.of_preflight):
            answer = self.client.post(MESSAGES_PATH, cast_to=object, body=dict(request.body))
            result = {"type": "succeeded", "message": need_object(answer)}
            return self.decode({"custom_id": request.request_key, "result": result})[1]

    def status(self, batch_id: str) -> BatchState:
        """Look at a batch once: see `Provider.status`."""
        batch = self._batch(batch_id)
        word = batch.processing_status
        status = STATUS.get(word, BatchStatus.UNKNOWN)
        if status is BatchStatus.DONE and getattr(batch, "cancel_initiated_at", None) is not None:
            status = BatchStatus.CANCELLED
        # while a batch goes on, all its counts but one are zero
        names = ("succeeded", "errored", "canceled", "expired") if status.is_terminal else ()
        return BatchState(status, word, n_done=count_done(getattr(batch, "request_counts", None), *names))

    def fetch(self, batch_id: str, into: Path) -> None:
        """Stream the results; none if the batch names no file of them (yet): see `Provider.fetch`."""
        if self._batch(batch_id).results_url is None:
            into.write_bytes(b"")
            return
        with self._reading(f"the results of batch {batch_id}"):
            results = self.client.messages.batches.with_streaming_response.results(batch_id)
            with results as response, into.open("w+b") as handle:
                append_rows(response.iter_bytes(), handle)

    def _batch(self, batch_id: str) -> MessageBatch:
        with self._reading(f"batch {batch_id}"):
            batch = self.client.messages.batches.retrieve(batch_id)
            if not isinstance(getattr(batch, "processing_status", None), str):
                raise ValueError("the answer describes no batch")
            return batch

    @contextlib.contextmanager
    def _told(self, tell: Callable[[Exception], PipelineError]) -> Iterator[None]:
        """Turn what the client raises, or an answer that cannot be read, into the project's error."""
        import anthropic
        import httpx2

        try:
            yield
        except (anthropic.AnthropicError, httpx2.HTTPError, ValueError) as error:
            raise tell(error) from None

    def _reading(self, what: str) -> contextlib.AbstractContextManager[None]:
        return self._told(functools.partial(self._errors.of_read, what))

    @functools.cached_property
    def client(self) -> anthropic.Anthropic:
        """The official client, which repeats nothing: whoever calls sleeps, and hears of a stop meanwhile."""
        import anthropic

        return anthropic.Anthropic(
            api_key=self._errors.key,
            base_url=self.base_url,
            timeout=self.timeout_seconds,
            max_retries=0,
            http_client=_http_client(),
        )

    @functools.cached_property
    def _errors(self) -> CallErrors:
        return CallErrors(self._where, KEY_VARIABLE, f"{KEPT_DAYS} days", need_key(KEY_VARIABLE, self.name))

    @property
    def _where(self) -> str:
        return f"anthropic, {self.base_url}"


@functools.cache
def _http_client() -> httpx2.Client:
    """Make what all calls of this process go through: it reads the certificates, which takes its time."""
    import anthropic

    return anthropic.DefaultHttpxClient(event_hooks={"response": [note_date]})


def warm_up() -> None:
    """Load what every job needs that talks to the provider."""
    import anthropic

    client = anthropic.Anthropic(api_key="-", http_client=_http_client())
    _ = client.messages.batches  # imported by its first use


def _check_sampling(settings: Settings, trial: Trial, who: str) -> None:
    """Refuse what the provider would refuse, in the place where the value stands."""
    if trial.sampling.get("max_tokens") is None:
        raise settings.error(
            f"is null, but {who} needs a number",
            *find_place(settings, trial, "max_tokens"),
            fix="Set it to the longest answer, in tokens.",
        )
    temperature = trial.sampling.get("temperature")
    if temperature is not None and not 0 <= temperature <= 1:
        raise settings.error(
            f"is {temperature}, but {who} accepts 0 to 1",
            *find_place(settings, trial, "temperature"),
            fix="Set it to a value in [0, 1], or choose another model.",
        )


def _stream_body(payload: Path) -> Iterator[bytes]:
    """Yield the call's body in pieces: the payload's lines as one JSON array."""
    yield HEAD
    with payload.open("rb") as handle:
        held = b""  # behind the last line feed there is no comma
        while block := handle.read(CHUNK_BYTES):
            yield (held + block[:-1]).replace(b"\n", b",")
            held = block[-1:]
        yield held + TAIL
