from __future__ import annotations

import json
import math
import threading
import time

import pytest

from scripts.dispatch import slots
from scripts.dispatch.selection import unsent_requests
from scripts.dispatch.slots import held_slots, is_batch_over
from scripts.money.budget import estimate_usage
from scripts.money.ledger import write_keys
from scripts.providers import BatchState, BatchStatus, Limits
from scripts.run.stop import StopRequested
from tests.fakes.sending_fakes import (
    FakeProvider,
    ledger_of,
    make_fake_sender,
    make_requests,
    make_settings,
    send,
    write_requests,
)


@pytest.fixture
def settings(tmp_path):
    return make_settings(tmp_path)


class Service:
    """A provider that two trials share: how many batches it has at once, each for 50 ms."""

    def __init__(self):
        self.ends, self.n_at_once, self.lock = {}, [], threading.Lock()

    def make_provider(self, name):
        provider = FakeProvider(limits=Limits(1, 10**6))
        provider.after = lambda: self.start(f"b{len(provider.batches)}", name)
        return provider

    def start(self, batch_id, name):
        now = time.monotonic()
        with self.lock:
            self.ends[batch_id, name] = now + 0.05
            self.n_at_once.append(sum(end > now for end in self.ends.values()))

    def is_over(self, entry):
        return time.monotonic() > self.ends.get((entry.batch_id, entry.model), math.inf)


def test_two_trials_never_have_more_batches_than_allowed_at_once(settings):
    service = Service()
    providers = {name: service.make_provider(name) for name in ("one", "two")}

    def run(name):
        path = write_requests(settings.run_root / f"{name}.jsonl", make_requests(4, text=name))
        limits = {"max_active_batches": 2, "model": name, "is_over": service.is_over}
        with ledger_of(settings, name) as ledger:
            sender = make_fake_sender(settings, ledger, providers[name], **limits)
            sender.send(unsent_requests(path, ledger), attempt=1)

    threads = [threading.Thread(target=run, args=(name,)) for name in providers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [len(provider.sent) for provider in providers.values()] == [4, 4]
    assert max(service.n_at_once) == 2


def test_a_slot_whose_process_is_gone_is_freed_when_the_provider_says_the_batch_is_over(settings):
    gone = FakeProvider()
    send(settings, gone, make_requests(1), trial="gone")
    state = BatchState(BatchStatus.RUNNING, "x")
    answers = iter([False, False, True])
    provider = FakeProvider(status_of=lambda _: state)
    send(
        settings,
        provider,
        make_requests(1),
        trial="t",
        max_active_batches=1,
        is_over=lambda _: next(answers),
    )
    assert len(provider.batches) == 1


@pytest.mark.parametrize("model", ["removed", None])
def test_a_batch_that_nobody_can_ask_for_holds_its_slot_until_it_must_be_over(settings, model):
    with ledger_of(settings) as ledger:
        write_keys(ledger.folder / "keys.tmp", ["k"])
        shard = ledger.plan(attempt=1, keys=ledger.folder / "keys.tmp", n_requests=1)
        ledger.record("intent", shard, key="a", model=model)
        assert not is_batch_over(settings, ledger.shards[shard], max_wait_hours=26)
        assert is_batch_over(settings, ledger.shards[shard], max_wait_hours=-1)


@pytest.mark.parametrize("damage", ["gone", "empty", "half", "odd"])
def test_slots_are_counted_from_the_ledgers_when_their_file_is_lost(settings, damage):
    send(settings, FakeProvider(), make_requests(1))
    path = settings.run_root / "ledger" / "slots.json"
    assert json.loads(path.read_text())["in_flight"] == [["t", "s0001"]]
    if damage == "gone":
        path.unlink()
    else:
        path.write_text({"empty": "", "half": '{"in_fl', "odd": "[1]"}[damage])
    assert [slot for slot, _ in held_slots(path.parent)] == [("t", "s0001")]


def test_a_stop_while_waiting_for_a_slot_ends_soon_and_loses_nothing(settings):
    first = FakeProvider()
    send(settings, first, make_requests(1), trial="busy")
    provider = FakeProvider()
    with ledger_of(settings) as ledger:
        stop = make_fake_sender(settings, ledger, provider).stop
    threading.Timer(0.3, stop.set, args=("enough",)).start()
    started = time.monotonic()
    with pytest.raises(StopRequested, match="enough"):
        send(
            settings,
            provider,
            make_requests(2),
            max_active_batches=1,
            is_over=lambda _: False,
            poll_seconds=30.0,
        )
    assert time.monotonic() - started < 4
    assert not provider.batches
    stop.path.unlink()
    send(settings, provider, make_requests(2))
    assert len(provider.sent) == 2


def tokens_of(requests):
    return sum(estimate_usage(request.body).input_tokens for request in requests)


def test_shards_of_one_service_together_keep_below_the_tokens_that_may_be_queued(settings):
    requests = make_requests(4)
    limits = Limits(1000, 10**6, max_enqueued_tokens=tokens_of(requests[:2]))
    first, second, other = (FakeProvider(limits=limits) for _ in range(3))
    assert [shard.n_requests for shard in send(settings, first, requests[:2], trial="one")] == [2]
    with pytest.raises(StopRequested, match="enough"):
        stopped_send(settings, second, requests[2:], trial="two")
    assert second.batches == {}
    assert len(send(settings, other, requests[2:], trial="three", service="another")) == 1
    over = {"is_over": lambda _: True, "poll_seconds": 0.01}
    assert len(send(settings, second, requests[2:], trial="two", **over)) == 1


def stopped_send(settings, provider, requests, **changes):
    """Send, and ask for a stop half a second later."""
    stop = make_fake_sender(settings, ledger_of(settings), provider).stop
    timer = threading.Timer(0.5, stop.set, args=("enough",))
    timer.start()
    try:
        return send(settings, provider, requests, is_over=lambda _: False, poll_seconds=0.1, **changes)
    finally:
        timer.join()
        stop.path.unlink(missing_ok=True)


def test_no_more_batches_are_made_within_an_hour_than_allowed(settings, monkeypatch, capsys):
    provider = FakeProvider(limits=Limits(1, 10**6, max_creates_per_hour=2))
    changes = {"max_active_batches": 9}
    with pytest.raises(StopRequested, match="enough"):
        stopped_send(settings, provider, make_requests(3), **changes)
    assert len(provider.batches) == 2
    assert "2 batches were started within the hour" in capsys.readouterr().err
    monkeypatch.setattr(slots, "hours_since", lambda _: 1.5)
    send(settings, provider, make_requests(3), **changes)
    assert len(provider.batches) == 3
