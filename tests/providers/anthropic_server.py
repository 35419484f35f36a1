"""
Message Batches on 127.0.0.1, faithful in what an adapter can see, with dials for what can go wrong.

It keeps books of every batch that was created, whatever the caller was told.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.providers.faulty_server import serving

KEY = "sk-ant-planted-0123456789"
PREFIX = "/v1/messages/batches"
ZERO = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}


def message(text: str | None = "yes", *, stop_reason: str = "end_turn", **usage: int) -> dict[str, Any]:
    """A result of a request that was answered."""
    content = [] if text is None else [{"type": "text", "text": text, "citations": None}]
    counts = {"input_tokens": 10, "output_tokens": 2, **usage}
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": content}
    return {"type": "succeeded", "message": {**body, "stop_reason": stop_reason, "usage": counts}}


def errored(kind: str, text: str) -> dict[str, Any]:
    """A result of a request that failed."""
    error = {"type": "error", "request_id": "req_1", "error": {"type": kind, "message": text}}
    return {"type": "errored", "error": error}


def validate(params: dict[str, Any]) -> dict[str, Any] | None:
    """What the real service finds wrong with a request, a day after it was sent."""
    if not isinstance(params.get("max_tokens"), int) or params["max_tokens"] < 1:
        return errored("invalid_request_error", "max_tokens: Field required")
    if not 0 <= params.get("temperature", 0) <= 1:
        return errored("invalid_request_error", "temperature: range: 0..1")
    if any(turn["role"] not in {"user", "assistant"} for turn in params["messages"]):
        return errored("invalid_request_error", "messages: Unexpected role")
    return None


@dataclasses.dataclass
class Batch:
    """One batch in the books."""

    id: str
    created_at: datetime.datetime
    requests: list[dict[str, Any]]
    ends_at: float
    is_canceled: bool = False
    n_looks: int = 0
    n_looks_after_end: int = 0

    @property
    def has_ended(self) -> bool:
        return time.monotonic() >= self.ends_at

    @property
    def custom_ids(self) -> list[str]:
        return [request["custom_id"] for request in self.requests]


@dataclasses.dataclass
class AnthropicServer:
    """The service and its dials."""

    delay_s: float = 0.0
    """How long a batch takes."""
    clock_ahead: datetime.timedelta = datetime.timedelta()
    """How far the service's clock is ahead of this machine's."""
    answer: Callable[[dict[str, Any]], dict[str, Any]] = lambda request: message()
    """Makes the result of a request."""
    mangle: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = lambda rows: rows
    """Rearranges the rows of the results."""
    status_word: str | None = None
    """Said in place of the true processing_status."""
    n_hidden_looks: int = 0
    """How often a new batch is not found."""
    faults: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    """What the next calls meet: the call's kind (create, list, look, results), and the fault."""
    n_counted: int | None = None
    """How many requests of a batch that has ended are counted; None: all."""
    looks_until_named: int = 0
    """How many looks at a batch that has ended do not say where its results are."""
    page_size: int = 1000
    singles: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    """The requests that came by themselves and were answered at once."""
    batches: dict[str, Batch] = dataclasses.field(default_factory=dict)
    calls: list[str] = dataclasses.field(default_factory=list)
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    base_url: str = ""

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC) + self.clock_ahead

    @property
    def n_billed(self) -> int:
        """Requests in all batches: what the caller may have to pay."""
        return sum(len(batch.requests) for batch in self.batches.values())

    def take_fault(self, kind: str) -> str:
        """The fault that this call is to meet; an empty text for none."""
        with self.lock:
            self.calls.append(kind)
            for place, (call, fault) in enumerate(self.faults):
                if call == kind:
                    del self.faults[place]
                    return fault
        return ""

    def add(self, requests: list[dict[str, Any]], *, ago_s: float = 0.0) -> Batch:
        """Create a batch, at a moment in the past if need be."""
        with self.lock:
            batch_id = f"msgbatch_{len(self.batches) + 1:04d}"
            created = self.now() - datetime.timedelta(seconds=ago_s)
            batch = Batch(batch_id, created, requests, time.monotonic() + self.delay_s)
            self.batches[batch_id] = batch
        return batch

    def rows(self, batch: Batch) -> list[dict[str, Any]]:
        """The results of a batch that has ended."""
        return self.mangle(
            [
                {"custom_id": request["custom_id"], "result": self.result(batch, request)}
                for request in batch.requests
            ]
        )

    def result(self, batch: Batch, request: dict[str, Any]) -> dict[str, Any]:
        return (
            {"type": "canceled"} if batch.is_canceled else validate(request["params"]) or self.answer(request)
        )

    def describe(self, batch: Batch) -> dict[str, Any]:
        """The batch as the service shows it: counts other than `processing` are zero until it has ended."""
        word = "ended" if batch.has_ended else "canceling" if batch.is_canceled else "in_progress"
        counts = {**ZERO, "processing": len(batch.requests)}
        if word == "ended":
            kinds = [self.result(batch, request)["type"] for request in batch.requests][: self.n_counted]
            counts = {kind: kinds.count(kind) for kind in ZERO}
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": self.status_word or word,
            "request_counts": counts,
            "created_at": batch.created_at.isoformat().replace("+00:00", "Z"),
            "expires_at": (batch.created_at + datetime.timedelta(hours=24)).isoformat(),
            "ended_at": self.now().isoformat() if word == "ended" else None,
            "cancel_initiated_at": self.now().isoformat() if batch.is_canceled else None,
            "archived_at": None,
            "results_url": f"{self.base_url}{PREFIX}/{batch.id}/results" if word == "ended" else None,
        }

    def look(self, batch: Batch) -> dict[str, Any]:
        """Describe a batch that is looked at, without its results as long as the dial says."""
        shown = self.describe(batch)
        batch.n_looks_after_end += batch.has_ended
        return shown if batch.n_looks_after_end > self.looks_until_named else {**shown, "results_url": None}


class RefusalError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, kind: str, text: str) -> None:
        self.status = status
        self.body = {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_1"}


class Handler(BaseHTTPRequestHandler):
    """Answers one call."""

    protocol_version = "HTTP/1.1"
    service: AnthropicServer

    def log_message(self, *_: Any) -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(self.service.now(), usegmt=True)

    def do_POST(self) -> None:
        calls = {PREFIX: self._create, "/v1/messages": self._ask}
        self._serve(calls.get(urlsplit(self.path).path, self._cancel))

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        is_list, is_results = path == PREFIX, path.endswith("/results")
        self._serve(self._list if is_list else self._results if is_results else self._look)

    def _serve(self, call: Callable[[], None]) -> None:
        self.close_connection = True
        try:
            given = {self.headers.get("x-api-key"), self.headers.get("authorization")}
            if not given & {KEY, f"Bearer {KEY}"}:
                raise RefusalError(401, "authentication_error", "invalid x-api-key")
            if not self.headers.get("anthropic-version"):
                raise RefusalError(400, "invalid_request_error", "anthropic-version: header is required")
            call()
        except RefusalError as refusal:
            self._send(refusal.status, refusal.body)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _send(self, status: int, body: Any, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def _meet(self, fault: str) -> bool:
        """Meet a fault; True if the call is over by that."""
        name, _, value = fault.partition(" ")
        if name == "429":
            body = RefusalError(429, "rate_limit_error", "This request would exceed the rate limit").body
            self._send(429, body, retry_after=value)
        elif name.isdigit():
            self._send(int(name), RefusalError(int(name), "api_error", value or "Internal server error").body)
        elif name == "hang":
            time.sleep(float(value))
        elif name != "drop":
            return False
        return True

    def _ask(self) -> None:
        fault = self.service.take_fault("ask")
        params = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._meet(fault):
            return
        if (problem := validate(params)) is not None:
            self._send(400, problem["error"])
            return
        self.service.singles.append(params)
        self._send(200, message()["message"])

    def _create(self) -> None:
        fault = self.service.take_fault("create")
        content = self.rfile.read(int(self.headers["Content-Length"]))
        name, _, after = fault.partition("created, then ")
        if name and self._meet(name):
            return
        batch = self.service.add(self._check_requests(content))
        if after == "garbage":
            self._send(200, b"<html>")
        elif not (after and self._meet(after)):
            self._send(200, self.service.describe(batch))

    def _check_requests(self, content: bytes) -> list[dict[str, Any]]:
        try:
            requests = json.loads(content)["requests"]
        except (ValueError, LookupError):
            raise RefusalError(400, "invalid_request_error", "The request body is not valid JSON") from None
        ids = [request["custom_id"] for request in requests]
        if not all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in ids):
            raise RefusalError(
                400, "invalid_request_error", "requests.0.custom_id: String should match pattern"
            )
        if not 1 <= len(ids) <= 100_000 or len(set(ids)) != len(ids):
            raise RefusalError(400, "invalid_request_error", "requests: custom_id must be unique")
        return requests

    def _cancel(self) -> None:
        batch = self._find(urlsplit(self.path).path.split("/")[4])
        batch.is_canceled = batch.is_canceled or not batch.has_ended
        self._send(200, self.service.describe(batch))

    def _list(self) -> None:
        if self._meet(self.service.take_fault("list")):
            return
        query = parse_qs(urlsplit(self.path).query)
        batches = sorted(self.service.batches.values(), key=lambda batch: batch.created_at, reverse=True)
        start = 0
        if "after_id" in query:
            start = 1 + [batch.id for batch in batches].index(query["after_id"][0])
        size = min(int(query.get("limit", ["20"])[0]), self.service.page_size)
        page = [self.service.describe(batch) for batch in batches[start : start + size]]
        edges = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
        self._send(200, {"data": page, "has_more": len(batches) > start + size, **edges})

    def _look(self) -> None:
        fault = self.service.take_fault("look")
        if fault in {"null", "no counts"}:
            self._send(200, None if fault == "null" else {"id": "msgbatch_0001", "type": "message_batch"})
            return
        if self._meet(fault):
            return
        batch = self._find(urlsplit(self.path).path.split("/")[4])
        batch.n_looks += 1
        if batch.n_looks <= self.service.n_hidden_looks:
            raise RefusalError(404, "not_found_error", f"Message Batch with ID {batch.id} not found")
        self._send(200, self.service.look(batch))

    def _find(self, batch_id: str) -> Batch:
        if batch_id not in self.service.batches:
            raise RefusalError(404, "not_found_error", f"Message Batch with ID {batch_id} not found")
        return self.service.batches[batch_id]

    def _results(self) -> None:
        fault = self.service.take_fault("results")
        batch = self._find(urlsplit(self.path).path.split("/")[4])
        if not batch.has_ended:
            raise RefusalError(404, "not_found_error", "The batch has no results yet")
        if fault != "cut" and fault != "short" and self._meet(fault):
            return
        content = b"".join(json.dumps(row).encode() + b"\n" for row in self.service.rows(batch))
        self.send_response(200)
        self.send_header("Content-Type", "application/binary")
        self.send_header("Connection", "close")
        if (
            fault != "short"
        ):  # "short": a proxy that marks the end of the file by nothing but the connection's
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        half = content[: len(content) * 2 // 3]
        if fault == "short":
            self.wfile.write(half)
            return
        for chunk in (half, content[len(half) :]) if fault != "cut" else (half,):
            if chunk:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if fault != "cut":
            self.wfile.write(b"0\r\n\r\n")


@contextlib.contextmanager
def serve(kind: type[AnthropicServer] = AnthropicServer) -> Iterator[AnthropicServer]:
    """Run the service on a free port while the block lasts."""
    service = kind()
    handler = type("BoundHandler", (Handler,), {"service": service})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        service.base_url = f"http://127.0.0.1:{server.server_address[1]}"
        with serving(server):
            yield service
