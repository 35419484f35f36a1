"""
A server on 127.0.0.1 that speaks Together's Batch API and fails as its dials say.

What it shares with OpenAI's is inherited.  Its own: a file is announced, put to a signed address without
the key, then declared complete; lists come in one piece; a new batch comes inside ``job``; times are ISO
texts and statuses upper-case words; nothing counts requests; a batch that failed says why in one text.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from typing import Any

from tests.providers.faulty_server import FaultyServer
from tests.providers.openai_server import Handler, OpenAIServer, Rows, answer

__all__ = ["TogetherServer", "answer", "failed"]

ENDED = {"COMPLETED", "EXPIRED", "CANCELLED"}


def failed(row: dict[str, Any], code: str = "invalid_request_error") -> dict[str, Any]:
    """Say of one request that it failed, as a row of the error file does; it is not billed."""
    return {"custom_id": row["custom_id"], "error": {"code": code, "message": "a dial says so"}}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")


@dataclasses.dataclass
class TogetherServer(OpenAIServer):
    """The service: set the dials before a call, read the books after it."""

    key: str = "tgp_v1_planted0123456789abcdef"
    statuses: list[str] = dataclasses.field(default_factory=lambda: ["COMPLETED"])
    place: str = ""
    """Where files are to be put; beside the API if not given."""
    list_as: str = "array"
    """How lists come: as an ``array``, in an ``object``, or as a ``page`` of more."""

    tells_names: bool = True
    """Whether the call that declares a file complete tells its name."""

    names: dict[str, str] = dataclasses.field(default_factory=dict)
    """Of each announced file: its name."""
    unbilled: set[str] = dataclasses.field(default_factory=set)

    @property
    def billed(self) -> list[str]:
        """The custom_id of every request that was answered or is still to be."""
        asked = [
            row["custom_id"]
            for name, rows in self.asked.items()
            if self.batches[name]["error"] is None
            for row in rows
        ]
        return [custom_id for custom_id in asked if custom_id not in self.unbilled]

    fail_next = FaultyServer.fail_next

    def hold_against(self, name: str, value: Any) -> None:
        """Check nothing: the specification is another service's."""

    def announce(self, form: dict[str, str]) -> tuple[str, str]:
        """Take note of a file to come; its id and where to put it."""
        if form.get("purpose") != "batch-api" or form.get("file_type") != "jsonl":
            self.breaches.append(f"announced as {form}")
        file_id = f"file-{len(self.names) + 1:04d}"
        self.names[file_id] = form["file_name"]
        return file_id, f"{self.place or self.url.removesuffix('/v1')}/store/{file_id}?signature=s"

    def about(self, file_id: str) -> dict[str, Any] | None:
        """Describe a file that has come."""
        if file_id not in self.files:
            return None
        about = {"id": file_id, "object": "file", "bytes": len(self.files[file_id]), "created_at": 1}
        name = self.names.get(file_id, f"{file_id}.jsonl")
        return {**about, "filename": name, "purpose": "batch-api", "FileType": "jsonl", "Processed": True}

    def create(self, given: dict[str, Any]) -> dict[str, Any]:
        """Make a batch of a file that has come."""
        if set(given) != {"input_file_id", "endpoint", "completion_window"}:
            self.breaches.append(f"a batch of {sorted(given)}")
        content = self.files[given["input_file_id"]]
        rows = [json.loads(line) for line in content.splitlines()]
        for row in rows:
            self._check_row(row, given["endpoint"])
        batch_id = f"batch_{len(self.batches) + 1:04d}"
        self.batches[batch_id] = {
            "id": batch_id,
            "user_id": "user_1",
            "input_file_id": given["input_file_id"],
            "file_size_bytes": len(content),
            "status": "VALIDATING",
            "job_deadline": _now(),
            "created_at": _now(),
            "endpoint": given["endpoint"],
            "progress": 0.0,
            "model_id": rows[0]["body"]["model"],
            "error": (self.reasons.pop(0) if self.reasons else "") or None,
        }
        self.asked[batch_id] = [{**row, "url": given["endpoint"]} for row in rows]
        return {"job": self.batches[batch_id], "warning": "the model has no discount"}

    def _check_row(self, row: dict[str, Any], endpoint: str) -> None:
        sound = set(row) == {"custom_id", "body"} and len(row["custom_id"]) <= 64
        if not sound or not {"model", "messages"} <= set(row["body"]) or endpoint != "/v1/chat/completions":
            self.breaches.append(f"line {row}")

    def look(self, batch_id: str) -> dict[str, Any] | None:
        """Look at a batch; each look takes it a step on."""
        batch = self.batches.get(batch_id)
        if batch is None:
            return None
        step = min(self.looks[batch_id], len(self.statuses) - 1)
        self.looks[batch_id] += 1
        batch["status"] = "FAILED" if batch["error"] else self.statuses[step]
        if batch["status"] in ENDED and batch_id not in self.ended:
            self.ended.add(batch_id)
            self._write_files(batch, *self.finish(self.asked[batch_id]))
        return self.without_files(batch, ("output_file_id", "error_file_id"))

    def _write_files(self, batch: dict[str, Any], output: Rows, errors: Rows) -> None:
        batch |= {"progress": 100.0, "completed_at": _now()}
        self.unbilled |= {row["custom_id"] for row in errors}
        for name, rows in (("output", output), ("error", errors)):
            if rows:
                file_id = batch[f"{name}_file_id"] = f"{batch['id']}-{name}"
                self.files[file_id] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)

    def list_of(self, entries: list[Any]) -> Any:
        """Give a list the form that the dial says."""
        if self.list_as == "array":
            return entries
        return {"object": "list", "data": entries, "has_more": self.list_as == "page"}


@dataclasses.dataclass(frozen=True)
class _Elsewhere:
    file_id: str
    place: str


class TogetherHandler(Handler):
    """Reads the calls and writes the answers."""

    service: TogetherServer

    def do_PUT(self) -> None:  # noqa: N802 - the name that http.server asks for
        """Take a file."""
        self._serve()

    def _route(self, path: str) -> tuple[str, str]:
        if found := re.fullmatch(r"/store/([\w-]+)", path):
            return "store", found[1]
        if found := re.fullmatch(r"/v1/files/([\w-]+)/preprocess", path):
            return "preprocess", found[1]
        if found := re.fullmatch(r"/v1/files/([\w-]+)", path):
            return "about", found[1]
        if path == "/v1/files" and self.command == "GET":
            return "list_files", ""
        return super()._route(path)

    def _is_allowed(self, call: str) -> bool:
        if call == "store":  # elsewhere, and signed: the key has no business there
            return self.headers.get("Authorization") is None
        return super()._is_allowed(call)

    def _act(self, call: str, argument: str, body: bytes, query: dict[str, list[str]]) -> Any:
        service = self.service
        if call == "ask":
            return service.ask(json.loads(body), argument)
        if call == "upload":
            form = {name: part.get_content().strip() for name, part in self._read_form(body).items()}
            return _Elsewhere(*service.announce(form))
        if call == "store":
            service.files[argument] = body
            return b""
        if call == "preprocess":
            about = service.about(argument)
            return about if service.tells_names else about and {"id": about["id"]}
        if call == "about":
            return service.about(argument)
        if call == "create":
            return service.create(json.loads(body))
        if call == "list":
            return service.list_of(list(service.batches.values()))
        if call == "list_files":
            return service.list_of([about for name in service.files if (about := service.about(name))])
        if call == "look":
            return service.look(argument)
        return service.files.get(argument) if call == "download" else None

    def _reply(self, reply: Any, *, cut_after: int | None) -> None:
        if isinstance(reply, _Elsewhere):
            headers = {"Location": reply.place, "X-Together-File-Id": reply.file_id}
            self._send(302, b"", "text/plain", headers=headers)
        else:
            super()._reply(reply, cut_after=cut_after)


TogetherServer.handler = TogetherHandler
