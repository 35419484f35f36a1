from __future__ import annotations

import itertools

import pytest

from scripts.errors import (
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


def test_a_second_run_sends_nothing(settings):
    provider = FakeProvider()
    for _ in range(2):
        shards = send(settings, provider, make_requests(4))
    assert len(provider.batches) == len(shards) == 1
    assert events(settings, "t") == ["planned", "intent", "submitted"]


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
