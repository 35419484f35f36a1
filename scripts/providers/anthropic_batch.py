"""Message Batches of Anthropic: one JSON body in, one file of results out, and no key to find a batch by."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from scripts.errors import LimitError, ProviderError, UnknownOutcomeError
from scripts.files import dump_line
from scripts.providers.anthropic_lost import count_requests, find_lost_batch
from scripts.providers.anthropic_rows import decode_message_row
from scripts.providers.base import BatchState, BatchStatus, Limits, LostCall, Messages, Provider
from scripts.providers.keys import find_key, need_key
from scripts.records import Item, Reply, Request, Trial

if TYPE_CHECKING:
    import anthropic
    import httpx2
    from anthropic.types.messages import MessageBatch

    from scripts.settings import Settings

KEY_VARIABLE = "ANTHROPIC_API_KEY"
PATH = "/v1/messages/batches"
HEAD, COMMA, TAIL = b'{"requests":[', b",", b"]}"

LIMITS = Limits(max_requests=100_000, max_bytes=256 * 1000**2 - len(HEAD + TAIL) - 100_000 * len(COMMA))
"""https://platform.claude.com/docs/en/build-with-claude/batch-processing, read 2026-11: 100,000 requests or
256 MB, whichever is reached first; the brackets and commas around the lines count too."""

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

UNSURE_STATUS = frozenset({408, 409, 499})
"""Refusals that gateways send also for a call that has been passed on."""

MAX_RETRY_AFTER_S = 5.0
N_TRIES = 3
CHUNK_BYTES = 256 * 1024

_absent_since: dict[tuple[str, str], float] = {}
"""When a batch was first not found: several adapters of one process may ask for it in turn."""


@dataclasses.dataclass(frozen=True)
class AnthropicBatch(Provider):
    """A model of Anthropic's, through Message Batches."""

    name: ClassVar[str] = "anthropic"
    parameters: ClassVar[frozenset[str] | None] = frozenset({"temperature", "top_p", "top_k", "max_tokens"})

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
        from scripts.providers import provider_settings

        options = settings.config["models"][model]
        service = provider_settings(settings, model)
        return cls(
            model=options.get("model", model),
            base_url=service["base_url"],
            timeout_seconds=service["timeout_seconds"],
            limits=Limits(
                min(LIMITS.max_requests, service.get("max_requests", LIMITS.max_requests)),
                min(LIMITS.max_bytes, service.get("max_bytes", LIMITS.max_bytes)),
            ),
            cache_system=options.get("cache_system"),
        )

    @classmethod
    def check(cls, settings: Settings, model: str, item_ids: Mapping[str, frozenset[str]]) -> None:
        """Refuse settings that would come back as errors a day later; then look for the key."""
        name = settings.config["models"][model].get("model", model)
        for trial in settings.trials:
            if trial.model == model:
                _check_sampling(settings, trial, f"{cls.name}/{name}")
        if find_key(KEY_VARIABLE) is None:
            raise settings.error(
                f"{KEY_VARIABLE} is not set",
                "models",
                model,
                fix=f"Set it in the environment, or write {KEY_VARIABLE}=... into .env where you work.",
            )
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

    def find_existing(self, key: str, call: LostCall) -> str | None:
        """Look for the one batch that can be the lost one, as the provider keeps no key."""
        with self._told("the provider could not be asked for a lost batch", UnknownOutcomeError):
            return find_lost_batch(self.client, call, where=self.base_url)

    def create(self, payload: Path, *, key: str, metadata: Mapping[str, str]) -> str:
        """Start a batch; the payload is streamed from the disk, and the client's retries are off."""
        n_requests = _count_lines(payload)
        n_bytes = payload.stat().st_size
        if n_requests > self.limits.max_requests or n_bytes > self.limits.max_bytes:
            raise LimitError(
                f"{n_requests:,} requests with {n_bytes:,} bytes, but a batch takes "
                f"{self.limits.max_requests:,} with {self.limits.max_bytes:,}",
                where=str(payload),
                fix="Nothing was sent. Lower max_requests or max_bytes.",
            )
        for n_left in reversed(range(N_TRIES)):
            wait = self._try_create(payload, n_requests, is_last=not n_left)
            if isinstance(wait, str):
                return wait
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def status(self, batch_id: str) -> BatchState:
        """Look at a batch; a passing fault of the provider or the network is a status that is not known."""
        import anthropic

        place = (self.base_url, batch_id)
        try:
            batch = self.client.with_options(max_retries=0).messages.batches.retrieve(batch_id)
        except anthropic.NotFoundError:
            since = _absent_since.setdefault(place, time.monotonic())
            if time.monotonic() - since < self.lag_seconds:
                return BatchState(BatchStatus.UNKNOWN, "not found (yet)")
            raise ProviderError(
                f"batch {batch_id} is not there",
                where=self.base_url,
                fix=f"Set {KEY_VARIABLE} to a key of the workspace that sent it, then run again.",
            ) from None
        except anthropic.APIError as error:
            if not _is_passing(error):
                raise ProviderError(
                    f"batch {batch_id} cannot be looked at ({self._say(error)})",
                    where=self.base_url,
                    fix="The batch goes on. Mend what the provider names, then run again.",
                ) from None
            return BatchState(BatchStatus.UNKNOWN, self._say(error))
        _absent_since.pop(place, None)
        word = str(getattr(batch, "processing_status", None))
        return BatchState(STATUS.get(word, BatchStatus.UNKNOWN), word, n_done=_count_done(batch))

    def fetch(self, batch_id: str, into: Path) -> None:
        """
        Stream the results; a download that breaks off is begun anew.

        One with fewer rows than the batch has requests may have broken off unnoticed, and what it lacks would
        be paid again; only if it stays so are those rows missing.
        """
        what = f"the results of batch {batch_id} could not be fetched"
        for n_left in reversed(range(N_TRIES)):
            with self._told(what, ProviderError, is_last=not n_left):
                n_requests = count_requests(self.client.messages.batches.retrieve(batch_id))
                if self._download(batch_id, into) >= n_requests:
                    return

    @functools.cached_property
    def client(self) -> anthropic.Anthropic:
        """The official client; what it is made with is all it looks at."""
        import anthropic

        key = find_key(KEY_VARIABLE)
        if key is None:
            raise ProviderError(
                f"{KEY_VARIABLE} is not set",
                where=self.base_url,
                fix="Nothing was sent. Set it in the environment or in .env, then run again.",
            )
        return anthropic.Anthropic(
            api_key=key,
            base_url=self.base_url,
            timeout=self.timeout_seconds,
            http_client=_http_client(),
        )

    def _try_create(self, payload: Path, n_requests: int, *, is_last: bool) -> str | float:
        """Make the call once; the batch's id, or how long to wait as surely nothing was started."""
        import anthropic
        import httpx2
        from anthropic.types.messages import MessageBatch

        client = self.client
        size = payload.stat().st_size + len(HEAD + TAIL) + (n_requests - 1) * len(COMMA)
        try:
            batch = client.with_options(max_retries=0).post(
                PATH,
                cast_to=MessageBatch,
                content=_stream_body(payload),
                options={
                    "headers": {"Content-Type": "application/json", "Content-Length": str(size)},
                    "timeout": CREATE_PATIENCE * self.timeout_seconds,
                    "follow_redirects": False,
                },
            )
        except anthropic.RateLimitError as error:
            wait = _retry_after(error)
            if is_last or wait > MAX_RETRY_AFTER_S:
                raise self._refused(error) from None
            return wait
        except (anthropic.APIError, httpx2.HTTPError, ValueError) as error:
            if _is_refusal(error):
                raise self._refused(error) from None
            raise self._unknown(n_requests, self._say(error)) from None
        batch_id = getattr(batch, "id", None)
        if not isinstance(batch_id, str) or not batch_id:
            raise self._unknown(n_requests, "the answer names no batch")
        return batch_id

    def _download(self, batch_id: str, into: Path) -> int:
        """Download the results once, and count their rows."""
        results = self.client.messages.batches.with_streaming_response.results(batch_id)
        with results as response, into.open("wb") as handle:
            for chunk in response.iter_bytes():  # as they come: pieces of one size would be copied once more
                handle.write(chunk)
        n_rows, line = 0, b""
        with into.open("rb") as handle:
            for line in handle:
                n_rows += bool(line.strip())
        if line.strip() and not line.endswith(b"\n"):
            json.loads(line)  # half a row is an error here
        return n_rows

    @contextlib.contextmanager
    def _told(self, what: str, kind: type[ProviderError], *, is_last: bool = True) -> Iterator[None]:
        """Turn the client's errors into the project's; a passing one is swallowed if another try follows."""
        import anthropic
        import httpx2

        try:
            yield
        except (anthropic.AnthropicError, httpx2.HTTPError, ValueError) as error:
            if is_last or not _is_passing(error):
                raise kind(
                    f"{what} ({self._say(error)})",
                    where=self.base_url,
                    fix=f"Nothing is lost: run again. Results are kept {KEPT_DAYS} days.",
                ) from None

    def _refused(self, error: Exception) -> ProviderError:
        return ProviderError(
            f"the batch was not taken ({self._say(error)})",
            where=self.base_url,
            fix="Nothing was started. Mend what the provider names, then run again.",
        )

    def _unknown(self, n_requests: int, why: str) -> UnknownOutcomeError:
        return UnknownOutcomeError(
            f"the call with {n_requests:,} requests was not answered ({why}); a paid batch may exist",
            where=self.base_url,
            fix="Run `snakemake` again: it looks for the batch before anything is sent.",
        )

    def _say(self, error: Exception) -> str:
        """Say an error in a line that can be written anywhere: never with the key in it."""
        status = getattr(error, "status_code", None)
        words = getattr(error, "api_message", None) or str(error) or type(error).__name__
        cause = error.__cause__ if status is None else None
        text = f"{f'HTTP {status}: ' if status else ''}{words}{f' {cause}' if cause else ''}"
        text = " ".join(text.split())[:500]
        return text.replace(self.client.api_key or "\0", "***")


@functools.cache
def _http_client() -> httpx2.Client:
    """Make what all calls of this process go through: it reads the certificates, which takes its time."""
    import anthropic

    return anthropic.DefaultHttpxClient()


def warm_up() -> None:
    """Load what every job needs that talks to the provider."""
    import anthropic

    client = anthropic.Anthropic(api_key="-", http_client=_http_client())
    _ = client.messages.batches  # imported by its first use


def _check_sampling(settings: Settings, trial: Trial, who: str) -> None:
    """Refuse what the provider would refuse, in the place where the value stands."""

    def place(key: str) -> tuple[str, ...]:
        is_common = trial.sampling.get(key) == settings.config["sampling"].get(key)
        return ("sampling", key) if is_common else ("trials", trial.name, key)

    if trial.sampling.get("max_tokens") is None:
        raise settings.error(
            f"is null, but {who} needs a number",
            *place("max_tokens"),
            fix="Set it to the longest answer, in tokens.",
        )
    temperature = trial.sampling.get("temperature")
    if temperature is not None and not 0 <= temperature <= 1:
        raise settings.error(
            f"is {temperature}, but {who} accepts 0 to 1",
            *place("temperature"),
            fix="Set it to a value in [0, 1], or choose another model.",
        )


def _count_lines(path: Path) -> int:
    return sum(block.count(b"\n") for block in _read_blocks(path))


def _stream_body(payload: Path) -> Iterator[bytes]:
    """Yield the call's body in pieces: the payload's lines as one JSON array."""
    yield HEAD
    held = b""  # behind the last line feed there is no comma
    for block in _read_blocks(payload):
        yield (held + block[:-1]).replace(b"\n", b"\n" + COMMA)
        held = block[-1:]
    yield held + TAIL


def _read_blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as handle:
        yield from iter(lambda: handle.read(CHUNK_BYTES), b"")


def _is_passing(error: Exception) -> bool:
    """Whether asking again may help; only for calls that can be repeated freely."""
    import anthropic

    if isinstance(error, anthropic.APIStatusError):
        return error.status_code in {408, 409, 429} or error.status_code >= 500
    return not isinstance(error, anthropic.AnthropicError) or isinstance(error, anthropic.APIError)


def _is_refusal(error: Exception) -> bool:
    """Whether a failed create call has surely started nothing."""
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIStatusError):
        return 400 <= error.status_code < 500 and error.status_code not in UNSURE_STATUS
    never_sent = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol)
    return isinstance(error.__cause__, never_sent)


def _retry_after(error: anthropic.RateLimitError) -> float:
    """Seconds that the provider asks to wait; a second where it does not say, or not in seconds."""
    with contextlib.suppress(ValueError):
        return max(0.0, float(error.response.headers.get("retry-after", "1")))
    return 1.0


def _count_done(batch: MessageBatch) -> int | None:
    """Requests done; None while the batch goes on, as all counts but one are zero until it has ended."""
    if batch.processing_status != "ended":
        return None
    counts = batch.request_counts
    return counts.succeeded + counts.errored + counts.canceled + counts.expired
