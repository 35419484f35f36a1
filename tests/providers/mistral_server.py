"""
A server on 127.0.0.1 that speaks Mistral's Files and Batch Jobs APIs and fails as its dials say.

What it shares with OpenAI's server is inherited: the dials, the books and the handling of faults.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import time
import uuid
from typing import Any

from tests.providers.faulty_server import FaultyServer
from tests.providers.openai_server import Handler, OpenAIServer, Rows, answer

__all__ = ["MistralServer", "answer", "failed"]

ENDED = {"SUCCESS", "TIMEOUT_EXCEEDED", "CANCELLED"}
LIST_OPTIONS = {"page", "page_size", "created_by_me", "created_after", "order_by"}


def failed(row: dict[str, Any], status: int = 422, message: str = "a dial says so") -> dict[str, Any]:
    """Say of one request that it failed, as a row of the error file does."""
    error = {"object": "error", "message": message, "type": "invalid_request_error", "code": None}
    response = {"status_code": status, "body": {"error": error}}
    return {"id": "r", "custom_id": row["custom_id"], "response": response, "error": None}


@dataclasses.dataclass
class MistralServer(OpenAIServer):
    """The service: set the dials before a call, read the books after it."""

    key: str = "planted0123456789abcdefmistral"
    statuses: list[str] = dataclasses.field(default_factory=lambda: ["SUCCESS"])
    left_out: set[str] = dataclasses.field(default_factory=set)
    """Fields of a job that are not sent."""
    ignores_pages: bool = False
    names: dict[str, str] = dataclasses.field(default_factory=dict)

    root = ""

    @property
    def billed(self) -> list[str]:
        """The custom_id of every request that was run."""
        jobs = {name: rows for name, rows in self.asked.items() if not self.batches[name]["errors"]}
        return [row["custom_id"] for rows in jobs.values() for row in rows]

    fail_next = FaultyServer.fail_next

    def hold_against(self, name: str, value: Any) -> None:
        """Check nothing: the specification is another service's."""

    def take_file(self, form: dict[str, Any]) -> dict[str, Any]:
        """Keep an uploaded file."""
        purpose, content = form["purpose"].get_content().strip(), form["file"].get_payload(decode=True)
        name = form["file"].get_filename()
        if purpose != "batch" or not name.endswith(".jsonl"):
            self.breaches.append(f"a file {name} for {purpose}")
        file_id = str(uuid.uuid5(uuid.NAMESPACE_OID, str(len(self.files))))
        self.files[file_id], self.names[file_id] = content, name
        about = {"id": file_id, "object": "file", "bytes": len(content), "created_at": int(time.time())}
        return {
            **about,
            "filename": name,
            "purpose": "batch",
            "sample_type": "batch_request",
            "source": "upload",
        }

    def create(self, given: dict[str, Any]) -> dict[str, Any]:
        """Make a job of uploaded files."""
        if set(given) != {"endpoint", "input_files", "model", "metadata", "timeout_hours"}:
            self.breaches.append(f"a job of {sorted(given)}")
        if given["endpoint"] != "/v1/chat/completions" or not 1 <= given["timeout_hours"] <= 168:
            self.breaches.append(f"a job {given}")
        (file_id,) = given["input_files"]
        rows = [json.loads(line) for line in self.files[file_id].splitlines()]
        for row in rows:
            if set(row) != {"custom_id", "body"} or "model" in row["body"] or "seed" in row["body"]:
                self.breaches.append(f"line {row}")
        job_id = str(uuid.uuid5(uuid.NAMESPACE_URL, str(len(self.batches))))
        reason = self.reasons.pop(0) if self.reasons else ""
        self.batches[job_id] = {
            "id": job_id,
            "object": "batch",
            "input_files": [file_id],
            "metadata": given["metadata"],
            "endpoint": given["endpoint"],
            "model": given["model"],
            "agent_id": None,
            "output_file": None,
            "error_file": None,
            "errors": [{"message": reason, "count": 1}] if reason else [],
            "status": "QUEUED",
            "created_at": int(time.time() + self.skew_s),
            "total_requests": len(rows),
            "completed_requests": 0,
            "succeeded_requests": 0,
            "failed_requests": 0,
        }
        url, model = given["endpoint"], given["model"]
        self.asked[job_id] = [{**row, "url": url, "body": {**row["body"], "model": model}} for row in rows]
        return self.show(self.batches[job_id])

    def show(self, job: dict[str, Any]) -> dict[str, Any]:
        """Describe a job, without the fields that the dial takes out."""
        return {name: value for name, value in job.items() if name not in self.left_out}

    def look(self, batch_id: str) -> dict[str, Any] | None:
        """Look at a job; each look takes it a step on."""
        job = self.batches.get(batch_id)
        if job is None:
            return None
        step = min(self.looks[batch_id], len(self.statuses) - 1)
        self.looks[batch_id] += 1
        job["status"] = "FAILED" if job["errors"] else self.statuses[step]
        if job["status"] in ENDED and batch_id not in self.ended:
            self.ended.add(batch_id)
            self._write_files(job, *self.finish(self.asked[batch_id]))
        return self.show(self.without_files(job, ("output_file", "error_file")))

    def _write_files(self, job: dict[str, Any], output: Rows, errors: Rows) -> None:
        job |= {"succeeded_requests": len(output), "failed_requests": len(errors)}
        job["completed_requests"] = len(output) + len(errors) + self.miscount
        for name, rows in (("output", output), ("error", errors)):
            if rows:
                file_id = job[f"{name}_file"] = f"{job['id']}-{name}"
                self.files[file_id] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)

    def page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """One page of the list of jobs."""
        if extra := set(query) - LIST_OPTIONS:
            self.breaches.append(f"a list by {extra}")
        since = datetime.datetime.fromisoformat(query["created_after"][0]).timestamp()
        jobs = [job for job in self.batches.values() if job["created_at"] >= since]
        jobs = jobs if query["order_by"] == ["created"] else jobs[::-1]
        size = int(query["page_size"][0])
        start = 0 if self.ignores_pages else int(query["page"][0]) * size
        return {
            "object": "list",
            "total": len(jobs),
            "data": list(map(self.show, jobs[start : start + size])),
        }


class MistralHandler(Handler):
    """Reads the calls and writes the answers."""

    service: MistralServer

    def _route(self, path: str) -> tuple[str, str]:
        if path == "/v1/batch/jobs":
            return ("create" if self.command == "POST" else "list"), ""
        if found := re.fullmatch(r"/v1/batch/jobs/([\w-]+)", path):
            return "look", found[1]
        return ("unknown", path) if path.startswith("/v1/batches") else super()._route(path)

    def _act(self, call: str, argument: str, body: bytes, query: dict[str, list[str]]) -> Any:
        service = self.service
        if call == "ask":
            return service.ask(json.loads(body), argument)
        if call == "upload":
            return service.take_file(self._read_form(body))
        if call == "create":
            return service.create(json.loads(body))
        if call == "list":
            return service.page(query)
        if call == "look":
            return service.look(argument)
        return service.files.get(argument) if call == "download" else None

    def _fail(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        error = {"object": "error", "message": message, "type": code, "param": None, "code": None}
        self._send(status, json.dumps(error).encode(), headers=headers)


MistralServer.handler = MistralHandler
