"""A provider that follows a script and counts what it is asked, and a run's folder to use it in."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from scripts.dispatch.selection import live_shards, unsent_requests
from scripts.dispatch.sender import Sender, make_sender
from scripts.experiment.settings import Settings, load_settings
from scripts.files import dump_line, read_jsonl
from scripts.money.ledger import Ledger, ShardEntry
from scripts.providers import BatchState, BatchStatus, Limits, LostCall, Provider
from scripts.providers.chat import chat_body, chat_row, decode_chat_row
from scripts.records import Request, Trial

NO_ERROR: dict[str, Any] = {"error": None}


def answer_row(key: str, text: str | None = "yes", **choice: Any) -> dict[str, Any]:
    """A row of a batch's output file."""
    message = {"role": "assistant", "content": text}
    body = {
        "choices": [{"message": message, "finish_reason": "stop", **choice}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2},
    }
    return {"custom_id": key, "response": {"status_code": 200, "body": body}, "error": None}


def error_row(key: str, code: str = "server_error", status: int = 500) -> dict[str, Any]:
    """A row of a batch's error file."""
    problem = {"error": {"code": code, "message": "no luck"}}
    return {"custom_id": key, "response": {"status_code": status, "body": problem}, "error": None}


def answer_all(keys: list[str], attempt: int) -> list[dict[str, Any]]:
    return [answer_row(key) for key in keys]


class Killed(BaseException):
    """Stands for kill -9: nothing catches it."""


@dataclasses.dataclass
class FakeProvider(Provider):
    """Batches in memory; `before` and `after` a create call may raise."""

    name = "simulated"
    parameters = None
    has_books_here = True
    limits: Limits = dataclasses.field(default_factory=lambda: Limits(1000, 10**6))
    respond: Callable[[list[str], int], list[dict[str, Any]]] = answer_all
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None
    status_of: Callable[[str], BatchState] = lambda _: BatchState(BatchStatus.DONE, "completed")
    can_tell: bool = True
    batches: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    n_looks: int = 0
    lost_calls: list[LostCall] = dataclasses.field(default_factory=list)

    @classmethod
    def from_settings(cls, settings: Settings, model: str) -> FakeProvider:
        raise AssertionError("tests make it themselves")

    @classmethod
    def check(cls, settings: Settings, model: str, item_ids: Mapping[str, frozenset[str]]) -> None:
        pass

    def body(self, messages: Any, trial: Trial, dataset: str, item: Any) -> dict[str, Any]:
        return chat_body("fake", messages, trial)

    def encode(self, request: Request) -> str:
        return dump_line(chat_row(request))

    def decode(self, row: Mapping[str, Any]) -> Any:
        return decode_chat_row(row)

    def find_existing(self, key: str, call: LostCall) -> str | None:
        self.lost_calls.append(call)
        if not self.can_tell:
            from scripts.errors import UnknownOutcomeError

            raise UnknownOutcomeError("the provider cannot tell", where="fake", fix="Look at its console.")
        return next((name for name, batch in self.batches.items() if batch["key"] == key), None)

    def create(self, payload: Path, *, key: str, metadata: Mapping[str, str]) -> str:
        self.before()
        keys = [row["custom_id"] for _, row in read_jsonl(payload)]
        batch_id = f"b{len(self.batches) + 1}"
        self.batches[batch_id] = {"key": key, "keys": keys, "attempt": int(metadata["attempt"])}
        self.after()
        return batch_id

    def status(self, batch_id: str) -> BatchState:
        self.n_looks += 1
        return self.status_of(batch_id)

    def fetch(self, batch_id: str, into: Path) -> None:
        batch = self.batches[batch_id]
        rows = self.respond(batch["keys"], batch["attempt"])
        into.write_text("".join(dump_line(row, ascii_only=True) for row in rows), encoding="utf-8")

    @property
    def sent(self) -> list[str]:
        """Every request key that was ever sent, in order."""
        return [key for batch in self.batches.values() for key in batch["keys"]]


def make_settings(
    root: Path, *, n_items: int = 3, model: Mapping[str, Any] | None = None, **extra: Any
) -> Settings:
    """Write a run's folder with one model and one prompt, and read its settings."""
    root.mkdir(parents=True, exist_ok=True)
    items = [
        {"id": f"q{n}", "question": f"Question {n}?", "answers": [f"answer {n}"]} for n in range(n_items)
    ]
    (root / "items.jsonl").write_text("".join(map(dump_line, items)), encoding="utf-8")
    (root / "user.md").write_text("{{ question }}", encoding="utf-8")
    config = {
        "run_id": "r",
        "experiments_dir": str(root / "experiments"),
        "datasets": {"d": {"path": str(root / "items.jsonl"), "scorer": "short_answer"}},
        "prompts": {"p": {"user": str(root / "user.md")}},
        "models": {"m": {"provider": "simulated", **(model or {})}},
        "trials": {"sweep": {"model": ["m"], "prompt": ["p"]}},
        "providers": {"simulated": {"poll_seconds": 0.01}},
        **extra,
    }
    (root / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    settings = load_settings([root / "config.yaml"])
    settings.run_root.mkdir(parents=True, exist_ok=True)
    (settings.run_root / "effective_config.yaml").write_text(
        yaml.safe_dump(dict(settings.config)), encoding="utf-8"
    )
    return settings


def make_requests(n: int, *, text: str = "Question") -> list[Request]:
    """Requests with different keys."""
    return [
        Request.render(
            dataset="d",
            item_id=f"q{number}",
            replicate=0,
            body={
                "model": "fake",
                "messages": [{"role": "user", "content": f"{text} {number}"}],
                "max_tokens": 100,
            },
        )
        for number in range(n)
    ]


def write_requests(path: Path, requests: list[Request]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(dump_line(request.to_json()) for request in requests), encoding="utf-8")
    return path


def make_fake_sender(settings: Settings, ledger: Ledger, provider: Provider, **changes: Any) -> Sender:
    """The sender of the only trial, with the fake in the place of its provider."""
    sender = make_sender(settings, settings.trials[0], ledger)
    return dataclasses.replace(sender, provider=provider, **changes)


def events(settings: Settings, trial: str) -> list[str]:
    """The words of a trial's ledger, in order."""
    path = settings.run_root / "ledger" / trial / "events.jsonl"
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]


def ledger_of(settings: Settings, trial: str = "t") -> Ledger:
    return Ledger(settings.run_root / "ledger" / trial)


def send(
    settings: Settings, provider: Provider, requests: list[Request], *, trial: str = "t", **changes: Any
) -> list[ShardEntry]:
    """What the submit phase does."""
    path = write_requests(settings.run_root / f"{trial}.jsonl", requests)
    with ledger_of(settings, trial) as ledger:
        sender = make_fake_sender(settings, ledger, provider, **changes)
        sender.reconcile()
        sender.send(unsent_requests(path, ledger), attempt=1)
        return live_shards(path, ledger)
