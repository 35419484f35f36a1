"""A chat server for the tests of the adapter `local`, the adapter, and batches of questions."""

from __future__ import annotations

import time

import pytest

from scripts.errors import BusyError
from scripts.files import dump_line, read_jsonl
from scripts.providers.local import LocalChat
from scripts.records import Request, Trial
from tests.providers.chat_server import ChatServer

TRIAL = Trial("t", "m", "p", {"temperature": 0.5, "top_p": None, "max_tokens": 100})


@pytest.fixture(name="quick")
def quick_fixture(monkeypatch, tmp_path):
    """Short rests, and nothing of the machine's own settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("scripts.providers.local_asking.FIRST_REST_S", 0.01)
    for name in ("LOCAL_API_KEY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(name="server")
def server_fixture(quick):
    with ChatServer().running() as service:
        yield service


@pytest.fixture(name="provider")
def provider_fixture(server, tmp_path):
    made = make_provider(server, tmp_path)
    yield made
    made.close()


def make_provider(server, folder, **options):
    options = {"concurrency": 4, "timeout_seconds": 30.0, **options}
    return LocalChat(folder / "books", provider_model="llama", base_url=server.url, **options)


def make_questions(provider, n=4, trial=TRIAL, text="Question"):
    messages = [[{"role": "user", "content": f"{text} {number}"}] for number in range(n)]
    bodies = [provider.body(chat, trial, "d", None) for chat in messages]
    return [
        Request.render(dataset="d", item_id=f"q{number}", replicate=0, body=body)
        for number, body in enumerate(bodies)
    ]


def send(provider, folder, requests, *, key="a" * 64):
    payload = folder / "payload"
    payload.write_text("".join(map(provider.encode, requests)), encoding="utf-8")
    return provider.create(payload, key=key, metadata={"run": "r", "trial": "t", "attempt": "1"})


def wait(provider, batch_id, *, seconds=20, busy=None):
    """Look until the batch has ended, and collect what is said of a busy server; its rows by request key."""
    deadline, is_over = time.monotonic() + seconds, False
    while not is_over:
        assert time.monotonic() < deadline
        try:
            is_over = provider.status(batch_id).status.is_terminal
        except BusyError as error:
            if busy is None:
                raise
            busy.append(error)
        time.sleep(0.01)
    into = provider.books / "fetched"
    provider.fetch(batch_id, into)
    return {row["custom_id"]: row for _, row in read_jsonl(into)}


def ask(provider, folder, n=4, **options):
    """Send questions and wait; the replies in the questions' order."""
    requests = make_questions(provider, n, **options)
    rows = wait(provider, send(provider, folder, requests))
    assert rows.keys() == {request.request_key for request in requests}
    return [provider.decode(rows[request.request_key])[1] for request in requests]


def write_journal(provider, batch_id, rows, *, tail=""):
    """Leave a journal as a killed process does."""
    text = "".join(dump_line(row, ascii_only=True) for row in rows) + tail
    (provider.books / batch_id / "replies.part.jsonl").write_text(text)
