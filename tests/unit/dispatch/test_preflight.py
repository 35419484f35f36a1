"""When the first request goes out by itself, and what each answer to it means; without a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from decimal import Decimal

import pytest

from scripts.dispatch import preflight
from scripts.dispatch.preflight import Preflight
from scripts.errors import BusyError, NoEndpointError, ProviderError, UnknownOutcomeError
from scripts.money.preflights import read_preflights
from scripts.money.price import Price
from scripts.providers import Limits
from scripts.records import Outcome, Reply, Usage
from scripts.run.stop import StopRequested
from tests.fakes.sending_fakes import (
    FakeProvider,
    Killed,
    ledger_of,
    make_fake_sender,
    make_requests,
    make_settings,
)

PRICE = Price(Decimal(1), Decimal(2), Decimal(1), Decimal(1), "example")
ACCEPTED = Reply(Outcome.ANSWERED, "yes", usage=Usage(10, 2))


def said(kind, **more):
    return kind("refused: max_tokens is too large", where="fake", fix="Mend it.", **more)


@dataclasses.dataclass
class Asked(FakeProvider):
    """A provider that gives its single requests these answers, one after another."""

    answers: list = dataclasses.field(default_factory=list)
    singles: list = dataclasses.field(default_factory=list)

    def preflight(self, request):
        self.singles.append(request.item_id)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


@dataclasses.dataclass
class StoppedWhileAsked(Asked):
    """One that does something whenever it is asked."""

    on_ask: Callable[[], None] = lambda: None

    def preflight(self, request):
        self.on_ask()
        return super().preflight(request)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setattr(preflight, "FIRST_REST_S", 0.01)
    return make_settings(tmp_path)


def send_with(settings, provider, *, requests=None, price=PRICE, reserve=lambda usage: 0.5):
    with ledger_of(settings) as ledger:
        check = Preflight(ledger, reserve, price)
        sender = make_fake_sender(settings, ledger, provider, preflight=check)
        sender.send(requests or make_requests(4), attempt=1)


def told(settings):
    return [
        (entry.name, entry.state, entry.cost_usd)
        for entry in read_preflights(ledger_of(settings).folder / "events.jsonl")
    ]


def test_the_first_of_the_requests_goes_out_once_before_the_first_of_several_batches(settings):
    provider = Asked(limits=Limits(2, 10**6), answers=[ACCEPTED])
    send_with(settings, provider)
    send_with(settings, provider, requests=make_requests(2, text="Another"))
    assert provider.singles == ["q0"]
    assert len(provider.batches) == 3
    assert told(settings) == [("p0001", "accepted", 14e-6)]


def test_nothing_goes_out_where_nothing_is_to_be_sent(settings):
    provider = Asked()
    with ledger_of(settings) as ledger:
        check = Preflight(ledger, lambda usage: 0.5, PRICE)
        make_fake_sender(settings, ledger, provider, preflight=check).send([], attempt=1)
    assert provider.singles == []


def test_a_cost_that_nobody_knows_is_none_and_the_reserve_stays(settings):
    send_with(settings, Asked(answers=[Reply(Outcome.ANSWERED, "yes")]))
    assert told(settings) == [("p0001", "accepted", None)]


@pytest.mark.parametrize("kind", [NoEndpointError, UnknownOutcomeError])
def test_an_answer_that_tells_nothing_lets_the_batch_go(settings, kind):
    provider = Asked(answers=[said(kind)])
    send_with(settings, provider)
    assert len(provider.batches) == len(provider.singles) == 1


def test_a_refusal_names_the_item_and_the_setting_and_is_asked_again_at_the_next_start(settings):
    provider = Asked(answers=[said(ProviderError), ACCEPTED])
    with pytest.raises(ProviderError) as caught:
        send_with(settings, provider)
    assert caught.value.what == "preflight refused: max_tokens is too large"
    assert caught.value.where == "fake, item 'q0' of d"
    assert caught.value.fix == "The provider names max_tokens. Mend it."
    assert provider.batches == {}
    send_with(settings, provider)
    assert [state for _, state, _ in told(settings)] == ["rejected", "accepted"]
    assert len(provider.batches) == 1


def test_waits_are_short_whatever_the_provider_asks_for(settings, monkeypatch):
    monkeypatch.setattr(preflight, "MAX_REST_S", 0.02)
    provider = Asked(answers=[said(BusyError, retry_after_s=3600.0)] * 3)
    send_with(settings, provider)
    assert len(provider.singles) == 3
    assert len(provider.batches) == 1


def test_a_stop_while_waiting_leaves_nothing_that_counts_as_paid(settings):
    sentinel = settings.run_root / "STOP_REQUESTED"
    provider = StoppedWhileAsked(answers=[said(BusyError), ACCEPTED], on_ask=sentinel.touch)
    with pytest.raises(StopRequested):
        send_with(settings, provider)
    assert (len(provider.singles), provider.batches) == (1, {})
    with pytest.raises(StopRequested):  # and nothing goes out as long as it is there
        send_with(settings, provider)
    assert (len(provider.singles), provider.batches) == (1, {})
    sentinel.unlink()
    provider.on_ask = lambda: None
    send_with(settings, provider)
    assert [state for _, state, _ in told(settings)] == ["busy", "accepted"]


def test_one_that_was_cut_off_is_not_repeated(settings):
    provider = Asked(answers=[Killed(), ACCEPTED])
    with pytest.raises(Killed):
        send_with(settings, provider)
    send_with(settings, provider)
    assert told(settings) == [("p0001", "intent", None)]
    assert len(provider.batches) == len(provider.singles) == 1


def test_a_budget_that_is_passed_sends_neither_it_nor_a_batch(settings):
    def refuse(usage):
        raise said(ProviderError)

    provider = Asked()
    with pytest.raises(ProviderError):
        send_with(settings, provider, reserve=refuse)
    assert (provider.singles, provider.batches, told(settings)) == ([], {}, [])
