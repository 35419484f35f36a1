"""
A batch service on 127.0.0.1 that does as little as it can: uploads go to a file, results come from one.

It speaks as much of OpenAI's and Anthropic's batch APIs as the adapters use.  Every batch takes
`Service.delay_s` from its creation and then hands out the same file of rows.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import multiprocessing
import os
import re
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CHUNK_BYTES = 1 << 20
FORK = multiprocessing.get_context("fork")
UPLOAD = "upload"
"""Name of the file that holds the body of the last call that sent one."""


@dataclasses.dataclass(frozen=True)
class Service:
    """What is served."""

    folder: Path
    """Where uploads go, and where results are: ``<provider>.rows``."""
    n_requests: int
    """How many requests every batch says it has."""
    delay_s: float = 0.0


class Handler(BaseHTTPRequestHandler):
    """Answers one call."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    service: Service
    port: int

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Hand out a list, a batch or the rows."""
        path = self.path.partition("?")[0].strip("/").split("/")
        if path[-1] in {"content", "results"}:
            self._send_rows("openai" if path[-1] == "content" else "anthropic")
        elif path[-1] == "batches":
            self._send_json({"object": "list", "data": [], "has_more": False})
        else:
            self._send_json(self._batch(path[-1], is_message="messages" in path))

    def do_PUT(self) -> None:
        """Take a file from ``curl``."""
        self.do_POST()

    def do_POST(self) -> None:
        """Take a file, or start a batch."""
        self._take(int(self.headers["Content-Length"]))
        path = self.path.strip("/").split("/")
        if path[-1] == "files":
            about = {"id": "file_1", "object": "file", "bytes": 1, "created_at": 1, "filename": "x"}
            self._send_json({**about, "purpose": "batch", "status": "processed"})
        else:
            self._send_json(self._batch(f"batch_{time.time_ns()}", is_message="messages" in path))

    def _take(self, n_bytes: int) -> None:
        """Stream the body of a call to the disk."""
        buffer = memoryview(bytearray(CHUNK_BYTES))
        with (self.service.folder / UPLOAD).open("wb", buffering=0) as file:
            while n_bytes and (n_read := self.rfile.readinto1(buffer[: min(n_bytes, CHUNK_BYTES)])):  # type: ignore[attr-defined]
                file.write(buffer[:n_read])
                n_bytes -= n_read

    def _send_rows(self, name: str) -> None:
        with (self.service.folder / f"{name}.rows").open("rb") as rows:
            size = os.fstat(rows.fileno()).st_size
            self._head(size, "application/octet-stream")
            self.wfile.flush()
            sent = 0
            while sent < size:
                sent += os.sendfile(self.connection.fileno(), rows.fileno(), sent, size - sent)

    def _send_json(self, value: Any) -> None:
        content = json.dumps(value).encode()
        self._head(len(content), "application/json")
        self.wfile.write(content)

    def _head(self, n_bytes: int, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(n_bytes))
        self.end_headers()

    def _batch(self, name: str, *, is_message: bool) -> dict[str, Any]:
        created = float(name.rpartition("_")[2]) / 1e9 if re.search(r"_\d+$", name) else 0.0
        is_over = time.time() >= created + self.service.delay_s
        n = self.service.n_requests
        if not is_message:
            counts = {"total": n, "completed": n * is_over, "failed": 0}
            batch = {"id": name, "object": "batch", "endpoint": "/v1/chat/completions", "errors": None}
            batch |= {"input_file_id": "file_1", "completion_window": "24h", "created_at": int(created)}
            batch |= {"status": "completed" if is_over else "in_progress", "request_counts": counts}
            return batch | ({"output_file_id": f"{name}-output"} if is_over else {})
        at = datetime.datetime.fromtimestamp(created, datetime.UTC).isoformat()
        kinds = ("processing", "succeeded", "errored", "canceled", "expired")
        place = f"http://127.0.0.1:{self.port}/v1/messages/batches/{name}/results"
        return {
            "id": name,
            "type": "message_batch",
            "processing_status": "ended" if is_over else "in_progress",
            "request_counts": {**dict.fromkeys(kinds, 0), "succeeded" if is_over else "processing": n},
            "created_at": at,
            "expires_at": at,
            "ended_at": at if is_over else None,
            "cancel_initiated_at": None,
            "archived_at": None,
            "results_url": place if is_over else None,
        }


@contextlib.contextmanager
def serving(service: Service) -> Iterator[str]:
    """Serve from a process of its own while the block lasts; the address."""
    handler = type("BoundHandler", (Handler,), {"service": service})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        handler.port = server.server_address[1]  # type: ignore[attr-defined]
        process = FORK.Process(target=server.serve_forever, daemon=True)
        process.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            process.terminate()
            process.join()
