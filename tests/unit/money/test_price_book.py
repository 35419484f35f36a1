from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.dispatch import unsent_requests
from scripts.errors import DataError, ProviderError
from scripts.money import price_book as pricing
from scripts.money.books import read_books
from scripts.money.budget import estimate_usage
from scripts.money.ledger import Ledger
from scripts.money.price import RATES
from scripts.money.price_book import (
    REHEARSAL,
    Price,
    configured_price,
    find_price,
    present_price,
    read_prices,
    record_prices,
)
from scripts.records import Usage
from tests.fakes.sending_fakes import (
    FakeProvider,
    make_fake_sender,
    make_requests,
    make_settings,
    write_requests,
)

PRICE = Price(Decimal(10), Decimal(100), Decimal(1), Decimal("0.5"), "test")


def config(name="m", *, provider="openai", model=None, **prices):
    options = {"provider": provider} | ({"model": model} if model else {})
    return {"models": {name: options}, "prices": prices, "experiments_dir": "none", "run_id": "none"}


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(1_000_000, 0), "5"),
        (Usage(0, 1_000_000), "50"),
        (Usage(1_000_000, 0, 1_000_000), "0.5"),
        (Usage(1_000_000, 0, 400_000), "3.2"),
        (Usage(100, 0, 10_000), "0.00005"),  # more cached than there were: never a negative price
        (Usage(3, 0), "0.000015"),  # exact, where floats are not
        (Usage(0, 0), "0"),
        (Usage(None, 5), None),
        (Usage(5, None), None),
    ],
)
def test_tokens_are_priced_once_and_exactly(usage, cost):
    expected = None if cost is None else Decimal(cost)
    assert PRICE.cost(usage) == expected


def test_what_is_written_to_a_cache_is_priced_by_how_long_it_is_kept():
    rates = {"input": 10, "output": 100, "cached_input": 1, "cache_write": 12.5, "cache_write_1h": 20}
    usage = Usage(1000, 1, 100, 600, 200)
    both, brief, neither = (
        configured_price({key: rates[key] for key in list(rates)[:n]}).cost(usage) for n in (5, 4, 3)
    )
    assert both == (300 * 10 + 100 * 1 + 400 * Decimal("12.5") + 200 * 20 + 100) / Decimal(2_000_000)
    assert brief == (300 * 10 + 100 * 1 + 600 * Decimal("12.5") + 100) / Decimal(2_000_000)
    assert neither == (900 * 10 + 100 * 1 + 100) / Decimal(2_000_000)


def test_more_written_than_there_was_is_never_a_negative_price():
    price = configured_price({"input": 10, "output": 0, "cache_write": 20, "batch_multiplier": 1})
    assert price.cost(Usage(100, 0, 60, 10_000, 20_000)) == Decimal(100 * 10 + 40 * 10) / 1_000_000


def test_a_price_says_whether_its_batch_rate_was_given_or_assumed():
    plain = {"input": 1, "output": 2}
    assumed, given = configured_price(plain), configured_price({**plain, "batch_multiplier": 0.5})
    assert assumed.batch_multiplier == given.batch_multiplier == Decimal("0.5")
    assert [price.to_json()["batch_rate"] for price in (assumed, given)] == ["defaulted", "found"]


RATE = st.decimals(0, 100, places=4)


@given(st.fixed_dictionaries({"input": RATE, "output": RATE}, optional=dict.fromkeys(RATES[2:], RATE)))
def test_rates_that_were_written_down_give_the_same_dollars_again(rates):
    price = configured_price({**rates, "batch_multiplier": 0.5})
    again = configured_price(price.to_json())
    usage = Usage(1_234_567, 89_012, 34_567, 8_901, 2_345)
    assert again == price
    assert again.cost(usage) == price.cost(usage)


def test_the_configuration_wins_over_rehearsal_rates_and_the_table():
    mine = {"input": 1.1, "output": 2}
    for provider in ("simulated", "openai"):
        price = find_price(config(provider=provider, model="gpt-4o-mini", **{"gpt-4o-mini": mine}), "m")
        assert (price.input, price.cached_input, price.batch_multiplier) == (
            Decimal("1.1"),
            Decimal("1.1"),
            Decimal("0.5"),
        )
    assert find_price(config(provider="simulated"), "m") is REHEARSAL


def test_prices_stand_under_the_name_that_the_provider_uses():
    mine = {"input": 1, "output": 2}
    assert find_price(config(provider="simulated", model="real", m=mine), "m") is REHEARSAL
    assert find_price(config(provider="simulated", m=mine), "m").input == 1


def test_the_table_gives_batch_rates_where_it_has_them():
    price = find_price(config(model="gpt-4o-mini"), "m")
    assert price.batch_multiplier == 1
    assert (price.input, price.output) in {
        (Decimal("0.075"), Decimal("0.3")),  # the batch rates
        (Decimal("0.15"), Decimal("0.6")),  # the plain ones, before the table's batch rates hold
    }
    assert price.source.startswith("genai-prices")
    assert ("batch rates" in price.source) == (price.input == Decimal("0.075"))


@pytest.fixture
def started(tmp_path, monkeypatch):
    """A run that has recorded its prices, of which the table has changed one since."""
    run = config(model="gpt-4o-mini") | {"experiments_dir": str(tmp_path)}
    run["models"] |= {"s": {"provider": "simulated"}, "x": {"provider": "openai", "model": "no-such-model-9"}}
    before = find_price(run, "m")
    record_prices(run)
    after = dataclasses.replace(before, input=Decimal(7), version="9.9.9")
    monkeypatch.setattr(pricing, "listed_price", lambda *_: after)
    return run, before, after


def test_a_run_keeps_the_rates_that_it_has_recorded(started):
    run, before, after = started
    assert read_prices(run) == {"openai/gpt-4o-mini": before}
    assert (find_price(run, "m"), present_price(run, "m")) == (before, after)
    path = Path(run["experiments_dir"]) / "run_none" / "prices.json"
    written = path.read_bytes()
    run["models"]["s"]["accuracy"] = 0.5
    del run["models"]["x"]
    record_prices(run)
    assert path.read_bytes() == written


def test_what_was_recorded_yields_to_the_configuration_and_never_stands_for_another_model(started):
    run, _, after = started
    run["prices"]["gpt-4o-mini"] = {"input": 3, "output": 4}
    assert find_price(run, "m").input == 3
    run["prices"].clear()
    assert find_price(run, "s") is REHEARSAL
    run["models"]["m"] = {"provider": "openai", "model": "gpt-4o"}
    assert find_price(run, "m") is after
    run["models"]["m"] = {"provider": "replay", "model": "gpt-4o-mini"}
    assert find_price(run, "m") is after


def test_a_model_that_is_new_is_recorded_beside_the_others(started):
    run, before, after = started
    run["models"]["new"] = {"provider": "openai", "model": "gpt-4o"}
    record_prices(run)
    assert read_prices(run) == {
        "openai/gpt-4o-mini": before,
        "openai/gpt-4o": after,
        "openai/no-such-model-9": after,
    }


@pytest.mark.parametrize("text", ["[]", "{}", '{"prices": {"openai/gpt-4o": {"input": 1}}}', '{"prices": 1}'])
def test_recorded_prices_that_are_broken_are_an_error(started, text):
    run, *_ = started
    path = Path(run["experiments_dir"]) / "run_none" / "prices.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"prices\.json: is not what a run's start has written"):
        find_price(run, "m")


@pytest.mark.parametrize("provider", ["openai", "replay", "nobody"])
def test_a_model_that_nobody_knows_has_no_price(provider):
    assert find_price(config(provider=provider, model="no-such-model-9"), "m") is None


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        ({"messages": [{"role": "user", "content": "é" * 30}], "max_tokens": 7}, (26, 7)),
        ({"messages": [], "max_completion_tokens": 9}, (1, 9)),
        ({"messages": []}, (1, 4096)),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x" * 300}]}]}, (109, 4096)),
        ({"system": "x" * 300, "messages": [], "max_tokens": None}, (103, 4096)),
    ],
)
def test_estimates_take_in_every_text_and_the_longest_answer(body, usage):
    assert estimate_usage(body) == Usage(*usage)


class Budget:
    def __init__(self, root, usd):
        self.settings = make_settings(root, budget_usd=usd)
        self.provider = FakeProvider()

    def send(self, requests, trial):
        path = write_requests(self.settings.run_root / f"{trial}.jsonl", requests)
        with Ledger(self.settings.run_root / "ledger" / trial) as ledger:
            sender = make_fake_sender(self.settings, ledger, self.provider)
            sender.send(unsent_requests(path, ledger), attempt=1)

    @property
    def spent(self):
        return read_books(self.settings.run_root / "ledger").committed_usd


ONE = REHEARSAL.cost(estimate_usage(make_requests(1)[0].body))


def test_what_is_in_flight_counts_against_the_budget_of_all_trials(tmp_path):
    budget = Budget(tmp_path, float(3 * ONE))
    budget.send(make_requests(2), "one")
    assert budget.spent == pytest.approx(2 * ONE)
    with pytest.raises(ProviderError, match=r"two: budget_usd|budget_usd: sending may cost \$0\.0001"):
        budget.send(make_requests(2, text="Questions"), "two")
    assert len(budget.provider.batches) == 1
    budget.send(make_requests(1), "three")
    assert len(budget.provider.batches) == 2


def test_what_a_batch_did_cost_takes_the_place_of_what_was_reserved(tmp_path):
    budget = Budget(tmp_path, float(3 * ONE))
    budget.send(make_requests(3), "one")
    with Ledger(budget.settings.run_root / "ledger" / "one") as ledger:
        ledger.record("reconciled", "s0001", cost_usd=0.0)
    assert budget.spent == 0
    budget.send(make_requests(3), "two")
    assert len(budget.provider.batches) == 2


def test_what_was_sent_before_there_was_a_budget_counts_too(tmp_path):
    without = Budget(tmp_path, None)
    without.send(make_requests(2), "one")
    budget = Budget(tmp_path, float(2 * ONE))
    assert budget.spent == pytest.approx(2 * ONE)
    with pytest.raises(ProviderError, match="is spent or reserved"):
        budget.send(make_requests(1), "two")


def test_a_refused_batch_costs_nothing(tmp_path):
    budget = Budget(tmp_path, 1)

    def refuse():
        raise ProviderError("no", where="fake", fix="x")

    budget.provider.before = refuse
    with pytest.raises(ProviderError):
        budget.send(make_requests(2), "one")
    assert budget.spent == 0


def test_a_budget_of_nothing_sends_nothing(tmp_path):
    budget = Budget(tmp_path, 1e-9)
    with pytest.raises(ProviderError, match=r"of the run's \$1e-09"):
        budget.send(make_requests(1), "one")
    assert not budget.provider.batches


def test_a_model_without_a_price_cannot_keep_a_budget(tmp_path):
    settings = make_settings(tmp_path, budget_usd=5)
    (tmp_path / "r.jsonl").write_text("")
    settings.config["models"]["m"] = {"provider": "replay", "recorded": str(tmp_path / "r.jsonl")}
    with (
        Ledger(settings.run_root / "ledger" / "t") as ledger,
        pytest.raises(ProviderError, match="'m' has no price, so budget_usd cannot be kept"),
    ):
        make_fake_sender(settings, ledger, FakeProvider()).send(make_requests(1), attempt=1)
