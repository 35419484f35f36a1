from __future__ import annotations

import datetime
import itertools
import json
import math
import re
import threading
import time

import pytest
from sending_fakes import (
    FakeProvider,
    Killed,
    events,
    make_fake_sender,
    make_requests,
    make_settings,
    write_requests,
)

from scripts.dispatch import live_shards, read_request_keys, unsent_requests
from scripts.dispatch.slots import held_slots, is_batch_over
from scripts.errors import LimitError, ProviderError, StateError, UnknownOutcomeError
from scripts.ledger import Ledger, write_keys
from scripts.providers import BatchState, BatchStatus, Limits
from scripts.state_utils import StopRequested


@pytest.fixture
def settings(tmp_path):
    return make_settings(tmp_path)


def ledger_of(settings, trial="t"):
    return Ledger(settings.run_root / "ledger" / trial)


def send(settings, provider, requests, *, trial="t", **changes):
    """What the submit phase does."""
    path = write_requests(settings.run_root / f"{trial}.jsonl", requests)
    with ledger_of(settings, trial) as ledger:
        sender = make_fake_sender(settings, ledger, provider, **changes)
        sender.reconcile()
        sender.send(unsent_requests(path, ledger), attempt=1)
        return live_shards(path, ledger)


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


def test_an_unknown_outcome_leaves_the_intent_and_stops_until_the_provider_can_tell(settings):
    provider = FakeProvider()

    def break_off():
        raise UnknownOutcomeError("the connection broke", where="fake", fix="Run again.")

    provider.after = break_off
    with pytest.raises(UnknownOutcomeError):
        send(settings, provider, make_requests(2))
    assert events(settings, "t") == ["planned", "intent"]
    provider.after, provider.can_tell = (lambda: None), False
    with pytest.raises(UnknownOutcomeError, match="cannot tell"):
        send(settings, provider, make_requests(2))
    assert len(provider.batches) == 1
    provider.can_tell = True
    send(settings, provider, make_requests(2))
    assert len(provider.batches) == 1
    assert events(settings, "t") == ["planned", "intent", "submitted"]


def test_a_create_call_that_fails_in_an_unforeseen_way_is_not_repeated(settings):
    provider = FakeProvider()

    def fail():
        raise OSError("network is gone")

    provider.after = fail
    with pytest.raises(OSError, match="network"):
        send(settings, provider, make_requests(2))
    provider.after = lambda: None
    send(settings, provider, make_requests(2))
    assert len(provider.batches) == 1


def lose_answer(settings, requests, *, trial="t"):
    """Send requests so that the provider has the batch but the ledger only the intent."""
    provider = FakeProvider()

    def break_off():
        raise UnknownOutcomeError("the connection broke", where="fake", fix="Run again.")

    provider.after = break_off
    with pytest.raises(UnknownOutcomeError):
        send(settings, provider, requests, trial=trial)
    provider.after = lambda: None
    return provider


def test_a_provider_is_told_all_that_the_ledgers_know_of_a_lost_call(settings, tmp_path):
    before = datetime.datetime.now(datetime.UTC)
    send(settings, FakeProvider(), make_requests(3), trial="done")
    lose_answer(settings, make_requests(2), trial="rival")
    lose_answer(settings, make_requests(1), trial="smaller")
    other_run = tmp_path / "experiments" / "run_other" / "ledger" / "t"
    with Ledger(other_run) as ledger:
        write_keys(other_run / "keys.tmp", ["k"])
        shard = ledger.plan(attempt=1, keys=other_run / "keys.tmp", n_requests=1)
        ledger.record("submitted", shard, batch_id="of another run")
    provider = lose_answer(settings, make_requests(2))
    send(settings, provider, make_requests(2))
    (call,) = provider.lost_calls
    assert (call.n_requests, call.n_rivals, call.known) == (2, 1, {"b1", "of another run"})
    assert before - datetime.timedelta(seconds=1) < call.at <= datetime.datetime.now(datetime.UTC)
    assert list(call.read_keys()) == [request.request_key for request in make_requests(2)]


@pytest.mark.parametrize(("line", "n_batches"), [("submitted", 1), ("refused", 2)])
def test_where_nobody_can_tell_the_message_has_the_lines_by_which_a_user_decides(settings, line, n_batches):
    provider = lose_answer(settings, make_requests(2))
    provider.can_tell = False
    with pytest.raises(UnknownOutcomeError, match="shard s0001: the provider cannot tell") as told:
        send(settings, provider, make_requests(2))
    found = re.search(rf'{{"event":"{line}".*}}', told.value.fix).group()
    path = settings.run_root / "ledger" / "t" / "events.jsonl"
    with path.open("a") as ledger:
        ledger.write(found.replace("ITS-ID", "b1") + "\n")
    (entry,) = send(settings, provider, make_requests(2))
    assert len(provider.batches) == n_batches
    assert entry.batch_id == f"b{n_batches}"


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
    assert json.loads(path.read_text()) == [["t", "s0001"]]
    if damage == "gone":
        path.unlink()
    else:
        path.write_text({"empty": "", "half": '[["t', "odd": "[1]"}[damage])
    assert [slot for slot, _ in held_slots(path.parent)] == [("t", "s0001")]


def test_a_stop_while_waiting_for_a_slot_ends_within_two_seconds_and_loses_nothing(settings):
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
    assert time.monotonic() - started < 2
    assert not provider.batches
    stop.path.unlink()
    send(settings, provider, make_requests(2))
    assert len(provider.sent) == 2


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
