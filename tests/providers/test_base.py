"""
What every adapter promises, asked of each alike.

A further adapter needs one entry in `ADAPTERS`: a function that makes it, with a service behind it that
runs offline, and whose batches are done at once, or after a moment.
"""

from __future__ import annotations

import contextlib
import copy
import datetime
import functools
import json
import time
from collections import Counter

import pytest

from scripts.errors import ProviderError
from scripts.experiment.datasets import item_row, prepared_schema
from scripts.files import dump_line, read_jsonl
from scripts.providers import PROVIDERS, BatchState, BatchStatus, LostCall, provider_class
from scripts.providers.anthropic_batch import AnthropicBatch
from scripts.providers.local import LocalChat
from scripts.providers.options import provider_schema
from scripts.providers.replay import Replay
from scripts.providers.simulated import RATES, Simulated
from scripts.records import Item, Outcome, Request, Trial, digest
from tests.providers.anthropic_server import KEY as ANTHROPIC_KEY
from tests.providers.anthropic_server import serve as serve_anthropic
from tests.providers.batch_peers import PEERS
from tests.providers.chat_server import ChatServer

ITEMS = [Item(f"q{n}", f"Question {n}?", (f"Answer {n}",)) for n in range(5)]
TRIAL = Trial("t", "m", "p", {"temperature": 0.5, "top_p": None, "max_tokens": 100})
MESSAGES = [{"role": "user", "content": "Né\N{SNOWMAN}\n?"}]


def make_simulated(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([item_row(item) for item in ITEMS], schema=prepared_schema())
    pq.write_table(table, folder / "d.parquet")
    rates = dict.fromkeys(RATES, 0.0)
    return Simulated(books=folder / "books", model="m", provider_model="sim", rates=rates, datasets=folder)


def make_replay(folder):
    rows = [{"model": "m", "prompt": "p", "item_id": item.id, "text": item.answers[0]} for item in ITEMS]
    (folder / "recorded.jsonl").write_text("".join(map(dump_line, rows)), encoding="utf-8")
    return Replay(
        books=folder / "books", model="m", recorded=folder / "recorded.jsonl", recorded_sha256="0" * 64
    )


@contextlib.contextmanager
def make_anthropic(folder):
    with serve_anthropic() as service, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTHROPIC_API_KEY", ANTHROPIC_KEY)
        yield AnthropicBatch(model="claude", base_url=service.base_url, lag_seconds=0)


def make_peer(name, folder):
    return PEERS[name].make(SERVICES[name].url)


@contextlib.contextmanager
def make_local(folder):
    with ChatServer().running() as service:
        made = LocalChat(folder / "books", provider_model="llama", base_url=service.url)
        with contextlib.closing(made):
            yield made


SERVICES = {name: peer.make_server() for name, peer in PEERS.items()}
ADAPTERS = {
    "anthropic": make_anthropic,
    "simulated": make_simulated,
    "replay": make_replay,
    "local": make_local,
    **{name: functools.partial(make_peer, name) for name in PEERS},
}


@pytest.fixture(scope="module", autouse=True)
def services():
    """What the adapters of batch services speak to, with what they take from the environment."""
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as running:
        for name, service in SERVICES.items():
            running.enter_context(service.running())
            patch.setenv(PEERS[name].variable, service.key)
            for place, seconds in PEERS[name].rests.items():
                patch.setattr(place, seconds)
        yield


@pytest.fixture(autouse=True)
def empty_books():
    yield
    breaches = {name: service.breaches for name, service in SERVICES.items() if service.breaches}
    for service in SERVICES.values():
        service.forget()
    assert breaches == {}


def test_every_adapter_is_held_to_the_contract():
    assert set(ADAPTERS) == set(PROVIDERS)


def start(name, folder):
    made = ADAPTERS[name](folder)
    return made if isinstance(made, contextlib.AbstractContextManager) else contextlib.nullcontext(made)


@pytest.fixture(params=sorted(ADAPTERS))
def provider(request, tmp_path):
    with start(request.param, tmp_path) as made:
        yield made


def make_requests(provider, items=ITEMS):
    bodies = [provider.body([{"role": "user", "content": item.question}], TRIAL, "d", item) for item in items]
    return [
        Request.render(dataset="d", item_id=item.id, replicate=0, body=body)
        for item, body in zip(items, bodies, strict=True)
    ]


def send(provider, path, requests, *, key="a" * 64):
    path.write_text("".join(map(provider.encode, requests)), encoding="utf-8")
    return provider.create(path, key=key, metadata={"run": "r", "trial": "t", "attempt": "1"})


def find(provider, key, requests):
    """Ask for the batch of a call that was made before the test, and never answered."""
    earlier = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=30)
    keys = [request.request_key for request in requests]
    return provider.find_existing(key, LostCall(earlier, len(keys), read_keys=lambda: keys))


def wait(provider, batch_id):
    """Look at a batch until it has ended, and say how."""
    deadline = time.monotonic() + 60
    while not (state := provider.status(batch_id)).status.is_terminal:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return state.status


def collect(provider, batch_id, path):
    assert wait(provider, batch_id) is BatchStatus.DONE
    provider.fetch(batch_id, path)
    return [provider.decode(row) for _, row in read_jsonl(path)]


def test_it_is_registered_under_its_name_with_schemas(provider):
    assert provider_class(provider.name) is type(provider)
    assert provider_schema(provider.name)["settings"]["additionalProperties"] is False
    assert provider.limits.max_requests > 0


def test_bodies_and_lines_are_pure(provider):
    messages = copy.deepcopy(MESSAGES)
    body = provider.body(messages, TRIAL, "d", ITEMS[0])
    assert body == provider.body(messages, TRIAL, "d", ITEMS[0])
    assert messages == MESSAGES
    assert digest(json.loads(json.dumps(body))) == digest(body)
    request = make_requests(provider)[0]
    before = copy.deepcopy(request)
    assert provider.encode(request) == provider.encode(request)
    assert request == before


def test_a_request_is_one_line_that_carries_its_key(provider):
    for request in make_requests(provider):
        line = provider.encode(request)
        assert line.endswith("\n")
        assert line.count("\n") == 1
        assert request.request_key in line
        json.loads(line)


def test_every_request_of_a_batch_gets_one_reply(provider, tmp_path):
    requests = make_requests(provider)
    replies = collect(provider, send(provider, tmp_path / "in", requests), tmp_path / "out")
    assert Counter(key for key, _ in replies) == Counter(request.request_key for request in requests)
    assert {reply.outcome for _, reply in replies} == {Outcome.ANSWERED}


def test_fetching_again_gives_the_same_bytes(provider, tmp_path):
    batch_id = send(provider, tmp_path / "in", make_requests(provider))
    wait(provider, batch_id)
    for name in ("one", "two"):
        provider.fetch(batch_id, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_rows_are_read_alone_so_that_their_order_does_not_matter(provider, tmp_path):
    batch_id = send(provider, tmp_path / "in", make_requests(provider))
    wait(provider, batch_id)
    provider.fetch(batch_id, tmp_path / "out")
    rows = [row for _, row in read_jsonl(tmp_path / "out")]
    before = copy.deepcopy(rows)
    forward = dict(map(provider.decode, rows))
    assert dict(map(provider.decode, reversed(rows))) == forward
    assert rows == before


def test_a_batch_is_found_by_its_key_and_none_only_if_there_is_none(provider, tmp_path):
    requests = make_requests(provider)
    assert find(provider, "a" * 64, requests[:2]) is None
    first = send(provider, tmp_path / "in", requests[:2], key="a" * 64)
    second = send(provider, tmp_path / "in", requests[2:], key="b" * 64)
    assert find(provider, "a" * 64, requests[:2]) == first
    assert find(provider, "b" * 64, requests[2:]) == second
    assert find(provider, "c" * 64, requests[:4]) is None


def test_a_batch_can_be_collected_by_its_id_alone_after_the_payload_is_gone(provider, tmp_path):
    batch_id = send(provider, tmp_path / "in", make_requests(provider))
    (tmp_path / "in").unlink()
    again = copy.copy(provider)  # another process
    assert len(collect(again, batch_id, tmp_path / "out")) == len(ITEMS)


def test_a_batch_that_is_not_there_is_an_error_and_not_a_wait(provider):
    with pytest.raises(ProviderError, match="batch_nobody"):
        provider.status("batch_nobody")


def test_an_unknown_status_is_not_the_end():
    assert not BatchState(BatchStatus.UNKNOWN, "??").status.is_terminal
