"""The adapter of Anthropic with the official client, against a service on 127.0.0.1."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc

import pytest

from scripts.errors import (
    BusyError,
    ConfigError,
    LimitError,
    NoBatchError,
    ProviderError,
    UnknownOutcomeError,
)
from scripts.files import read_jsonl
from scripts.providers import BatchStatus, Limits, make_provider
from scripts.providers.anthropic_batch import LIMITS, AnthropicBatch, _stream_body
from scripts.records import Item, Outcome, Request, Trial
from scripts.run.checks import check_settings
from tests.providers.anthropic_experiments import load_experiment
from tests.providers.anthropic_server import KEY, serve

ITEM = Item("q", "Question?", ("yes",))
TRIAL = Trial("t", "m", "p", {"temperature": 0.0, "top_p": None, "top_k": 5, "max_tokens": 64})


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    with serve() as service:
        yield service


@pytest.fixture
def provider(service):
    return AnthropicBatch(model="claude", base_url=service.base_url, timeout_seconds=60.0, lag_seconds=0.2)


def make_requests(provider, n):
    turns = [[{"role": "user", "content": f"Question {number}\N{SNOWMAN}?"}] for number in range(n)]
    return [
        Request.render(dataset="d", item_id=f"q{k}", replicate=0, body=provider.body(turn, TRIAL, "d", ITEM))
        for k, turn in enumerate(turns)
    ]


def create(provider, folder, n=3):
    path = folder / "payload"
    path.write_text("".join(map(provider.encode, make_requests(provider, n))), encoding="utf-8")
    return provider.create(path, key="a" * 64, metadata={"run": "r", "trial": "t", "attempt": "1"})


def fetch(provider, batch_id, folder):
    provider.fetch(batch_id, folder / "rows")
    return [provider.decode(row) for _, row in read_jsonl(folder / "rows")]


def test_the_client_is_imported_only_when_it_is_used():
    code = "import sys, scripts.providers.anthropic_batch; sys.exit('anthropic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_system_prompt_has_its_own_place_and_what_is_null_is_not_sent():
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    body = AnthropicBatch(model="claude").body(turns, TRIAL, "d", ITEM)
    assert body == {
        "model": "claude",
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [{"role": "user", "content": "Why?"}],
        "temperature": 0.0,
        "top_k": 5,
        "max_tokens": 64,
    }
    assert "system" not in AnthropicBatch(model="claude").body(turns[1:], TRIAL, "d", ITEM)
    cached = AnthropicBatch(model="claude", cache_system="1h").body(turns, TRIAL, "d", ITEM)
    assert cached["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


def test_a_line_is_a_custom_id_with_its_parameters(provider):
    (request,) = make_requests(provider, 1)
    assert json.loads(provider.encode(request)) == {"custom_id": request.request_key, "params": request.body}


def test_a_batch_lives_from_its_creation_to_its_results(service, provider, tmp_path):
    service.delay_s = 0.3
    batch_id = create(provider, tmp_path)
    state = provider.status(batch_id)
    assert (state.status, state.raw, state.n_done) == (BatchStatus.RUNNING, "in_progress", None)
    service.batches[batch_id].ends_at = 0
    state = provider.status(batch_id)
    assert (state.status, state.raw, state.n_done) == (BatchStatus.DONE, "ended", 3)
    replies = fetch(provider, batch_id, tmp_path)
    assert [key for key, _ in replies] == [request.request_key for request in make_requests(provider, 3)]
    assert {reply.outcome for _, reply in replies} == {Outcome.ANSWERED}


def test_what_arrives_is_what_was_to_be_sent(service, provider, tmp_path):
    batch = service.batches[create(provider, tmp_path, 2000)]
    assert batch.requests == [row for _, row in read_jsonl(tmp_path / "payload")]


def test_a_payload_is_never_wholly_in_memory(tmp_path):
    path = tmp_path / "payload"
    path.write_bytes(b'{"custom_id":"k","params":{}}'.ljust(999) + b"\n")
    path.write_bytes(path.read_bytes() * 20_000)
    tracemalloc.start()
    n_bytes = sum(map(len, _stream_body(path)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_bytes == 20_000_000 + len('{"requests":[]}')
    assert peak < 4_000_000


def test_a_payload_over_a_limit_is_not_sent(service, tmp_path):
    provider = AnthropicBatch(model="claude", base_url=service.base_url, limits=Limits(100, 200))
    with pytest.raises(LimitError, match="takes 200"):
        create(provider, tmp_path)
    assert service.calls == []


NOT_TAKEN = {
    "400 requests: too short": "status 400: requests: too short",
    "401 invalid x-api-key": "status 401: invalid x-api-key",
    "413 too large": "status 413: too large",
    "429 60": "status 429: This request would exceed",
}


@pytest.mark.parametrize("fault", NOT_TAKEN)
def test_a_refused_batch_was_not_started(service, provider, tmp_path, fault):
    service.faults = [("create", fault)]
    with pytest.raises(ProviderError, match=NOT_TAKEN[fault]) as told:
        create(provider, tmp_path)
    assert not isinstance(told.value, UnknownOutcomeError)
    assert (service.calls, service.n_billed) == (["create"], 0)


def test_a_service_that_cannot_be_reached_has_started_nothing(service, tmp_path):
    provider = AnthropicBatch(model="claude", base_url="http://127.0.0.1:1", timeout_seconds=1.0)
    with pytest.raises(BusyError, match="ConnectError"):
        create(provider, tmp_path)


@pytest.mark.parametrize("seconds", [0.5, 60.0])
def test_how_long_the_provider_asks_to_wait_is_passed_on(service, provider, tmp_path, seconds):
    service.faults = [("create", f"429 {seconds}")]
    with pytest.raises(BusyError) as told:
        create(provider, tmp_path)
    assert told.value.retry_after_s == seconds
    assert (service.calls, service.n_billed) == (["create"], 0)


UNSURE = {
    "500": 0,
    "529": 0,
    "408": 0,
    "409": 0,
    "499": 0,
    "drop": 0,
    "created, then drop": 1,
    "created, then 500": 1,
    "created, then 504": 1,
    "created, then garbage": 1,
    "created, then hang 1.5": 1,
}


@pytest.mark.parametrize("fault", UNSURE)
def test_a_call_that_may_have_started_a_batch_is_never_repeated(service, tmp_path, fault):
    provider = AnthropicBatch(model="claude", base_url=service.base_url, timeout_seconds=0.1)
    service.faults = [("create", fault)]
    with pytest.raises(UnknownOutcomeError, match="a paid batch may exist"):
        create(provider, tmp_path)
    assert (service.calls, len(service.batches)) == (["create"], UNSURE[fault])


@pytest.mark.parametrize("fault", ["500", "529", "429 9", "drop"])
def test_a_passing_fault_does_not_end_the_wait_for_a_batch(service, provider, tmp_path, fault):
    batch_id = create(provider, tmp_path)
    service.faults = [("look", fault)]
    with pytest.raises(BusyError) as told:
        provider.status(batch_id)
    assert told.value.retry_after_s == (9 if fault == "429 9" else None)
    assert provider.status(batch_id).status is BatchStatus.DONE


def test_a_refused_look_is_told(service, provider, tmp_path):
    batch_id = create(provider, tmp_path)
    service.faults = [("look", "403 not allowed")]
    with pytest.raises(ProviderError, match="status 403: not allowed"):
        provider.status(batch_id)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("canceling", BatchStatus.FINALIZING),
        ("cancelling", BatchStatus.UNKNOWN),
        ("paused", BatchStatus.UNKNOWN),
    ],
)
def test_only_the_word_for_the_end_ends_a_batch(service, provider, tmp_path, word, status):
    batch_id = create(provider, tmp_path)
    service.status_word = word
    state = provider.status(batch_id)
    assert (state.status, state.raw) == (status, word)
    assert not state.status.is_terminal


def test_a_batch_that_is_not_found_is_told_apart(service, provider, tmp_path):
    service.n_hidden_looks = 2
    batch_id = create(provider, tmp_path)
    for _ in range(2):
        with pytest.raises(NoBatchError, match="kept 29 days"):
            provider.status(batch_id)
    assert provider.status(batch_id).status is BatchStatus.DONE


@pytest.mark.parametrize("fault", ["cut", "500", "drop"])
def test_a_download_that_breaks_off_can_be_begun_anew(service, provider, tmp_path, fault):
    batch_id = create(provider, tmp_path, 90)
    service.faults = [("results", fault)]
    with pytest.raises(BusyError, match="Nothing is lost"):
        provider.fetch(batch_id, tmp_path / "rows")
    assert len(fetch(provider, batch_id, tmp_path)) == 90


def test_settings_reach_the_adapter_and_limits_are_only_lowered(tmp_path):
    options = {
        "base_url": "http://127.0.0.1:1",
        "timeout_seconds": 7,
        "max_requests": 10,
        "max_bytes": 10**12,
    }
    models = {"m": {"provider": "anthropic", "cache_system": "5m"}}
    provider = make_provider(load_experiment(tmp_path, providers={"anthropic": options}, models=models), "m")
    assert (provider.model, provider.base_url, provider.timeout_seconds) == ("m", "http://127.0.0.1:1", 7)
    assert (provider.limits, provider.cache_system) == (Limits(10, LIMITS.max_bytes), "5m")
    assert LIMITS.max_bytes + len('{"requests":[]}') <= 256_000_000


REFUSED = [
    (
        {"sampling": {"max_tokens": None}},
        r"sampling.max_tokens: is null, but anthropic/claude-haiku-4-5 needs",
    ),
    ({"sampling": {"temperature": 1.5}}, r"sampling.temperature: is 1.5, but anthropic/.* accepts 0 to 1"),
    (
        {"trials": {"sweep": {"model": ["m"], "prompt": ["p"], "temperature": [0, 2.0]}}},
        r"trials.*: is 2, but anthropic/.* accepts 0 to 1",
    ),
    ({"sampling": {"seed": 1}}, "anthropic does not support 'seed'"),
]


@pytest.mark.parametrize(("change", "told"), REFUSED)
def test_what_the_provider_would_refuse_is_refused_before_anything_is_sent(
    tmp_path, monkeypatch, change, told
):
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    with pytest.raises(ConfigError, match=told):
        check_settings(load_experiment(tmp_path, **change))
