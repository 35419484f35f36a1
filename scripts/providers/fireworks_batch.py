"""
Fireworks' batch inference through the official client: a dataset, a job over it, a dataset of results.

Dataset and job carry an id that we choose from the shard's key.  Only the job costs money; what comes before
it can be repeated freely, and is taken up where it was left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Self

from scripts.errors import BusyError, NoBatchError, ProviderError, UnknownOutcomeError
from scripts.files import dump_line
from scripts.providers.base import BatchState, Limits, LostCall, Messages, Provider
from scripts.providers.call_errors import CallErrors, need_id
from scripts.providers.chat import chat_body
from scripts.providers.downloads import CHUNK_BYTES, append_rows
from scripts.providers.fireworks_checks import PARAMETERS, check_model, check_sampling, check_service
from scripts.providers.fireworks_rows import decode_row, last_part, read_problem, read_state, snake_keys
from scripts.providers.keys import key_fingerprint, need_key
from scripts.providers.preflights import read_answer
from scripts.providers.provider_clocks import note_date, provider_time
from scripts.records import Item, Reply, Request, Trial

if TYPE_CHECKING:
    import fireworks
    import httpx

    from scripts.experiment.settings import Settings

VARIABLE = "FIREWORKS_API_KEY"

LIMITS = Limits(max_requests=50_000, max_bytes=150_000_000)
"""Bytes: what one upload takes (https://docs.fireworks.ai/api-reference/upload-dataset-files, November 2026).
Requests: ours, as the provider names no number and one bad request fails its whole job."""

CHAT_PATH = "/inference/v1/chat/completions"
"""Where one request is answered at once (the official client, 1.2.28)."""

ID_DIGITS = 40
"""Digits of the shard's key in an id, which may have 63 characters."""

MAX_DISPLAY_NAME = 63
FIND_RETRIES = 5
"""How often the client itself may repeat the question for a lost job; for all else the caller waits."""

READY_PATIENCE_S, READY_REST_S = 4.0, 0.5
"""How long to stand by until a dataset is ready; longer waits are the caller's, who hears of a stop."""

BUSY = frozenset({429, 500, 502, 503, 504})
"""Answers of the store of files after which it may have the file."""

ALREADY_EXISTS = frozenset({6, "6", "ALREADY_EXISTS"})
"""gRPC's code, if the status is not 409."""


@dataclasses.dataclass(frozen=True)
class FireworksBatch(Provider):
    """One model at Fireworks."""

    name: ClassVar[str] = "fireworks"
    parameters: ClassVar[frozenset[str] | None] = PARAMETERS
    lag_seconds = 120.0

    provider_model: str
    base_url: str
    account_id: str
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
            account_id=options.get("account", ""),
            timeout_seconds=options["timeout_seconds"],
            limits=LIMITS.lowered(options),
        )

    @classmethod
    def check(cls, settings: Settings, model: str, item_ids: Mapping[str, frozenset[str]]) -> None:
        """Check account, address, model and every decoding setting: see `Provider.check`."""
        adapter = cls.from_settings(settings, model)
        check_service(settings, adapter.account_id, adapter.base_url)
        check_model(settings, model, adapter.provider_model)
        for trial in settings.trials:
            if trial.model == model:
                check_sampling(settings, trial)

    @classmethod
    def check_key(cls) -> None:
        """Look for the key: see `Provider.check_key`."""
        need_key(VARIABLE, cls.name)

    def body(self, messages: Messages, trial: Trial, dataset: str, item: Item) -> dict[str, Any]:
        """Render the body, which names the model: see `Provider.body`."""
        return chat_body(self.provider_model, messages, trial)

    def encode(self, request: Request) -> str:
        """Write one request as a line, without the model, which is the job's: see `Provider.encode`."""
        body = {key: value for key, value in request.body.items() if key != "model"}
        return dump_line({"custom_id": request.request_key, "body": body})

    def decode(self, row: Mapping[str, Any]) -> tuple[str, Reply]:
        """Read one raw row: see `Provider.decode`."""
        return decode_row(row)

    @property
    def account(self) -> str | None:
        """Fingerprint of the key."""
        return key_fingerprint(self._errors.key)

    @property
    def address(self) -> str | None:
        """Where the API is, and whose jobs are seen there."""
        return f"{self.base_url.rstrip('/')}, account {self.account_id}"

    def clock(self) -> datetime.datetime | None:
        """Say what time it is at the provider: see `Provider.clock`."""
        return provider_time(self.base_url)

    def find_existing(self, key: str, call: LostCall) -> str | None:
        """Ask for the job by the id that it was created with: see `Provider.find_existing`."""
        try:
            return self._find_job(_id(key), retries=FIND_RETRIES)
        except ProviderError as error:
            raise UnknownOutcomeError(
                f"job {_id(key)} cannot be asked for ({error.what}), so a paid one may exist",
                where=self._where,
                fix="Run again later: it asks again before anything is sent.",
                ask_again_s=(error.retry_after_s or 0.0) if isinstance(error, BusyError) else None,
            ) from None

    def create(self, payload: Path, *, key: str, metadata: Mapping[str, str]) -> str:
        """Bring the payload into a dataset, then start the job, once: see `Provider.create`."""
        import fireworks

        name = _id(key)
        if self._prepare(payload, name) and (job_id := self._find_job(name)) is not None:
            return job_id
        labels = " ".join(metadata[label] for label in ("run", "trial", "attempt") if label in metadata)
        try:
            answer = self._client.batch_inference_jobs.with_raw_response.create(  # its retries are off
                batch_inference_job_id=name,
                model=self.provider_model,
                input_dataset_id=f"accounts/{self.account_id}/datasets/{name}",
                display_name=labels[:MAX_DISPLAY_NAME],
            )
            return need_id(last_part(_read_object(answer).get("name")), "job")
        except (fireworks.FireworksError, ValueError) as error:
            if isinstance(error, fireworks.APIStatusError) and says_already_there(error):
                return self._adopt(key, error)
            raise self._errors.of_create(key, error) from None

    def preflight(self, request: Request) -> Reply:
        """Send one request as a chat completion: see `Provider.preflight`."""
        import fireworks
        import httpx

        try:
            answer = self._client.post(CHAT_PATH, cast_to=object, body=dict(request.body))
            return read_answer(self, request, answer)
        except (fireworks.FireworksError, httpx.HTTPError, ValueError) as error:
            raise self._errors.of_preflight(error) from None

    def status(self, batch_id: str) -> BatchState:
        """Look at a job once: see `Provider.status`."""
        state = read_state(self._job(batch_id))
        return dataclasses.replace(state, error=self._errors.clean(state.error) if state.error else None)

    def fetch(self, batch_id: str, into: Path) -> None:
        """Stream every file of the job's output, errors last; none if none is there: see `Provider.fetch`."""
        job = self._job(batch_id)
        urls = self._result_urls(last_part(job.get("output_dataset_id")))
        with into.open("w+b") as handle:
            for url in urls:
                self._download(url, handle)

    def _result_urls(self, dataset: str | None) -> list[str]:
        """List where the files of an output dataset are; their names say only which of them are errors."""
        if dataset is None:
            return []
        try:
            with self._asking(f"dataset {dataset}", is_paid=True):
                raw = self._client.datasets.with_raw_response.get_download_endpoint(dataset)
                answer = _read_object(raw, depth=1)
        except NoBatchError:
            return []
        files = answer.get("filename_to_signed_urls")
        found = files.items() if isinstance(files, Mapping) else ()
        return [str(url) for name, url in sorted(found, key=lambda file: ("error" in file[0], file[0]))]

    def _download(self, url: str, handle: BinaryIO) -> None:
        """Append a file; its last line must be whole, and gets its line feed.  The address is never shown."""
        # not by the provider's client: it would send the key along, to another server
        options: dict[str, Any] = {"timeout": self.timeout_seconds, "follow_redirects": False}
        with (
            self._asking("a file of the results", is_paid=True),
            _http_client().stream("GET", url, **options) as answer,
        ):
            if answer.status_code != 200:
                problem = ValueError(f"a file of the results came with status {answer.status_code}")
                raise self._errors.busy(problem) if answer.status_code in BUSY else problem
            append_rows(answer.iter_bytes(CHUNK_BYTES), handle)

    def _prepare(self, payload: Path, name: str) -> bool:
        """
        Bring the payload into a dataset that is ready; goes on where an earlier call left off.

        Returns
        -------
        bool
            Whether the dataset was there, so that a job over it may be.
        """
        self.limits.check_payload(payload, where=self._where, taker="an upload")
        state = first = self._dataset_state(name)
        if state is None:
            self._create_dataset(payload, name)
        if state is None or (state != "READY" and name not in self._uploaded):
            self._upload(payload, name)
        end = time.monotonic() + READY_PATIENCE_S
        while state != "READY":
            if time.monotonic() > end:
                raise self._errors.busy(ValueError(f"dataset {name} is not ready yet"))
            time.sleep(READY_REST_S)
            state = self._dataset_state(name)
        return first is not None

    def _create_dataset(self, payload: Path, name: str) -> None:
        import fireworks

        with payload.open("rb") as handle:
            n_rows = sum(1 for _ in handle)
        with self._asking(f"account {self.account_id}"):
            try:
                self._client.datasets.create(
                    dataset_id=name, dataset={"user_uploaded": {}, "example_count": str(n_rows)}
                )
            except fireworks.APIStatusError as error:
                if not says_already_there(error):
                    raise

    def _upload(self, payload: Path, name: str) -> None:
        with self._asking(f"dataset {name}"), payload.open("rb") as handle:
            # a handle is streamed, a path would be read whole
            self._client.datasets.upload(name, file=(f"{name}.jsonl", handle, "application/jsonl"))
        self._uploaded.add(name)

    def _dataset_state(self, name: str) -> str | None:
        """Look at a dataset; None if it is not there."""
        try:
            with self._asking(f"dataset {name}"):
                dataset = _read_object(self._client.datasets.with_raw_response.get(name))
        except NoBatchError:
            return None
        state, problem = dataset.get("state"), read_problem(dataset)
        if problem and state != "READY":
            raise ProviderError(
                f"dataset {name} was refused: {self._errors.clean(problem)}",
                where=self._where,
                fix="Nothing was started. Delete the dataset in the provider's console, then run again.",
            )
        return str(state)

    def _find_job(self, name: str, *, retries: int = 0) -> str | None:
        """Look for a job by its id."""
        try:
            self._job(name, retries=retries)
        except NoBatchError:
            return None
        return name

    def _job(self, batch_id: str, *, retries: int = 0) -> Mapping[str, Any]:
        """Read a job."""
        client = self._client.with_options(max_retries=retries)
        with self._asking(f"batch {batch_id}", is_paid=True):
            job = _read_object(client.batch_inference_jobs.with_raw_response.get(batch_id))
            if last_part(job.get("name")) != batch_id:
                raise ValueError(f"the answer is not about job {batch_id}")
        return job

    def _adopt(self, key: str, refusal: Exception) -> str:
        """Take over the job that is said to be there: its id tells that it holds the same requests."""
        try:
            self._job(_id(key), retries=FIND_RETRIES)
        except ProviderError:
            raise self._errors.unknown(key, refusal) from None
        return _id(key)

    @contextlib.contextmanager
    def _asking(self, what: str, *, is_paid: bool = False) -> Iterator[None]:
        """Sort the errors of a call that costs nothing; `is_paid` says that a job is there already."""
        import fireworks
        import httpx

        try:
            yield
        except (fireworks.FireworksError, httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise self._errors.of_read(what, error, is_paid=is_paid) from None

    @functools.cached_property
    def _uploaded(self) -> set[str]:
        """Datasets that have their file; they are ready a little later."""
        return set()

    @functools.cached_property
    def _errors(self) -> CallErrors:
        return CallErrors(self._where, VARIABLE, None, need_key(VARIABLE, self.name))

    @functools.cached_property
    def _client(self) -> fireworks.Fireworks:
        """The official client, which repeats nothing: whoever calls sleeps, and hears of a stop meanwhile."""
        import fireworks

        return fireworks.Fireworks(
            api_key=self._errors.key,
            account_id=self.account_id,
            base_url=self.base_url,
            timeout=self.timeout_seconds,
            max_retries=0,
            http_client=_http_client(),
        )

    @property
    def _where(self) -> str:
        return f"fireworks, {self.base_url}, account {self.account_id}"


@functools.cache
def _http_client() -> httpx.Client:
    """Make what all calls of this process go through: it reads the certificates, which takes its time."""
    import fireworks

    return fireworks.DefaultHttpxClient(event_hooks={"response": [note_date]})


def warm_up() -> None:
    """Load what every job needs that talks to the provider."""
    import fireworks

    client = fireworks.Fireworks(api_key="-", account_id="-", http_client=_http_client())
    _ = client.batch_inference_jobs, client.datasets  # imported by their first use


def says_already_there(error: fireworks.APIStatusError) -> bool:
    """Whether a call was refused as something of that id is there."""
    code = error.body.get("code") if isinstance(error.body, Mapping) else None
    is_code = isinstance(code, int | str) and code in ALREADY_EXISTS
    return error.status_code == 409 or (error.status_code < 500 and is_code)


def _id(key: str) -> str:
    """Choose the id of a shard's dataset and of its job."""
    return f"trialmake-{key[:ID_DIGITS]}"


def _read_object(answer: fireworks.APIResponse[Any], *, depth: int = 2) -> Mapping[str, Any]:
    """Read an answer, its keys in snake_case: the client's own models know but one spelling."""
    value = snake_keys(json.loads(answer.text()), depth=depth)
    if not isinstance(value, Mapping):
        raise ValueError("the answer is no JSON object")
    return value
