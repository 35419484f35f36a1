"""Requests are cut into shards that a provider takes."""

from __future__ import annotations

import pytest

from scripts.errors import (
    LimitError,
)
from scripts.money.budget import estimate_usage
from scripts.providers import Limits
from tests.fakes.sending_fakes import (
    FakeProvider,
    make_requests,
    make_settings,
    send,
)


@pytest.fixture
def settings(tmp_path):
    return make_settings(tmp_path)


def test_shards_hold_no_more_requests_than_allowed(settings):
    provider = FakeProvider(limits=Limits(3, 10**6))
    shards = send(settings, provider, make_requests(7), max_active_batches=9)
    assert [entry.n_requests for entry in shards] == [3, 3, 1]
    assert [entry.shard for entry in shards] == ["s0001", "s0002", "s0003"]


def test_shards_hold_no_more_bytes_than_allowed(settings):
    requests = make_requests(5)
    provider = FakeProvider()
    size = len(provider.encode(requests[0]).encode())
    provider.limits = Limits(100, 2 * size)
    shards = send(settings, provider, requests, max_active_batches=9)
    assert [entry.n_requests for entry in shards] == [2, 2, 1]


def test_a_request_over_the_limit_is_named_and_nothing_is_left_open(settings):
    with pytest.raises(LimitError, match="item 'q0' of d: one request has"):
        send(settings, FakeProvider(limits=Limits(5, 1024)), make_requests(1, text="x" * 2000))
    assert not list((settings.run_root / "ledger" / "t").glob("*.tmp"))


def test_a_request_over_the_limit_of_a_line_is_refused_though_a_batch_could_hold_it(settings):
    limits = Limits(5, 10**6, max_line_bytes=1024)
    with pytest.raises(LimitError, match="but may have 1,024"):
        send(settings, FakeProvider(limits=limits), make_requests(1, text="x" * 2000))
    assert limits.lowered({"max_bytes": 5000}) == Limits(5, 5000, max_line_bytes=1024)


def tokens_of(requests):
    return sum(estimate_usage(request.body).input_tokens for request in requests)


def test_a_shard_holds_no_more_tokens_than_may_be_queued(settings):
    requests = make_requests(3)
    provider = FakeProvider(limits=Limits(1000, 10**6, max_enqueued_tokens=tokens_of(requests[:2])))
    over = {"is_over": lambda _: True, "poll_seconds": 0.01}
    assert [shard.n_requests for shard in send(settings, provider, requests, **over)] == [2, 1]
    provider.limits = Limits(1000, 10**6, max_enqueued_tokens=3)
    with pytest.raises(LimitError, match="tokens, but may have 3"):
        send(settings, provider, make_requests(1, text="Another"), trial="small")
