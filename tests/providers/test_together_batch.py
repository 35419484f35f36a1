"""The adapter `together` through the real client, against a server that fails in every way we know of."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from scripts.errors import BusyError, NoBatchError, ProviderError, UnknownOutcomeError
from scripts.providers import BatchStatus, LostCall
from scripts.providers.together_batch import TogetherBatch
from scripts.records import Outcome
from tests.providers.batch_peers import (  # noqa: F401 - fixtures
    ITEM,
    PEERS,
    TRIAL,
    fetched,
    only,
    provider_fixture,
    server_fixture,
    start,
)
from tests.providers.faulty_server import Fault
from tests.providers.together_server import answer, failed

MODEL = PEERS["together"].model


peer_fixture = only("together")


CALL = LostCall(datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC), 1)
"""A lost call; the key alone is enough here."""


def test_a_whole_life_of_a_batch(provider, server, tmp_path):
    server.statuses = ["VALIDATING", "IN_PROGRESS", "COMPLETED"]
    batch_id = start(provider, tmp_path)
    seen = [provider.status(batch_id) for _ in server.statuses]
    assert [state.status for state in seen] == [BatchStatus.QUEUED, BatchStatus.RUNNING, BatchStatus.DONE]
    assert {state.n_done for state in seen} == {None}
    assert {reply.outcome for _, reply in fetched(provider, batch_id, tmp_path)} == {Outcome.ANSWERED}
    assert server.names == {"file-0001": f"trialmake-{'a' * 64}.jsonl"}
    assert [server.calls[name] for name in ("upload", "store", "preprocess", "create")] == [1, 1, 1, 1]


def test_a_line_is_what_the_provider_documents_and_the_stop_is_a_list(provider):
    trial = dataclasses.replace(TRIAL, sampling={**TRIAL.sampling, "stop": ".", "top_p": None})
    body = provider.body([{"role": "user", "content": "Q?"}], trial, "d", ITEM)
    assert body == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Q?"}],
        "temperature": 0.5,
        "max_tokens": 100,
        "stop": ["."],
    }


def test_a_file_is_streamed_to_its_place_with_its_length(provider, server, tmp_path):
    start(provider, tmp_path, n=2000)
    assert server.files["file-0001"] == (tmp_path / "payload").read_bytes()
    assert len(server.billed) == 2000


@pytest.mark.parametrize("tells_names", [True, False])
def test_a_file_that_has_lost_its_name_is_not_started(provider, server, tmp_path, monkeypatch, tells_names):
    server.tells_names = tells_names
    start(provider, tmp_path)
    assert server.calls["about"] == (not tells_names)
    monkeypatch.setattr(server, "names", type("Renamed", (dict,), {"__setitem__": lambda *_: None})())
    with pytest.raises(ProviderError, match="has not kept its name") as caught:
        start(provider, tmp_path)
    assert not isinstance(caught.value, BusyError)
    assert server.calls["create"] == 1


@pytest.mark.parametrize("place", ["ftp://127.0.0.1", "file:///tmp", "127.0.0.1"])
def test_a_file_goes_to_no_place_that_is_no_web_address(provider, server, tmp_path, place):
    server.place = place
    with pytest.raises(BusyError, match="no place to put it"):
        start(provider, tmp_path)
    assert (server.calls["store"], server.calls["create"]) == (0, 0)


def test_texts_that_are_sent_encrypted_are_not_put_anywhere_in_the_clear():
    assert "http" not in TogetherBatch("m", "https://api.together.xyz/v1")._schemes


@pytest.mark.parametrize("answer", [[], {}, {"job": None}, {"job": {"id": ""}}, {"job": {"id": 3}}], ids=repr)
def test_an_answer_to_create_without_a_batch_is_a_lost_one(provider, server, tmp_path, monkeypatch, answer):
    monkeypatch.setattr(server, "create", lambda given: answer)
    with pytest.raises(UnknownOutcomeError, match="names no batch"):
        start(provider, tmp_path)


@pytest.mark.parametrize("call", ["upload", "preprocess"])
def test_a_step_of_an_upload_that_fails_is_repeated_as_a_lone_file_costs_nothing(
    provider, server, tmp_path, call
):
    server.faults[call] = [Fault(), Fault(status=500)]
    start(provider, tmp_path)
    assert (server.calls[call], server.calls["create"], len(server.billed)) == (3, 1, 4)


@pytest.mark.parametrize("fault", [Fault(), Fault(status=503), Fault(status=403)], ids=repr)
def test_a_file_that_did_not_arrive_is_never_started(provider, server, tmp_path, fault):
    server.faults["store"] = [dataclasses.replace(fault)]
    with pytest.raises(BusyError):
        start(provider, tmp_path, n=2000)
    assert server.calls["create"] == 0
    start(provider, tmp_path, n=2000)
    assert len(server.billed) == 2000


@pytest.mark.parametrize("list_as", ["array", "object"])
def test_a_batch_is_found_by_the_name_of_its_file(provider, server, tmp_path, list_as):
    server.list_as = list_as
    assert provider.find_existing("a" * 64, CALL) is None
    ids = [start(provider, tmp_path, n=1, key=f"{number:064}") for number in range(3)]
    assert [provider.find_existing(f"{number:064}", CALL) for number in range(3)] == ids
    assert provider.find_existing("f" * 64, CALL) is None


def test_a_file_that_was_uploaded_twice_leads_to_its_batch_and_one_never_started_to_none(
    provider, server, tmp_path
):
    server.faults["create"] = [Fault(status=429)]
    with pytest.raises(BusyError):
        start(provider, tmp_path)
    assert provider.find_existing("a" * 64, CALL) is None
    batch_id = start(provider, tmp_path)
    assert len(server.names) == 2
    assert provider.find_existing("a" * 64, CALL) == batch_id


def test_a_list_that_is_not_whole_tells_nothing(provider, server):
    server.list_as = "page"
    with pytest.raises(UnknownOutcomeError, match="not a whole one"):
        provider.find_existing("a" * 64, CALL)


def test_an_expired_batch_gives_what_it_has(provider, server, tmp_path):
    server.statuses, server.finish = ["EXPIRED"], lambda rows: ([answer(rows[0])], [failed(rows[1])])
    outcomes = [reply.outcome for _, reply in fetched(provider, start(provider, tmp_path), tmp_path)]
    assert outcomes == [Outcome.ANSWERED, Outcome.ERRORED]


@pytest.mark.parametrize(("code", "is_retryable"), [("500", True), (429, True), ("invalid_request", False)])
def test_a_failed_row_has_its_reason(provider, server, tmp_path, code, is_retryable):
    server.finish = lambda rows: ([], [failed(row, code) for row in rows])
    _, reply = fetched(provider, start(provider, tmp_path, n=1), tmp_path)[0]
    assert (reply.outcome, reply.error_code, reply.error_message) == (
        Outcome.ERRORED,
        str(code),
        "a dial says so",
    )
    assert reply.is_retryable is is_retryable
    assert server.billed == []


def test_a_batch_that_is_not_there_tells_of_the_key(provider):
    with pytest.raises(NoBatchError, match="Was TOGETHER_API_KEY, or the account, replaced"):
        provider.status("batch_nobody")
