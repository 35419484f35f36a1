"""The adapters of batch services in the network: each with a server of its own, requests and short rests."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.files import read_jsonl
from scripts.providers import Provider, provider_class
from scripts.records import Item, Reply, Request, Trial
from tests.providers.faulty_server import FaultyServer
from tests.providers.fireworks_server import ACCOUNT, FireworksServer
from tests.providers.mistral_server import MistralServer
from tests.providers.openai_server import OpenAIServer
from tests.providers.together_server import TogetherServer

TRIAL = Trial("t", "m", "p", {"temperature": 0.5, "max_tokens": 100})
ITEM = Item("q0", "", ())
LABELS = {"run": "r", "trial": "t", "attempt": "1"}

UNSET = (
    *("HTTP_PROXY", "http_proxy", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"),
    *("FIREWORKS_BASE_URL", "FIREWORKS_ACCOUNT_ID"),
)
SIGNATURE = b"s3cr3t"
"""What signs the addresses of Fireworks' results: as secret as a key."""


@dataclasses.dataclass(frozen=True)
class Peer:
    """An adapter, and what a test has to know of it."""

    name: str
    model: str
    make_server: Callable[[], FaultyServer]
    retries: str
    """What holds how often, or for how long, the question for a lost batch is asked again."""
    rests: Mapping[str, float]
    """What holds how long the adapter and its client rest, and how long here."""
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Settings of the provider that it cannot do without."""

    @property
    def adapter(self) -> type[Provider]:
        return provider_class(self.name)

    @property
    def variable(self) -> str:
        return f"{self.name.upper()}_API_KEY"

    def make(self, base_url: str, timeout_seconds: float = 60.0) -> Any:
        """Make the adapter."""
        account = {f"{name}_id": value for name, value in self.options.items()}
        return self.adapter(self.model, base_url, **account, timeout_seconds=timeout_seconds)


SHORT_RESTS = {
    "scripts.dispatch.sender.FIRST_REST_S": 0.01,
    "scripts.dispatch.receiving.PATIENCE_S": 0.1,
    "scripts.dispatch.receiving.MAX_REST_S": 0.05,
}
OPENAI_REST = {"openai._base_client.INITIAL_RETRY_DELAY": 0.01}
FIREWORKS_RESTS = {
    "scripts.providers.fireworks_batch.READY_PATIENCE_S": 0.1,
    "scripts.providers.fireworks_batch.READY_REST_S": 0.02,
    "fireworks._base_client.INITIAL_RETRY_DELAY": 0.01,
}
_PEERS = (
    Peer(
        name="openai",
        model="gpt-4o-mini",
        make_server=OpenAIServer,
        retries="scripts.providers.openai_batch.LIST_RETRIES",
        rests=OPENAI_REST,
    ),
    Peer(
        name="together",
        model="meta-llama/Llama-3.3-70B-Instruct-Turbo",
        make_server=TogetherServer,
        retries="scripts.providers.together_batch.LIST_RETRIES",
        rests=OPENAI_REST,
    ),
    Peer(
        name="mistral",
        model="mistral-small-latest",
        make_server=MistralServer,
        retries="scripts.providers.mistral_batch.LIST_PATIENCE_S",
        rests={"scripts.providers.mistral_batch.LIST_PATIENCE_S": 0.0},
    ),
    Peer(
        name="fireworks",
        model="accounts/fireworks/models/llama-v3p1-8b-instruct",
        make_server=FireworksServer,
        retries="scripts.providers.fireworks_batch.FIND_RETRIES",
        rests=FIREWORKS_RESTS,
        options={"account": ACCOUNT},
    ),
)
PEERS = {peer.name: peer for peer in _PEERS}


def each(table: Mapping[str, Iterable[str]]) -> pytest.MarkDecorator:
    """Parametrize by the names of adapters as `peer`, and for each as `word` by what the table has of it."""
    pairs = [(name, word) for name, words in table.items() for word in words]
    return pytest.mark.parametrize(("peer", "word"), pairs, indirect=["peer"])


def only(name: str) -> Any:
    """Make the fixture `peer` of a file that is about one adapter."""
    return pytest.fixture(lambda: PEERS[name], name="peer")


@pytest.fixture(name="server")
def server_fixture(peer: Peer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FaultyServer]:
    """Serve what `peer`, a fixture of the file that imports this one, speaks to; no secret may be left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(peer.adapter, "lag_seconds", 0.3)
    for place, seconds in {**SHORT_RESTS, **peer.rests}.items():
        monkeypatch.setattr(place, seconds)
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)
    with peer.make_server().running() as service:
        monkeypatch.setenv(peer.variable, service.key)
        yield service
    assert service.breaches == []
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert service.key.encode() not in content, path
        assert SIGNATURE not in content, path


@pytest.fixture(name="provider")
def provider_fixture(peer: Peer, server: FaultyServer) -> Provider:
    return peer.make(server.url)


def make_requests(provider: Provider, n: int = 4) -> list[Request]:
    bodies = [
        provider.body([{"role": "user", "content": f"Q{number}?"}], TRIAL, "d", ITEM) for number in range(n)
    ]
    return [
        Request.render(dataset="d", item_id=f"q{number}", replicate=0, body=body)
        for number, body in enumerate(bodies)
    ]


def start(provider: Provider, folder: Path, n: int = 4, key: str = "a" * 64) -> str:
    payload = folder / "payload"
    payload.write_text("".join(map(provider.encode, make_requests(provider, n))), encoding="utf-8")
    return provider.create(payload, key=key, metadata=LABELS)


def fetched(provider: Provider, batch_id: str, folder: Path) -> list[tuple[str, Reply]]:
    """Look at a batch, fetch its rows and read them."""
    provider.status(batch_id)
    provider.fetch(batch_id, folder / "rows")
    return [provider.decode(row) for _, row in read_jsonl(folder / "rows")]
