"""Mistral's batch jobs through the official client: a file in, a job with its key as metadata, files out."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from scripts.errors import PipelineError
from scripts.files import dump_line
from scripts.providers.base import BatchState, BatchStatus, Limits, LostCall, Messages, Provider
from scripts.providers.call_errors import CallErrors, count_done, first_of_each, need_id
from scripts.providers.chat import chat_body
from scripts.providers.chat_checks import check_base_url, check_values
from scripts.providers.downloads import CHUNK_BYTES, append_rows
from scripts.providers.keys import key_fingerprint, need_key
from scripts.providers.mistral_rows import decode_mistral_row
from scripts.providers.preflights import read_answer
from scripts.providers.provider_clocks import note_date, provider_time
from scripts.records import Item, Reply, Request, Trial

if TYPE_CHECKING:
    from mistralai.client import Mistral

    from scripts.experiment.settings import Settings

VARIABLE = "MISTRAL_API_KEY"

LIMITS = Limits(max_requests=100_000, max_bytes=512_000_000)
"""From https://docs.mistral.ai/capabilities/batch, read in November 2026: 512 MB a file; of the two numbers
of requests that are documented, the smaller one."""

MAX_METADATA = 512
"""Characters of a value of a job's metadata; no limit is documented."""

STATUSES = {
    "QUEUED": BatchStatus.QUEUED,
    "RUNNING": BatchStatus.RUNNING,
    "CANCELLATION_REQUESTED": BatchStatus.RUNNING,
    "SUCCESS": BatchStatus.DONE,
    "FAILED": BatchStatus.FAILED,
    "TIMEOUT_EXCEEDED": BatchStatus.EXPIRED,
    "CANCELLED": BatchStatus.CANCELLED,
}
RANGES = {
    "temperature": (0, 1.5),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}
WORDS = {"reasoning_effort": ("none", "minimal", "low", "medium", "high", "xhigh", "max")}
PARAMETERS = frozenset({*RANGES, *WORDS, "max_tokens", "seed", "stop"})

PAGE_SIZE = 100
LIST_PATIENCE_S = 20.0
"""For how long the client may repeat the reading of a list."""

MARGIN = datetime.timedelta(days=1)
"""So much before a lost call its job is looked for: more than any clock or time zone is off."""

KEPT = datetime.timedelta(days=31)
"""So far back jobs are looked for before the first one of a trial: what is older has no results any more."""

MAX_ERRORS = 3


@dataclasses.dataclass(frozen=True)
class MistralBatch(Provider):
    """One model of Mistral's, through chat completions."""

    name: ClassVar[str] = "mistral"
    parameters: ClassVar[frozenset[str] | None] = PARAMETERS
    lag_seconds = 120.0

    provider_model: str
    base_url: str
    timeout_seconds: float = 60.0
    timeout_hours: int = 24
    """When the provider gives a job up."""
    limits: Limits = LIMITS

    @classmethod
    def from_settings(cls, settings: Settings, model: str) -> Self:
        """Make the adapter: see `Provider.from_settings`."""
        from scripts.providers.options import provider_settings

        options = provider_settings(settings, model)
        return cls(
            provider_model=settings.config["models"][model].get("model", model),
            base_url=options["base_url"],
            timeout_seconds=options["timeout_seconds"],
            timeout_hours=options["timeout_hours"],
            limits=LIMITS.lowered(options),
        )

    @classmethod
    def check(cls, settings: Settings, model: str, item_ids: Mapping[str, frozenset[str]]) -> None:
        """Check the address and every decoding setting: see `Provider.check`."""
        from scripts.providers.options import provider_settings

        options = provider_settings(settings, model)
        check_base_url(settings, cls.name, options["base_url"], form="https://HOST, without /v1")
        if options["max_wait_hours"] < options["timeout_hours"]:
            raise settings.error(
                f"is {options['max_wait_hours']}, but a job may take {options['timeout_hours']} hours",
                *("providers", cls.name, "max_wait_hours"),
                fix="Raise it above timeout_hours, or lower timeout_hours.",
            )
        for trial in settings.trials:
            if trial.model == model:
                check_values(settings, trial, RANGES, WORDS)

    @classmethod
    def check_key(cls) -> None:
        """Look for the key: see `Provider.check_key`."""
        need_key(VARIABLE, cls.name)

    def body(self, messages: Messages, trial: Trial, dataset: str, item: Item) -> dict[str, Any]:
        """Render a chat body, with the provider's name of the seed: see `Provider.body`."""
        body = chat_body(self.provider_model, messages, trial)
        return {"random_seed" if key == "seed" else key: value for key, value in body.items()}

    def encode(self, request: Request) -> str:
        """Write one request as a line; the model is the job's: see `Provider.encode`."""
        body = {key: value for key, value in request.body.items() if key != "model"}
        return dump_line({"custom_id": request.request_key, "body": body})

    def decode(self, row: Mapping[str, Any]) -> tuple[str, Reply]:
        """Read one raw row: see `Provider.decode`."""
        return decode_mistral_row(row)

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
        Look for the key in the metadata of all jobs since the day before: see `Provider.find_existing`.

        The list is read until a page is empty.  That it could be asked for the metadata is not relied on:
        a filter that is not understood would hide a paid job.
        """
        since = call.provider_at or min(call.at, datetime.datetime.now(datetime.UTC))
        with self._told(functools.partial(self._errors.of_list, key)):
            keys = self._list_keys(since - MARGIN)
            return next((batch_id for found, batch_id in keys if found == key), None)

    def list_batches(self) -> Mapping[str, str]:
        """Read the keys in the metadata of the jobs of a month: see `Provider.list_batches`."""
        with self._told(self._errors.of_first_list):
            return first_of_each(self._list_keys(datetime.datetime.now(datetime.UTC) - KEPT))

    def _list_keys(self, since: datetime.datetime) -> Iterator[tuple[str, str]]:
        """Read the list of jobs since a time: the key and the id of each."""
        for job in self._jobs(since):
            labels = job.get("metadata")
            key = labels.get("trialmake_key") if isinstance(labels, Mapping) else None
            if isinstance(key, str):
                yield key, need_id(job.get("id"), "batch")

    def create(self, payload: Path, *, key: str, metadata: Mapping[str, str]) -> str:
        """Upload the file, then start the job, once: see `Provider.create`."""
        self.limits.check_payload(payload, where=self._errors.where)
        with self._told(self._errors.of_upload):
            file_id = self._upload(payload, key)
        labels = {name: value[:MAX_METADATA] for name, value in metadata.items()}
        with self._told(functools.partial(self._errors.of_create, key)):
            job = _answer(
                self._client.batch.jobs.create,
                endpoint="/v1/chat/completions",
                input_files=[file_id],
                model=self.provider_model,
                metadata={"trialmake_key": key, **labels},
                timeout_hours=self.timeout_hours,
            )
            return need_id(job.get("id"), "batch")

    def preflight(self, request: Request) -> Reply:
        """Send one request as a chat completion: see `Provider.preflight`."""
        with self._told(self._errors.of_preflight):
            return read_answer(self, request, _answer(self._client.chat.complete, **request.body))

    def status(self, batch_id: str) -> BatchState:
        """Look at a job once: see `Provider.status`."""
        job = self._job(batch_id)
        raw, done = str(job["status"]), count_done(job, "completed_requests")
        parts = count_done(job, "succeeded_requests", "failed_requests")
        errors = [error.get("message") for error in job.get("errors") or [] if isinstance(error, Mapping)]
        return BatchState(
            STATUSES.get(raw, BatchStatus.UNKNOWN),
            raw,
            n_done=max((number for number in (done, parts) if number is not None), default=None),
            error=self._errors.clean("; ".join(map(str, errors[:MAX_ERRORS]))) or None,
        )

    def fetch(self, batch_id: str, into: Path) -> None:
        """Stream the output file, then the error file: see `Provider.fetch`."""
        job = self._job(batch_id)
        with into.open("w+b") as handle:
            for file_id in filter(None, (job.get("output_file"), job.get("error_file"))):
                with (
                    self._reading(f"file {file_id}"),
                    contextlib.closing(self._client.files.download(file_id=file_id)) as answer,
                ):
                    append_rows(answer.iter_bytes(CHUNK_BYTES), handle)

    def _job(self, batch_id: str) -> Mapping[str, Any]:
        with self._reading(f"batch {batch_id}"):
            job = _answer(self._client.batch.jobs.get, job_id=batch_id)
            if not isinstance(job.get("status"), str):
                raise ValueError("the answer describes no job")
            return job

    def _jobs(self, since: datetime.datetime) -> Iterator[Mapping[str, Any]]:
        """Yield the jobs that were created since a time, oldest first, so that a new one moves no page."""
        from mistralai.client.utils import BackoffStrategy, RetryConfig

        pace = BackoffStrategy(500, 5_000, 2.0, int(LIST_PATIENCE_S * 1000))
        # without 429 and 503: they may ask for a wait that nobody could interrupt
        retries = RetryConfig("backoff", pace, True, ["500", "502", "504"])
        seen: set[Any] = set()
        for page in itertools.count():
            answer = _answer(
                self._client.batch.jobs.list,
                page=page,
                page_size=PAGE_SIZE,
                created_after=since,
                order_by="created",
                retries=retries,
            )
            jobs = [job for job in answer.get("data") or [] if isinstance(job, Mapping)]
            if not jobs:
                return
            if seen.issuperset(job.get("id") for job in jobs):
                raise ValueError("the list does not go on to its end")
            seen.update(job.get("id") for job in jobs)
            yield from jobs

    def _upload(self, payload: Path, key: str) -> str:
        name = f"trialmake-{key[:16]}.jsonl"
        with payload.open("rb") as handle:  # a handle is streamed
            file = {"file_name": name, "content": handle, "content_type": "application/jsonl"}
            return need_id(_answer(self._client.files.upload, file=file, purpose="batch").get("id"), "file")

    @contextlib.contextmanager
    def _told(self, tell: Callable[[Exception], PipelineError]) -> Iterator[None]:
        """Turn what the client raises, or an answer that cannot be read, into the project's error."""
        import httpx2
        from mistralai.client.errors import MistralError, NoResponseError

        try:
            yield
        except (MistralError, NoResponseError, httpx2.HTTPError, ValueError) as error:
            raise tell(error) from None

    def _reading(self, what: str) -> contextlib.AbstractContextManager[None]:
        return self._told(functools.partial(self._errors.of_read, what))

    @functools.cached_property
    def _key(self) -> str:
        return need_key(VARIABLE, self.name)

    @functools.cached_property
    def _client(self) -> Mistral:
        """The official client: it repeats no call unless told to, and logs none, as a log shows the key."""
        from mistralai.client import Mistral
        from mistralai.client.utils.logger import NoOpLogger

        return Mistral(
            api_key=self._key,
            server_url=self.base_url,
            timeout_ms=int(self.timeout_seconds * 1000),
            debug_logger=NoOpLogger(),
            **_http_clients(),
        )

    @functools.cached_property
    def _errors(self) -> CallErrors:
        return CallErrors(f"{self.name}, {self.base_url}", VARIABLE, "about a day", self._key)


@functools.cache
def _http_clients() -> dict[str, Any]:
    """Make what all calls of this process go through: it reads the certificates, which takes its time."""
    import httpx2

    certificates = httpx2.create_ssl_context()
    return {
        "client": httpx2.Client(
            follow_redirects=True, verify=certificates, event_hooks={"response": [note_date]}
        ),
        "async_client": httpx2.AsyncClient(verify=certificates),  # not used, but it would be made
    }


def warm_up() -> None:
    """Load what every job needs that talks to the provider: the client imports it call by call."""
    import httpx2
    from mistralai.client import Mistral
    from mistralai.client.errors import MistralError, NoResponseError, ResponseValidationError

    nowhere = httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(404)))
    client = Mistral(api_key="-", **{**_http_clients(), "client": nowhere})
    question: Any = [{"role": "user", "content": "-"}]
    calls: tuple[Callable[[], Any], ...] = (
        lambda: client.chat.complete(model="-", messages=question),
        lambda: client.files.upload(file={"file_name": "-", "content": b""}, purpose="batch"),
        lambda: client.batch.jobs.create(endpoint="/v1/chat/completions", input_files=["-"], model="-"),
        lambda: client.batch.jobs.get(job_id="-"),
        lambda: client.files.download(file_id="-"),
    )
    for call in calls:
        with contextlib.suppress(MistralError, NoResponseError, ResponseValidationError):
            call()


def _answer(call: Callable[..., Any], **options: Any) -> Mapping[str, Any]:
    """
    Make a call; its answer as JSON, also where it lacks a field that the client's types ask for.

    Otherwise a field that is no longer sent would make every paid job one that cannot be known.
    """
    from mistralai.client.errors import ResponseValidationError

    try:
        answer = call(**options)
        answer = answer and answer.model_dump(warnings=False)  # of words that the client does not know
    except ResponseValidationError as error:
        answer = json.loads(error.body)
    if not isinstance(answer, Mapping):
        raise ValueError("the answer is no object")
    return answer
