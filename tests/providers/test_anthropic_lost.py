"""Which batch is the one whose answer was lost: only what is sure is taken."""

from __future__ import annotations

import datetime

import pytest

from scripts.errors import UnknownOutcomeError
from scripts.providers import LostCall
from scripts.providers.anthropic_batch import AnthropicBatch
from tests.providers.anthropic_experiments import service_fixture  # noqa: F401 - a fixture


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
