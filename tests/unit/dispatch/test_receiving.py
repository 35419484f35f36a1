"""When a download is all that there will be, and when the user has to be asked."""

from __future__ import annotations

import json

import pytest

from scripts.dispatch import receiving
from scripts.dispatch.receiving import Doubt, Download, ask_about, count_rows, find_lack, give_up, keep_rows
from scripts.money.ledger import write_keys
from scripts.providers import BatchState, BatchStatus
from tests.fakes.sending_fakes import FakeProvider, answer_row, error_row, ledger_of, make_settings

KEYS = ["a", "b", "c", "d"]
DONE, EXPIRED, FAILED = BatchStatus.DONE, BatchStatus.EXPIRED, BatchStatus.FAILED


class Remote(FakeProvider):
    """A provider in the network: what it says and what it gives may differ."""

    has_books_here = False


@pytest.fixture
def ledger(tmp_path):
    with ledger_of(make_settings(tmp_path)) as ledger:
        write_keys(ledger.folder / "keys.tmp", KEYS)
        ledger.plan(attempt=1, keys=ledger.folder / "keys.tmp", n_requests=len(KEYS))
        ledger.record("intent", "s0001", key="k" * 64)
        ledger.record("submitted", "s0001", batch_id="b1")
        yield ledger


def write_rows(ledger, rows):
    path = ledger.replies_path("s0001").with_suffix(".tmp")
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_requests_are_counted_once_and_rows_each(ledger):
    rows = [answer_row("a"), error_row("b"), answer_row("a"), answer_row("nobody"), {}]
    found = count_rows(ledger, ledger.shards["s0001"], Remote(), write_rows(ledger, rows))
    assert (found.n_requests, found.n_rows) == (2, 3)
    assert found.strange is not None
    assert found.strange.startswith("line 4 ")


@pytest.mark.parametrize(
    ("status", "n_done", "found", "lack"),
    [
        (DONE, 3, Download(4, 4), None),
        (DONE, None, Download(3, 3), "hold 3 of 4 requests"),
        (DONE, 4, Download(3, 3), "hold 3 of the 4 requests that it says are done"),
        (DONE, 3, Download(3, 3), "hold 3 of 4 requests so far"),
        (DONE, 0, Download(0, 0), "hold 0 of 4 requests"),
        (EXPIRED, 3, Download(3, 3), None),
        (EXPIRED, 3, Download(2, 2), "hold 2 of the 3 requests that it says are done"),
        (EXPIRED, 3, Download(2, 3), None),
        (EXPIRED, None, Download(3, 3), "hold 3 of 4 requests so far"),
        (FAILED, None, Download(0, 0), None),
        (FAILED, None, Download(3, 3, "line 4 x"), "hold rows of 3 of 4 requests, and line 4 x"),
    ],
)
def test_a_row_that_is_not_there_is_believed_only_if_nothing_speaks_against_it(
    ledger, status, n_done, found, lack
):
    state = BatchState(status, "word", n_done=n_done)
    assert find_lack(ledger.shards["s0001"], state, found, Remote(), n_looks=1) == lack


def test_what_many_downloads_lack_is_believed_unless_a_count_speaks_against_it(ledger):
    def look(n_done, status, n_looks):
        state = BatchState(status, "word", n_done=n_done)
        return find_lack(ledger.shards["s0001"], state, Download(3, 3), Remote(), n_looks=n_looks)

    assert look(None, EXPIRED, receiving.AGREEING_LOOKS - 1) is not None
    assert look(None, EXPIRED, receiving.AGREEING_LOOKS) is None
    assert look(4, EXPIRED, receiving.AGREEING_LOOKS) is not None
    assert look(None, DONE, receiving.AGREEING_LOOKS) is not None


def test_books_on_this_machine_are_believed_at_once(ledger):
    state = BatchState(DONE, "word")
    assert find_lack(ledger.shards["s0001"], state, Download(3, 3), FakeProvider(), n_looks=1) is None


def test_a_doubt_is_over_after_many_looks_and_some_time(monkeypatch):
    doubt = Doubt()
    for _ in range(receiving.MIN_LOOKS):
        assert not doubt.is_over
        doubt.see("cut")
    assert not doubt.is_over
    monkeypatch.setattr(receiving, "PATIENCE_S", 0.0)
    assert doubt.is_over


def test_the_rests_of_a_doubt_grow_to_a_limit_but_are_never_shorter_than_the_users():
    doubt = Doubt()
    rests = []
    for _ in range(8):
        doubt.see("cut")
        rests.append(doubt.rest_s(0.5))
    assert rests == sorted(rests)
    assert (rests[0], rests[-1]) == (0.5, receiving.MAX_REST_S)
    assert doubt.rest_s(60.0) == 60.0


def test_a_download_that_is_kept_is_named_with_its_digest(ledger):
    ledger.record("terminal", "s0001", status="done")
    keep_rows(ledger, ledger.shards["s0001"], write_rows(ledger, [answer_row("a")]), is_final=True)
    entry = ledger.shards["s0001"]
    assert (entry.state, entry.is_final) == ("downloaded", True)
    assert ledger.replies_path("s0001").read_text() == f"{json.dumps(answer_row('a'))}\n"


@pytest.mark.parametrize(("n_done", "n_unread"), [(None, 3), (3, 2), (1, 3)])
def test_what_is_given_up_may_have_been_billed(ledger, n_done, n_unread):
    ledger.record("terminal", "s0001", status="done", n_done=n_done)
    write_rows(ledger, [answer_row("a")])
    give_up(ledger, ledger.shards["s0001"], Remote())
    entry = ledger.shards["s0001"]
    assert (entry.state, entry.is_given_up, entry.n_unread) == ("downloaded", True, n_unread)


def test_what_was_never_downloaded_can_be_given_up(ledger):
    give_up(ledger, ledger.shards["s0001"], Remote())
    entry = ledger.shards["s0001"]
    assert (entry.state, entry.n_unread) == ("downloaded", 4)
    assert ledger.replies_path("s0001").read_bytes() == b""


def test_the_question_names_the_batch_and_the_line_that_gives_it_up(ledger):
    doubt = Doubt()
    doubt.see("it is cut")
    error = ask_about(ledger.shards["s0001"], ledger, doubt)
    assert "batch b1 is paid and cannot be collected: it is cut" in error.what
    assert "resubmit: [t/s0001]" in error.fix
