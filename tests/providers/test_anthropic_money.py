"""Nothing is paid twice: lost answers, batches that cannot be told apart, and what is sent again."""

from __future__ import annotations

import dataclasses
import datetime
import time
import traceback
from collections import Counter

import pytest
from anthropic_experiments import (  # noqa: F401 - fixtures
    Bench,
    N,
    bench_fixture,
    fail_once,
    service_fixture,
    sizes,
)
from anthropic_server import KEY, errored, message, serve

from scripts.dispatch import lost_calls
from scripts.errors import ProviderError, UnknownOutcomeError
from scripts.providers import LostCall, anthropic_batch, anthropic_lost
from scripts.providers.anthropic_batch import AnthropicBatch
from tests.unit.sending_fakes import Killed


@pytest.fixture
def provider(service):
    return AnthropicBatch(model="claude", base_url=service.base_url)


def lost(n, *, ago_s=1000.0, ahead_s=0.0, **changes):
    """A call whose answer was lost, when the provider's clock was so far ahead of this machine's."""
    at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=ago_s)
    known = {"provider_at": at + datetime.timedelta(seconds=ahead_s)}
    return LostCall(at, n, **{**known, **changes})


def rows_of(name, n):
    return [{"custom_id": f"{name}{k}", "params": {"max_tokens": 1, "messages": []}} for k in range(n)]


def test_the_only_batch_of_that_size_since_the_call_is_the_lost_one(service, provider):
    service.delay_s, service.page_size = 100.0, 1
    old = service.add(rows_of("old", 3), ago_s=3000)
    for n in (2, 3, 4):
        wanted = service.add(rows_of("new", n), ago_s=990)
        assert provider.find_existing("a" * 64, lost(n)) == wanted.id
    call = lost(3, known=frozenset({"msgbatch_0003"}))
    with pytest.raises(UnknownOutcomeError, match=f"may be {old.id}"):
        provider.find_existing("a" * 64, call)  # clocks are not to be trusted where it is about money
    old.ends_at = 0
    assert provider.find_existing("a" * 64, call) is None
    assert provider.find_existing("a" * 64, lost(5)) is None


def test_a_large_call_needs_longer_until_it_is_sure_that_none_was_created(provider):
    assert provider.find_existing("a" * 64, lost(100, ago_s=400)) is None
    with pytest.raises(UnknownOutcomeError, match=r"no batch of 100,000 requests .* too early"):
        provider.find_existing("a" * 64, lost(100_000, ago_s=400))


def test_clocks_that_differ_by_hours_do_not_hide_a_batch(service, provider):
    service.delay_s, service.clock_ahead = 100.0, datetime.timedelta(hours=-3)
    wanted = service.add(rows_of("new", 2), ago_s=990)
    assert provider.find_existing("a" * 64, lost(2, ahead_s=-3 * 3600)) == wanted.id


CLOCKS = {"fast at the call": 3600, "slow at the call": -3600, "right": 0}


@pytest.mark.parametrize("name", CLOCKS)
def test_a_clock_that_was_set_after_the_call_hides_no_batch(service, provider, name):
    """This machine's clock at the call is off by so much; the provider's is in the ledger."""
    service.delay_s = 100.0
    wanted = service.add(rows_of("new", 2), ago_s=4000)
    call = lost(2, ago_s=4000 - CLOCKS[name], ahead_s=-CLOCKS[name])
    assert provider.find_existing("a" * 64, call) == wanted.id


@pytest.mark.parametrize("name", CLOCKS)
def test_without_the_providers_time_of_the_call_nothing_is_sent_beside_an_unowned_batch(
    service, provider, name
):
    service.delay_s = 100.0
    batch = service.add(rows_of("new", 2), ago_s=4000)
    call = lost(2, ago_s=4000 - CLOCKS[name], provider_at=None, read_keys=lambda: batch.custom_ids)
    with pytest.raises(UnknownOutcomeError, match="msgbatch_0001") as told:
        provider.find_existing("a" * 64, call)
    assert told.value.ask_again_s is None
    batch.ends_at = 0
    assert provider.find_existing("a" * 64, call) == batch.id


def test_a_providers_clock_that_is_set_back_after_the_call_sends_nothing_too_early(service, provider):
    service.clock_ahead = datetime.timedelta(hours=-1)
    with pytest.raises(UnknownOutcomeError, match="too early") as told:
        provider.find_existing("a" * 64, lost(2, ago_s=1000))
    assert 2800 < told.value.ask_again_s < 3000


def test_it_is_too_early_to_say_that_no_batch_was_created(provider):
    with pytest.raises(UnknownOutcomeError, match="too early to be sure") as told:
        provider.find_existing("a" * 64, lost(2, ago_s=60))
    assert "Run again after 20" in told.value.fix


def test_of_several_batches_none_is_taken_until_their_results_tell_whose_they_are(service, provider):
    service.delay_s = 100.0
    first, second = (service.add(rows_of(name, 2), ago_s=900) for name in ("x", "y"))
    call = lost(2, read_keys=lambda: second.custom_ids)
    with pytest.raises(UnknownOutcomeError, match="msgbatch_0001, msgbatch_0002") as told:
        provider.find_existing("a" * 64, call)
    assert "wait until they have ended" in told.value.fix
    first.ends_at = 0  # surely another's: so the second can only be ours
    assert provider.find_existing("a" * 64, call) == second.id
    second.ends_at = 0
    assert provider.find_existing("a" * 64, call) == second.id
    assert provider.find_existing("a" * 64, lost(2)) is None


def test_with_a_rival_of_the_same_size_a_single_batch_is_not_taken_unseen(service, provider):
    service.delay_s = 100.0
    batch = service.add(rows_of("x", 2), ago_s=900)
    call = lost(2, n_rivals=1, read_keys=lambda: batch.custom_ids)
    with pytest.raises(UnknownOutcomeError, match="msgbatch_0001"):
        provider.find_existing("a" * 64, call)
    batch.ends_at = 0
    assert provider.find_existing("a" * 64, call) == batch.id


@pytest.mark.parametrize("fault", ["500", "drop", "401 no"])
def test_a_provider_that_does_not_list_its_batches_has_not_said_that_there_is_none(service, provider, fault):
    service.faults = [("list", fault)] * 3
    with pytest.raises(UnknownOutcomeError, match="list of batches cannot be read"):
        provider.find_existing("a" * 64, lost(2))


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
