"""The adapter `mistral` through the real client, against a server that fails in every way we know of."""

from __future__ import annotations

import dataclasses
import datetime
import json

import pytest

from scripts.errors import BusyError, NoBatchError, UnknownOutcomeError
from scripts.providers import BatchStatus, LostCall
from scripts.records import Outcome
from tests.providers.batch_peers import (  # noqa: F401 - fixtures
    ITEM,
    LABELS,
    PEERS,
    TRIAL,
    fetched,
    only,
    provider_fixture,
    server_fixture,
    start,
)
from tests.providers.faulty_server import Fault
from tests.providers.mistral_server import answer, failed

MODEL = PEERS["mistral"].model


peer_fixture = only("mistral")


def lost_call():
    return LostCall(datetime.datetime.now(datetime.UTC), 1)


def test_a_whole_life_of_a_job(provider, server, tmp_path):
    server.statuses = ["QUEUED", "RUNNING", "SUCCESS"]
    batch_id = start(dataclasses.replace(provider, timeout_hours=48), tmp_path)
    seen = [provider.status(batch_id).status for _ in server.statuses]
    assert seen == [BatchStatus.QUEUED, BatchStatus.RUNNING, BatchStatus.DONE]
    assert {reply.outcome for _, reply in fetched(provider, batch_id, tmp_path)} == {Outcome.ANSWERED}
    assert server.batches[batch_id]["metadata"] == {"trialmake_key": "a" * 64, **LABELS}
    assert server.batches[batch_id]["model"] == MODEL
    assert provider.status(batch_id).n_done == 4
    assert [server.calls[name] for name in ("upload", "create")] == [1, 1]


def test_the_model_is_in_the_requests_identity_but_not_in_its_line(provider, server, tmp_path):
    sampling = {"temperature": 0.5, "seed": 3, "top_p": None}
    body = provider.body(
        [{"role": "user", "content": "Q?"}], dataclasses.replace(TRIAL, sampling=sampling), "d", ITEM
    )
    assert body == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Q?"}],
        "temperature": 0.5,
        "random_seed": 3,
    }
    start(provider, tmp_path, n=1)
    row = json.loads(next(iter(server.files.values())))
    assert set(row["body"]) == {"messages", "temperature", "max_tokens"}


@pytest.mark.parametrize("answer", [[], {}, {"id": ""}, {"id": None}], ids=repr)
def test_an_answer_to_create_without_a_job_is_a_lost_one(provider, server, tmp_path, monkeypatch, answer):
    monkeypatch.setattr(server, "create", lambda given: answer)
    with pytest.raises(UnknownOutcomeError, match="the answer"):
        start(provider, tmp_path)


def test_fields_that_are_not_sent_any_more_leave_no_job_unknown(provider, server, tmp_path):
    server.left_out = {"errors", "input_files", "succeeded_requests", "created_at"}
    batch_id = start(provider, tmp_path)
    assert provider.find_existing("a" * 64, lost_call()) == batch_id
    assert provider.status(batch_id).status is BatchStatus.DONE
    assert len(fetched(provider, batch_id, tmp_path)) == 4


@pytest.mark.parametrize("fault", [Fault(), Fault(status=503), Fault(cut_after=9)], ids=repr)
def test_an_upload_that_fails_leaves_no_doubt_and_can_be_made_again(provider, server, tmp_path, fault):
    server.faults["upload"] = [dataclasses.replace(fault)]
    with pytest.raises(BusyError):
        start(provider, tmp_path, n=2000)
    assert server.calls["create"] == 0
    start(provider, tmp_path, n=2000)
    assert len(server.billed) == 2000


@pytest.mark.parametrize("skew_s", [-3600, 0, 3600])
def test_a_job_is_found_on_any_page_of_the_list_whatever_the_clocks_say(provider, server, tmp_path, skew_s):
    server.skew_s = skew_s
    ids = [start(provider, tmp_path, n=1, key=f"{number:064}") for number in range(2)]
    for number in range(250):
        other = {**server.batches[ids[0]], "id": f"other-{number}", "metadata": None}
        server.batches[other["id"]] = other
    last = start(provider, tmp_path, n=1, key=f"{2:064}")
    assert provider.find_existing(f"{2:064}", lost_call()) == last
    assert provider.find_existing(f"{0:064}", lost_call()) == ids[0]
    assert server.calls["list"] == 4
    assert provider.find_existing("f" * 64, lost_call()) is None
    assert server.calls["list"] == 8


def test_a_list_without_an_end_tells_nothing(provider, server, tmp_path):
    start(provider, tmp_path)
    server.ignores_pages = True
    with pytest.raises(UnknownOutcomeError, match="does not go on"):
        provider.find_existing("f" * 64, lost_call())


def test_a_job_whose_time_was_up_gives_what_it_has(provider, server, tmp_path):
    server.statuses = ["TIMEOUT_EXCEEDED"]
    server.finish = lambda rows: ([answer(rows[0])], [failed(rows[1]), failed(rows[2], 500)])
    replies = [reply for _, reply in fetched(provider, start(provider, tmp_path), tmp_path)]
    assert [reply.outcome for reply in replies] == [Outcome.ANSWERED, Outcome.ERRORED, Outcome.ERRORED]
    assert [reply.is_retryable for reply in replies] == [False, False, True]
    assert replies[1].error_message == "a dial says so"


def test_results_that_are_deleted_are_an_error_and_not_a_wait(provider, server, tmp_path):
    batch_id = start(provider, tmp_path)
    provider.status(batch_id)
    del server.files[f"{batch_id}-output"]
    with pytest.raises(NoBatchError, match="kept about a day"):
        provider.fetch(batch_id, tmp_path / "rows")
