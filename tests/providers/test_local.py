"""The adapter `local` against a chat server that fails in every way a server can."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter

import pytest

from scripts.errors import BusyError, ProviderError
from scripts.records import Trial
from tests.providers.chat_fixtures import (  # noqa: F401 - fixtures
    ask,
    make_provider,
    make_questions,
    provider_fixture,
    quick_fixture,
    send,
    server_fixture,
    wait,
)
from tests.providers.chat_server import ChatServer, Fault


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
