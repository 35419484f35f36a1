"""The adapter `local` against a chat server that fails in every way a server can."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter

import pytest

from scripts.errors import BusyError, DataError, ProviderError
from scripts.providers import BatchStatus
from scripts.providers.local_work import Places
from scripts.records import Outcome, Trial
from tests.fakes.sending_fakes import answer_row
from tests.providers.chat_fixtures import (  # noqa: F401 - fixtures
    TRIAL,
    ask,
    make_provider,
    make_questions,
    provider_fixture,
    quick_fixture,
    send,
    server_fixture,
    wait,
    write_journal,
)
from tests.providers.chat_server import ChatServer, Fault


def at_first(*faults):
    """Each question meets these faults, one after another, and is answered then."""
    return lambda _, n_asked: faults[n_asked - 1] if n_asked <= len(faults) else None


def always(fault):
    return lambda *_: fault


def look_until(provider, batch_id, condition, *, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        provider.status(batch_id)
        time.sleep(0.01)


def workers():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("batch_")]


def test_every_question_is_asked_once_and_answered(provider, server, tmp_path):
    replies = ask(provider, tmp_path, 9)
    assert [reply.text for reply in replies] == [f"answer to Question {n}" for n in range(9)]
    assert (replies[0].usage.input_tokens, replies[0].usage.output_tokens) == (10, 2)
    assert set(server.asked.values()) == {1}
    assert workers() == []


def test_settings_go_along_as_they_are_and_what_is_null_does_not(provider, server, tmp_path):
    sampling = {
        "temperature": 0.5,
        "top_p": None,
        "top_k": 20,
        "min_p": 0.1,
        "max_tokens": 9,
        "seed": 3,
        "stop": "\n",
        "presence_penalty": 0.1,
        "frequency_penalty": -1,
        "repetition_penalty": 1.1,
        "reasoning_effort": "low",
    }
    ask(provider, tmp_path, 1, trial=Trial("t", "m", "p", sampling))
    del sampling["top_p"]
    (body,) = server.bodies
    assert body == {"model": "llama", "messages": [{"role": "user", "content": "Question 0"}], **sampling}


def test_no_other_providers_key_is_sent_and_the_servers_own_is(server, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    for folder, key in (("without", None), ("with", "local-key-123")):
        if key is not None:
            monkeypatch.setenv("LOCAL_API_KEY", key)
        (tmp_path / folder).mkdir()
        provider = make_provider(server, tmp_path / folder)
        ask(provider, tmp_path / folder, 1)
    assert [headers["authorization"] for headers in server.headers] == ["Bearer none", "Bearer local-key-123"]
    assert not any("sk-of-somebody-else" in json.dumps(headers) for headers in server.headers)


PASSING = {
    "one 500": [Fault(status=500)],
    "two different ones": [Fault(status=502), Fault()],
    "many 429": [Fault(status=429)] * 5,
    "still loading": [Fault(status=503, message="Loading model")] * 5,
    "asks to wait": [Fault(status=429, headers={"Retry-After": "0.02"})],
    "cut before a byte": [Fault()],
    "cut in the middle": [Fault(cut_after=20)],
    "not JSON": [Fault(raw=b"<html>")],
    "not UTF-8": [Fault(raw=b'{"choices": "\xff\xfe"}')],
    "a list": [Fault(raw=b"[]")],
    "nested without end": [Fault(raw=b"[" * 100_000)],
    "a number that is none": [Fault(raw=b'{"x": 1e999}')],
    "too long": [Fault(raw=b'{"x": "' + b"a" * 5_000_000 + b'"}')],
}


@pytest.mark.parametrize("case", PASSING)
def test_what_passes_is_asked_again(provider, server, tmp_path, monkeypatch, case):
    monkeypatch.setattr("scripts.providers.local_asking.MAX_REST_S", 0.05)
    faults = PASSING[case]
    server.fault = at_first(*faults)
    requests = make_questions(provider, 2)
    busy: list[BusyError] = []
    rows = wait(provider, send(provider, tmp_path, requests), busy=busy)
    replies = [provider.decode(row)[1] for row in rows.values()]
    assert [reply.outcome for reply in replies] == [Outcome.ANSWERED] * 2
    assert set(server.asked.values()) == {len(faults) + 1}
    assert {error.where for error in busy} <= {f"local, {server.url}"}
    assert all("the server asks to wait" in error.what for error in busy)


LASTING = {
    "always 500": (Fault(status=500, message="CUDA"), 3, "500", "status 500: CUDA", True),
    "always cut": (Fault(), 3, "server_error", "Connection error", True),
    "never JSON": (Fault(raw=b"<html>"), 3, "server_error", "Expecting value", True),
    "too long for the model": (Fault(status=400, message="too long"), 1, "400", "400: too long", False),
    "cannot be processed": (Fault(status=422), 1, "422", "no luck", False),
}


@pytest.mark.parametrize("case", LASTING)
def test_what_lasts_becomes_the_requests_own_failure_and_the_others_go_on(provider, server, tmp_path, case):
    fault, n_tries, code, words, is_retryable = LASTING[case]
    server.fault = lambda question, _: fault if question == "Question 1" else None
    replies = ask(provider, tmp_path, 6)
    assert [reply.outcome for reply in replies] == [
        Outcome.ERRORED if number == 1 else Outcome.ANSWERED for number in range(6)
    ]
    assert (replies[1].error_code or "") in {code, "server_error"}
    assert words in (replies[1].error_message or "")
    assert replies[1].is_retryable is is_retryable
    assert server.asked["Question 1"] == n_tries


def test_an_answer_that_takes_too_long_is_a_failure_that_may_be_asked_again(server, tmp_path):
    provider = make_provider(server, tmp_path, timeout_seconds=0.3)
    server.fault = lambda question, _: Fault(hangs=True) if question == "Question 0" else None
    hung, other = ask(provider, tmp_path, 2)
    assert (hung.error_code, hung.is_retryable) == ("timeout", True)
    assert "no answer in 0.3 seconds" in (hung.error_message or "")
    assert other.outcome is Outcome.ANSWERED
    assert server.asked["Question 0"] == 1


def test_numbers_that_json_does_not_know_are_null_and_odd_texts_are_kept(provider, server, tmp_path):
    raw = rb'{"choices": [{"message": {"content": "\ud83d \u00e9"}, "logprob": -Infinity}], "x": NaN}'
    server.fault = always(Fault(raw=raw))
    requests = make_questions(provider, 1)
    (row,) = wait(provider, send(provider, tmp_path, requests)).values()
    assert row["response"]["body"]["x"] is None
    assert provider.decode(row)[1].text == "\N{REPLACEMENT CHARACTER} \u00e9"


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_a_server_that_refuses_everything_ends_the_work_and_nothing_is_lost(
    server, tmp_path, monkeypatch, status
):
    monkeypatch.setenv("LOCAL_API_KEY", "local-key-123")
    provider = make_provider(server, tmp_path, concurrency=1)
    refusal = Fault(status=status, message="no: local-key-123")
    server.fault = lambda question, n: refusal if question == "Question 2" and n == 1 else None
    requests = make_questions(provider, 4)
    batch_id = send(provider, tmp_path, requests)
    with pytest.raises(ProviderError, match="refuses every request") as caught:
        look_until(provider, batch_id, lambda: False)
    assert not isinstance(caught.value, BusyError)
    assert f"status {status}: no: ***" in str(caught.value)
    assert "local-key-123" not in str(caught.value)
    provider.close()
    assert len(wait(provider, batch_id)) == 4
    assert server.asked == Counter({"Question 0": 1, "Question 1": 1, "Question 2": 2, "Question 3": 1})


def test_a_server_that_is_not_there_yet_is_waited_for_by_name(quick, tmp_path):
    server = ChatServer()
    provider = make_provider(server, tmp_path)
    batch_id = send(provider, tmp_path, make_questions(provider, 3))
    with pytest.raises(BusyError) as caught:
        look_until(provider, batch_id, lambda: False)
    assert caught.value.where == f"local, {server.url}"
    assert "the server cannot be reached (Connection error. (ConnectError)): start it" in caught.value.what
    assert 0 < (caught.value.retry_after_s or 0) <= 15
    with server.running():
        assert len(wait(provider, batch_id, busy=[])) == 3
    assert set(server.asked.values()) == {1}


def test_the_same_key_is_the_same_batch(provider, tmp_path):
    requests = make_questions(provider)
    first = send(provider, tmp_path, requests)
    assert send(provider, tmp_path, requests) == first
    assert send(provider, tmp_path, requests, key="b" * 64) != first


@pytest.mark.parametrize("tail", ["", '{"custom_id": "torn', "\0\0\0"])
def test_what_is_in_the_journal_is_not_asked_again_and_a_torn_line_is_dropped(
    provider, server, tmp_path, tail
):
    requests = make_questions(provider, 5)
    batch_id = send(provider, tmp_path, requests)
    rows = [answer_row(request.request_key, "earlier") for request in requests[:3]]
    write_journal(provider, batch_id, rows, tail=tail)
    texts = [provider.decode(row)[1].text for row in wait(provider, batch_id).values()]
    assert texts[:3] == ["earlier"] * 3
    assert len(texts) == 5
    assert server.asked == Counter({"Question 3": 1, "Question 4": 1})


def test_a_journal_that_somebody_has_spoilt_is_named(provider, tmp_path):
    batch_id = send(provider, tmp_path, make_questions(provider, 1))
    write_journal(provider, batch_id, [], tail="spoilt\n")
    with pytest.raises(DataError, match=r"replies\.part\.jsonl, line 1"):
        provider.status(batch_id)


def test_a_batch_that_is_done_asks_nothing_of_a_server_that_is_gone(quick, tmp_path):
    server = ChatServer()
    with server.running():
        provider = make_provider(server, tmp_path)
        batch_id = send(provider, tmp_path, make_questions(provider))
        wait(provider, batch_id)
    again = make_provider(server, tmp_path)
    assert again.status(batch_id).status is BatchStatus.DONE
    assert again.status(batch_id).n_done == 4


def test_the_bound_holds_for_all_that_ask_one_server(server, tmp_path):
    server.delay_s = 0.02
    providers = [make_provider(server, tmp_path, concurrency=3) for _ in range(3)]
    batches = [
        send(provider, tmp_path, make_questions(provider, 12, text=f"{number}."), key=str(number) * 64)
        for number, provider in enumerate(providers)
    ]
    for provider, batch_id in zip(providers, batches, strict=True):
        provider.status(batch_id)
    for provider, batch_id in zip(providers, batches, strict=True):
        assert len(wait(provider, batch_id)) == 12
    assert server.max_at_once == 3
    assert set(server.asked.values()) == {1}
    assert len(server.asked) == 36


def test_a_place_is_free_again_when_it_is_given_back(tmp_path):
    places = Places(tmp_path, 2)
    first, second = places.take(), places.take()
    assert first is not None
    assert second is not None
    assert places.take() is None
    first.close()
    third = places.take()
    assert third is not None
    second.close()
    third.close()


def test_a_further_batch_is_queued_until_the_first_is_done(provider, server, tmp_path):
    server.delay_s = 0.1
    first = send(provider, tmp_path, make_questions(provider, 4))
    second = send(provider, tmp_path, make_questions(provider, 4, text="More"), key="b" * 64)
    assert provider.status(first).status is BatchStatus.RUNNING
    assert provider.status(second).status is BatchStatus.QUEUED
    wait(provider, first)
    assert not any(question.startswith("More") for question in server.asked)
    assert len(wait(provider, second)) == 4


def test_progress_is_told(provider, server, tmp_path):
    server.fault = lambda question, _: Fault(hangs=True) if question == "Question 3" else None
    batch_id = send(provider, tmp_path, make_questions(provider, 4))
    look_until(provider, batch_id, lambda: provider.status(batch_id).n_done == 3)
    assert provider.status(batch_id).status is BatchStatus.RUNNING


def test_closing_gives_up_what_is_with_the_server_at_once_and_can_be_resumed(provider, server, tmp_path):
    server.fault = lambda question, n: Fault(hangs=True) if question == "Question 3" and n == 1 else None
    batch_id = send(provider, tmp_path, make_questions(provider, 4, trial=TRIAL))
    look_until(provider, batch_id, lambda: sum(server.answered.values()) == 3)
    started = time.monotonic()
    provider.close()
    assert time.monotonic() - started < 1
    assert workers() == []
    assert len(wait(make_provider(server, tmp_path), batch_id)) == 4
    assert server.asked == Counter({"Question 0": 1, "Question 1": 1, "Question 2": 1, "Question 3": 2})


def test_a_disk_that_is_full_is_told_and_not_taken_for_an_answer(provider, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scripts.providers.local_work.Journal.append", full)
    batch_id = send(provider, tmp_path, make_questions(provider, 2))
    with pytest.raises(OSError, match="No space left"):
        look_until(provider, batch_id, lambda: False)
