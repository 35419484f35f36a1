"""
What the adapters of batch services have in common: how they sort what goes wrong on the way to the service.

Each runs through its real client, against a server that fails in every way we know of; what is peculiar to
one is in its own file.
"""

from __future__ import annotations

import dataclasses
import datetime
import logging
import re

import pytest

from scripts.errors import BusyError, LimitError, ProviderError, UnknownOutcomeError
from scripts.providers import BatchStatus, Limits, LostCall
from tests.providers.batch_peers import (  # noqa: F401 - fixtures
    PEERS,
    each,
    fetched,
    provider_fixture,
    server_fixture,
    start,
)
from tests.providers.faulty_server import Fault

KEY = "a" * 64


@pytest.fixture(params=PEERS)
def peer(request):
    return PEERS[request.param]


def lost_call():
    """A lost call; the key alone is enough here."""
    return LostCall(datetime.datetime.now(datetime.UTC), 1)


# A create call.


@pytest.mark.parametrize("status", [400, 422])
def test_a_refused_create_starts_nothing_and_names_the_providers_words(provider, server, tmp_path, status):
    server.faults["create"] = [Fault(status=status, code="bad")]
    with pytest.raises(ProviderError, match=f"status {status}: a dial says so") as caught:
        start(provider, tmp_path)
    assert not isinstance(caught.value, UnknownOutcomeError | BusyError)
    assert server.calls["create"] == 1


@pytest.mark.parametrize(("call", "more"), [("upload", {"x-should-retry": "false"}), ("create", {})])
def test_too_many_requests_is_a_refusal_that_says_how_long_to_wait(provider, server, tmp_path, call, more):
    headers = {"Retry-After": "7", **more}
    server.faults[call] = [Fault(status=429, code="rate_limit_exceeded", headers=headers)]
    with pytest.raises(BusyError) as caught:
        start(provider, tmp_path)
    assert caught.value.retry_after_s == 7
    assert server.calls[call] == 1


LOST = [
    Fault(),
    Fault(is_done=True),
    Fault(status=500),
    Fault(status=502, is_done=True),
    Fault(status=408),
    Fault(status=499, is_done=True),
    Fault(cut_after=9),
]


@pytest.mark.parametrize("fault", LOST, ids=repr)
def test_a_lost_answer_to_create_is_never_repeated_and_its_batch_is_found(provider, server, tmp_path, fault):
    server.faults["create"] = [dataclasses.replace(fault)]
    with pytest.raises(UnknownOutcomeError, match="a paid batch may exist"):
        start(provider, tmp_path)
    assert server.calls["create"] == 1
    was_started = fault.is_done or fault.cut_after is not None
    found = provider.find_existing(KEY, lost_call())
    assert [found] == (list(server.batches) or [None])
    assert (len(server.batches), len(server.billed)) == ((1, 4) if was_started else (0, 0))


def test_a_slow_answer_to_create_is_a_lost_one(provider, server, tmp_path):
    server.delays_s = {"create": 2.5}
    with pytest.raises(UnknownOutcomeError):
        start(dataclasses.replace(provider, timeout_seconds=1.5), tmp_path)


def test_a_server_that_is_not_there_started_nothing(peer, server, tmp_path):
    nowhere = re.sub(r":\d+", ":1", server.url)
    with pytest.raises(BusyError, match="ConnectError"):
        start(peer.make(nowhere, timeout_seconds=2.0), tmp_path)


def test_a_shard_over_the_limit_is_not_sent(provider, server, tmp_path):
    small = dataclasses.replace(provider, limits=Limits(10, 100))
    with pytest.raises(LimitError, match=r"(a batch|an upload) takes 100"):
        start(small, tmp_path)
    assert server.calls == {}


# The question for a lost batch.

QUESTIONS = {
    "openai": ["list"],
    "together": ["list", "list_files"],
    "mistral": ["list"],
    "fireworks": ["look"],
}
"""The calls that it takes."""


@each(QUESTIONS)
@pytest.mark.parametrize("fault", [Fault(times=99), Fault(status=500, times=99), Fault(status=403)], ids=repr)
def test_a_service_that_cannot_be_asked_tells_nothing(
    peer, provider, server, tmp_path, monkeypatch, word, fault
):
    monkeypatch.setattr(peer.retries, 0)
    start(provider, tmp_path)
    server.faults[word] = [dataclasses.replace(fault)]
    with pytest.raises(
        UnknownOutcomeError, match=r"cannot be (read|asked for) .*a paid (batch|one) may exist"
    ):
        provider.find_existing(KEY, lost_call())


@each(QUESTIONS)
def test_a_passing_fault_of_the_question_is_got_over(peer, provider, server, tmp_path, monkeypatch, word):
    monkeypatch.setattr(peer.retries, 9)
    batch_id = start(provider, tmp_path)
    server.faults[word] = [Fault(status=500)]
    assert provider.find_existing(KEY, lost_call()) == batch_id
    assert server.calls[word] >= 2


# Looks.

STATES = {
    "openai": {"resting": BatchStatus.UNKNOWN},
    "together": {
        "CANCELING": BatchStatus.RUNNING,
        "CANCELLED": BatchStatus.CANCELLED,
        "EXPIRED": BatchStatus.EXPIRED,
        "RESTING": BatchStatus.UNKNOWN,
        "completed": BatchStatus.UNKNOWN,
    },
    "mistral": {
        "CANCELLATION_REQUESTED": BatchStatus.RUNNING,
        "CANCELLED": BatchStatus.CANCELLED,
        "TIMEOUT_EXCEEDED": BatchStatus.EXPIRED,
        "RESTING": BatchStatus.UNKNOWN,
    },
}


@each(STATES)
def test_every_word_has_a_status_and_an_unknown_one_is_not_the_end(peer, provider, server, tmp_path, word):
    server.statuses = [word]
    state = provider.status(start(provider, tmp_path))
    assert (state.status, state.raw) == (STATES[peer.name][word], word)


ENDS = {
    "openai": ["failed", "expired", "cancelled", "completed"],
    "together": ["FAILED", "EXPIRED", "CANCELLED", "COMPLETED"],
    "mistral": ["FAILED", "TIMEOUT_EXCEEDED", "CANCELLED", "SUCCESS"],
    "fireworks": [f"JOB_STATE_{word}" for word in ("EXPIRED", "CANCELLED", "EARLY_STOPPED", "FAILED")],
}


@each(ENDS)
def test_a_batch_that_ends_without_files_ends(provider, server, tmp_path, word):
    server.statuses, server.finish = [word], lambda rows: ([], [])
    batch_id = start(provider, tmp_path)
    assert provider.status(batch_id).status.is_terminal
    assert fetched(provider, batch_id, tmp_path) == []


FAILURES = {
    "openai": ["invalid_json_line: "],
    "together": [""],
    "mistral": [""],
    "fireworks": ["INVALID_ARGUMENT: "],
}
"""What the provider's code of a failure makes of it."""


@each(FAILURES)
def test_a_batch_that_failed_at_validation_says_why_and_has_no_rows(provider, server, tmp_path, word):
    server.fail_next(f"line 3 is wrong; your key is {server.key}")
    batch_id = start(provider, tmp_path)
    state = provider.status(batch_id)
    assert (state.status, state.is_put_off) == (BatchStatus.FAILED, False)
    assert state.error == f"{word}line 3 is wrong; your key is ***"
    assert fetched(provider, batch_id, tmp_path) == []
    assert server.billed == []


def test_a_busy_look_says_how_long_to_wait(provider, server, tmp_path):
    batch_id = start(provider, tmp_path)
    server.faults["look"] = [Fault(status=429, headers={"Retry-After": "3"}), Fault(status=503), Fault()]
    for seconds in (3, None, None):
        with pytest.raises(BusyError) as caught:
            provider.status(batch_id)
        assert caught.value.retry_after_s == seconds
    assert provider.status(batch_id).status is BatchStatus.DONE


@pytest.mark.parametrize("peer", ["openai", "together", "mistral"], indirect=True)
def test_a_download_that_is_cut_is_no_file(provider, server, tmp_path):
    batch_id = start(provider, tmp_path, n=50)
    provider.status(batch_id)
    server.faults["download"] = [Fault(cut_after=500)]
    with pytest.raises(BusyError):
        provider.fetch(batch_id, tmp_path / "rows")
    server.files[f"{batch_id}-output"] = server.files[f"{batch_id}-output"][:-30]
    with pytest.raises(BusyError, match="did not come whole"):
        provider.fetch(batch_id, tmp_path / "rows")


# The key.


def test_a_wrong_key_is_never_shown_nor_logged(peer, provider, server, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MISTRAL_DEBUG", "1")
    monkeypatch.setenv(peer.variable, "sk-planted-wrong")
    caplog.set_level(logging.DEBUG)
    for call in (
        lambda: start(provider, tmp_path),
        lambda: provider.status("batch_1"),
        lambda: provider.find_existing(KEY, lost_call()),
    ):
        with pytest.raises(ProviderError, match=r"API key .*: \*\*\*") as caught:
            call()
        assert "planted" not in repr(caught.value.__cause__) + str(caught.value)
    assert "planted" not in repr(provider) + repr(provider._errors) + caplog.text
