"""What the servers of batch services have in common: faults by dial, HTTP read, answered and cut off."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import socket
import struct
import threading
import time
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self


@dataclasses.dataclass
class Fault:
    """What happens instead of an answer, `times` times: a status, or a cut connection."""

    status: int | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    code: str = "server_error"
    is_done: bool = False
    """Whether the call is carried out all the same."""
    times: int = 1
    cut_after: int | None = None
    """Cut an answer after this many bytes of its body."""
    lines: int | None = None
    """End an answer after this many lines, as a server may that tells no length."""
    body: bytes | None = None
    """Answer with this, whatever was asked."""

    is_bare: bool = False
    """Whether the status comes without a body."""

    @property
    def is_cut(self) -> bool:
        """Whether no byte of an answer comes."""
        return {self.status, self.cut_after, self.lines, self.body} == {None}


@contextlib.contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[None]:
    """Serve in a thread until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


@dataclasses.dataclass
class FaultyServer:
    """A service on 127.0.0.1: set the dials before a call, read the books after it."""

    faults: dict[str, list[Fault]] = dataclasses.field(default_factory=lambda: collections.defaultdict(list))
    """By call; which calls there are, the service says."""
    delays_s: dict[str, float] = dataclasses.field(default_factory=dict)
    """By call: how long its answer takes."""
    looks_until_named: int = 0
    """How many looks at a batch that is over do not name its files yet."""
    miscount: int = 0
    """By how much the count of what is done is off."""
    skew_s: float = 0.0
    """How far the service's clock is ahead."""
    reasons: list[str] = dataclasses.field(default_factory=list)
    """Of each next batch that is made: why it fails as a whole (empty: it does not)."""

    asked: dict[str, list[dict[str, Any]]] = dataclasses.field(default_factory=dict)
    """The requests of each batch."""
    batches: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    singles: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    """The requests that came by themselves and were answered at once."""
    looks: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    calls: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    breaches: list[str] = dataclasses.field(default_factory=list)
    """What no answer tells the caller of, though it was against the service's rules."""
    url: str = ""

    handler: ClassVar[type[FaultyHandler]]
    """Reads the calls and writes the answers."""
    root: ClassVar[str] = ""
    """What of the path the address of the service holds."""

    def __post_init__(self) -> None:
        self.lock = threading.Lock()

    def fail_next(self, reason: str) -> None:
        """Let the next batch that is made fail as a whole."""
        self.reasons = [reason]

    def forget(self) -> None:
        """Empty all books, and turn the dials back that hold a collection."""
        for field in dataclasses.fields(self):
            if field.default_factory is not dataclasses.MISSING:
                setattr(self, field.name, field.default_factory())

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        """Serve until the end of the block."""
        handler = type("Handler", (self.handler,), {"service": self})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            server.daemon_threads = True
            server.block_on_close = False
            self.url = f"http://127.0.0.1:{server.server_address[1]}{self.root}"
            with serving(server):
                yield self


class FaultyHandler(BaseHTTPRequestHandler):
    """Reads calls and writes answers; what they mean, the service's own handler says."""

    service: Any
    fault: Fault | None = None
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer a read."""
        self._serve()

    def do_POST(self) -> None:
        """Answer a call that changes something."""
        self._serve()

    def _serve(self) -> None:
        raise NotImplementedError

    def _next_fault(self, call: str) -> Fault | None:
        """Count a call; the fault that it meets."""
        with self.service.lock:
            self.service.calls[call] += 1
            waiting = self.service.faults[call]
            self.fault = waiting[0] if waiting else None
            if waiting:
                waiting[0].times -= 1
                if waiting[0].times == 0:
                    del waiting[0]
            return self.fault

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Say what time it is by the service's clock."""
        return formatdate(time.time() + self.service.skew_s, usegmt=True)

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            n_bytes = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(n_bytes)
            if len(body) < n_bytes:
                raise ConnectionAbortedError("the caller went away amid its call")
            return body
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _read_form(self, body: bytes) -> dict[str, Message]:
        """Read the parts of a multipart form by their names."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
        return {str(part.get_param("name", header="content-disposition")): part for part in parts}

    def _send(
        self,
        status: int,
        body: bytes,
        kind: str = "application/json",
        *,
        headers: dict[str, str] | None = None,
        cut_after: int | None = None,
    ) -> None:
        fault = self.fault or Fault()
        if status == 200 and fault.body is not None:
            body = fault.body
        if status == fault.status and fault.is_bare:
            body = b""
        length = {"Content-Type": kind, "Content-Length": str(len(body))}
        if status == 200 and fault.lines is not None:
            body = b"".join(body.splitlines(keepends=True)[: fault.lines])
            length = {"Content-Type": kind, "Connection": "close"}
            self.close_connection = True
        self.send_response(status)
        for name, value in {**length, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:cut_after])
        if cut_after is not None:
            self.wfile.flush()
            self._drop()

    def _drop(self) -> None:
        """Reset the connection."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()
