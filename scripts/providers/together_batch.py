"""Together's Batch API: near to OpenAI's, with files, answers and words of its own."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from scripts.errors import ProviderError
from scripts.files import dump_line
from scripts.providers.base import BatchState, BatchStatus, Limits, LostCall, Messages
from scripts.providers.call_errors import need_id
from scripts.providers.chat import chat_body
from scripts.providers.chat_checks import check_values
from scripts.providers.openai_batch import (
    LIST_RETRIES,
    UPLOAD_RETRIES,
    OpenAIBatch,
    shared_http_client,
    warm_up,
)
from scripts.records import Item, Request, Trial

if TYPE_CHECKING:
    from scripts.experiment.settings import Settings

__all__ = ["TogetherBatch", "warm_up"]

LIMITS = Limits(
    max_requests=50_000,
    max_bytes=100_000_000,
    max_line_bytes=10_000_000,
    max_enqueued_tokens=30_000_000_000,
)
"""From https://docs.together.ai/docs/inference/batch/overview, read in November 2026."""

STATUSES = {
    "VALIDATING": BatchStatus.QUEUED,
    "IN_PROGRESS": BatchStatus.RUNNING,
    "CANCELING": BatchStatus.RUNNING,
    "CANCELLING": BatchStatus.RUNNING,
    "COMPLETED": BatchStatus.DONE,
    "FAILED": BatchStatus.FAILED,
    "EXPIRED": BatchStatus.EXPIRED,
    "CANCELLED": BatchStatus.CANCELLED,
}
"""The documented words, and one for a batch that is being cancelled, which the documents do not have."""

RANGES = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "repetition_penalty": (0, 2),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}
WORDS = {"reasoning_effort": ("low", "medium", "high")}
PARAMETERS = frozenset({*RANGES, *WORDS, "top_k", "max_tokens", "seed", "stop"})

FILE_NAME = re.compile(r"trialmake-([0-9a-f]{64})\.jsonl")
FILE_ID = re.compile(r"[\w-]+")
MOVED = frozenset({302, 303, 307})


@dataclasses.dataclass(frozen=True)
class TogetherBatch(OpenAIBatch):
    """One model of Together's, through chat completions."""

    name: ClassVar[str] = "together"
    variable: ClassVar[str] = "TOGETHER_API_KEY"
    kept: ClassVar[str] = "about a week"
    parameters: ClassVar[frozenset[str] | None] = PARAMETERS

    limits: Limits = LIMITS

    def check_trial(self, settings: Settings, trial: Trial) -> None:
        """Check a trial's decoding settings: see `OpenAIBatch.check_trial`."""
        check_values(settings, trial, RANGES, WORDS)

    def body(self, messages: Messages, trial: Trial, dataset: str, item: Item) -> dict[str, Any]:
        """Render a chat body: see `Provider.body`."""
        body = chat_body(self.provider_model, messages, trial)
        return {**body, "stop": [body["stop"]]} if "stop" in body else body

    def encode(self, request: Request) -> str:
        """Write one request as a line: see `Provider.encode`."""
        return dump_line({"custom_id": request.request_key, "body": request.body})

    def find_existing(self, key: str, call: LostCall) -> str | None:
        """
        Look for files with the key's name, then for a batch of one of them: see `Provider.find_existing`.

        A batch carries no metadata, but its file has a name; a file alone was never started.
        """
        with self._told(functools.partial(self._errors.of_list, key)):
            return next((batch_id for found, batch_id in self._list_keys() if found == key), None)

    def _list_keys(self) -> Iterator[tuple[str, str]]:
        """Read the names of all files, then the list of batches: the key and the id of each."""
        names = ((FILE_NAME.fullmatch(str(file.get("filename"))), file) for file in self._list("/files"))
        keys = {need_id(file.get("id"), "file"): name[1] for name, file in names if name is not None}
        for batch in self._list("/batches") if keys else ():
            if (key := keys.get(batch.get("input_file_id") or "")) is not None:
                yield key, need_id(batch.get("id"), "batch")

    def status(self, batch_id: str) -> BatchState:
        """Look at a batch once; how many requests are done is not told: see `Provider.status`."""
        batch = self._batch(batch_id)
        raw: str = batch.status
        reason = getattr(batch, "error", None)
        error = self._errors.clean(str(reason)) if reason else None
        return BatchState(STATUSES.get(raw, BatchStatus.UNKNOWN), raw, error=error)

    def _upload(self, payload: Path, key: str) -> str:
        """
        Ask for a place, put the file there without the key, and say that it is there; its id.

        A file that the provider has renamed is not started: its batch could not be found again.
        """
        name = _file_name(key)
        file_id, place = self._ask_for_place(name)
        self._put(payload, place)
        client = self._client.with_options(max_retries=UPLOAD_RETRIES)
        about = client.post(f"/files/{file_id}/preprocess", cast_to=object)
        if not isinstance(about, Mapping) or "filename" not in about:
            about = client.get(f"/files/{file_id}", cast_to=object)
        if not isinstance(about, Mapping) or about.get("filename") != name:
            raise ProviderError(
                f"the file {file_id} has not kept its name {name}",
                where=self._errors.where,
                fix="Nothing was started: a batch of it could not be found again after a crash.",
            )
        return file_id

    def _ask_for_place(self, name: str) -> tuple[str, str]:
        """Announce a file; its id, and the signed address that it is to be put to."""
        import httpx2
        import openai

        try:
            answer = self._client.with_options(max_retries=UPLOAD_RETRIES).post(
                "/files",
                cast_to=httpx2.Response,
                body={"purpose": "batch-api", "file_name": name, "file_type": "jsonl"},
                options={"headers": {"Content-Type": "multipart/form-data"}, "follow_redirects": False},
            )
        except openai.APIStatusError as error:  # the client takes an answer that leads elsewhere for an error
            if error.status_code not in MOVED:
                raise
            answer = error.response
        file_id = answer.headers.get("x-together-file-id", "")
        place = answer.headers.get("location", "")
        if FILE_ID.fullmatch(file_id) is None or urlsplit(place).scheme not in self._schemes:
            raise ValueError("the answer to the upload names no file, or no place to put it")
        return file_id, place

    def _put(self, payload: Path, place: str) -> None:
        with payload.open("rb") as handle:  # a handle is streamed
            answer = shared_http_client().put(
                place, content=handle, timeout=self.timeout_seconds, follow_redirects=False
            )
        if answer.status_code != 200:
            raise ValueError(f"the store of files answers with status {answer.status_code}")

    @property
    def _schemes(self) -> frozenset[str]:
        """What a signed address may begin with: texts that come encrypted must not go on in the clear."""
        return frozenset({"https", urlsplit(self.base_url).scheme})

    def _start(self, file_id: str, key: str, metadata: Mapping[str, str]) -> str:
        """Start a batch of an uploaded file, once; its id."""
        answer = self._client.with_options(max_retries=0).post(
            "/batches",
            cast_to=object,
            body={"input_file_id": file_id, "endpoint": self.endpoint, "completion_window": "24h"},
        )
        job = answer.get("job") if isinstance(answer, Mapping) else None
        return need_id(job.get("id") if isinstance(job, Mapping) else None, "batch")

    def _list(self, path: str) -> Iterator[Mapping[str, Any]]:
        """Read a list, which comes in one piece; one that goes on elsewhere proves nothing."""
        answer = self._client.with_options(max_retries=LIST_RETRIES).get(path, cast_to=object)
        entries = answer.get("data") if isinstance(answer, Mapping) else answer
        if not isinstance(entries, list) or (isinstance(answer, Mapping) and answer.get("has_more")):
            raise ValueError(f"{path} is no list, or not a whole one")
        return (entry for entry in entries if isinstance(entry, Mapping))


def _file_name(key: str) -> str:
    """Name the file of a shard: all that leads back to its batch."""
    return f"trialmake-{key}.jsonl"
