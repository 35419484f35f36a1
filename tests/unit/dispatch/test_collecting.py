"""Waiting for batches and taking in what they bring: nothing lost, nothing asked twice."""

from __future__ import annotations

import json
import threading
import time

import pytest

from scripts.dispatch import collecting, receiving
from scripts.errors import ProviderError
from scripts.money.ledger import Ledger, read_shards
from scripts.providers import BatchState, BatchStatus
from scripts.records import Outcome
from scripts.run.job import say_once
from scripts.run.stop import StopRequested, StopToken
from tests.fakes.polled_trials import Bench
from tests.fakes.sending_fakes import (
    FakeProvider,
    Killed,
    answer_row,
    error_row,
    events,
    ledger_of,
    make_requests,
    send,
)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setattr(receiving, "PATIENCE_S", 0.0)
    return Bench(tmp_path, monkeypatch, make_requests(4))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (BatchStatus.DONE, Outcome.MISSING),
        (BatchStatus.EXPIRED, Outcome.EXPIRED),
        (BatchStatus.FAILED, Outcome.ERRORED),
        (BatchStatus.CANCELLED, Outcome.MISSING),
    ],
)
def test_a_batch_that_ends_without_rows_gives_every_request_an_outcome(bench, status, outcome):
    bench.provider.respond = lambda *_: []
    bench.provider.status_of = lambda _: BatchState(status, "x", error="the file: was bad")
    rows = bench.run()
    assert bench.outcomes(rows) == [outcome] * 4
    n_attempts = 1 if status is BatchStatus.CANCELLED else 3
    assert [batch["attempt"] for batch in bench.provider.batches.values()] == [1, 2, 3][:n_attempts]
    assert len(rows) == 4 * n_attempts


def test_only_what_failed_is_sent_again_in_one_small_batch_and_not_for_ever(bench):
    def respond(keys, attempt):
        rows = [answer_row(key) for key in keys]
        if attempt == 1:
            return [rows[0], error_row(keys[1]), error_row(keys[2], "batch_expired", 0)]
        return [answer_row(keys[0], "late"), error_row(keys[1])]

    bench.provider.respond = respond
    rows = bench.run()
    sizes = [len(batch["keys"]) for batch in bench.provider.batches.values()]
    assert sizes == [4, 3, 2]
    assert bench.outcomes(rows) == [Outcome.ANSWERED, Outcome.ANSWERED, Outcome.ANSWERED, Outcome.ERRORED]
    assert [row["attempt"] for row in rows] == [1, 1, 2, 1, 2, 3, 1, 2, 3]


@pytest.mark.parametrize(
    "row",
    [
        lambda key: answer_row(key, "cut off", finish_reason="length"),
        lambda key: answer_row(key, None, finish_reason="content_filter"),
        lambda key: answer_row(key, None, message={"content": None, "refusal": "no"}),
        lambda key: error_row(key, "invalid_request", 400),
    ],
)
def test_truncated_refused_and_hopeless_requests_are_never_sent_again(bench, row):
    bench.provider.respond = lambda keys, _: [row(key) for key in keys]
    bench.run()
    assert len(bench.provider.batches) == 1


def test_a_provider_that_does_not_resend_is_asked_once(bench, monkeypatch):
    monkeypatch.setattr(FakeProvider, "resends", False)
    bench.provider.respond = lambda *_: []
    assert bench.outcomes(bench.run()) == [Outcome.MISSING] * 4
    assert len(bench.provider.batches) == 1


def test_a_row_that_comes_twice_counts_once_and_is_reported(bench, capsys):
    bench.provider.respond = lambda keys, _: [
        *(answer_row(key, "first") for key in keys),
        answer_row(keys[0], "again"),
    ]
    rows = bench.run()
    assert len(rows) == 4
    assert rows[0]["row"]["response"]["body"]["choices"][0]["message"]["content"] == "first"
    assert "1 rows came more than once and count once" in capsys.readouterr().err


@pytest.mark.parametrize("stranger", ["nobody", "\ud800"])
def test_a_row_that_answers_no_request_is_said_and_passed_over_where_nothing_is_missing(
    bench, stranger, capsys
):
    bench.provider.respond = lambda keys, _: [*map(answer_row, keys), answer_row(stranger)]
    assert bench.outcomes(bench.run()) == [Outcome.ANSWERED] * 4
    assert "line 5 answers request" in capsys.readouterr().err
    assert len(bench.provider.batches) == 1


STRANGE = ["{}", "{", "[]", '{"custom_id": 7}', json.dumps(answer_row("nobody"))]


@pytest.mark.parametrize("line", STRANGE)
def test_a_row_that_may_be_a_missing_requests_own_is_asked_about_and_nothing_is_sent(bench, line):
    bench.submit()
    rows = [json.dumps(answer_row(key)) for key in bench.provider.sent[:3]]
    bench.provider.fetch = lambda _, into: into.write_text("\n".join([*rows, line]))
    with pytest.raises(ProviderError, match=r"rows of 3 of 4 requests, and line 4"):
        bench.poll()
    assert len(bench.provider.batches) == 1
    del bench.provider.fetch
    assert bench.outcomes(bench.poll()) == [Outcome.ANSWERED] * 4


def test_what_the_user_gives_up_is_sent_again_and_its_cost_stays_reserved(tmp_path, monkeypatch):
    monkeypatch.setattr(receiving, "PATIENCE_S", 0.0)
    bench = Bench(tmp_path, monkeypatch, make_requests(4), resubmit=["m__p__t0/s0001"])
    bench.submit()
    bench.provider.respond = lambda keys, n: (
        [answer_row(keys[0]), answer_row("nobody")] if n == 1 else [*map(answer_row, keys)]
    )
    assert bench.outcomes(bench.poll()) == [Outcome.ANSWERED] * 4
    assert [len(batch["keys"]) for batch in bench.provider.batches.values()] == [4, 3]
    first, second = read_shards(bench.folder / "events.jsonl").values()
    assert (first.is_given_up, first.n_unread, first.cost_usd) == (True, 3, None)
    assert first.reserved_usd > 0
    assert second.cost_usd > 0


def test_empty_lines_and_carriage_returns_do_not_matter(bench):
    bench.submit()
    keys = bench.provider.sent
    text = "\r\n\n".join(json.dumps(answer_row(key)) for key in keys)
    bench.provider.fetch = lambda _, into: into.write_bytes(text.encode())
    assert bench.outcomes(bench.poll()) == [Outcome.ANSWERED] * 4


def test_an_unknown_status_is_polled_on_and_told_once(bench, capsys):
    say_once.cache_clear()
    unknown = [BatchStatus.UNKNOWN] * 3
    states = iter([*unknown, BatchStatus.QUEUED, BatchStatus.FINALIZING, BatchStatus.DONE])
    bench.provider.status_of = lambda _: BatchState(next(states), "resting")
    assert len(bench.run()) == 4
    assert capsys.readouterr().err.count("the status 'resting' is unknown here") == 1


@pytest.mark.parametrize(("is_final", "n_batches"), [(True, 1), (False, 3)])
def test_a_batch_that_fails_for_good_is_not_sent_again(bench, is_final, n_batches):
    failed = BatchState(BatchStatus.FAILED, "failed", error="model_not_found", is_final=is_final)
    bench.provider.status_of = lambda _: failed
    bench.provider.respond = lambda keys, attempt: []
    assert bench.outcomes(bench.run()) == [Outcome.ERRORED] * 4
    assert len(bench.provider.batches) == n_batches


def test_what_waits_for_a_full_queue_goes_on_when_a_batch_of_another_trial_ends(tmp_path, monkeypatch):
    bench = Bench(tmp_path, monkeypatch, make_requests(4), providers={"simulated": {"poll_seconds": 20}})
    send(bench.settings, FakeProvider(), make_requests(1, text="Other"), trial="other")
    states = iter([BatchState(BatchStatus.FAILED, "failed", error="full", is_put_off=True)])
    bench.provider.status_of = lambda _: next(states, BatchState(BatchStatus.DONE, "completed"))

    def end_the_other():
        with ledger_of(bench.settings, "other") as ledger:
            ledger.record("terminal", "s0001", status="done")

    timer = threading.Timer(0.5, end_the_other)
    timer.start()
    started = time.monotonic()
    assert len(bench.run()) == 4
    timer.join()
    assert time.monotonic() - started < 10
    assert [len(batch["keys"]) for batch in bench.provider.batches.values()] == [4, 4]


@pytest.mark.parametrize("seconds", [0.0, 30.0])
def test_a_stop_ends_the_wait_soon_and_loses_nothing(bench, seconds, monkeypatch):
    monkeypatch.setattr(collecting, "FIRST_WAIT_S", seconds)
    bench.provider.status_of = lambda _: BatchState(BatchStatus.RUNNING, "running")
    bench.submit()
    stop = StopToken(bench.settings.run_root)
    threading.Timer(0.2, stop.set).start()
    started = time.monotonic()
    with pytest.raises(StopRequested):
        bench.poll()
    assert time.monotonic() - started < 4
    stop.path.unlink()
    bench.provider.status_of = lambda _: BatchState(BatchStatus.DONE, "completed")
    assert len(bench.poll()) == 4
    assert len(bench.provider.batches) == 1


def test_a_batch_that_takes_too_long_fails_the_trial(tmp_path, monkeypatch):
    options = {"simulated": {"poll_seconds": 0.01, "max_wait_hours": 0.00001}}
    bench = Bench(tmp_path, monkeypatch, make_requests(1), providers=options)
    bench.provider.status_of = lambda _: BatchState(BatchStatus.RUNNING, "running")
    bench.submit()
    with pytest.raises(ProviderError, match=r"batch b1 is not done after 0\.0 hours"):
        bench.poll()


KILLS = ["fetch", "terminal", "downloaded", "reconciled"]


@pytest.mark.parametrize("place", KILLS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_while_collecting_loses_nothing(bench, monkeypatch, place, when):
    bench.submit()
    pending = [True]

    def kill():
        if pending:
            pending.clear()
            raise Killed

    def wrap(real, word):
        def call(self, event, *args, **facts):
            hit = word == "fetch" or event == word
            if hit and when == "before":
                kill()
            real(self, event, *args, **facts)
            if hit and when == "after":
                kill()

        return call

    owner, name = (FakeProvider, "fetch") if place == "fetch" else (Ledger, "record")
    monkeypatch.setattr(owner, name, wrap(getattr(owner, name), place))
    with pytest.raises(Killed):
        bench.poll()
    assert bench.outcomes(bench.poll()) == [Outcome.ANSWERED] * 4
    assert len(bench.provider.batches) == 1
    assert {path.name for path in bench.folder.iterdir()} == {
        "events.jsonl",
        "s0001.keys",
        "s0001.replies.jsonl",
    }


def test_a_kill_while_sending_again_sends_no_request_too_often(bench):
    bench.provider.respond = lambda keys, attempt: (
        [error_row(key) for key in keys] if attempt == 1 else [*map(answer_row, keys)]
    )
    bench.submit()

    def kill():
        bench.provider.after = lambda: None
        raise Killed

    bench.provider.after = kill
    with pytest.raises(Killed):
        bench.poll()
    assert bench.outcomes(bench.poll()) == [Outcome.ANSWERED] * 4
    assert [batch["attempt"] for batch in bench.provider.batches.values()] == [1, 2]


def test_a_downloaded_file_that_somebody_deleted_is_fetched_again(bench):
    bench.run()
    (bench.folder / "s0001.replies.jsonl").unlink()
    assert bench.outcomes(bench.poll()) == [Outcome.ANSWERED] * 4
    assert len(bench.provider.batches) == 1


def test_what_a_shard_cost_is_entered_once_and_every_attempt_counts(bench):
    bench.provider.respond = lambda keys, attempt: (
        [error_row(keys[0]), *map(answer_row, keys[1:])] if attempt == 1 else [*map(answer_row, keys)]
    )
    bench.run()
    bench.poll()
    costs = [entry.cost_usd for entry in read_shards(bench.folder / "events.jsonl").values()]
    one = (10 * 0.15 + 2 * 0.60) * 0.5 / 1e6
    assert costs == pytest.approx([3 * one, one])
    assert events(bench.settings, bench.trial.name).count("reconciled") == 2


def test_a_reply_without_usage_leaves_the_cost_unknown_not_zero(bench):
    def respond(keys, _):
        rows = [*map(answer_row, keys)]
        del rows[0]["response"]["body"]["usage"]
        return rows

    bench.provider.respond = respond
    bench.run()
    entry = read_shards(bench.folder / "events.jsonl")["s0001"]
    assert entry.cost_usd is None
    assert entry.reserved_usd > 0


def test_a_clock_that_goes_back_is_no_reason_to_fail(bench, monkeypatch):
    monkeypatch.setattr(collecting, "hours_since", lambda _: -5.0)
    states = iter([BatchStatus.RUNNING, BatchStatus.DONE])
    bench.provider.status_of = lambda _: BatchState(next(states), "x")
    assert len(bench.run()) == 4
