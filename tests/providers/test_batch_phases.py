"""Phases with the adapters of batch services: what is sent, billed and written, what is refused before."""

from __future__ import annotations

import dataclasses
import functools
import random
import threading

import pytest

from scripts.dispatch import lost_calls, sender
from scripts.errors import NoBatchError, ProviderError, UnknownOutcomeError
from scripts.money.ledger import Ledger
from scripts.run.checks import check_settings
from scripts.run.stop import StopRequested
from tests.fakes.sending_fakes import Killed, events
from tests.providers import fireworks_replies, mistral_server, openai_server, together_server
from tests.providers.batch_peers import PEERS, each, server_fixture  # noqa: F401 - a fixture
from tests.providers.faulty_server import Fault
from tests.providers.phase_runs import check_message, peer_settings, run

QUESTIONS = {"openai": "list", "together": "list", "mistral": "list", "fireworks": "look"}
"""The call that tells whether a batch is there."""


ASKED_FIRST = {"openai", "mistral"}
"""Who is asked the same before the first batch; a 404 then says that there is no list."""

STEPS = {name: ["create", "look"] for name in PEERS} | {"fireworks": ["look_dataset", "create", "look"]}
"""Calls that the provider may put off."""


@pytest.fixture(params=PEERS)
def peer(request):
    return PEERS[request.param]


@pytest.fixture
def settings(peer, server, tmp_path):
    return peer_settings(peer, server, tmp_path)


def read_entries(settings):
    with Ledger(settings.run_root / "ledger" / settings.trials[0].name) as ledger:
        return list(ledger.shards.values())


def test_a_run_sends_and_bills_every_request_once(settings, server):
    rows = run(settings)
    assert len(server.billed) == len(set(server.billed)) == len(rows) == 4
    assert (run(settings), len(server.batches)) == (rows, 1)
    (entry,) = read_entries(settings)
    assert len(entry.account or "") == 12
    assert (entry.account or "") not in server.key


# Lost calls.


@pytest.mark.parametrize(
    "fault", [Fault(is_done=True), Fault(status=502, is_done=True), Fault(cut_after=9)], ids=repr
)
def test_a_batch_whose_answer_was_lost_is_adopted_and_billed_once(settings, server, fault):
    server.faults["create"] = [dataclasses.replace(fault)]
    assert len(run(settings)) == 4
    assert (server.calls["create"], len(server.billed)) == (1, 4)
    assert events(settings, settings.trials[0].name)[:3] == ["planned", "intent", "submitted"]


def test_a_batch_that_surely_does_not_exist_is_sent_after_the_provider_had_its_time(
    peer, settings, server, monkeypatch
):
    monkeypatch.setattr(peer.adapter, "lag_seconds", 1.5)
    server.faults["create"] = [Fault(status=500)]
    assert len(run(settings)) == 4
    assert (server.calls["create"], len(server.billed)) == (2, 4)
    asked_first = {"together": "list_files"}.get(peer.name, QUESTIONS[peer.name])
    assert server.calls[asked_first] > 1


def test_nothing_is_sent_while_the_provider_cannot_tell(peer, settings, server, monkeypatch):
    monkeypatch.setattr(peer.retries, 0)
    monkeypatch.setattr(lost_calls, "MAX_ASKS", 2)
    server.faults["create"] = [Fault(is_done=True)]
    questions = server.faults[QUESTIONS[peer.name]]
    questions += [Fault(status=404), Fault(times=4)] if peer.name in ASKED_FIRST else [Fault(times=4)]
    for _ in range(2):
        with pytest.raises(UnknownOutcomeError):
            run(settings)
    run(settings)
    assert (server.calls["create"], len(server.billed)) == (1, 4)


def test_a_crash_before_the_answer_is_on_disk_adopts_the_batch(peer, settings, server, monkeypatch):
    real = peer.adapter.create

    def create_and_die(*args, **options):
        real(*args, **options)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(peer.adapter, "create", create_and_die)
        with pytest.raises(Killed):
            run(settings)
    assert len(run(settings)) == 4
    assert (server.calls["create"], len(server.billed)) == (1, 4)


# Faults that pass.


def test_a_busy_provider_is_waited_for_and_an_upload_that_broke_is_made_again(settings, server):
    server.faults["upload"] = [Fault(times=4)]  # clients repeat it themselves, up to three times
    server.faults["create"] = [Fault(status=429, headers={"Retry-After": "0.1"}), Fault(status=429)]
    assert len(run(settings)) == 4
    assert (server.calls["create"], len(server.billed)) == (3, 4)


def test_reads_that_fail_are_tried_again(settings, server):
    server.faults["look"] = [Fault(), Fault(status=429, headers={"Retry-After": "0.1"}), Fault(status=500)]
    server.faults["download"] = [Fault(cut_after=100), Fault(status=503)]
    server.faults["endpoint"] = [Fault(status=500), Fault(status=404)]  # where files lie, at Fireworks
    assert len(run(settings, n=30)) == 30
    assert len(server.billed) == 30


def test_a_batch_that_is_not_found_at_once_is_not_lost(peer, settings, server, monkeypatch):
    monkeypatch.setattr(peer.adapter, "lag_seconds", 60.0)
    server.faults["look"] = [Fault(status=404, times=2)]
    assert len(run(settings)) == 4
    assert len(server.batches) == 1


def test_a_batch_that_is_gone_is_an_error_that_tells_of_another_key(peer, settings, server, monkeypatch):
    monkeypatch.setattr(peer.adapter, "lag_seconds", 0.0)
    run(settings, phases=["submit"])
    server.faults["look"] = [Fault(status=404, times=99)]
    (batch_id,) = server.batches
    with pytest.raises(NoBatchError, match=f"batch {batch_id} is not there"):
        run(settings)
    server.key = "planted-other-0000000"
    monkeypatch.setenv(peer.variable, server.key)
    with pytest.raises(ProviderError, match="was sent with another key"):
        run(settings)


@each(STEPS)
def test_a_wait_that_the_provider_asked_for_ends_when_a_stop_is_requested(
    settings, server, monkeypatch, word
):
    monkeypatch.setattr(sender, "MAX_SLEEP_S", 0.1)
    server.faults[word] = [Fault(status=429, headers={"Retry-After": "600"})]
    stop = threading.Timer(0.3, lambda: (settings.run_root / "STOP_REQUESTED").touch())
    stop.start()
    with pytest.raises(StopRequested):
        run(settings)
    stop.join()
    (settings.run_root / "STOP_REQUESTED").unlink()
    assert len(run(settings)) == 4
    assert len(server.billed) == 4


# What a batch comes to.

ENDS = {
    "openai": (["in_progress", "expired"], openai_server.answer, openai_server.expired),
    "together": (
        ["IN_PROGRESS", "EXPIRED"],
        together_server.answer,
        functools.partial(together_server.failed, code="500"),
    ),
    "mistral": (
        ["RUNNING", "TIMEOUT_EXCEEDED"],
        mistral_server.answer,
        functools.partial(mistral_server.failed, status=500),
    ),
    "fireworks": (
        ["JOB_STATE_RUNNING", "JOB_STATE_EXPIRED"],
        fireworks_replies.answer,
        functools.partial(fireworks_replies.failed, code=503),
    ),
}


def test_failed_missing_double_and_shuffled_rows_are_sent_again_or_counted_once(peer, settings, server):
    statuses, answer, fail = ENDS[peer.name]

    def finish(rows):
        if len(rows) < 8:
            return [answer(row) for row in rows], []
        done = [answer(row) for row in rows[2:]] + [answer(rows[5])]
        random.Random(1).shuffle(done)
        return done, [fail(rows[0])]

    server.statuses, server.finish = statuses, finish
    rows = run(settings, n=8)
    assert [len([row for row in rows if row["attempt"] == attempt]) for attempt in (1, 2)] == [8, 2]
    assert [row["absent"] for row in rows if row["row"] is None] == ["expired"]
    assert [len(asked) for asked in server.asked.values()] == [8, 2]


FAILURES = {"together": "", "mistral": "", "fireworks": "INVALID_ARGUMENT: "}
"""What the provider's code of a failure makes of it; one of OpenAI's tells whether to send it again."""


@pytest.mark.parametrize("peer", FAILURES, indirect=True)
def test_a_batch_that_fails_for_good_is_counted_and_named(peer, server, tmp_path):
    settings = peer_settings(peer, server, tmp_path, max_attempts=2)
    server.reasons = ["the model cannot be used in batches"] * 9
    with pytest.raises(ProviderError, match="4 errored"):
        run(settings)
    assert (len(server.batches), server.billed) == (2, [])
    named = f"{FAILURES[peer.name]}the model cannot be used in batches"
    assert {entry.error for entry in read_entries(settings)} == {named}


# What is refused before anything is sent.


def test_a_sound_configuration_passes_and_one_without_a_key_does_not(peer, server, tmp_path, monkeypatch):
    sampling = {"temperature": 1.5, "seed": 3, "stop": "."}
    if peer.name != "openai":  # where only some models reason
        sampling["reasoning_effort"] = "low"
    settings = peer_settings(peer, server, tmp_path, sampling=sampling)
    check_settings(settings)
    assert server.calls == {}
    monkeypatch.delenv(peer.variable)
    message = check_message(settings)
    assert peer.variable in message
    assert ".env" in message


REFUSED = [
    ({"temperature": 1.9, "presence_penalty": 3}, "must be a number from"),
    ({"reasoning_effort": "huge"}, "must be one of"),
    ({"seed": 1.5}, "must be a whole number"),
    ({"seed": True}, "must be a whole number"),
    ({"stop": 3}, "must be a text"),
    ({"best_of": 3}, "does not support 'best_of'"),
]


@pytest.mark.parametrize(("sampling", "words"), REFUSED)
def test_a_setting_that_the_provider_would_refuse_is_refused_first(peer, server, tmp_path, sampling, words):
    assert words in check_message(peer_settings(peer, server, tmp_path, sampling=sampling))
    assert server.calls == {}


def test_an_address_with_a_secret_is_refused_and_not_shown(peer, server, tmp_path):
    message = check_message(peer_settings(peer, server, tmp_path, base_url="https://me:hunter2@host"))
    assert "base_url" in message
    assert "is not a plain address" in message
    assert "hunter2" not in message


@pytest.mark.parametrize("peer", ["mistral"], indirect=True)
def test_a_job_may_not_take_longer_than_it_is_waited_for(peer, server, tmp_path):
    message = check_message(peer_settings(peer, server, tmp_path, timeout_hours=48))
    assert "max_wait_hours" in message
    check_settings(peer_settings(peer, server, tmp_path, timeout_hours=48, max_wait_hours=50))
