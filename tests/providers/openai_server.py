"""
A server on 127.0.0.1 that speaks OpenAI's Batch API and fails as its dials say.

It keeps books of every file and batch, counts the requests that it bills, and holds all that goes in and
out against OpenAI's own specification where that lies beside the checkout.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import json
import re
import time
import urllib.parse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.providers.faulty_server import Fault, FaultyHandler, FaultyServer

__all__ = ["SPECIFICATION", "Fault", "OpenAIServer", "answer", "expired"]

SPECIFICATION = (
    Path(__file__).resolve().parents[2].parent / "shared" / "contracts" / "openai-batch.openapi.json"
)


@functools.cache
def _validator(name: str) -> Any:
    import jsonschema

    if not SPECIFICATION.is_file():
        return None
    whole = json.loads(SPECIFICATION.read_text())
    schema = {"$ref": f"#/components/schemas/{name}", "components": whole["components"]}
    return jsonschema.Draft202012Validator(schema)


def answer(row: dict[str, Any]) -> dict[str, Any]:
    """Answer one request, in the shape of its endpoint."""
    body = row["body"]
    if row["url"] == "/v1/responses":
        text = {"type": "output_text", "text": "answer", "annotations": []}
        message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
        usage = {"input_tokens": 10, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 4}}
        output = [{"type": "reasoning", "id": "rs_1", "summary": []}, {**message, "content": [text]}]
        done = {"object": "response", "status": "completed", "output": output, "usage": usage}
    else:
        message = {"role": "assistant", "content": "answer", "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
        done = {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"]}
        done |= {"choices": [choice], "usage": usage}
    response = {"status_code": 200, "request_id": "r", "body": done}
    return {"id": "batch_req_1", "custom_id": row["custom_id"], "response": response, "error": None}


def expired(row: dict[str, Any]) -> dict[str, Any]:
    """Say of one request that the batch's time was up."""
    error = {"code": "batch_expired", "message": "This request could not be executed in time."}
    return {"id": "batch_req_1", "custom_id": row["custom_id"], "response": None, "error": error}


Rows = list[dict[str, Any]]
Finish = Callable[[Rows], tuple[Rows, Rows]]


def answer_all(rows: Rows) -> tuple[Rows, Rows]:
    return [answer(row) for row in rows], []


@dataclasses.dataclass
class OpenAIServer(FaultyServer):
    """The service; its calls are upload, create, list, look and download."""

    key: str = "sk-planted-0123456789abcdef"
    statuses: list[str] = dataclasses.field(default_factory=lambda: ["completed"])
    """What the looks at a batch say, one after another; the last one stays."""
    finish: Finish = answer_all
    """What the output file and the error file of a batch hold; no rows: no file."""
    errors: list[list[dict[str, Any]]] = dataclasses.field(default_factory=list)
    """Of each next batch that is made: why it fails at validation (empty: it does not)."""
    newest_first: bool = True

    files: dict[str, bytes] = dataclasses.field(default_factory=dict)
    ended: set[str] = dataclasses.field(default_factory=set)
    looks_after_end: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)

    root = "/v1"

    @property
    def billed(self) -> list[str]:
        """The custom_id of every request that was run."""
        failed = {name for name, batch in self.batches.items() if "errors" in batch}
        return [row["custom_id"] for name, rows in self.asked.items() if name not in failed for row in rows]

    def fail_next(self, reason: str) -> None:
        """Let the next batch that is made fail at validation."""
        self.errors = [[{"code": "invalid_json_line", "message": reason, "line": 3}]]

    def hold_against(self, name: str, value: Any) -> None:
        """Check a value against a schema of the specification."""
        validator = _validator(name)
        for error in validator.iter_errors(value) if validator else ():
            self.breaches.append(f"{name}: {error.message}")

    def ask(self, body: dict[str, Any], url: str) -> dict[str, Any]:
        """Answer one request at once."""
        if "model" not in body or not body.keys() & {"messages", "input"}:
            self.breaches.append(f"a request {body}")
        if url == "/v1/chat/completions":
            self.hold_against("CreateChatCompletionRequest", body)
        self.singles.append(body)
        return answer({"body": body, "url": url, "custom_id": ""})["response"]["body"]

    def create(self, given: dict[str, Any]) -> dict[str, Any]:
        """Make a batch of an uploaded file."""
        self.hold_against("CreateBatchRequest", given)
        metadata = given.get("metadata") or {}
        if len(metadata) > 16 or any(len(k) > 64 or len(v) > 512 for k, v in metadata.items()):
            self.breaches.append("metadata over its limits")
        rows = [json.loads(line) for line in self.files[given["input_file_id"]].splitlines()]
        for row in rows:
            self._check_row(row, given["endpoint"])
        batch_id = f"batch_{len(self.batches) + 1:04d}"
        batch = {
            "id": batch_id,
            "object": "batch",
            **{name: given[name] for name in ("endpoint", "input_file_id", "completion_window")},
            "created_at": int(time.time()),
            "status": "validating",
            "metadata": metadata,
            "request_counts": {"total": len(rows), "completed": 0, "failed": 0},
        }
        if problems := (self.errors.pop(0) if self.errors else []):
            batch["errors"] = {"object": "list", "data": problems}
        self.batches[batch_id], self.asked[batch_id] = batch, rows
        return batch

    def _check_row(self, row: dict[str, Any], endpoint: str) -> None:
        if set(row) != {"custom_id", "method", "url", "body"} or row["url"] != endpoint:
            self.breaches.append(f"line {row}")
        if endpoint == "/v1/chat/completions":
            self.hold_against("CreateChatCompletionRequest", row["body"])

    def look(self, batch_id: str) -> dict[str, Any] | None:
        """Look at a batch; each look takes it a step on."""
        batch = self.batches.get(batch_id)
        if batch is None:
            return None
        step = min(self.looks[batch_id], len(self.statuses) - 1)
        self.looks[batch_id] += 1
        status = "failed" if "errors" in batch else self.statuses[step]
        batch["status"] = status
        if status in {"completed", "expired", "cancelled"} and batch_id not in self.ended:
            self.ended.add(batch_id)
            parts = self.finish(self.asked[batch_id])
            for name, rows in zip(("output", "error"), parts, strict=True):
                if rows:
                    file_id = f"{batch_id}-{name}"
                    batch[f"{name}_file_id"] = file_id
                    self.files[file_id] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
            n_done = len(parts[0]) + self.miscount
            batch["request_counts"] |= {"completed": n_done, "failed": len(parts[1])}
        return self.without_files(batch, ("output_file_id", "error_file_id"))

    def without_files(self, batch: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
        """Leave out the names of the files of a batch that is over, as long as the dial says."""
        if batch["id"] not in self.ended:
            return batch
        self.looks_after_end[batch["id"]] += 1
        is_named = self.looks_after_end[batch["id"]] > self.looks_until_named
        return {name: value for name, value in batch.items() if is_named or name not in names}

    def page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """One page of the list of batches."""
        ids = sorted(self.batches, reverse=self.newest_first)
        start = ids.index(query["after"][0]) + 1 if "after" in query else 0
        chosen = ids[start : start + int(query.get("limit", ["20"])[0])]
        page = {"object": "list", "data": [self.batches[name] for name in chosen]}
        ends = {"first_id": chosen[0], "last_id": chosen[-1]} if chosen else {}
        return {**page, **ends, "has_more": start + len(chosen) < len(ids)}


class Handler(FaultyHandler):
    """Reads the calls and writes the answers."""

    service: OpenAIServer

    def _serve(self) -> None:
        service = self.service
        address = urllib.parse.urlsplit(self.path)
        call, argument = self._route(address.path)
        fault = self._next_fault(call)
        if fault is not None and fault.is_cut and not fault.is_done:
            self._drop()  # in the middle of an upload, too: nothing of the body is read
            return
        body = self._read_body()
        time.sleep(service.delays_s.get(call, 0.0))
        if not self._is_allowed(call):
            seen = self.headers.get("Authorization", "").removeprefix("Bearer ")
            self._fail(401, "invalid_api_key", f"Incorrect API key provided: {seen}.")
            return
        if fault is not None and fault.status is not None and not fault.is_done:
            self._fail(fault.status, fault.code, "a dial says so", fault.headers)
            return
        with service.lock:
            reply = self._act(call, argument, body, urllib.parse.parse_qs(address.query))
        if fault is not None and fault.is_done:
            if fault.status is None:
                self._drop()
            else:
                self._fail(fault.status, fault.code, "a dial says so", fault.headers)
        elif reply is None:
            self._fail(404, "not_found", f"No such object: {argument}")
        else:
            self._reply(reply, cut_after=fault and fault.cut_after)

    def _reply(self, reply: Any, *, cut_after: int | None) -> None:
        if isinstance(reply, bytes):
            self._send(200, reply, "application/octet-stream", cut_after=cut_after)
        else:
            self._send(200, json.dumps(reply).encode(), cut_after=cut_after)

    def _is_allowed(self, call: str) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.service.key}"

    def _route(self, path: str) -> tuple[str, str]:
        post = self.command == "POST"
        if path in {"/v1/chat/completions", "/v1/responses"} and post:
            return "ask", path
        if path == "/v1/files" and post:
            return "upload", ""
        if path == "/v1/batches":
            return ("create" if post else "list"), ""
        if found := re.fullmatch(r"/v1/batches/([\w-]+)", path):
            return "look", found[1]
        if found := re.fullmatch(r"/v1/files/([\w-]+)/content", path):
            return "download", found[1]
        return "unknown", path

    def _act(self, call: str, argument: str, body: bytes, query: dict[str, list[str]]) -> Any:
        service = self.service
        if call == "ask":
            return service.ask(json.loads(body), argument)
        if call == "upload":
            return self._take_file(body)
        if call == "create":
            reply = service.create(json.loads(body))
            service.hold_against("Batch", reply)
            return reply
        if call == "list":
            reply = service.page(query)
            service.hold_against("ListBatchesResponse", reply)
            return reply
        if call == "look":
            found = service.look(argument)
            if found is not None and found["status"] != "resting":
                service.hold_against("Batch", found)
            return found
        return service.files.get(argument) if call == "download" else None

    def _take_file(self, body: bytes) -> dict[str, Any]:
        parts = self._read_form(body)
        service = self.service
        purpose = parts["purpose"].get_content().strip()
        content = parts["file"].get_payload(decode=True)
        service.hold_against("CreateFileRequest", {"file": "", "purpose": purpose})
        name = parts["file"].get_filename()
        if not name.endswith(".jsonl"):
            service.breaches.append(f"file name {name}")
        file_id = f"file-{len(service.files) + 1}"
        service.files[file_id] = content
        about = {"id": file_id, "object": "file", "bytes": len(content), "created_at": int(time.time())}
        about |= {"filename": name, "purpose": purpose, "status": "processed"}
        service.hold_against("OpenAIFile", about)
        return about

    def _fail(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        error = {"error": {"message": message, "type": "error", "param": None, "code": code}}
        self.service.hold_against("ErrorResponse", error)
        self._send(status, json.dumps(error).encode(), headers=headers)


OpenAIServer.handler = Handler
