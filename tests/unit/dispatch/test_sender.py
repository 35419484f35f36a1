from __future__ import annotations

import itertools
import json

import pytest

from scripts.dispatch import read_request_keys
from scripts.errors import (
    LimitError,
    ProviderError,
    StateError,
    UnknownOutcomeError,
)
from scripts.money.ledger import Ledger
from scripts.providers import Limits
from scripts.run.stop import StopRequested
from tests.fakes.sending_fakes import (
    FakeProvider,
    Killed,
    events,
    ledger_of,
    make_fake_sender,
    make_requests,
    make_settings,
    send,
)


@pytest.fixture
def settings(tmp_path):
    return make_settings(tmp_path)


def test_shards_hold_no_more_requests_than_allowed(settings):
    provider = FakeProvider(limits=Limits(3, 10**6))
    shards = send(settings, provider, make_requests(7), max_active_batches=9)
    assert [entry.n_requests for entry in shards] == [3, 3, 1]
    assert [entry.shard for entry in shards] == ["s0001", "s0002", "s0003"]


def test_shards_hold_no_more_bytes_than_allowed(settings):
    requests = make_requests(5)
    provider = FakeProvider()
    size = len(provider.encode(requests[0]).encode())
    provider.limits = Limits(100, 2 * size)
    shards = send(settings, provider, requests, max_active_batches=9)
    assert [entry.n_requests for entry in shards] == [2, 2, 1]


def test_a_request_over_the_limit_is_named_and_nothing_is_left_open(settings):
    with pytest.raises(LimitError, match="item 'q0' of d: one request has"):
        send(settings, FakeProvider(limits=Limits(5, 1024)), make_requests(1, text="x" * 2000))
    assert not list((settings.run_root / "ledger" / "t").glob("*.tmp"))


def test_a_request_over_the_limit_of_a_line_is_refused_though_a_batch_could_hold_it(settings):
    limits = Limits(5, 10**6, max_line_bytes=1024)
    with pytest.raises(LimitError, match="but may have 1,024"):
        send(settings, FakeProvider(limits=limits), make_requests(1, text="x" * 2000))
    assert limits.lowered({"max_bytes": 5000}) == Limits(5, 5000, max_line_bytes=1024)


def test_requests_of_one_key_are_sent_once(settings):
    provider = FakeProvider()
    send(settings, provider, make_requests(2) * 3)
    assert len(provider.sent) == 2


def test_a_second_run_sends_nothing(settings):
    provider = FakeProvider()
    for _ in range(2):
        shards = send(settings, provider, make_requests(4))
    assert len(provider.batches) == len(shards) == 1
    assert events(settings, "t") == ["planned", "intent", "submitted"]


def test_only_the_new_keys_of_an_edited_prompt_are_sent_and_the_old_stay(settings):
    provider = FakeProvider()
    old, new = make_requests(3), make_requests(3, text="Edited")
    send(settings, provider, old)
    shards = send(settings, provider, old[:1] + new[1:])
    assert provider.sent == [request.request_key for request in old + new[1:]]
    assert len(shards) == 2
    send(settings, provider, old)  # the edit is taken back: the old answers are still there
    assert len(provider.batches) == 2


STEPS = {
    "planning": ("plan", "before"),
    "planned": ("plan", "after"),
    "intent": ("intent", "before"),
    "after the intent": ("intent", "after"),
    "before the batch exists": ("create", "before"),
    "after the batch exists": ("create", "after"),
    "before the answer is on disk": ("submitted", "before"),
    "after the answer is on disk": ("submitted", "after"),
}


@pytest.mark.parametrize(("step", "nth"), list(itertools.product(STEPS, (1, 2))))
def test_a_kill_at_any_step_sends_every_request_exactly_once(settings, monkeypatch, step, nth):
    place, when = STEPS[step]
    provider = FakeProvider(limits=Limits(2, 10**6))
    requests = make_requests(5)
    count = itertools.count(1)

    def kill_once():
        if next(count) == nth:
            raise Killed

    def wrapped(real):
        def call(self, *args, **facts):
            hits = place == "plan" or args[0] == place
            if hits and when == "before":
                kill_once()
            done = real(self, *args, **facts)
            if hits and when == "after":
                kill_once()
            return done

        return call

    if place == "create":
        setattr(provider, when, kill_once)
    else:
        name = "plan" if place == "plan" else "record"
        monkeypatch.setattr(Ledger, name, wrapped(getattr(Ledger, name)))
    with pytest.raises(Killed):
        send(settings, provider, requests, max_active_batches=9)
    shards = send(settings, provider, requests, max_active_batches=9)
    assert sorted(provider.sent) == sorted(request.request_key for request in requests)
    assert sum(entry.n_requests for entry in shards) == 5
    assert {entry.batch_id for entry in shards} == set(provider.batches)


def test_the_intent_is_on_disk_before_the_provider_is_called(settings):
    seen = []
    provider = FakeProvider()
    provider.before = lambda: seen.append(events(settings, "t"))
    send(settings, provider, make_requests(2))
    assert seen == [["planned", "intent"]]


def test_the_answer_is_on_disk_when_the_ledger_cannot_take_it_the_message_names_the_batch(
    settings, monkeypatch
):
    provider = FakeProvider()
    real = Ledger.record

    def record(self, event, *args, **facts):
        if event == "submitted":
            raise StateError("the ledger cannot be written (No space left)", where="here", fix="Make room.")
        real(self, event, *args, **facts)

    monkeypatch.setattr(Ledger, "record", record)
    with pytest.raises(UnknownOutcomeError, match="batch b1 was started, but the ledger cannot be written"):
        send(settings, provider, make_requests(2))
    monkeypatch.setattr(Ledger, "record", real)
    send(settings, provider, make_requests(2))
    assert len(provider.batches) == 1


def test_a_refused_shard_is_planned_again(settings):
    provider = FakeProvider()

    def refuse():
        raise ProviderError("no credit", where="fake", fix="Pay.")

    provider.before = refuse
    with pytest.raises(ProviderError, match="no credit"):
        send(settings, provider, make_requests(2))
    provider.before = lambda: None
    assert [entry.shard for entry in send(settings, provider, make_requests(2))] == ["s0002"]
    assert events(settings, "t") == ["planned", "intent", "refused", "planned", "intent", "submitted"]


def test_nothing_is_sent_when_a_stop_is_requested_already(settings):
    provider = FakeProvider()
    with ledger_of(settings) as ledger:
        make_fake_sender(settings, ledger, provider).stop.set()
    with pytest.raises(StopRequested):
        send(settings, provider, make_requests(2))
    assert not provider.batches


def test_keys_are_read_from_any_way_of_writing_the_line(tmp_path):
    requests = make_requests(2)
    path = tmp_path / "requests.jsonl"
    rows = [request.to_json() for request in requests]
    path.write_text(
        json.dumps(dict(sorted(rows[0].items()))) + "\r\n\n" + json.dumps(rows[1], separators=(",", ":"))
    )
    assert [key for key, _ in read_request_keys(path)] == [request.request_key for request in requests]
