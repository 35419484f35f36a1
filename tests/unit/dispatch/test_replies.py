from __future__ import annotations

import json

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
    assert [each.request_key for each in settled] == ["k5", "k0", "k1", "k2", "k3", "k4"]
    assert [each.request_key for each in settled if each.row is None] == ["k1", "k3", "k4"]


@pytest.mark.parametrize("order", [1, -1])
def test_an_answer_wins_over_a_failure_of_the_same_request_in_any_order(ledger, order):
    rows = [error_row("k1"), answer_row("k1", "first"), error_row("k1"), answer_row("k1", "second")][::order]
    ((settled, reply),) = settle_shard(ledger, download(ledger, ["k1"], rows), PROVIDER)
    assert (reply.outcome, reply.text) == (Outcome.ANSWERED, "first" if order == 1 else "second")
    assert settled.row == next(row for row in rows if row["response"]["status_code"] == 200)


def test_an_answer_wins_over_a_failure_in_another_attempt_and_is_not_asked_for_again(ledger):
    with Attempts(max_attempts=3) as attempts:
        attempts.add_shard(ledger, download(ledger, ["k1"], [answer_row("k1")]), PROVIDER, None)
        attempts.add_shard(ledger, download(ledger, ["k1"], [error_row("k1")], attempt=2), PROVIDER, None)
        outcome, lines = attempts.read("k1")
        assert attempts.is_settled
    assert outcome is Outcome.ANSWERED
    assert [Settled.from_json(json.loads(line)).attempt for line in lines] == [2, 1]


def test_a_strange_row_is_passed_over_where_every_request_has_its_own(ledger, capsys):
    rows = [answer_row("nobody"), answer_row("k1"), {"custom_id": 7}]
    ((settled, _),) = settle_shard(ledger, download(ledger, ["k1"], rows), PROVIDER)
    assert settled.request_key == "k1"
    assert (
        "line 1 answers request 'nobody', which was never sent in it: passed over" in capsys.readouterr().err
    )


@pytest.mark.parametrize("resend_cancelled", [False, True])
def test_what_was_cancelled_is_sent_again_only_if_the_configuration_says_so(ledger, resend_cancelled):
    with Attempts(max_attempts=3, resend_cancelled=resend_cancelled) as attempts:
        rows = [answer_row("k1"), error_row("k2"), error_row("k3", "batch_cancelled", 0)]
        entry = download(ledger, ["k1", "k2", "k3", "k4"], rows, status="cancelled")
        attempts.add_shard(ledger, entry, PROVIDER, None)
        assert [attempts.is_worth_another(key) for key in ("k1", "k2", "k3", "k4")] == [
            False,
            *[resend_cancelled] * 3,
        ]
        assert attempts.n_cancelled == (0 if resend_cancelled else 3)


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
    entry = download(ledger, ["k1", "k2"], [answer_row("k1"), answer_row("k9")])
    with Attempts(max_attempts=3) as attempts, pytest.raises(DataError, match="'k9', which was never sent"):
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
