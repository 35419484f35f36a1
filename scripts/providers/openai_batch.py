"""OpenAI's Batch API, and servers that speak it, through the official client."""

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
from scripts.providers.base import BatchState, BatchStatus, Limits, LostCall, Messages, Provider
from scripts.providers.call_errors import CallErrors, count_done, first_of_each, need_id
from scripts.providers.capabilities import is_reasoning
from scripts.providers.chat import chat_body, chat_row, decode_chat_row
from scripts.providers.chat_checks import check_base_url
from scripts.providers.downloads import append_rows
from scripts.providers.keys import key_fingerprint, need_key
from scripts.providers.openai_checks import PARAMETERS, check_sampling
from scripts.providers.preflights import read_answer
from scripts.providers.provider_clocks import note_date, provider_time
from scripts.providers.responses import is_response, read_response, responses_body
from scripts.records import Item, Reply, Request, Trial

if TYPE_CHECKING:
    import httpx2
    import openai
    from openai.types import Batch

    from scripts.experiment.settings import Settings

LIMITS = Limits(max_requests=50_000, max_bytes=200_000_000, max_creates_per_hour=2_000)
"""From https://developers.openai.com/api/docs/guides/batch, read in November 2026."""

MAX_METADATA = 512
"""Characters of a value of a batch's metadata (the API's specification of ``Metadata``, November 2026)."""

UPLOAD_RETRIES, LIST_RETRIES = 3, 5
"""How often the client may repeat these calls itself: neither starts anything."""

MAX_ERRORS = 3

STATUSES = {
    "validating": BatchStatus.QUEUED,
    "in_progress": BatchStatus.RUNNING,
    "cancelling": BatchStatus.RUNNING,
    "finalizing": BatchStatus.FINALIZING,
    "completed": BatchStatus.DONE,
    "failed": BatchStatus.FAILED,
    "expired": BatchStatus.EXPIRED,
    "cancelled": BatchStatus.CANCELLED,
}
PUT_OFF_CODES = frozenset({"token_limit_exceeded"})
"""A batch that fails so was accepted, then turned away as too many tokens are queued; nothing was run."""

MAY_PASS = frozenset({None, "server_error", "internal_error", "rate_limit_exceeded"}) | PUT_OFF_CODES
"""Reasons for which a batch fails that lie with the provider; all others lie in the file and come again."""


@dataclasses.dataclass(frozen=True)
class OpenAIBatch(Provider):
    """One model behind an endpoint of OpenAI's Batch API."""

    name: ClassVar[str] = "openai"
    variable: ClassVar[str] = "OPENAI_API_KEY"
    kept: ClassVar[str] = "30 days"
    parameters: ClassVar[frozenset[str] | None] = PARAMETERS
    lag_seconds = 120.0

    provider_model: str
    base_url: str
    endpoint: str = "/v1/chat/completions"
    timeout_seconds: float = 60.0
    limits: Limits = LIMITS

    @classmethod
    def from_settings(cls, settings: Settings, model: str) -> Self:
        """Make the adapter: see `Provider.from_settings`."""
        from scripts.providers.options import provider_settings

        options = provider_settings(settings, model)
        return cls(
            provider_model=settings.config["models"][model].get("model", model),
            base_url=options["base_url"],
            endpoint=options.get("endpoint", cls.endpoint),
            timeout_seconds=options["timeout_seconds"],
            limits=cls.limits.lowered(options),
        )

    @classmethod
    def check(cls, settings: Settings, model: str, item_ids: Mapping[str, frozenset[str]]) -> None:
        """Check the address and every decoding setting: see `Provider.check`."""
        adapter = cls.from_settings(settings, model)
        check_base_url(settings, cls.name, adapter.base_url)
        for trial in settings.trials:
            if trial.model == model:
                adapter.check_trial(settings, trial)

    @classmethod
    def check_key(cls) -> None:
        """Look for the key: see `Provider.check_key`."""
        need_key(cls.variable, cls.name)

    def check_trial(self, settings: Settings, trial: Trial) -> None:
        """Check a trial's decoding settings; raises what `Provider.check` does."""
        check_sampling(settings, trial, self.provider_model, self.endpoint)

    def body(self, messages: Messages, trial: Trial, dataset: str, item: Item) -> dict[str, Any]:
        """Render the body for the endpoint: see `Provider.body`."""
        if self.endpoint == "/v1/responses":
            return responses_body(self.provider_model, messages, trial)
        body = chat_body(self.provider_model, messages, trial)
        if is_reasoning(self.provider_model) and "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        return body

    def encode(self, request: Request) -> str:
        """Write one request as a line: see `Provider.encode`."""
        return dump_line({**chat_row(request), "url": self.endpoint})

    def decode(self, row: Mapping[str, Any]) -> tuple[str, Reply]:
        """Read one raw row of either endpoint: see `Provider.decode`."""
        key, reply = decode_chat_row(row)
        response = row.get("response")
        if isinstance(response, Mapping) and response.get("status_code") == 200:
            body = response.get("body")
            if isinstance(body, Mapping) and is_response(body):
                return key, read_response(body)
        return key, reply

    @property
    def account(self) -> str | None:
        """Fingerprint of the key."""
        return key_fingerprint(self._key)

    @property
    def address(self) -> str | None:
        """Where the API is."""
        return self.base_url.rstrip("/")

    def clock(self) -> datetime.datetime | None:
        """Say what time it is at the provider: see `Provider.clock`."""
        return provider_time(self.base_url)

    def find_existing(self, key: str, call: LostCall) -> str | None:
        """
        Look for the key in the metadata of all batches: see `Provider.find_existing`.

        The list is read to its end: in which order it comes is not promised.
        """
        with self._told(functools.partial(self._errors.of_list, key), TypeError, AttributeError):
            return next((batch_id for found, batch_id in self._list_keys() if found == key), None)

    def list_batches(self) -> Mapping[str, str]:
        """Read the keys in the metadata of all batches: see `Provider.list_batches`."""
        with self._told(self._errors.of_first_list, TypeError, AttributeError):
            return first_of_each(self._list_keys())

    def _list_keys(self) -> Iterator[tuple[str, str]]:
        """Read the list of batches: the key and the id of each that has one."""
        for batch in self._client.with_options(max_retries=LIST_RETRIES).batches.list(limit=100):
            if (key := (batch.metadata or {}).get("trialmake_key")) is not None:
                yield key, need_id(batch.id, "batch")

    def create(self, payload: Path, *, key: str, metadata: Mapping[str, str]) -> str:
        """Upload the file, then start the batch, once: see `Provider.create`."""
        self.limits.check_payload(payload, where=self._errors.where)
        with self._told(self._errors.of_upload):
            file_id = self._upload(payload, key)
        with self._told(functools.partial(self._errors.of_create, key)):
            return self._start(file_id, key, metadata)

    def preflight(self, request: Request) -> Reply:
        """Send one request to the endpoint itself: see `Provider.preflight`."""
        with self._told(self._errors.of_preflight):
            answer = self._client.with_options(max_retries=0).post(
                self.endpoint.removeprefix("/v1"), cast_to=object, body=dict(request.body)
            )
            return read_answer(self, request, answer)

    def status(self, batch_id: str) -> BatchState:
        """Look at a batch once: see `Provider.status`."""
        batch = self._batch(batch_id)
        raw, n_done = batch.status, count_done(getattr(batch, "request_counts", None), "completed", "failed")
        status = STATUSES.get(raw, BatchStatus.UNKNOWN)
        errors = getattr(getattr(batch, "errors", None), "data", None) or []
        return BatchState(
            status,
            raw,
            n_done=n_done,
            error=self._errors.clean("; ".join(f"{e.code}: {e.message}" for e in errors[:MAX_ERRORS]))
            or None,
            is_put_off=status is BatchStatus.FAILED and any(e.code in PUT_OFF_CODES for e in errors),
            is_final=status is BatchStatus.FAILED and any(e.code not in MAY_PASS for e in errors),
        )

    def fetch(self, batch_id: str, into: Path) -> None:
        """Stream the output file, then the error file: see `Provider.fetch`."""
        batch = self._batch(batch_id)
        file_ids = [getattr(batch, name, None) for name in ("output_file_id", "error_file_id")]
        with into.open("w+b") as handle:
            for file_id in filter(None, file_ids):
                self._download(file_id, handle)

    def _download(self, file_id: str, handle: Any) -> None:
        stream = self._reader.files.with_streaming_response.content
        with self._reading(f"file {file_id}"), stream(file_id) as answer:
            append_rows(answer.iter_bytes(), handle)

    def _batch(self, batch_id: str) -> Batch:
        with self._reading(f"batch {batch_id}"):
            batch = self._reader.batches.retrieve(batch_id)
            if not isinstance(getattr(batch, "status", None), str):
                raise ValueError("the answer describes no batch")
            return batch

    def _upload(self, payload: Path, key: str) -> str:
        """Upload the file; its id."""
        client = self._client.with_options(max_retries=UPLOAD_RETRIES)
        with payload.open("rb") as handle:  # a handle is streamed, a path would be read whole
            file = (f"trialmake-{key[:16]}.jsonl", handle, "application/jsonl")
            uploaded = client.files.create(file=file, purpose="batch")
        return need_id(getattr(uploaded, "id", None), "file")

    def _start(self, file_id: str, key: str, metadata: Mapping[str, str]) -> str:
        """Start a batch of an uploaded file, once; its id."""
        labels = {name: value[:MAX_METADATA] for name, value in metadata.items()}
        batch = self._client.with_options(max_retries=0).batches.create(
            input_file_id=file_id,
            endpoint=self.endpoint,  # type: ignore[arg-type]
            completion_window="24h",
            metadata={"trialmake_key": key, **labels},
        )
        return need_id(getattr(batch, "id", None), "batch")

    @contextlib.contextmanager
    def _told(self, tell: Callable[[Exception], PipelineError], *more: type[Exception]) -> Iterator[None]:
        """Turn what the client raises, or an answer that cannot be read, into the project's error."""
        import httpx2
        import openai

        kinds: tuple[type[Exception], ...] = (openai.OpenAIError, httpx2.HTTPError, ValueError, *more)
        try:
            yield
        except kinds as error:
            raise tell(error) from None

    def _reading(self, what: str) -> contextlib.AbstractContextManager[None]:
        return self._told(functools.partial(self._errors.of_read, what))

    @functools.cached_property
    def _key(self) -> str:
        return need_key(self.variable, self.name)

    @functools.cached_property
    def _client(self) -> openai.OpenAI:
        import openai

        return openai.OpenAI(
            api_key=self._key,
            base_url=self.base_url,
            timeout=self.timeout_seconds,
            http_client=shared_http_client(),
        )

    @property
    def _reader(self) -> openai.OpenAI:
        """The client for polls: whoever polls sleeps between two looks, and hears of a stop in between."""
        return self._client.with_options(max_retries=0)

    @functools.cached_property
    def _errors(self) -> CallErrors:
        return CallErrors(f"{self.name}, {self.base_url}", self.variable, self.kept, self._key)


@functools.cache
def shared_http_client() -> httpx2.Client:
    """Make what all calls of this process go through: it reads the certificates, which takes its time."""
    import openai

    return openai.DefaultHttpxClient(event_hooks={"response": [note_date]})


def warm_up() -> None:
    """Load what every job needs that talks to the provider."""
    import openai

    client = openai.OpenAI(api_key="-", http_client=shared_http_client())
    _ = client.batches, client.files  # imported by their first use
