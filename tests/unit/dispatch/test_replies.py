from __future__ import annotations

import pytest

from scripts.dispatch.replies import Attempts, Settled, settle_shard
from scripts.errors import DataError
from scripts.files import dump_line
from scripts.money.ledger import Ledger, write_keys
from scripts.money.price_book import REHEARSAL
from scripts.records import Outcome
from tests.fakes.sending_fakes import FakeProvider, answer_row, error_row

PROVIDER = FakeProvider()


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "t") as ledger:
        yield ledger


def download(ledger, keys, rows, *, attempt=1, status="done", error=None):
    write_keys(ledger.folder / "keys.tmp", keys)
    shard = ledger.plan(attempt=attempt, keys=ledger.folder / "keys.tmp", n_requests=len(keys))
    ledger.record("submitted", shard, batch_id=f"b-{shard}")
    ledger.record("terminal", shard, status=status, error=error)
    text = "".join(dump_line(row, ascii_only=True) for row in rows)
    ledger.replies_path(shard).write_text(text, encoding="utf-8")
    ledger.record("downloaded", shard)
    return ledger.shards[shard]


def test_expected_requests_are_rows_plus_absent_ones(ledger):
    keys = [f"k{n}" for n in range(6)]
    rows = [answer_row("k5"), error_row("k2"), answer_row("k0"), answer_row("k0", "again")]
    settled = [pair[0] for pair in settle_shard(ledger, download(ledger, keys, rows), PROVIDER)]
    assert [each.request_key for each in settled] == ["k5", "k2", "k0", "k1", "k3", "k4"]
    assert [each.row is None for each in settled] == [False] * 3 + [True] * 3


def test_a_file_of_no_bytes_leaves_every_request_without_a_row(ledger):
    entry = download(ledger, ["k1", "k2"], [], status="failed", error="bad: file")
    replies = [reply for _, reply in settle_shard(ledger, entry, PROVIDER)]
    assert [reply.error_message for reply in replies] == ["bad: file"] * 2
    assert {reply.outcome for reply in replies} == {Outcome.ERRORED}


def test_what_is_written_is_read_back_the_same():
    for settled in (
        Settled("k", "b", 2, answer_row("k", "half \ud800 \u2028 pair")),
        Settled("k", "b", 1, None, "expired: late"),
    ):
        import json

        line = settled.to_line()
        assert line.isascii()
        assert line.count("\n") == 1
        assert Settled.from_json(json.loads(line)) == settled


def test_a_reader_that_gives_up_half_way_leaves_nothing_open(ledger):
    entry = download(ledger, ["k1", "k2"], [answer_row("k1"), answer_row("k2")])
    rows = settle_shard(ledger, entry, PROVIDER)
    next(rows)
    rows.close()


def test_a_broken_row_among_good_ones_is_an_error_from_within_the_index(ledger):
    entry = download(ledger, ["k1"], [answer_row("k1"), answer_row("k9")])
    with Attempts(max_attempts=3) as attempts, pytest.raises(DataError, match="'k9' was never sent"):
        attempts.add_shard(ledger, entry, PROVIDER, None)


def test_attempts_know_what_is_worth_another_and_what_it_cost(ledger):
    with Attempts(max_attempts=2) as attempts:
        first = download(ledger, ["k1", "k2", "k3"], [answer_row("k1"), error_row("k2"), error_row("k3")])
        assert attempts.add_shard(ledger, first, PROVIDER, REHEARSAL) == REHEARSAL.cost(
            PROVIDER.decode(answer_row("k1"))[1].usage
        )
        assert [key for key in ("k1", "k2", "k3") if attempts.is_worth_another(key)] == ["k2", "k3"]
        second = download(ledger, ["k2", "k3"], [answer_row("k3"), error_row("k2")], attempt=2)
        attempts.add_shard(ledger, second, PROVIDER, REHEARSAL)
        assert attempts.is_settled
        assert attempts.read("k2")[0] is Outcome.ERRORED
        assert [len(attempts.read(key)[1]) for key in ("k1", "k2", "k3", "k4")] == [1, 2, 2, 0]
        assert attempts.read("k4")[0] is None
