"""What other ledgers have paid for is taken over or waited for; what nobody has paid for is sent."""

from __future__ import annotations

import json

import pytest

from scripts.dispatch.claims import Claims, find_source, is_coming, paid_keys, read_source
from scripts.money.ledger import Ledger, write_keys
from tests.fakes.sending_fakes import FakeProvider, answer_row, error_row, ledger_of, make_settings

SERVICE = frozenset({"us"})


@pytest.fixture
def settings(tmp_path):
    return make_settings(tmp_path)


def write_shard(settings, keys, *, trial="payer", service="us"):
    """A shard of another trial that is about to be sent."""
    with ledger_of(settings, trial) as ledger:
        temporary = ledger.folder / "keys.tmp"
        write_keys(temporary, keys)
        shard = ledger.plan(attempt=1, keys=temporary, n_requests=len(keys))
        ledger.record("intent", shard, key="k" * 64, service=service, model="m")
    return shard


def answer_shard(settings, rows, *, trial="payer"):
    with ledger_of(settings, trial) as ledger:
        ledger.record("submitted", "s0001", batch_id="b1")
        ledger.replies_path("s0001").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        ledger.record("terminal", "s0001", status="done")
        ledger.record("downloaded", "s0001", sha256="0" * 64)


def claim(settings, keys, provider=None, *, is_store=False):
    """What the trial `t` claims; the ledger afterwards."""
    with ledger_of(settings) as ledger:
        claims = Claims(ledger, SERVICE, is_store=is_store)
        claims.claim(keys, provider or FakeProvider(), attempt=1)
        return claims, ledger


def shards(ledger):
    return [
        (entry.state, entry.reused_from, list(ledger.read_keys(entry.shard)))
        for entry in ledger.shards.values()
    ]


def test_answers_are_taken_over_and_what_failed_is_free(settings):
    write_shard(settings, ["a", "b", "c"])
    answer_shard(settings, [answer_row("a"), error_row("b"), answer_row("c")])
    _, ledger = claim(settings, ["c", "b", "x"])
    assert shards(ledger) == [("downloaded", "run_r/payer/s0001", ["c"])]


def test_what_is_on_its_way_is_claimed_and_found_again(settings):
    write_shard(settings, ["a", "b"])
    _, ledger = claim(settings, ["b", "x"])
    assert shards(ledger) == [("claimed", "run_r/payer/s0001", ["b"])]
    (entry,) = ledger.shards.values()
    assert find_source(ledger, entry) == (ledger_of(settings, "payer").folder, "s0001")
    assert read_source(ledger, entry).state == "intent"
    with ledger_of(settings, "payer") as payer:
        payer.record("refused", "s0001", error="turned away")
    assert read_source(ledger, entry) is None


def test_nobody_waits_for_what_goes_on_only_while_its_own_trial_polls(settings, monkeypatch):
    write_shard(settings, ["a"])
    monkeypatch.setattr(FakeProvider, "takes_slots", False)
    _, ledger = claim(settings, ["a"])
    assert shards(ledger) == []


def test_an_answer_of_another_service_is_another_answer(settings):
    write_shard(settings, ["a"], service="them")
    _, ledger = claim(settings, ["a"])
    assert shards(ledger) == []


@pytest.mark.parametrize("is_store", [False, True])
def test_other_runs_count_only_with_a_store(settings, tmp_path, is_store):
    write_shard(make_settings(tmp_path, run_id="other"), ["a"])
    _, ledger = claim(settings, ["a"], is_store=is_store)
    assert [origin for _, origin, _ in shards(ledger)] == ["run_other/payer/s0001"] * is_store


def test_what_another_trial_sends_after_the_look_is_noticed(settings):
    write_shard(settings, ["a"])
    claims, _ = claim(settings, ["x", "y"])
    assert not claims.is_overtaken(["x", "y"])
    write_shard(settings, ["y"], trial="late")
    assert not claims.is_overtaken(["x"])
    write_shard(settings, ["x"], trial="later")
    assert claims.is_overtaken(["x"])


def test_what_a_ledger_pays_for_is_its_answers_and_what_is_to_come(settings):
    write_shard(settings, ["a", "b"])
    answer_shard(settings, [answer_row("a"), error_row("b")])
    write_shard(settings, ["c"])
    write_shard(settings, ["d"], service="them")
    path = ledger_of(settings, "payer").path
    assert list(paid_keys([path], SERVICE, FakeProvider())) == [("a", "run_r/payer"), ("c", "run_r/payer")]
    source = Ledger.read(path.parent)
    assert [is_coming(source, entry) for entry in source.shards.values()] == [False, True, True]
