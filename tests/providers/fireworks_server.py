"""
A server on 127.0.0.1 that speaks Fireworks' datasets and batch inference jobs, and fails as its dials say.

It keeps books of every dataset and job, and of the requests that it bills.  A field that the service does not
know is a 400; what no answer would tell of (the key sent to another server, a row with a model) is a breach.
"""

from __future__ import annotations

import dataclasses
import json
import re
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

from tests.providers.faulty_server import FaultyHandler, FaultyServer
from tests.providers.fireworks_replies import Rows, answer, answer_all

ACCOUNT = "my-account"
HOME = f"accounts/{ACCOUNT}"
KNOWN_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
ROLES = {"system", "user", "assistant", "tool"}
OK = {"code": "OK", "message": ""}


class RefusalError(Exception):
    """A call that the service does not carry out: status, gRPC code, words."""


@dataclasses.dataclass
class FireworksServer(FaultyServer):
    """The service; its calls are dataset, upload, look_dataset, create, look, endpoint and download."""

    key: str = "fw-planted-0123456789abcdef"
    statuses: list[str] = dataclasses.field(default_factory=lambda: ["JOB_STATE_COMPLETED"])
    """What the looks at a job say, one after another; the last one stays."""
    finish: Callable[[Rows], tuple[Rows, Rows]] = answer_all
    """The rows of a job's output and of its error file, once it is over."""
    looks_until_ready: int = 0
    """How many looks at a dataset with its file say that it is not ready yet."""
    is_snake: bool = False
    """Whether answers are spelled in snake_case."""
    file_names: tuple[str, str] = ("BIJOutputSet.jsonl", "error-data")
    has_output: bool = True
    """Whether a job that is over has its output dataset (already)."""

    datasets: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    files: dict[str, dict[str, bytes]] = dataclasses.field(default_factory=dict)
    """The files of each dataset."""

    @property
    def billed(self) -> list[str]:
        """The custom_id of every request that was run."""
        ran = [name for name, job in self.batches.items() if job["status"] == OK]
        return [row["custom_id"] for name in ran for row in self.asked[name]]

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer one request at once."""
        if not body.get("model", "").startswith("accounts/"):
            raise RefusalError(404, 5, "model not found")
        self.singles.append(body)
        answered: dict[str, Any] = answer({"custom_id": "", "body": body})["response"]
        return answered

    def create_dataset(self, given: dict[str, Any]) -> dict[str, Any]:
        """Make a dataset without a file."""
        self._check_fields(given, {"datasetId", "dataset"})
        self._check_fields(given["dataset"], {"userUploaded", "exampleCount", "displayName", "format"})
        name = self._free_id(given.get("datasetId"), self.datasets)
        count = given["dataset"].get("exampleCount")
        if not isinstance(count, str) or not count.isdigit():
            raise RefusalError(400, 3, "example_count is required for uploaded datasets")
        if given["dataset"].get("userUploaded") != {}:
            raise RefusalError(400, 3, "one of the sources is required")
        about = {"name": f"{HOME}/datasets/{name}", "state": "UPLOADING", "status": OK}
        self.datasets[name] = {**about, "exampleCount": count, "userUploaded": {}}
        self.files[name] = {}
        return self.datasets[name]

    def upload(self, name: str, filename: str, content: bytes) -> dict[str, Any]:
        """Take the file of a dataset."""
        dataset = self._find(self.datasets, name)
        if dataset["state"] == "READY":
            raise RefusalError(400, 9, "dataset is not in state UPLOADING")
        if len(content) > 150_000_000:
            raise RefusalError(413, 3, "file too large")
        if re.fullmatch(r"[\w-]+\.jsonl", filename) is None:
            self.breaches.append(f"file name {filename}")
        rows = content.count(b"\n")
        if str(rows) != dataset["exampleCount"]:
            self.breaches.append(f"{dataset['exampleCount']} examples announced, {rows} came")
        self.files[name] = {filename: content}
        self.looks[name] = 0
        return {"id": dataset["name"], "object": "file", "bytes": len(content), "purpose": "dataset"}

    def look_dataset(self, name: str) -> dict[str, Any]:
        """Look at a dataset; after some looks it is ready, if it has its file."""
        dataset = self._find(self.datasets, name)
        if self.files[name]:
            self.looks[name] += 1
            if self.looks[name] > self.looks_until_ready:
                dataset["state"] = "READY"
        return dataset

    def create_job(self, name: str | None, given: dict[str, Any]) -> dict[str, Any]:
        """Start a job, which is paid from then on; a row that is wrong fails all of it."""
        fields = {"model", "inputDatasetId", "outputDatasetId", "displayName", "inferenceParameters"}
        self._check_fields(given, fields)
        name = self._free_id(name, self.batches)
        found = re.fullmatch(rf"{HOME}/datasets/([\w-]+)", given.get("inputDatasetId", ""))
        if found is None or self.datasets.get(found[1], {}).get("state") != "READY":
            raise RefusalError(400, 3, f"input dataset {given.get('inputDatasetId')} is not ready")
        if not given.get("model", "").startswith("accounts/"):
            raise RefusalError(404, 5, "model not found")
        if len(given.get("displayName", "")) > 63:
            raise RefusalError(400, 3, "display_name is too long")
        (content,) = self.files[found[1]].values()
        rows = [json.loads(line) for line in content.splitlines()]
        problem = (self.reasons.pop(0) if self.reasons else "") or self._find_bad_row(rows)
        status = {"code": "INVALID_ARGUMENT", "message": problem} if problem else OK
        self.batches[name] = {
            **given,
            "name": f"{HOME}/batchInferenceJobs/{name}",
            "outputDatasetId": f"{HOME}/datasets/bij-{len(self.batches):04}",
            "state": "JOB_STATE_VALIDATING",
            "status": status,
            "jobProgress": None,
        }
        self.asked[name] = rows
        return self.batches[name]

    def look(self, name: str) -> dict[str, Any]:
        """Look at a job; each look takes it a step on."""
        job = self._find(self.batches, name)
        step = min(self.looks[f"job {name}"], len(self.statuses) - 1)
        self.looks[f"job {name}"] += 1
        job["state"] = self.statuses[step] if job["status"] == OK else "JOB_STATE_FAILED"
        word = job["state"].removeprefix("JOB_STATE_")
        if word in {"COMPLETED", "EXPIRED", "CANCELLED", "EARLY_STOPPED"}:
            parts = self.finish(self.asked[name])
            output = job["outputDatasetId"].rpartition("/")[2]
            self.looks[f"ended {name}"] += 1
            is_named = self.looks[f"ended {name}"] > self.looks_until_named
            if is_named and self.has_output and output not in self.datasets and any(parts):
                self.datasets[output] = {"name": job["outputDatasetId"], "state": "READY", "status": OK}
                lines = [b"".join(json.dumps(row).encode() + b"\n" for row in rows) for rows in parts]
                self.files[output] = dict(zip(self.file_names, lines, strict=True))
            n_done = [len(rows) for rows in parts]
            job["jobProgress"] = {
                "totalInputRequests": 1,  # echoes what was announced: not to be trusted
                "totalProcessedRequests": sum(n_done) + self.miscount,
                "successfullyProcessedRequests": n_done[0],
                "failedRequests": n_done[1],
            }
        return job

    def endpoint(self, name: str) -> dict[str, Any]:
        """Sign an address for each file of a dataset."""
        self._find(self.datasets, name)
        address = f"{self.url}/signed/{name}"
        signed = {
            f"dataset/{name}/{file}": f"{address}/{number}?X-Goog-Signature=s3cr3t"
            for number, file in enumerate(self.files[name])
        }
        return {"filenameToSignedUrls": signed}

    def download(self, name: str, number: int) -> bytes:
        """Give a file of a dataset."""
        return list(self.files[name].values())[number]

    def _check_fields(self, given: dict[str, Any], known: set[str]) -> None:
        for field in set(given) - known:
            raise RefusalError(400, 3, f'unknown field "{field}"')

    def _free_id(self, name: Any, taken: dict[str, Any]) -> str:
        if not isinstance(name, str) or KNOWN_ID.fullmatch(name) is None:
            raise RefusalError(400, 3, f"invalid id {name!r}")
        if name in taken:
            raise RefusalError(409, 6, f"{name} already exists")
        return name

    def _find(self, book: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
        if name not in book:
            raise RefusalError(404, 5, "resource not found")
        return book[name]

    def _find_bad_row(self, rows: Rows) -> str:
        for number, row in enumerate(rows):
            if set(row) != {"custom_id", "body"} or "model" in row["body"]:
                self.breaches.append(f"line {row}")
            if any(message["role"] not in ROLES for message in row["body"]["messages"]):
                return f"Dataset has a syntax error: chat dataset validation failed on line {number}"
        return ""


class _Handler(FaultyHandler):
    service: FireworksServer

    ROUTES = (
        ("POST", rf"/v1/{HOME}/datasets()", "dataset"),
        ("GET", rf"/v1/{HOME}/datasets/([\w.-]+)", "look_dataset"),
        ("POST", rf"/v1/{HOME}/datasets/([\w.-]+):upload", "upload"),
        ("GET", rf"/v1/{HOME}/datasets/([\w.-]+):getDownloadEndpoint", "endpoint"),
        ("POST", rf"/v1/{HOME}/batchInferenceJobs()", "create"),
        ("GET", rf"/v1/{HOME}/batchInferenceJobs/([\w.-]+)", "look"),
        ("POST", r"/inference/v1/chat/completions()", "ask"),
        ("GET", r"/signed/([\w.-]+/\d+)", "download"),
    )

    def _serve(self) -> None:
        service = self.service
        if self.command == "GET" and (
            "Content-Length" in self.headers or "Transfer-Encoding" in self.headers
        ):
            service.breaches.append(f"a read with a body: {self.path}")
        address = urllib.parse.urlsplit(self.path)
        call, argument = self._route(address.path)
        fault = self._next_fault(call)
        if fault is not None and fault.is_cut and not fault.is_done:
            self._drop()  # in the middle of an upload, too: nothing of the body is read
            return
        body = self._read_body()
        time.sleep(service.delays_s.get(call, 0.0))
        if not self._is_allowed(call):
            return
        if fault is not None and fault.status is not None and not fault.is_done:
            self._send(fault.status, _error(13, f"a dial says so ({fault.code})"), headers=fault.headers)
            return
        try:
            with service.lock:
                status, reply = 200, self._act(call, argument, body, urllib.parse.parse_qs(address.query))
        except RefusalError as refusal:
            status, reply = refusal.args[0], _error(*refusal.args[1:])
        if fault is not None and fault.is_cut:
            self._drop()
        elif fault is not None and fault.status is not None:
            self._send(fault.status, _error(13, "a dial says so"), headers=fault.headers)
        else:
            self._send(status, reply, cut_after=fault and fault.cut_after)

    def _is_allowed(self, call: str) -> bool:
        """Whether the key is right; a signed address takes none."""
        given = self.headers.get("Authorization")
        if call == "download":
            if given is not None:
                self.service.breaches.append("the key was sent to where the files lie")
            return True
        if given == f"Bearer {self.service.key}":
            return True
        message = f"The API key you provided is invalid: {(given or '').removeprefix('Bearer ')}"
        error = {"message": message, "param": None, "code": "UNAUTHORIZED", "type": "error"}
        self._send(403, json.dumps({"error": error}).encode())
        return False

    def _route(self, path: str) -> tuple[str, str]:
        for method, pattern, call in self.ROUTES:
            if method == self.command and (found := re.fullmatch(pattern, urllib.parse.unquote(path))):
                return call, found[1]
        return "unknown", path

    def _act(self, call: str, argument: str, body: bytes, query: dict[str, list[str]]) -> bytes:
        service = self.service
        if call == "download":
            name, _, number = argument.partition("/")
            return service.download(name, int(number))
        if call == "ask":
            return json.dumps(service.ask(json.loads(body))).encode()
        if call == "dataset":
            reply = service.create_dataset(json.loads(body))
        elif call == "upload":
            reply = service.upload(argument, *self._read_file(body))
        elif call == "create":
            reply = service.create_job(query.get("batchInferenceJobId", [None])[0], json.loads(body))
        elif call in {"look_dataset", "look", "endpoint"}:
            reply = getattr(service, call)(argument)
        else:
            raise RefusalError(404, 5, f"no such path: {argument}")
        return json.dumps(_snake(reply) if service.is_snake else reply).encode()

    def _read_file(self, body: bytes) -> tuple[str, bytes]:
        parts = self._read_form(body)
        if set(parts) != {"file"}:
            raise RefusalError(400, 3, "no part called file")
        return parts["file"].get_filename(), parts["file"].get_payload(decode=True)


FireworksServer.handler = _Handler


def _error(code: int, message: str) -> bytes:
    return json.dumps({"code": code, "message": message, "details": []}).encode()


def _snake(value: Any) -> Any:
    """Spell every field in snake_case; the names of files are no fields."""
    if not isinstance(value, dict):
        return value
    return {
        key if "/" in key else re.sub("[A-Z]", lambda hump: "_" + hump[0].lower(), key): _snake(part)
        for key, part in value.items()
    }
