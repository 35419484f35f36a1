"""Every fault of a service, met by whole phases: one outcome per request, and one bill per attempt."""

from __future__ import annotations

import dataclasses
import datetime
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from scripts.dispatch.replies import Settled
from scripts.errors import ProviderError
from scripts.files import read_jsonl
from scripts.poll import poll_trial
from scripts.providers import make_provider
from scripts.providers.anthropic_batch import AnthropicBatch
from scripts.providers.openai_batch import OpenAIBatch
from scripts.records import Item, Request
from scripts.submit import submit_trial
from tests.fakes.sending_fakes import make_settings, write_requests
from tests.providers import anthropic_server
from tests.providers.batch_peers import SHORT_RESTS, only, server_fixture  # noqa: F401 - a fixture
from tests.providers.openai_server import Fault, OpenAIServer, answer, expired

peer_fixture = only("openai")


N = 4


@dataclasses.dataclass(frozen=True)
class Case:
    """A fault, and what comes of it."""

    set_dials: Callable[[Any], None]
    n_stops: int = 0
    """How often the phases end with a message before they are done."""
    n_attempts: int = 1
    """How often each request is sent, and billed."""
    timeout_seconds: float = 60.0
    resend_cancelled: bool = False


def set_dials(**values: Any) -> Callable[[Any], None]:
    def turn(service: Any) -> None:
        for name, value in values.items():
            setattr(service, name, value)

    return turn


def set_faults(**faults: list[Fault]) -> Callable[[OpenAIServer], None]:
    return lambda server: server.faults.update(faults)


def end_first(word: str, finish: Callable[[list[dict[str, Any]]], Any]) -> Callable[[OpenAIServer], None]:
    """The first batch ends with this status and these files; the others are answered."""

    def turn(server: OpenAIServer) -> None:
        server.statuses = [word]
        server.finish = lambda rows: (
            finish(rows) if len(server.batches) == 1 else ([answer(row) for row in rows], [])
        )

    return turn


def status_zero(row: dict[str, Any]) -> dict[str, Any]:
    return {**answer(row), "response": {"status_code": 0, "request_id": "", "body": {}}}


QUEUE_FULL = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}]
CALLS = ("upload", "create", "look", "download")
OPENAI = {
    "every answer takes its time": Case(set_dials(delays_s=dict.fromkeys(CALLS, 0.1))),
    "a create call whose answer comes too late": Case(
        set_dials(delays_s={"create": 2.5}), timeout_seconds=1.5
    ),
    "an upload that is cut, then fails": Case(set_faults(upload=[Fault(), Fault(status=500)])),
    "an upload that is to wait": Case(
        set_faults(upload=[Fault(status=429, headers={"Retry-After": "0.1"}, times=9)])
    ),
    "no credit": Case(set_faults(create=[Fault(status=429, code="insufficient_quota")]), n_stops=1),
    "a refused create call": Case(set_faults(create=[Fault(status=403)]), n_stops=1),
    "a create call that is to wait": Case(
        set_faults(create=[Fault(status=429, headers={"Retry-After": "0.1"})])
    ),
    "looks that hang and downloads that are cut": Case(
        set_faults(look=[Fault(cut_after=20), Fault(status=504)], download=[Fault(cut_after=200), Fault()])
    ),
    "a batch that is not found at once": Case(set_faults(look=[Fault(status=404, times=2)])),
    "a queue that is full, told late": Case(set_dials(errors=[QUEUE_FULL, QUEUE_FULL, []])),
    "words nobody knows": Case(set_dials(statuses=["resting", "cancelling", "finalizing", "completed"])),
    "expired without files": Case(end_first("expired", lambda rows: ([], [])), n_attempts=2),
    "cancelled without files": Case(
        end_first("cancelled", lambda rows: ([], [])), n_attempts=2, resend_cancelled=True
    ),
    "a create call that fails though nothing is wrong": Case(
        set_faults(create=[Fault(status=500), Fault(status=503), Fault(status=529)])
    ),
    "files that are named late": Case(set_dials(looks_until_named=3)),
    "expired with an error file": Case(
        end_first("expired", lambda rows: ([], [expired(row) for row in rows])), n_attempts=2
    ),
    "completed with rows of status 0": Case(
        end_first("completed", lambda rows: ([status_zero(row) for row in rows], [])), n_attempts=2
    ),
    "rows in another order, and twice": Case(
        end_first("completed", lambda rows: ([answer(row) for row in [*rows[::-1], *rows]], []))
    ),
}


def fail_first(kind: str) -> Callable[[anthropic_server.AnthropicServer], None]:
    """All requests of the first batch come to this; those of the others are answered."""

    def turn(service: anthropic_server.AnthropicServer) -> None:
        first = {"type": kind}
        service.answer = lambda _: first if len(service.batches) == 1 else anthropic_server.message()

    return turn


def say_for_a_while(word: str) -> Callable[[anthropic_server.AnthropicServer], None]:
    def turn(service: anthropic_server.AnthropicServer) -> None:
        service.status_word = word
        threading.Timer(0.5, lambda: setattr(service, "status_word", None)).start()

    return turn


CREDIT = "400 Your credit balance is too low to access the Anthropic API."
ANTHROPIC = {
    "a batch that takes its time": Case(set_dials(delay_s=0.5)),
    "a create call whose answer comes too late": Case(
        set_dials(faults=[("create", "created, then hang 2.5")]), timeout_seconds=1.0
    ),
    "a create call that is to wait": Case(set_dials(faults=[("create", "429 0.1")])),
    "no credit": Case(set_dials(faults=[("create", CREDIT)]), n_stops=1),
    "a refused create call": Case(set_dials(faults=[("create", "403 no")]), n_stops=1),
    "looks and downloads that fail": Case(
        set_dials(faults=[*[("look", fault) for fault in ("500", "drop", "429 0")], ("results", "cut")])
    ),
    "a batch that is not found at once": Case(set_dials(n_hidden_looks=2)),
    "a word nobody knows": Case(say_for_a_while("paused")),
    "a batch that is being canceled": Case(say_for_a_while("canceling")),
    "canceled": Case(fail_first("canceled"), n_attempts=2, resend_cancelled=True),
    "an overloaded provider": Case(
        set_dials(faults=[("create", "529 Overloaded"), ("create", "created, then 529")])
    ),
    "results that are named late": Case(set_dials(looks_until_named=3)),
    "results that end in the middle, unnoticed": Case(set_dials(faults=[("results", "short")] * 3)),
    "answers that are null": Case(set_dials(faults=[("look", "null"), ("look", "null")])),
    "expired": Case(fail_first("expired"), n_attempts=2),
    "rows in another order, and twice": Case(set_dials(mangle=lambda rows: [*rows[::-1], *rows])),
}


def go_through(case: Case, root: Any, provider: str, model: str, base_url: str) -> int:
    """Run both phases as often as the case needs; how many attempts were written."""
    options = {
        "base_url": base_url,
        "poll_seconds": 0.02,
        "timeout_seconds": case.timeout_seconds,
        "resend_cancelled": case.resend_cancelled,
        "preflight": False,
    }
    settings = make_settings(
        root / "run", model={"provider": provider, "model": model}, providers={provider: options}
    )
    (trial,) = settings.trials
    adapter = make_provider(settings, "m")
    requests = [
        Request.render(
            dataset="d",
            item_id=f"q{n}",
            replicate=0,
            body=adapter.body([{"role": "user", "content": f"Q{n}?"}], trial, "d", Item("q", "", ())),
        )
        for n in range(N)
    ]
    folder = settings.run_root / "trials" / trial.name
    path = write_requests(folder / "requests.jsonl", requests)
    for n_left in range(case.n_stops, -1, -1):
        try:
            submit_trial(settings, trial, path, out=folder / "batches.json")
            poll_trial(settings, trial, path, out=folder / "replies.jsonl")
        except ProviderError:
            assert n_left, "it was to go on by itself"
            continue
        assert not n_left, "it was to stop and say so"
    rows = [Settled.from_json(row) for _, row in read_jsonl(folder / "replies.jsonl")]
    last = {row.request_key: row.read(adapter).outcome.value for row in rows}
    assert last == {request.request_key: "answered" for request in requests}
    return len(rows)


@pytest.mark.parametrize("name", OPENAI)
def test_openai(name: str, server: OpenAIServer, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OpenAIBatch, "lag_seconds", 2.0)
    case = OPENAI[name]
    case.set_dials(server)
    n_written = go_through(case, tmp_path, "openai", "gpt-4o-mini", server.url)
    assert n_written == case.n_attempts * N
    assert set(Counter(server.billed).values()) == {case.n_attempts}


def test_a_create_call_that_is_carried_out_late_is_waited_for_also_after_a_long_upload(
    server: OpenAIServer, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenAIBatch, "lag_seconds", 3.0)
    monkeypatch.setattr("scripts.providers.openai_batch.UPLOAD_RETRIES", 9)
    upload = [Fault(status=429, headers={"Retry-After": "0.8"}, times=4)]  # goes on for longer than the lag
    server.faults["upload"], server.delays_s["create"] = upload, 2.5
    case = Case(lambda _: None, timeout_seconds=1.5)
    go_through(case, tmp_path, "openai", "gpt-4o-mini", server.url)
    assert set(Counter(server.billed).values()) == {1}


settings_of = AnthropicBatch.from_settings


def hasty_settings(kind: type[AnthropicBatch], settings: Any, model: str) -> AnthropicBatch:
    """What a batch that is not listed has to wait for is short here."""
    return dataclasses.replace(settings_of(settings, model), lag_seconds=0.3)


@pytest.mark.parametrize("name", ANTHROPIC)
def test_anthropic(name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ANTHROPIC[name]
    for place, seconds in SHORT_RESTS.items():
        monkeypatch.setattr(place, seconds)
    monkeypatch.setattr("scripts.providers.anthropic_lost.SETTLING", datetime.timedelta(seconds=1))
    monkeypatch.setattr(AnthropicBatch, "from_settings", classmethod(hasty_settings))
    monkeypatch.setenv("ANTHROPIC_API_KEY", anthropic_server.KEY)
    with anthropic_server.serve() as service:
        case.set_dials(service)
        n_written = go_through(case, tmp_path, "anthropic", "claude-haiku-4-5", service.base_url)
    assert n_written == case.n_attempts * N
    billed = Counter(key for batch in service.batches.values() for key in batch.custom_ids)
    assert set(billed.values()) == {case.n_attempts}
