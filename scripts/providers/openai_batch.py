"""OpenAI's Batch API, and servers that speak it, through the official client."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from scripts.errors import BusyError, LimitError, NoBatchError, ProviderError, UnknownOutcomeError
from scripts.files import dump_line
from scripts.providers.base import BatchState, BatchStatus, Limits, LostCall, Messages, Provider
from scripts.providers.chat import chat_body, chat_row, decode_chat_row
from scripts.providers.keys import key_fingerprint, need_key
from scripts.providers.openai_checks import PARAMETERS, check_base_url, check_sampling, is_reasoning
from scripts.providers.responses import is_response, read_response, responses_body
from scripts.records import Item, Reply, Request, Trial

if TYPE_CHECKING:
    import httpx2
    import openai
    from openai.types import Batch

    from scripts.settings import Settings

VARIABLE = "OPENAI_API_KEY"

LIMITS = Limits(max_requests=50_000, max_bytes=200_000_000)
"""From https://developers.openai.com/api/docs/guides/batch, read in November 2026."""

MAX_METADATA = 512
"""Characters of a value of a batch's metadata (the API's specification of ``Metadata``, November 2026)."""

UPLOAD_RETRIES, LIST_RETRIES = 3, 5
"""How often the client may repeat these calls itself: neither starts anything."""

CHUNK_BYTES = 1 << 20
MAX_ERRORS, MAX_TEXT = 3, 500

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

NOTHING_LEFT = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""Answers with status 429 after which waiting does not help."""

NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol"})
"""Causes of a connection error that come before the first byte is sent."""


@dataclasses.dataclass(frozen=True)
class OpenAIBatch(Provider):
    """One model behind an endpoint of OpenAI's Batch API."""

    name: ClassVar[str] = "openai"
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
        from scripts.providers import provider_settings

        options = provider_settings(settings, model)
        return cls(
            provider_model=settings.config["models"][model].get("model", model),
            base_url=options["base_url"],
            endpoint=options["endpoint"],
            timeout_seconds=options["timeout_seconds"],
            limits=Limits(
                min(LIMITS.max_requests, options.get("max_requests", LIMITS.max_requests)),
                min(LIMITS.max_bytes, options.get("max_bytes", LIMITS.max_bytes)),
            ),
        )

    @classmethod
    def check(cls, settings: Settings, model: str, item_ids: Mapping[str, frozenset[str]]) -> None:
        """Check the key, the address and every decoding setting: see `Provider.check`."""
        need_key(VARIABLE, cls.name)
        adapter = cls.from_settings(settings, model)
        check_base_url(settings, adapter.base_url)
        for trial in settings.trials:
            if trial.model == model:
                check_sampling(settings, trial, adapter.provider_model, adapter.endpoint)

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

    def find_existing(self, key: str, call: LostCall) -> str | None:
        """
        Look for the key in the metadata of all batches: see `Provider.find_existing`.

        The list is read to its end: in which order it comes is not promised.
        """
        import openai

        client = self._client.with_options(max_retries=LIST_RETRIES)
        try:
            for batch in client.batches.list(limit=100):
                if (batch.metadata or {}).get("trialmake_key") == key:
                    return batch.id
        except (openai.OpenAIError, ValueError, TypeError, AttributeError) as error:
            raise UnknownOutcomeError(
                f"the list of batches cannot be read ({self._describe(error)}), so a paid batch may exist",
                where=self._where,
                fix=f"Run again later: it looks for key {key[:12]}... before anything is sent.",
            ) from None
        return None

    def create(self, payload: Path, *, key: str, metadata: Mapping[str, str]) -> str:
        """Upload the file, then start the batch, once: see `Provider.create`."""
        import openai

        file_id = self._upload(payload, key)
        labels = {name: value[:MAX_METADATA] for name, value in metadata.items()}
        try:
            batch = self._client.with_options(max_retries=0).batches.create(
                input_file_id=file_id,
                endpoint=self.endpoint,  # type: ignore[arg-type]
                completion_window="24h",
                metadata={"trialmake_key": key, **labels},
            )
        except openai.APIStatusError as error:
            if error.status_code >= 500 or error.status_code == 408:
                raise self._unknown(key, error) from None
            raise self._refusal(error) from None
        except openai.APIConnectionError as error:
            if type(error.__cause__).__name__ in NEVER_SENT:
                raise self._busy(error) from None
            raise self._unknown(key, error) from None
        except (openai.OpenAIError, ValueError) as error:
            raise self._unknown(key, error) from None
        batch_id = getattr(batch, "id", None)
        if not isinstance(batch_id, str) or not batch_id:
            raise self._unknown(key, ValueError("the answer names no batch"))
        return batch_id

    def status(self, batch_id: str) -> BatchState:
        """Look at a batch once: see `Provider.status`."""
        batch = self._batch(batch_id)
        raw = str(getattr(batch, "status", None))
        status = STATUSES.get(raw, BatchStatus.UNKNOWN)
        counts = getattr(batch, "request_counts", None)
        errors = getattr(getattr(batch, "errors", None), "data", None) or []
        return BatchState(
            status,
            raw,
            n_done=None if counts is None else (counts.completed or 0) + (counts.failed or 0),
            error=self._clean("; ".join(f"{e.code}: {e.message}" for e in errors[:MAX_ERRORS])) or None,
            is_put_off=status is BatchStatus.FAILED and any(e.code in PUT_OFF_CODES for e in errors),
        )

    def fetch(self, batch_id: str, into: Path) -> None:
        """Stream the output file, then the error file: see `Provider.fetch`."""
        batch = self._batch(batch_id)
        file_ids = [getattr(batch, name, None) for name in ("output_file_id", "error_file_id")]
        with into.open("w+b") as handle:
            for file_id in filter(None, file_ids):
                self._download(file_id, handle)

    def _download(self, file_id: str, handle: Any) -> None:
        """Append a file; its last line must be whole, and gets its line feed."""
        start = handle.tell()
        with (
            self._reading(f"file {file_id}"),
            self._reader.files.with_streaming_response.content(file_id) as answer,
        ):
            for chunk in answer.iter_bytes():  # as they come: pieces of one size would be copied once more
                handle.write(chunk)
        last = _last_line(handle, start)
        try:
            json.loads(last or "{}")
        except ValueError:
            raise self._busy(ValueError(f"file {file_id} did not come whole")) from None
        if last and not last.endswith(b"\n"):
            handle.write(b"\n")

    def _batch(self, batch_id: str) -> Batch:
        with self._reading(f"batch {batch_id}"):
            return self._reader.batches.retrieve(batch_id)

    def _upload(self, payload: Path, key: str) -> str:
        import openai

        n_bytes = payload.stat().st_size
        if n_bytes > self.limits.max_bytes:
            raise LimitError(
                f"the shard has {n_bytes:,} bytes, but a batch takes {self.limits.max_bytes:,}",
                where=self._where,
                fix="Lower max_bytes or max_requests of the provider.",
            )
        client = self._client.with_options(max_retries=UPLOAD_RETRIES)
        try:
            with payload.open("rb") as handle:  # a handle is streamed, a path would be read whole
                file = (f"trialmake-{key[:16]}.jsonl", handle, "application/jsonl")
                uploaded = client.files.create(file=file, purpose="batch")
        except openai.APIStatusError as error:
            raise (self._busy if error.status_code >= 500 else self._refusal)(error) from None
        except (openai.OpenAIError, ValueError) as error:
            raise self._busy(error) from None
        if not getattr(uploaded, "id", None):
            raise self._busy(ValueError("the answer to the upload names no file"))
        return uploaded.id

    @contextlib.contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        """Sort the errors of a call that changes nothing."""
        import httpx2
        import openai

        try:
            yield
        except openai.NotFoundError:
            raise NoBatchError(
                f"{what} is not there",
                where=self._where,
                fix=f"Was {VARIABLE} exchanged for another project's? Results are kept 30 days.",
            ) from None
        except openai.APIStatusError as error:
            if error.status_code >= 500 or error.status_code in {408, 409}:
                raise self._busy(error) from None
            raise self._refusal(error) from None
        except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
            raise self._busy(error) from None

    @functools.cached_property
    def _key(self) -> str:
        return need_key(VARIABLE, self.name)

    @functools.cached_property
    def _client(self) -> openai.OpenAI:
        import openai

        return openai.OpenAI(
            api_key=self._key,
            base_url=self.base_url,
            timeout=self.timeout_seconds,
            http_client=_http_client(),
        )

    @property
    def _reader(self) -> openai.OpenAI:
        """The client for polls: whoever polls sleeps between two looks, and hears of a stop in between."""
        return self._client.with_options(max_retries=0)

    @property
    def _where(self) -> str:
        return f"openai, {self.base_url}"

    def _refusal(self, error: openai.APIStatusError) -> ProviderError:
        """Make the error of a clear no; a 429 is one too (the call was not carried out), but not for long."""
        if error.status_code == 429 and error.code not in NOTHING_LEFT:
            return self._busy(error)
        fix = "Nothing was started. Mend what the provider names, then run again."
        if error.status_code in {401, 403}:
            fix = f"Check {VARIABLE} and what its project may do; nothing was started."
        return ProviderError(f"refused: {self._describe(error)}", where=self._where, fix=fix)

    def _busy(self, error: Exception) -> BusyError:
        return BusyError(
            f"cannot be reached or asks to wait: {self._describe(error)}",
            where=self._where,
            fix="Nothing is lost: run again later.",
            retry_after_s=_retry_after(getattr(error, "response", None)),
        )

    def _unknown(self, key: str, error: Exception) -> UnknownOutcomeError:
        return UnknownOutcomeError(
            f"the answer to the create call was lost ({self._describe(error)}); a paid batch may exist",
            where=self._where,
            fix=f"Run again: it looks for key {key[:12]}... before anything is sent.",
        )

    def _describe(self, error: Exception) -> str:
        cause = f" ({type(error.__cause__).__name__})" if error.__cause__ is not None else ""
        status = getattr(error, "status_code", None)
        body = getattr(error, "body", None)
        words = body.get("message") if isinstance(body, Mapping) else None
        if status is not None:
            return self._clean(f"status {status}: {words or 'no reason given'}")
        return self._clean(f"{error}{cause}")

    def _clean(self, text: str) -> str:
        """Shorten a provider's words, and take the key out: some servers quote it."""
        return text.replace(self._key, "***")[:MAX_TEXT]


@functools.cache
def _http_client() -> httpx2.Client:
    """Make what all calls of this process go through: it reads the certificates, which takes its time."""
    import openai

    return openai.DefaultHttpxClient()


def warm_up() -> None:
    """Load what every job needs that talks to the provider."""
    import openai

    client = openai.OpenAI(api_key="-", http_client=_http_client())
    _ = client.batches, client.files  # imported by their first use


def _retry_after(response: Any) -> float | None:
    """Seconds that the provider asks to wait; None if it does not say."""
    with contextlib.suppress(AttributeError, TypeError, ValueError):
        seconds = float(response.headers.get("retry-after"))
        return seconds if 0 <= seconds < float("inf") else None
    return None


def _last_line(handle: Any, start: int) -> bytes:
    """Return the last line that was written after `start`, and leave the handle at the end."""
    end, tail = handle.seek(0, os.SEEK_END), b""
    while end > start and not re.search(rb"\n.", tail, re.DOTALL):
        begin = max(start, end - CHUNK_BYTES)
        handle.seek(begin)
        tail, end = handle.read(end - begin) + tail, begin
    handle.seek(0, os.SEEK_END)
    return tail[tail.rstrip(b"\n").rfind(b"\n") + 1 :]
