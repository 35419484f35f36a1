"""Which requests of a file were not sent yet."""

from __future__ import annotations

import json

import pytest

from scripts.dispatch.selection import read_request_keys
from tests.fakes.sending_fakes import (
    FakeProvider,
    make_requests,
    make_settings,
    send,
)


@pytest.fixture
def settings(tmp_path):
    return make_settings(tmp_path)


def test_requests_of_one_key_are_sent_once(settings):
    provider = FakeProvider()
    send(settings, provider, make_requests(2) * 3)
    assert len(provider.sent) == 2


def test_only_the_new_keys_of_an_edited_prompt_are_sent_and_the_old_stay(settings):
    provider = FakeProvider()
    old, new = make_requests(3), make_requests(3, text="Edited")
    send(settings, provider, old)
    shards = send(settings, provider, old[:1] + new[1:])
    assert provider.sent == [request.request_key for request in old + new[1:]]
    assert len(shards) == 2
    send(settings, provider, old)  # the edit is taken back: the old answers are still there
    assert len(provider.batches) == 2


def test_keys_are_read_from_any_way_of_writing_the_line(tmp_path):
    requests = make_requests(2)
    path = tmp_path / "requests.jsonl"
    rows = [request.to_json() for request in requests]
    path.write_text(
        json.dumps(dict(sorted(rows[0].items()))) + "\r\n\n" + json.dumps(rows[1], separators=(",", ":"))
    )
    assert [key for key, _ in read_request_keys(path)] == [request.request_key for request in requests]
