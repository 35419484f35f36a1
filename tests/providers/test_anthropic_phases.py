"""Nothing is paid twice: lost answers, batches that cannot be told apart, and what is sent again."""

from __future__ import annotations

import dataclasses
import datetime
import json
import traceback
from collections import Counter

import pytest

from scripts.dispatch.replies import Settled
from scripts.errors import ProviderError, UnknownOutcomeError
from scripts.files import dump_line
from scripts.poll import poll_trial
from scripts.providers import anthropic_batch, anthropic_lost, make_provider
from scripts.providers.anthropic_batch import AnthropicBatch
from scripts.records import Item, Request
from scripts.submit import submit_trial
from tests.providers.anthropic_experiments import load_experiment
from tests.providers.anthropic_server import KEY, errored, message, serve

N = 4


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    with serve() as service:
        yield service


def rows_of(name, n):
    return [{"custom_id": f"{name}{k}", "params": {"max_tokens": 1, "messages": []}} for k in range(n)]


class Bench:
    """A run of one trial with four requests."""

    def __init__(self, folder, service):
        options = {"base_url": service.base_url, "poll_seconds": 0.05, "timeout_seconds": 60}
        self.folder = folder
        self.settings = load_experiment(folder, providers={"anthropic": options}, max_error_rate=1.0)
        self.trial = self.settings.trials[0]
        self.provider = make_provider(self.settings, "m")
        turns = [[{"role": "user", "content": f"Question {k}?"}] for k in range(N)]
        item = Item("q", "?", ("yes",))
        requests = [
            Request.render(
                dataset="d",
                item_id=f"q{k}",
                replicate=0,
                body=self.provider.body(turn, self.trial, "d", item),
            )
            for k, turn in enumerate(turns)
        ]
        self.keys = [request.request_key for request in requests]
        self.requests = folder / "requests.jsonl"
        self.requests.write_text("".join(dump_line(request.to_json()) for request in requests))

    def submit(self):
        submit_trial(self.settings, self.trial, self.requests, out=self.folder / "batches.json")
        return [
            batch["batch_id"] for batch in json.loads((self.folder / "batches.json").read_text())["batches"]
        ]

    def poll(self):
        """Poll, and give the last outcome of each request in order."""
        poll_trial(self.settings, self.trial, self.requests, out=self.folder / "replies.jsonl")
        rows = [json.loads(line) for line in (self.folder / "replies.jsonl").read_text().splitlines()]
        last = {row["request_key"]: Settled.from_json(row).read(self.provider).outcome.value for row in rows}
        assert list(last) == self.keys
        return list(last.values())


@pytest.fixture
def bench(tmp_path, service):
    return Bench(tmp_path, service)


def sizes(service):
    return [len(batch.requests) for batch in service.batches.values()]


def test_a_run_sends_once_and_a_second_one_sends_nothing(bench, service):
    assert bench.submit() == bench.submit() == ["msgbatch_0001"]
    assert bench.poll() == bench.poll() == ["answered"] * N
    assert service.calls.count("create") == 1


@pytest.mark.parametrize("fault", ["created, then drop", "created, then 500", "created, then garbage"])
@pytest.mark.parametrize("delay_s", [0.0, 0.5])
def test_a_batch_whose_answer_was_lost_is_adopted_and_billed_once(bench, service, fault, delay_s):
    service.delay_s, service.faults = delay_s, [("create", fault)]
    with pytest.raises(UnknownOutcomeError, match="a paid batch may exist"):
        bench.submit()
    assert bench.submit() == ["msgbatch_0001"]
    assert bench.poll() == ["answered"] * N
    assert sizes(service) == [N]


def test_a_call_that_came_to_nothing_is_made_again_once_that_is_sure(bench, service, monkeypatch):
    service.faults = [("create", "drop")]
    with pytest.raises(UnknownOutcomeError):
        bench.submit()
    with pytest.raises(UnknownOutcomeError, match="too early to be sure"):
        bench.submit()
    assert service.calls.count("create") == 1
    monkeypatch.setattr(anthropic_lost, "SETTLING", datetime.timedelta(minutes=-1))
    patient = AnthropicBatch.from_settings
    hasty = lambda _, *about: dataclasses.replace(patient(*about), lag_seconds=0.0)  # noqa: E731
    monkeypatch.setattr(AnthropicBatch, "from_settings", classmethod(hasty))
    bench.submit()
    assert bench.poll() == ["answered"] * N
    assert sizes(service) == [N]


def test_where_two_batches_may_be_the_lost_one_nothing_is_sent_until_they_have_ended(bench, service):
    service.delay_s, service.faults = 100.0, [("create", "created, then drop")]
    service.add(rows_of("somebody", N))
    with pytest.raises(UnknownOutcomeError):
        bench.submit()
    for call in (bench.submit, bench.poll):
        with pytest.raises(UnknownOutcomeError, match="msgbatch_0001, msgbatch_0002") as told:
            call()
    assert "wait until they have ended" in told.value.fix
    assert f"adopt: {{{bench.trial.name}/s0001: ITS-ID}}" in told.value.fix
    assert service.calls.count("create") == 1
    for batch in service.batches.values():
        batch.ends_at = 0
    assert bench.submit() == ["msgbatch_0002"]
    assert bench.poll() == ["answered"] * N
    assert service.calls.count("create") == 1


def test_what_a_ledger_owns_is_nobody_elses_batch(bench, service, tmp_path):
    """Two runs of the same size, the second of which has lost its answer."""
    service.delay_s = 100.0
    bench.submit()
    (tmp_path / "other").mkdir()
    other = Bench(tmp_path / "other", service)
    other.settings.config["run_id"] = "other"
    other.settings.config["experiments_dir"] = bench.settings.config["experiments_dir"]
    service.faults = [("create", "created, then drop")]
    with pytest.raises(UnknownOutcomeError):
        other.submit()
    assert other.submit() == ["msgbatch_0002"]


def test_a_batch_that_another_run_sends_during_the_search_is_not_taken(bench, service, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    other = Bench(tmp_path / "other", service)
    other.settings.config["run_id"] = "other"
    other.settings.config["experiments_dir"] = bench.settings.config["experiments_dir"]
    service.faults = [("create", "drop")]
    with pytest.raises(UnknownOutcomeError):
        bench.submit()
    search = anthropic_lost.find_lost_batch
    found = []

    def search_late(client, call, *, where):
        other.submit()
        found.append(search(client, call, where=where))
        return found[-1]

    monkeypatch.setattr(anthropic_batch, "find_lost_batch", search_late)
    with pytest.raises(UnknownOutcomeError, match="too early"):
        bench.submit()
    assert found == other.submit() == ["msgbatch_0001"]


def fail_once(service, result, *, n=1):
    """Make the first `n` requests fail in the first batch."""
    failed = []

    def answer(request):
        key = request["custom_id"]
        if len(service.batches) == 1 and (key in failed or len(failed) < n):
            failed.append(key)
            return result
        return message()

    service.answer = answer


AGAIN = {
    "fault": errored("api_error", "Internal server error"),
    "no credit": errored("invalid_request_error", "Your credit balance is too low to access the API."),
    "expired": {"type": "expired"},
    "canceled": {"type": "canceled"},
}


@pytest.mark.parametrize("case", AGAIN)
def test_only_what_failed_is_sent_again(bench, service, case):
    fail_once(service, AGAIN[case])
    bench.submit()
    assert bench.poll() == ["answered"] * N
    assert sizes(service) == [N, 1]


FINAL = {
    "wrong": (errored("invalid_request_error", "messages: too long"), "errored"),
    "cut off": (message(stop_reason="max_tokens"), "truncated"),
    "refused": (message(None, stop_reason="refusal"), "refused"),
}


@pytest.mark.parametrize("case", FINAL)
def test_what_sending_again_cannot_mend_is_not_sent_again(bench, service, case):
    result, outcome = FINAL[case]
    fail_once(service, result)
    bench.submit()
    assert Counter(bench.poll()) == {outcome: 1, "answered": N - 1}
    assert sizes(service) == [N]


def test_a_batch_that_expired_as_a_whole_is_sent_again_no_more_than_max_attempts(bench, service):
    service.answer = lambda request: {"type": "expired"}
    bench.submit()
    assert bench.poll() == ["expired"] * N
    assert sizes(service) == [N] * 3


def test_rows_that_are_missing_are_sent_again_and_rows_that_come_twice_count_once(bench, service):
    service.mangle = lambda rows: [*rows[:0:-1], rows[-1]] if len(rows) > 1 else rows
    bench.submit()
    assert bench.poll() == ["answered"] * N
    assert sizes(service) == [N, 1]


def test_a_broken_download_is_not_taken_for_missing_rows(bench, service):
    bench.submit()
    service.faults = [("results", "short"), ("results", "cut")]
    assert bench.poll() == ["answered"] * N
    assert sizes(service) == [N]


def test_a_poll_outlasts_lag_faults_and_unknown_words(bench, service):
    service.n_hidden_looks = 2
    service.faults = [("look", "500"), ("look", "drop"), ("look", "429 1")]
    bench.submit()
    assert bench.poll() == ["answered"] * N


def test_the_key_is_in_nothing_that_is_written(bench, service, capsys, caplog):
    caplog.set_level("DEBUG")
    told = []
    for fault in (f"401 the key {KEY} is not valid", "created, then drop"):
        service.faults = [("create", fault)]
        with pytest.raises(ProviderError) as error:
            bench.submit()
        told.append("".join(traceback.format_exception(error.value)))
    bench.submit()
    service.faults = [("look", f"403 {KEY}")]
    with pytest.raises(ProviderError) as error:
        bench.poll()
    told += ["".join(traceback.format_exception(error.value)), repr(bench.provider), str(bench.settings)]
    assert bench.poll() == ["answered"] * N
    output = capsys.readouterr()
    for text in [*told, output.out, output.err, caplog.text]:
        assert KEY not in text
    files = [path for path in bench.folder.rglob("*") if path.is_file()]
    assert len(files) > 6
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
