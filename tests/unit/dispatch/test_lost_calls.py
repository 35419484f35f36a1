from __future__ import annotations

import datetime
import re

import pytest
import yaml

from scripts.dispatch.lost_calls import Decisions
from scripts.errors import (
    ConfigError,
    NoBatchError,
    UnknownOutcomeError,
)
from scripts.money.ledger import Ledger, write_keys
from tests.fakes.sending_fakes import (
    FakeProvider,
    events,
    make_requests,
    make_settings,
    send,
)


@pytest.fixture
def settings(tmp_path):
    return make_settings(tmp_path)


def test_an_unknown_outcome_leaves_the_intent_and_stops_until_the_provider_can_tell(settings):
    provider = FakeProvider()

    def break_off():
        raise UnknownOutcomeError("the connection broke", where="fake", fix="Run again.")

    provider.after = break_off
    with pytest.raises(UnknownOutcomeError):
        send(settings, provider, make_requests(2))
    assert events(settings, "t") == ["planned", "intent"]
    provider.after, provider.can_tell = (lambda: None), False
    with pytest.raises(UnknownOutcomeError, match="cannot tell"):
        send(settings, provider, make_requests(2))
    assert len(provider.batches) == 1
    provider.can_tell = True
    send(settings, provider, make_requests(2))
    assert len(provider.batches) == 1
    assert events(settings, "t") == ["planned", "intent", "submitted"]


def test_a_create_call_that_fails_in_an_unforeseen_way_is_not_repeated(settings):
    provider = FakeProvider()

    def fail():
        raise OSError("network is gone")

    provider.after = fail
    with pytest.raises(OSError, match="network"):
        send(settings, provider, make_requests(2))
    provider.after = lambda: None
    send(settings, provider, make_requests(2))
    assert len(provider.batches) == 1


def lose_answer(settings, requests, *, trial="t"):
    """Send requests so that the provider has the batch but the ledger only the intent."""
    provider = FakeProvider()

    def break_off():
        raise UnknownOutcomeError("the connection broke", where="fake", fix="Run again.")

    provider.after = break_off
    with pytest.raises(UnknownOutcomeError):
        send(settings, provider, requests, trial=trial)
    provider.after = lambda: None
    return provider


def test_a_provider_is_told_all_that_the_ledgers_know_of_a_lost_call(settings, tmp_path):
    before = datetime.datetime.now(datetime.UTC)
    send(settings, FakeProvider(), make_requests(3), trial="done")
    lose_answer(settings, make_requests(2), trial="rival")
    lose_answer(settings, make_requests(1), trial="smaller")
    other_run = tmp_path / "experiments" / "run_other" / "ledger" / "t"
    with Ledger(other_run) as ledger:
        write_keys(other_run / "keys.tmp", ["k"])
        shard = ledger.plan(attempt=1, keys=other_run / "keys.tmp", n_requests=1)
        ledger.record("submitted", shard, batch_id="of another run")
    provider = lose_answer(settings, make_requests(2))
    send(settings, provider, make_requests(2))
    (call,) = provider.lost_calls
    assert (call.n_requests, call.n_rivals, call.known) == (2, 1, {"b1", "of another run"})
    assert before - datetime.timedelta(seconds=1) < call.at <= datetime.datetime.now(datetime.UTC)
    assert list(call.read_keys()) == [request.request_key for request in make_requests(2)]


def decided(settings, **decision):
    return {"decisions": Decisions.from_config({"adopt": {}, "resubmit": [], **decision}, "t")}


def find_in(text, pattern):
    return re.search(pattern, text).group(1)


@pytest.mark.parametrize(("word", "n_batches"), [("adopt", 1), ("resubmit", 2)])
def test_where_nobody_can_tell_the_message_has_the_lines_by_which_a_user_decides(settings, word, n_batches):
    provider = lose_answer(settings, make_requests(2))
    provider.can_tell = False
    with pytest.raises(UnknownOutcomeError, match="shard s0001: the provider cannot tell") as told:
        send(settings, provider, make_requests(2))
    line = find_in(told.value.fix, rf"({word}: .*)").replace("ITS-ID", "b1")
    (entry,) = send(settings, provider, make_requests(2), **decided(settings, **yaml.safe_load(line)))
    assert len(provider.batches) == n_batches
    assert entry.batch_id == f"b{n_batches}"
    assert send(settings, provider, make_requests(2)) == [entry]


def test_a_decision_counts_only_where_the_provider_cannot_tell(settings):
    provider = lose_answer(settings, make_requests(2))
    (entry,) = send(settings, provider, make_requests(2), **decided(settings, resubmit=["t/s0001"]))
    assert (entry.batch_id, len(provider.batches)) == ("b1", 1)


def test_a_batch_that_is_not_there_or_another_shards_cannot_be_adopted(settings):
    def not_there(batch_id):
        raise NoBatchError("it is not there", where="fake", fix="")

    other = send(settings, FakeProvider(), make_requests(1), trial="done")
    provider = lose_answer(settings, make_requests(2))
    provider.can_tell = False
    taken = decided(settings, adopt={"t/s0001": other[0].batch_id})
    with pytest.raises(ConfigError, match=r"adopt: t/s0001: the batch b1 already belongs to another shard"):
        send(settings, provider, make_requests(2), **taken)
    provider.status_of = not_there
    with pytest.raises(ConfigError, match=r"adopt: t/s0001: the batch b7 is not at the provider"):
        send(settings, provider, make_requests(2), **decided(settings, adopt={"t/s0001": "b7"}))
    assert len(provider.batches) == 1
