"""What Fireworks' API says, in the project's words: its spelling of names, and the rows of a job's output."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from scripts.providers.base import BatchState, BatchStatus
from scripts.providers.chat import decode_chat_row
from scripts.records import Outcome, Reply

STATES = {
    "CREATING": BatchStatus.QUEUED,
    "CREATING_INPUT_DATASET": BatchStatus.QUEUED,
    "VALIDATING": BatchStatus.QUEUED,
    "PENDING": BatchStatus.QUEUED,
    "RE_QUEUEING": BatchStatus.QUEUED,
    "IDLE": BatchStatus.QUEUED,
    "PAUSED": BatchStatus.QUEUED,
    "RUNNING": BatchStatus.RUNNING,
    "WRITING_RESULTS": BatchStatus.FINALIZING,
    "CANCELLING": BatchStatus.FINALIZING,
    "DELETING": BatchStatus.FINALIZING,
    "DELETING_CLEANING_UP": BatchStatus.FINALIZING,
    "COMPLETED": BatchStatus.DONE,
    "FAILED": BatchStatus.FAILED,
    "EXPIRED": BatchStatus.EXPIRED,
    "EARLY_STOPPED": BatchStatus.EXPIRED,
    "CANCELLED": BatchStatus.CANCELLED,
}
"""The states of a job, less ``JOB_STATE_`` (the official client, 1.2.28); a deleted one is soon not there."""

GRPC_RETRYABLE = {
    "CANCELLED": "1",
    "DEADLINE_EXCEEDED": "4",
    "RESOURCE_EXHAUSTED": "8",
    "ABORTED": "10",
    "INTERNAL": "13",
    "UNAVAILABLE": "14",
}
"""Error codes after which the same request may succeed, by name and by number."""

RETRYABLE = frozenset({*GRPC_RETRYABLE, *GRPC_RETRYABLE.values()})

HUMP = re.compile(r"(?<=[a-z0-9])[A-Z]")
MAX_DEPTH = 7
"""Below that nothing of a reply is read, however deep somebody nests it."""

MAX_COUNT = 10**12


def snake_keys(value: Any, *, depth: int = MAX_DEPTH) -> Any:
    """
    Spell the keys of a JSON value in snake_case, down to a depth: the API has been seen to use either.

    Examples
    --------
    >>> snake_keys({"jobProgress": {"outputRows": 3}, "output_dataset_id": "camelCase stays"})
    {'job_progress': {'output_rows': 3}, 'output_dataset_id': 'camelCase stays'}
    """
    if not depth:
        return value
    if isinstance(value, Mapping):
        return {
            HUMP.sub(lambda hump: "_" + hump[0].lower(), key): snake_keys(part, depth=depth - 1)
            for key, part in value.items()
        }
    return [snake_keys(part, depth=depth - 1) for part in value] if isinstance(value, list) else value


def last_part(name: Any) -> str | None:
    """
    Return the id at the end of a resource's name; None if it is none.

    Examples
    --------
    >>> last_part("accounts/me/datasets/bij-1"), last_part("accounts/me/datasets/.."), last_part(None)
    ('bij-1', None, None)
    """
    part = name.rpartition("/")[2] if isinstance(name, str) else ""
    return part if re.fullmatch(r"\w[\w.-]*", part) else None


def read_state(job: Mapping[str, Any]) -> BatchState:
    """
    Read a job's state, progress and error; its keys are in snake_case.

    The number of requests is not read: it echoes what was announced.
    """
    word = job.get("state")
    raw = word.removeprefix("JOB_STATE_") if isinstance(word, str) else str(word)
    status = STATES.get(raw, BatchStatus.UNKNOWN)
    progress = _mapping(job.get("job_progress"))
    names = ("total_processed_requests", "successfully_processed_requests", "failed_requests")
    total, *parts = (_count(progress.get(name)) for name in names)
    known = [total, sum(part or 0 for part in parts) if any(part is not None for part in parts) else None]
    return BatchState(
        status,
        raw,
        n_done=max((number for number in known if number is not None), default=None),
        error=read_problem(job) if status.is_terminal else None,
    )


def read_problem(resource: Mapping[str, Any]) -> str | None:
    """
    Read what the ``status`` of a job or a dataset complains of; None if it is well.

    Examples
    --------
    >>> read_problem({"status": {"code": "INVALID_ARGUMENT", "message": "invalid role"}})
    'INVALID_ARGUMENT: invalid role'
    >>> read_problem({"status": {"code": "OK", "message": ""}})
    """
    status = _mapping(resource.get("status"))
    parts = [str(status.get(name) or "") for name in ("code", "message")]
    return ": ".join(part for part in parts if part not in {"", "OK"}) or None


def decode_row(row: Mapping[str, Any]) -> tuple[str, Reply]:
    """
    Read one row of a job's output or error file.

    The output is a chat completion without a wrapper of status and body.  The error file's rows are not
    documented: an error is looked for beside the response and in it.

    Raises
    ------
    ValueError
        If the row has no ``custom_id``.
    """
    row = snake_keys(row)
    response, error = row.get("response"), row.get("error")
    if isinstance(response, Mapping) and not response.keys() & {"status_code", "body"}:
        if "choices" in response or not response.get("error"):
            return decode_chat_row({**row, "response": {"status_code": 200, "body": response}})
        error = response["error"]
        row = {**row, "response": None, "error": error}
    code = error.get("code") if isinstance(error, Mapping) else None
    if row.get("response") is None and isinstance(code, int) and code >= 100:
        row = {**row, "response": {"status_code": code, "body": {"error": error}}}
    key, reply = decode_chat_row(row)
    if reply.outcome is Outcome.ERRORED and reply.error_code in RETRYABLE:
        return key, dataclasses.replace(reply, is_retryable=True)
    return key, reply


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(value: Any) -> int | None:
    """Read a count, which the API may write as a text; None if it is none."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value):
        return int(value)
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT
    return value if is_count else None
