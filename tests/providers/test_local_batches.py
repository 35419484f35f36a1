"""A journal of what was asked: nothing is asked twice, and nothing spoilt is taken for an answer."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from scripts.errors import DataError
from scripts.providers import BatchStatus
from tests.fakes.sending_fakes import answer_row
from tests.providers.chat_fixtures import (  # noqa: F401 - fixtures
    TRIAL,
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


def look_until(provider, batch_id, condition, *, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        provider.status(batch_id)
        time.sleep(0.01)


def workers():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("batch_")]


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
