"""The adapter `mistral` through the real client, against a server that fails in every way we know of."""

from __future__ import annotations

import dataclasses
import datetime
import json
import logging

import pytest
from mistral_fixtures import MODEL, provider_fixture, server_fixture  # noqa: F401 - fixtures
from mistral_server import answer, failed
from openai_requests import ITEM, LABELS, TRIAL, start
from openai_server import Fault

from scripts.errors import BusyError, LimitError, NoBatchError, ProviderError, UnknownOutcomeError
from scripts.files import read_jsonl
from scripts.providers import BatchStatus, Limits, LostCall
from scripts.providers.mistral_batch import MistralBatch
from scripts.records import Outcome


def lost_call():
    return LostCall(datetime.datetime.now(datetime.UTC), 1)


def fetched(provider, batch_id, folder):
    provider.status(batch_id)
    provider.fetch(batch_id, folder / "rows")
    return [provider.decode(row) for _, row in read_jsonl(folder / "rows")]


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


WORDS = {
    "model_length": (Outcome.TRUNCATED, False, None),
    "length": (Outcome.TRUNCATED, False, None),
    "error": (Outcome.ERRORED, True, "finish_reason_error"),
    "stop": (Outcome.ANSWERED, False, None),
}


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("text", ["yes", None])
def test_the_models_own_words_for_an_end_are_known(word, text):
    choice = {"message": {"content": text}, "finish_reason": word}
    row = {"custom_id": "k", "response": {"status_code": 200, "body": {"choices": [choice]}}}
    _, reply = MistralBatch("m", "http://127.0.0.1").decode(row)
    expected = (Outcome.ERRORED, False, "no_text") if (word, text) == ("stop", None) else WORDS[word]
    assert (reply.outcome, reply.is_retryable, reply.error_code) == expected
    assert reply.text == text


def test_thoughts_are_no_part_of_an_answer():
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
        {"type": "text", "text": "Yes"},
    ]
    choice = {"message": {"content": parts}, "finish_reason": "stop"}
    row = {"custom_id": "k", "response": {"status_code": 200, "body": {"choices": [choice]}}}
    assert MistralBatch("m", "http://127.0.0.1").decode(row)[1].text == "Yes"


def test_a_refused_create_starts_nothing_and_names_the_providers_words(provider, server, tmp_path):
    server.faults["create"] = [Fault(status=422)]
    with pytest.raises(ProviderError, match="status 422: a dial says so") as caught:
        start(provider, tmp_path)
    assert not isinstance(caught.value, UnknownOutcomeError | BusyError)
    assert server.calls["create"] == 1


@pytest.mark.parametrize("call", ["upload", "create"])
def test_too_many_requests_is_a_refusal_that_says_how_long_to_wait(provider, server, tmp_path, call):
    server.faults[call] = [Fault(status=429, headers={"Retry-After": "7"})]
    with pytest.raises(BusyError) as caught:
        start(provider, tmp_path)
    assert caught.value.retry_after_s == 7
    assert server.calls[call] == 1


LOST = [
    Fault(),
    Fault(is_done=True),
    Fault(status=500),
    Fault(status=408),
    Fault(status=502, is_done=True),
    Fault(cut_after=9),
]


@pytest.mark.parametrize("fault", LOST, ids=repr)
def test_a_lost_answer_to_create_is_never_repeated(provider, server, tmp_path, fault):
    server.faults["create"] = [dataclasses.replace(fault)]
    with pytest.raises(UnknownOutcomeError, match="a paid batch may exist"):
        start(provider, tmp_path)
    assert server.calls["create"] == 1


@pytest.mark.parametrize("answer", [[], {}, {"id": ""}, {"id": None}], ids=repr)
def test_an_answer_to_create_without_a_job_is_a_lost_one(provider, server, tmp_path, monkeypatch, answer):
    monkeypatch.setattr(server, "create", lambda given: answer)
    with pytest.raises(UnknownOutcomeError, match="the answer"):
        start(provider, tmp_path)


def test_a_slow_answer_to_create_is_a_lost_one(provider, server, tmp_path):
    server.delays_s = {"create": 2.5}
    with pytest.raises(UnknownOutcomeError):
        start(dataclasses.replace(provider, timeout_seconds=1.5), tmp_path)


def test_a_server_that_is_not_there_started_nothing(server, tmp_path):
    with pytest.raises(BusyError, match="ConnectError"):
        start(MistralBatch("m", "http://127.0.0.1:1", timeout_seconds=2.0), tmp_path)


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


def test_a_shard_over_the_limit_is_not_sent(provider, server, tmp_path):
    small = dataclasses.replace(provider, limits=Limits(10, 100))
    with pytest.raises(LimitError, match="a batch takes 100"):
        start(small, tmp_path)
    assert server.calls == {}


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


@pytest.mark.parametrize("fault", [Fault(times=99), Fault(status=500, times=99), Fault(status=403)], ids=repr)
def test_a_list_that_cannot_be_read_tells_nothing(provider, server, fault):
    server.faults["list"] = [dataclasses.replace(fault)]
    with pytest.raises(UnknownOutcomeError, match="cannot be read"):
        provider.find_existing("a" * 64, lost_call())


def test_a_list_without_an_end_tells_nothing(provider, server, tmp_path):
    start(provider, tmp_path)
    server.ignores_pages = True
    with pytest.raises(UnknownOutcomeError, match="does not go on"):
        provider.find_existing("f" * 64, lost_call())


def test_a_passing_fault_of_the_list_is_got_over(provider, server, tmp_path, monkeypatch):
    monkeypatch.setattr("scripts.providers.mistral_batch.LIST_PATIENCE_S", 9.0)
    batch_id = start(provider, tmp_path)
    server.faults["list"] = [Fault(status=500)]
    assert provider.find_existing("a" * 64, lost_call()) == batch_id


STATES = {
    "CANCELLATION_REQUESTED": BatchStatus.RUNNING,
    "CANCELLED": BatchStatus.CANCELLED,
    "TIMEOUT_EXCEEDED": BatchStatus.EXPIRED,
    "RESTING": BatchStatus.UNKNOWN,
}


@pytest.mark.parametrize("word", STATES)
def test_every_word_has_a_status_and_an_unknown_one_is_not_the_end(provider, server, tmp_path, word):
    server.statuses = [word]
    state = provider.status(start(provider, tmp_path))
    assert (state.status, state.raw) == (STATES[word], word)


@pytest.mark.parametrize("word", ["FAILED", "TIMEOUT_EXCEEDED", "CANCELLED", "SUCCESS"])
def test_a_job_that_ends_without_files_ends(provider, server, tmp_path, word):
    server.statuses, server.finish = [word], lambda rows: ([], [])
    batch_id = start(provider, tmp_path)
    assert provider.status(batch_id).status.is_terminal
    assert fetched(provider, batch_id, tmp_path) == []


def test_a_job_whose_time_was_up_gives_what_it_has(provider, server, tmp_path):
    server.statuses = ["TIMEOUT_EXCEEDED"]
    server.finish = lambda rows: ([answer(rows[0])], [failed(rows[1]), failed(rows[2], 500)])
    replies = [reply for _, reply in fetched(provider, start(provider, tmp_path), tmp_path)]
    assert [reply.outcome for reply in replies] == [Outcome.ANSWERED, Outcome.ERRORED, Outcome.ERRORED]
    assert [reply.is_retryable for reply in replies] == [False, False, True]
    assert replies[1].error_message == "a dial says so"


def test_a_job_that_failed_says_why(provider, server, tmp_path):
    server.reasons = [f"no such model; your key is {server.key}"]
    state = provider.status(start(provider, tmp_path))
    assert (state.status, state.error) == (BatchStatus.FAILED, "no such model; your key is ***")
    assert server.billed == []


def test_a_download_that_is_cut_is_no_file(provider, server, tmp_path):
    batch_id = start(provider, tmp_path, n=50)
    provider.status(batch_id)
    server.faults["download"] = [Fault(cut_after=500)]
    with pytest.raises(BusyError):
        provider.fetch(batch_id, tmp_path / "rows")
    server.files[f"{batch_id}-output"] = server.files[f"{batch_id}-output"][:-30]
    with pytest.raises(BusyError, match="did not come whole"):
        provider.fetch(batch_id, tmp_path / "rows")


def test_results_that_are_deleted_are_an_error_and_not_a_wait(provider, server, tmp_path):
    batch_id = start(provider, tmp_path)
    provider.status(batch_id)
    del server.files[f"{batch_id}-output"]
    with pytest.raises(NoBatchError, match="kept about a day"):
        provider.fetch(batch_id, tmp_path / "rows")


def test_a_busy_look_says_how_long_to_wait(provider, server, tmp_path):
    batch_id = start(provider, tmp_path)
    server.faults["look"] = [Fault(status=429, headers={"Retry-After": "3"}), Fault(status=503), Fault()]
    for seconds in (3, None, None):
        with pytest.raises(BusyError) as caught:
            provider.status(batch_id)
        assert caught.value.retry_after_s == seconds
    assert provider.status(batch_id).status is BatchStatus.DONE


def test_a_wrong_key_is_never_shown_nor_logged(provider, server, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MISTRAL_DEBUG", "1")
    monkeypatch.setenv("MISTRAL_API_KEY", "planted-wrong")
    caplog.set_level(logging.DEBUG)
    for call in (
        lambda: start(provider, tmp_path),
        lambda: provider.status("batch_1"),
        lambda: provider.find_existing("a", lost_call()),
    ):
        with pytest.raises(ProviderError, match=r"Incorrect API key provided: \*\*\*") as caught:
            call()
        assert "planted" not in repr(caught.value.__cause__) + str(caught.value)
    assert "planted" not in repr(provider) + repr(provider._errors) + caplog.text
