"""Nothing is paid twice: lost answers, batches that cannot be told apart, and what is sent again."""

from __future__ import annotations

import dataclasses
import datetime
import time
import traceback
from collections import Counter

import pytest

from scripts.dispatch import lost_calls
from scripts.errors import ProviderError, UnknownOutcomeError
from scripts.providers import anthropic_batch, anthropic_lost
from scripts.providers.anthropic_batch import AnthropicBatch
from tests.fakes.sending_fakes import Killed
from tests.providers.anthropic_experiments import (  # noqa: F401 - fixtures
    Bench,
    N,
    bench_fixture,
    fail_once,
    service_fixture,
    sizes,
)
from tests.providers.anthropic_server import KEY, errored, message, serve


def rows_of(name, n):
    return [{"custom_id": f"{name}{k}", "params": {"max_tokens": 1, "messages": []}} for k in range(n)]


def test_a_run_sends_once_and_a_second_one_sends_nothing(bench, service):
    assert bench.submit() == bench.submit() == ["msgbatch_0001"]
    assert bench.poll() == bench.poll() == ["answered"] * N
    assert service.calls.count("create") == 1


@pytest.mark.parametrize("fault", ["created, then drop", "created, then 500", "created, then garbage"])
@pytest.mark.parametrize("delay_s", [0.0, 0.5])
def test_a_batch_whose_answer_was_lost_is_adopted_and_billed_once(bench, service, fault, delay_s):
    service.delay_s, service.faults = delay_s, [("create", fault)]
    assert bench.submit() == ["msgbatch_0001"]
    assert bench.poll() == ["answered"] * N
    assert sizes(service) == [N]


@pytest.mark.parametrize("fault", ["drop", "500", "529 Overloaded"])
def test_a_call_that_came_to_nothing_is_made_again_once_that_is_sure(bench, service, monkeypatch, fault):
    settling = 0.5
    monkeypatch.setattr(anthropic_lost, "SETTLING", datetime.timedelta(seconds=1 + settling))
    patient = AnthropicBatch.from_settings
    hasty = lambda _, *about: dataclasses.replace(patient(*about), lag_seconds=0.0)  # noqa: E731
    monkeypatch.setattr(AnthropicBatch, "from_settings", classmethod(hasty))
    service.faults = [("create", fault)]
    began = time.monotonic()
    bench.submit()
    assert time.monotonic() - began > settling
    assert bench.poll() == ["answered"] * N
    assert sizes(service) == [N]
    assert service.calls.count("create") == 2


def lose_call(bench, service, monkeypatch, fault):
    """A call whose answer is lost, by a process that ends before it has looked for the batch."""

    def die(*_):
        raise Killed

    service.faults = [("create", fault)]
    with monkeypatch.context() as patch:
        patch.setattr(AnthropicBatch, "find_existing", die)
        with pytest.raises(Killed):
            bench.submit()


def test_a_key_or_an_address_that_was_exchanged_since_the_call_proves_nothing(bench, service, monkeypatch):
    lose_call(bench, service, monkeypatch, "created, then drop")
    asked = service.calls.count("list")
    with monkeypatch.context() as patch:
        patch.setenv("ANTHROPIC_API_KEY", f"{KEY}-other")
        with pytest.raises(UnknownOutcomeError, match="was sent with another key") as told:
            bench.submit()
    assert "Use that key again" in told.value.fix
    assert f"resubmit: [{bench.trial.name}/s0001]" in told.value.fix
    with serve() as elsewhere:
        bench.settings.config["providers"]["anthropic"]["base_url"] = elsewhere.base_url
        with pytest.raises(UnknownOutcomeError, match=f"was sent to {service.base_url}"):
            bench.submit()
        assert elsewhere.calls == []
    bench.settings.config["providers"]["anthropic"]["base_url"] = service.base_url
    assert service.calls.count("list") == asked
    assert bench.submit() == ["msgbatch_0001"]
    assert bench.poll() == ["answered"] * N
    assert sizes(service) == [N]


def test_where_two_batches_may_be_the_lost_one_nothing_is_sent_until_they_have_ended(bench, service):
    service.delay_s, service.faults = 100.0, [("create", "created, then drop")]
    service.add(rows_of("somebody", N))
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
    assert other.submit() == ["msgbatch_0002"]


def test_a_batch_that_another_run_sends_during_the_search_is_not_taken(bench, service, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    other = Bench(tmp_path / "other", service)
    other.settings.config["run_id"] = "other"
    other.settings.config["experiments_dir"] = bench.settings.config["experiments_dir"]
    lose_call(bench, service, monkeypatch, "drop")
    search = anthropic_lost.find_lost_batch
    found = []

    def search_late(client, call, *, where):
        other.submit()
        found.append(search(client, call, where=where))
        return found[-1]

    monkeypatch.setattr(anthropic_batch, "find_lost_batch", search_late)
    monkeypatch.setattr(lost_calls, "MAX_ASKS", 1)
    with pytest.raises(UnknownOutcomeError, match="too early"):
        bench.submit()
    assert found == other.submit() == ["msgbatch_0001"]


AGAIN = {
    "fault": errored("api_error", "Internal server error"),
    "no credit": errored("invalid_request_error", "Your credit balance is too low to access the API."),
    "expired": {"type": "expired"},
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


def test_a_poll_outlasts_lag_faults_and_unknown_words(bench, service):
    service.n_hidden_looks = 2
    service.faults = [("look", "500"), ("look", "drop"), ("look", "429 1")]
    bench.submit()
    assert bench.poll() == ["answered"] * N


def test_the_key_is_in_nothing_that_is_written(bench, service, capsys, caplog):
    caplog.set_level("DEBUG")
    service.faults = [("create", f"401 the key {KEY} is not valid")]
    with pytest.raises(ProviderError) as error:
        bench.submit()
    told = ["".join(traceback.format_exception(error.value))]
    service.faults = [("create", "created, then drop")]
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
