"""
The adapters that the crash test goes through: of each a service that runs offline, and how to read its books.

A further adapter needs one entry in `ADAPTERS`: a function that starts its service in a folder and yields a
`Service`.  What becomes of a request there, `first_fate` says, so that each adapter meets a row that fails
and a batch that expires.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import anthropic_server
import openai_server

from scripts.datasets import item_row, prepared_schema
from scripts.files import dump_line
from scripts.records import Item
from scripts.settings import Settings

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


class OpenAIWithFates(openai_server.OpenAIServer):
    """A service at which requests fail when they are sent for the first time."""

    def look(self, batch_id: str) -> dict[str, Any] | None:
        earlier: set[str] = set()
        for name in self.batches:
            if name == batch_id:
                break
            earlier |= {row["custom_id"] for row in self.asked[name]}
        rows = self.asked.get(batch_id, [])
        fates = {row["custom_id"]: first_fate(row) for row in rows if row["custom_id"] not in earlier}
        self.statuses = ["expired" if "expired" in fates.values() else "completed"]
        self.finish = lambda rows: (
            [openai_server.answer(row) for row in rows if fates.get(row["custom_id"]) is None],
            [FAILURES[fate](row) for row in rows if (fate := fates.get(row["custom_id"])) in FAILURES],
        )
        return super().look(batch_id)


def server_error(row: Mapping[str, Any]) -> dict[str, Any]:
    response = {"status_code": 500, "body": {"error": {"code": "server_error", "message": "no luck"}}}
    return {"id": "batch_req_1", "custom_id": row["custom_id"], "response": response, "error": None}


FAILURES: dict[str | None, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "errored": server_error,
    "expired": openai_server.expired,
}


@contextlib.contextmanager
def openai_service(folder: Path) -> Iterator[Service]:
    service = OpenAIWithFates()
    with service.running():
        yield Service(
            model={"provider": "openai", "model": "gpt-4o-mini"},
            options={"base_url": service.url},
            environment={"OPENAI_API_KEY": service.key},
            patches={"scripts.providers.openai_batch:OpenAIBatch.lag_seconds": 0.0},
            read_books=lambda _: {
                name: [row["custom_id"] for row in rows] for name, rows in service.asked.items()
            },
        )
    assert service.breaches == []


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
            options={"base_url": service.base_url},
            environment={"ANTHROPIC_API_KEY": anthropic_server.KEY},
            can_tell=False,
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
    yield Service(model={"provider": "simulated", **rates}, read_books=local_books, prepare=write_items)


@contextlib.contextmanager
def replay_service(folder: Path) -> Iterator[Service]:
    rows = [{"model": "m", "prompt": "p", "item_id": f"q{n}", "text": "yes"} for n in range(1, N_ITEMS)]
    (folder / "recorded.jsonl").write_text("".join(map(dump_line, rows)), encoding="utf-8")
    recorded = str(folder / "recorded.jsonl")
    yield Service(model={"provider": "replay", "recorded": recorded}, read_books=local_books)


ADAPTERS: Mapping[str, Callable[[Path], contextlib.AbstractContextManager[Service]]] = {
    "anthropic": anthropic_service,
    "openai": openai_service,
    "replay": replay_service,
    "simulated": simulated_service,
}
"""By the provider's name."""
