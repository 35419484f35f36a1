"""A chat server on 127.0.0.1 that answers, dawdles and fails as its dials say, and counts its questions."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.providers.faulty_server import serving

HANG_S = 60.0


@dataclasses.dataclass
class Fault:
    """What a question gets instead of an answer; with no field set, a connection cut before a byte."""

    status: int | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    message: str = "no luck"
    raw: bytes | None = None
    """An answer with status 200 that holds these bytes."""
    cut_after: int | None = None
    """Cut a sound answer after this many bytes of its body."""
    hangs: bool = False


NextFault = Callable[[str, int], Fault | None]


def no_fault(question: str, n_asked: int) -> None:
    """Let every question be answered."""


def completion(model: str, question: str) -> dict[str, Any]:
    """Answer a question; the answer says which it was."""
    message = {"role": "assistant", "content": f"answer to {question[:40]}"}
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients that hang up are part of the tests."""


@dataclasses.dataclass
class ChatServer:
    """The service: set the dials before a call, read the books after it."""

    delay_s: float = 0.0
    fault: NextFault = no_fault
    """Given a question and how often it was asked: what goes wrong."""
    port: int = 0
    """Where to listen; chosen at the start if 0."""

    asked: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """How often each question came."""
    answered: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """How often each question got its whole answer."""
    bodies: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    headers: list[dict[str, str]] = dataclasses.field(default_factory=list)
    n_at_once: int = 0
    max_at_once: int = 0
    keeps_bodies: bool = True

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        if not self.port:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                self.port = listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @contextlib.contextmanager
    def running(self) -> Iterator[ChatServer]:
        """Serve until the end of the block."""
        handler = type("Handler", (_Handler,), {"service": self})
        with _Server(("127.0.0.1", self.port), handler) as server, serving(server):
            yield self

    @contextlib.contextmanager
    def serving_one(self) -> Iterator[None]:
        """Count who is being served at once."""
        with self.lock:
            self.n_at_once += 1
            self.max_at_once = max(self.max_at_once, self.n_at_once)
        try:
            yield
        finally:
            with self.lock:
                self.n_at_once -= 1


class _Handler(BaseHTTPRequestHandler):
    service: ChatServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Answer a chat."""
        with self.service.serving_one():
            self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _serve(self, body: dict[str, Any]) -> None:
        service, question = self.service, body["messages"][-1]["content"]
        with service.lock:
            service.asked[question] += 1
            if service.keeps_bodies:
                service.bodies.append(body)
                service.headers.append({name.lower(): value for name, value in self.headers.items()})
            fault = service.fault(question, service.asked[question])
        if self.path != "/v1/chat/completions":
            fault = Fault(status=404, message="no such path")
        time.sleep(service.delay_s)
        answer = json.dumps(completion(body["model"], question)).encode()
        if fault is None:
            self._send(200, answer)
            with service.lock:
                service.answered[question] += 1
        else:
            self._fail(fault, answer)

    def _fail(self, fault: Fault, answer: bytes) -> None:
        if fault.hangs:
            time.sleep(HANG_S)
        elif fault.raw is not None:
            self._send(200, fault.raw)
        elif fault.status is not None:
            error = {"error": {"message": fault.message, "type": "x", "code": fault.status}}
            self._send(fault.status, json.dumps(error).encode(), **fault.headers)
        elif fault.cut_after is not None:
            self._send(200, answer, n_bytes=fault.cut_after)
            self._drop()
        else:
            self._drop()

    def _send(self, status: int, body: bytes, n_bytes: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:n_bytes])

    def _drop(self) -> None:
        """Cut the connection hard."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
