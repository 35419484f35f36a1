"""Answers that another run has paid for are taken over; nothing else is."""

from __future__ import annotations

import pytest

from scripts import poll, submit
from scripts.files import read_json, read_jsonl
from scripts.money.books import read_books
from scripts.money.ledger import Ledger
from tests.fakes.sending_fakes import (
    FakeProvider,
    answer_row,
    error_row,
    ledger_of,
    make_fake_sender,
    make_requests,
    make_settings,
    write_requests,
)


class Experiments:
    """Runs beside each other, all asking one provider."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.provider = folder, FakeProvider()
        for phase in (submit, poll):
            monkeypatch.setattr(phase, "make_sender", self.make_sender)

    def make_sender(self, settings, trial, ledger):
        return make_fake_sender(settings, ledger, self.provider)

    def run(self, run_id, requests, **changes):
        """Submit and poll; returns what submit wrote about the batches and poll about the replies."""
        settings = make_settings(self.folder, run_id=run_id, max_error_rate=1, **changes)
        (trial,) = settings.trials
        path = write_requests(settings.run_root / "requests.jsonl", requests)
        submit.submit_trial(settings, trial, path, out=settings.run_root / "batches.json")
        poll.poll_trial(settings, trial, path, out=settings.run_root / "replies.jsonl")
        batches = read_json(settings.run_root / "batches.json")["batches"]
        return batches, [row for _, row in read_jsonl(settings.run_root / "replies.jsonl")]

    def spent(self, run_id):
        return read_books(self.folder / "experiments" / f"run_{run_id}" / "ledger").committed_usd


@pytest.fixture
def experiments(tmp_path, monkeypatch):
    return Experiments(tmp_path, monkeypatch)


def test_a_dataset_that_grows_sends_only_the_new_items(experiments):
    experiments.run("first", make_requests(3))
    batches, replies = experiments.run("second", make_requests(5), reuse="store")
    keys = [request.request_key for request in make_requests(5)]
    assert experiments.provider.sent == keys
    assert [row["request_key"] for row in replies] == keys
    assert [(batch["n_requests"], batch["batch_id"]) for batch in batches] == [(3, "b1"), (2, "b2")]
    assert [batch["reused_from"] and batch["reused_from"].split("/")[0] for batch in batches] == [
        "run_first",
        None,
    ]


def test_by_default_a_run_stands_alone(experiments):
    experiments.run("first", make_requests(3))
    experiments.run("second", make_requests(3))
    assert len(experiments.provider.sent) == 6


def test_what_is_taken_over_costs_this_run_nothing(experiments):
    experiments.run("first", make_requests(3))
    experiments.run("second", make_requests(3), reuse="store")
    assert experiments.spent("first") > 0
    assert experiments.spent("second") == 0
    assert len(experiments.provider.batches) == 1


def test_what_failed_is_not_taken_but_sent(experiments):
    first, second, third = (request.request_key for request in make_requests(3))
    experiments.provider.respond = lambda keys, attempt: [
        answer_row(first),
        answer_row(second, None, finish_reason="length"),
        error_row(third, "invalid_request", 400),
    ]
    experiments.run("first", make_requests(3))
    experiments.provider.respond = lambda keys, attempt: [answer_row(key) for key in keys]
    experiments.run("second", make_requests(3), reuse="store")
    assert experiments.provider.sent == [first, second, third, third]


@pytest.mark.parametrize("changes", [{"model": {"accuracy": 0.1}}, {"model": {"refused": 0.1}}])
def test_answers_of_another_service_are_not_taken(experiments, changes):
    experiments.run("first", make_requests(3))
    experiments.run("second", make_requests(3), reuse="store", **changes)
    assert len(experiments.provider.sent) == 6


def test_answers_travel_on_with_their_origin(experiments):
    experiments.run("a", make_requests(2))
    experiments.run("b", make_requests(2), reuse="store")
    (experiments.folder / "experiments" / "run_a").rename(experiments.folder / "elsewhere")
    batches, _ = experiments.run("c", make_requests(2), reuse="store")
    assert len(experiments.provider.batches) == 1
    assert [batch["reused_from"].split("/")[0] for batch in batches] == ["run_a"]


def test_each_request_is_taken_from_one_source_only(experiments):
    experiments.run("a", make_requests(2))
    experiments.run("b", make_requests(3))
    batches, replies = experiments.run("c", make_requests(3), reuse="store")
    assert [batch["n_requests"] for batch in batches] == [2, 1]
    assert len(replies) == 3
    assert len(experiments.provider.batches) == 2


def test_a_crash_while_taking_over_neither_loses_nor_doubles_anything(experiments, monkeypatch):
    experiments.run("first", make_requests(3))
    record = Ledger.record

    def die(self, event, shard, **facts):
        if event == "downloaded" and "run_second" in str(self.path):
            raise KeyboardInterrupt
        record(self, event, shard, **facts)

    monkeypatch.setattr(Ledger, "record", die)
    with pytest.raises(KeyboardInterrupt):
        experiments.run("second", make_requests(3), reuse="store")
    monkeypatch.setattr(Ledger, "record", record)
    _, replies = experiments.run("second", make_requests(3), reuse="store")
    assert (len(replies), len(experiments.provider.batches)) == (3, 1)


def test_a_run_that_is_going_on_lends_what_has_come_and_its_lock_is_not_taken(experiments):
    experiments.run("first", make_requests(2))
    settings = make_settings(experiments.folder, run_id="first")
    with ledger_of(settings, settings.trials[0].name):
        experiments.run("second", make_requests(2), reuse="store")
    assert len(experiments.provider.batches) == 1
