from __future__ import annotations

import pytest

from scripts.dispatch import receiving
from scripts.errors import ProviderError, StateError
from tests.fakes.polled_trials import Bench
from tests.fakes.sending_fakes import (
    answer_row,
    error_row,
    events,
    make_requests,
    write_requests,
)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setattr(receiving, "PATIENCE_S", 0.0)
    return Bench(tmp_path, monkeypatch, make_requests(4))


def test_replies_come_in_the_order_of_the_requests_whatever_the_order_of_the_rows(bench):
    bench.provider.respond = lambda keys, _: [answer_row(key) for key in reversed(keys)]
    rows = bench.run()
    assert [row["request_key"] for row in rows] == bench.provider.sent
    assert events(bench.settings, bench.trial.name) == [
        "planned",
        "intent",
        "submitted",
        "terminal",
        "downloaded",
        "reconciled",
    ]


def test_a_second_poll_writes_the_same_bytes_and_asks_nothing(bench):
    bench.run()
    first, n_looks = bench.out.read_bytes(), bench.provider.n_looks
    bench.poll()
    assert bench.out.read_bytes() == first
    assert bench.provider.n_looks == n_looks


def test_requests_of_one_key_have_one_row_and_both_count(tmp_path, monkeypatch, capsys):
    bench = Bench(tmp_path, monkeypatch, make_requests(2) * 2)
    assert len(bench.run()) == 2
    assert "4 answered" in capsys.readouterr().err


def test_too_many_failures_fail_the_trial_but_what_came_is_kept(tmp_path, monkeypatch):
    bench = Bench(tmp_path, monkeypatch, make_requests(4), max_error_rate=0.2)
    bench.provider.respond = lambda keys, attempt: [
        error_row(keys[0], "bad", 400),
        *map(answer_row, keys[1:]),
    ]
    bench.submit()
    with pytest.raises(ProviderError, match=r"1 of 4 requests failed \(1 errored\): 25.0%, but max_error"):
        bench.poll()
    assert len(bench.out.read_text().splitlines()) == 4


def test_requests_that_were_never_sent_are_an_error_that_says_what_to_do(bench):
    with pytest.raises(StateError, match="item 'q0' was never sent"):
        bench.poll()
    bench.submit()
    write_requests(bench.requests, make_requests(5))
    with pytest.raises(StateError, match="item 'q4' was never sent"):
        bench.poll()


def test_answers_to_an_earlier_prompt_stay_in_the_ledger_and_out_of_the_replies(bench):
    bench.run()
    write_requests(bench.requests, make_requests(4, text="Edited"))
    rows = bench.run()
    assert {row["batch_id"] for row in rows} == {"b2"}
    assert (bench.folder / "s0001.replies.jsonl").exists()
