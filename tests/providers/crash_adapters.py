"""
The adapters that the crash test goes through: of each a service that runs offline, and how to read its books.

A further adapter needs one entry in `ADAPTERS`: a function that starts its service in a folder and yields a
`Service`.  What becomes of a request there, `first_fate` says, so that each adapter meets a row that fails
and a batch that expires.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.experiment.datasets import item_row, prepared_schema
from scripts.experiment.settings import Settings
from scripts.files import dump_line
from scripts.records import Item
from tests.providers import (
    anthropic_server,
    chat_server,
    fireworks_replies,
    fireworks_server,
    mistral_server,
    openai_server,
    together_server,
)

N_ITEMS = 4
Books = dict[str, list[str]]
"""Of each batch that was started, whatever the caller was told: the keys of its requests."""


def first_fate(row: Any) -> str | None:
    """What happens to a request when it is sent for the first time; None: it is answered."""
    found = re.search(r"Question (\d+)\?", json.dumps(row))
    assert found is not None, row
    return {1: "errored", 2: "expired"}.get(int(found[1]))


@dataclasses.dataclass(frozen=True)
class Service:
    """What a phase has to know to use an adapter, and what the provider knows of it."""

    model: Mapping[str, Any]
    """The configuration's ``models.m``."""
    read_books: Callable[[Settings], Books]
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """The configuration's ``providers.<provider>``, beside what all have."""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    patches: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Attributes to set in the phase's process, by ``module:name.name``."""
    can_tell: bool = True
    """Whether the provider can always say if a lost call has started a batch."""
    prepare: Callable[[Settings], None] = lambda settings: None
    """Writes what else the adapter reads in the run's folder."""
    stride: int = 1
    """Of the steps that neither change a file nor start a batch, the sweep takes every so many."""
    start_call: str = ""
    """How the call begins that starts a batch."""
    every: int = 1
    """The sweep kills in front of every so many of the steps: all of them where requests cost money."""
    n_double_kills: int = 4
    """How many runs are killed twice, at moments drawn by chance."""
    read_asked: Callable[[], Counter[str]] | None = None
    """Reads how often each question was asked, where one that was with the server at a kill may be asked
    again; None where a batch that was started goes on by itself."""
    read_unanswered: Callable[[Settings], Counter[str]] = lambda settings: Counter()
    """Reads how often each question stands in the books without an answer."""


def fates(asked: Mapping[str, Sequence[Mapping[str, Any]]], batch_id: str) -> dict[str, str | None]:
    """Say of each request of a batch what happens to it: it fails only when it is sent for the first time."""
    earlier: set[str] = set()
    for name, rows in asked.items():
        if name == batch_id:
            return {row["custom_id"]: first_fate(row) for row in rows if row["custom_id"] not in earlier}
        earlier |= {row["custom_id"] for row in rows}
    return {}


def finish_by(
    found: Mapping[str, str | None],
    answer: Callable[[dict[str, Any]], dict[str, Any]],
    failures: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]],
) -> openai_server.Finish:
    """Make what gives a batch its rows; a request whose fate is no failure has none."""

    def finish(rows: openai_server.Rows) -> tuple[openai_server.Rows, openai_server.Rows]:
        named = [(row, found.get(row["custom_id"])) for row in rows]
        answered = [answer(row) for row, fate in named if fate is None]
        return answered, [failures[fate](row) for row, fate in named if fate in failures]

    return finish


class OpenAIWithFates(openai_server.OpenAIServer):
    """A service at which requests fail when they are sent for the first time."""

    def look(self, batch_id: str) -> dict[str, Any] | None:
        found = fates(self.asked, batch_id)
        self.statuses = ["expired" if "expired" in found.values() else "completed"]
        failures = {"errored": server_error, "expired": openai_server.expired}
        self.finish = finish_by(found, openai_server.answer, failures)
        return super().look(batch_id)


def server_error(row: Mapping[str, Any]) -> dict[str, Any]:
    response = {"status_code": 500, "body": {"error": {"code": "server_error", "message": "no luck"}}}
    return {"id": "batch_req_1", "custom_id": row["custom_id"], "response": response, "error": None}


@contextlib.contextmanager
def openai_service(folder: Path) -> Iterator[Service]:
    service = OpenAIWithFates()
    with service.running():
        yield Service(
            model={"provider": "openai", "model": "gpt-4o-mini"},
            options={"base_url": service.url},
            environment={"OPENAI_API_KEY": service.key},
            patches={"scripts.providers.openai_batch:OpenAIBatch.lag_seconds": 0.0},
            read_books=lambda _: keys_of(service.asked),
            n_double_kills=10,
        )
    assert service.breaches == []
    assert len(service.singles) <= 1  # the preflight: never a second one, whenever somebody is killed


def keys_of(asked: Mapping[str, Sequence[Mapping[str, Any]]]) -> Books:
    """Read the keys of the requests of each batch."""
    return {name: [row["custom_id"] for row in rows] for name, rows in asked.items()}


class TogetherWithFates(together_server.TogetherServer):
    """A service at which requests fail when they are sent for the first time."""

    def look(self, batch_id: str) -> dict[str, Any] | None:
        found = fates(self.asked, batch_id)
        self.statuses = ["EXPIRED" if "expired" in found.values() else "COMPLETED"]
        failed = functools.partial(together_server.failed, code="server_error")
        self.finish = finish_by(found, together_server.answer, {"errored": failed})
        return super().look(batch_id)


@contextlib.contextmanager
def together_service(folder: Path) -> Iterator[Service]:
    service = TogetherWithFates()
    with service.running():
        yield Service(
            model={"provider": "together", "model": "meta-llama/Llama-3.3-70B-Instruct-Turbo"},
            options={"base_url": service.url, "preflight": False},
            environment={"TOGETHER_API_KEY": service.key},
            patches={"scripts.providers.together_batch:TogetherBatch.lag_seconds": 0.0},
            read_books=lambda _: keys_of(service.asked),
            every=3,
            stride=8,
            start_call="POST /v1/batches ",
        )
    assert service.breaches == []


class MistralWithFates(mistral_server.MistralServer):
    """A service at which requests fail when they are sent for the first time."""

    def look(self, batch_id: str) -> dict[str, Any] | None:
        found = fates(self.asked, batch_id)
        self.statuses = ["TIMEOUT_EXCEEDED" if "expired" in found.values() else "SUCCESS"]
        failed = functools.partial(mistral_server.failed, status=500)
        self.finish = finish_by(found, mistral_server.answer, {"errored": failed})
        return super().look(batch_id)


@contextlib.contextmanager
def mistral_service(folder: Path) -> Iterator[Service]:
    service = MistralWithFates()
    with service.running():
        yield Service(
            model={"provider": "mistral", "model": "mistral-small-latest"},
            options={"base_url": service.url, "preflight": False},
            environment={"MISTRAL_API_KEY": service.key},
            patches={"scripts.providers.mistral_batch:MistralBatch.lag_seconds": 0.0},
            read_books=lambda _: keys_of(service.asked),
            every=2,
            stride=8,
            start_call="POST /v1/batch/jobs ",
        )
    assert service.breaches == []


class FireworksWithFates(fireworks_server.FireworksServer):
    """A service at which requests fail when they are sent for the first time."""

    def look(self, name: str) -> dict[str, Any]:
        found = fates(self.asked, name)
        self.statuses = [f"JOB_STATE_{'EXPIRED' if 'expired' in found.values() else 'COMPLETED'}"]
        self.finish = finish_by(found, fireworks_replies.answer, {"errored": fireworks_replies.failed})
        return super().look(name)


@contextlib.contextmanager
def fireworks_service(folder: Path) -> Iterator[Service]:
    service = FireworksWithFates()
    with service.running():
        yield Service(
            model={"provider": "fireworks", "model": "accounts/fireworks/models/llama-v3p1-8b-instruct"},
            options={"base_url": service.url, "account": fireworks_server.ACCOUNT, "preflight": False},
            environment={"FIREWORKS_API_KEY": service.key},
            patches={
                "scripts.providers.fireworks_batch:FireworksBatch.lag_seconds": 0.0,
                "scripts.providers.fireworks_batch:READY_REST_S": 0.0,
            },
            read_books=lambda _: keys_of(service.asked),
            every=2,
            stride=8,
            start_call=f"POST /v1/{fireworks_server.HOME}/batchInferenceJobs",
        )
    assert service.breaches == []


class LocalBooks:
    """What stands in the books that the adapter `local` keeps itself."""

    def __init__(self) -> None:
        self.settings: Settings | None = None

    def use(self, settings: Settings) -> None:
        """Say whose books they are."""
        self.settings = settings

    def fault(self, question: str, n_asked: int) -> chat_server.Fault | None:
        """Let a question fail in the first batch that it is in, however often it is asked there."""
        assert self.settings is not None
        n_batches = sum(question in questions.values() for questions, _ in _read_local(self.settings))
        is_first = n_batches == 1 and first_fate(question) == "errored"
        return chat_server.Fault(status=500) if is_first else None


def _read_local(settings: Settings) -> Iterator[tuple[dict[str, str], set[str]]]:
    """Yield of each batch its questions by key, and the keys whose whole row is kept."""
    for folder in Path(settings.config["experiments_dir"]).glob(".local/*/batch_*"):
        rows = map(json.loads, (folder / "requests.jsonl").read_text().splitlines())
        questions = {row["custom_id"]: row["body"]["messages"][-1]["content"] for row in rows}
        kept = [path.read_text() for path in folder.glob("replies*.jsonl")]
        lines = [line for text in kept for line in text[: text.rfind("\n") + 1].splitlines()]
        yield questions, {json.loads(line)["custom_id"] for line in lines}


def local_unanswered(settings: Settings) -> Counter[str]:
    """Count of each question the batches that have no row of it."""
    return Counter(
        question
        for questions, kept in _read_local(settings)
        for key, question in questions.items()
        if key not in kept
    )


@contextlib.contextmanager
def local_service(folder: Path) -> Iterator[Service]:
    books = LocalBooks()
    service = chat_server.ChatServer(fault=books.fault, keeps_bodies=False)
    with service.running():
        yield Service(
            model={"provider": "local", "model": "llama"},
            options={"base_url": service.url, "concurrency": 1},
            patches={"scripts.providers.local_asking:MAX_TRIES": 1},
            read_books=local_books,
            prepare=books.use,
            every=3,
            stride=8,
            start_call="POST /v1/chat/completions ",
            read_asked=lambda: Counter(service.asked),
            read_unanswered=local_unanswered,
        )


class AnthropicWithFates(anthropic_server.AnthropicServer):
    """A service at which requests fail when they are sent for the first time."""

    def result(self, batch: anthropic_server.Batch, request: dict[str, Any]) -> dict[str, Any]:
        fate = self._fate(batch, request)
        if fate == "expired":
            return {"type": "expired"}
        failure = anthropic_server.errored("api_error", "Internal server error")
        return failure if fate == "errored" else super().result(batch, request)

    def _fate(self, batch: anthropic_server.Batch, request: dict[str, Any]) -> str | None:
        first = next(b for b in self.batches.values() if request["custom_id"] in b.custom_ids)
        return first_fate(request) if first is batch else None


@contextlib.contextmanager
def anthropic_service(folder: Path) -> Iterator[Service]:
    with anthropic_server.serve(AnthropicWithFates) as service:
        yield Service(
            model={"provider": "anthropic", "model": "claude-haiku-4-5"},
            options={"base_url": service.base_url, "preflight": False},
            environment={"ANTHROPIC_API_KEY": anthropic_server.KEY},
            patches={"scripts.dispatch.lost_calls:MAX_ASK_REST_S": 0.0},
            can_tell=False,
            n_double_kills=10,
            read_books=lambda _: {name: batch.custom_ids for name, batch in service.batches.items()},
        )


def local_books(settings: Settings) -> Books:
    """Read the books of a service that is a folder."""
    folders = Path(settings.config["experiments_dir"]).glob(".*/*/batch_*")
    return {
        folder.name: [
            json.loads(line)["custom_id"] for line in (folder / "requests.jsonl").read_text().splitlines()
        ]
        for folder in folders
    }


@contextlib.contextmanager
def simulated_service(folder: Path) -> Iterator[Service]:
    def write_items(settings: Settings) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        items = [Item(f"q{n}", f"Question {n}?", (f"answer {n}",)) for n in range(N_ITEMS)]
        table = pa.Table.from_pylist(list(map(item_row, items)), schema=prepared_schema())
        path = settings.run_root / "datasets" / "d.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(table, path)

    rates = {"errored": 0.25, "expired": 0.2}
    model = {"provider": "simulated", **rates}
    yield Service(model=model, read_books=local_books, prepare=write_items, every=3)


@contextlib.contextmanager
def replay_service(folder: Path) -> Iterator[Service]:
    rows = [{"model": "m", "prompt": "p", "item_id": f"q{n}", "text": "yes"} for n in range(1, N_ITEMS)]
    (folder / "recorded.jsonl").write_text("".join(map(dump_line, rows)), encoding="utf-8")
    recorded = str(folder / "recorded.jsonl")
    yield Service(model={"provider": "replay", "recorded": recorded}, read_books=local_books, every=3)


ADAPTERS: Mapping[str, Callable[[Path], contextlib.AbstractContextManager[Service]]] = {
    "anthropic": anthropic_service,
    "fireworks": fireworks_service,
    "local": local_service,
    "mistral": mistral_service,
    "openai": openai_service,
    "replay": replay_service,
    "simulated": simulated_service,
    "together": together_service,
}
"""By the provider's name."""
