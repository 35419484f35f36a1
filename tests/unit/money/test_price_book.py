from __future__ import annotations

import dataclasses
import datetime
import re
from decimal import Decimal
from pathlib import Path

import genai_prices
import pytest
import yaml

from scripts.errors import ConfigError, DataError
from scripts.experiment.settings import load_settings
from scripts.files import PROJECT_ROOT
from scripts.money import price_book
from scripts.money.price import BatchRate
from scripts.money.price_book import (
    REHEARSAL,
    check_price_names,
    find_price,
    listed_price,
    plain_price,
    present_price,
    price_line,
    read_prices,
    record_prices,
)
from scripts.providers import PROVIDERS, provider_class
from scripts.run.checks import check_settings


def config(name="m", *, provider="openai", model=None, **prices):
    options = {"provider": provider} | ({"model": model} if model else {})
    return {"models": {name: options}, "prices": prices, "experiments_dir": "none", "run_id": "none"}


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


def test_a_request_that_is_answered_at_once_has_no_discount():
    mine = {"input": 1.1, "output": 2, "batch_multiplier": 0.25}
    price = plain_price(config(**{"m": mine}), "m")
    assert (price.input, price.batch_multiplier) == (Decimal("1.1"), 1)
    found = config(model="gpt-4o-mini")
    assert plain_price(found, "m").output == 2 * find_price(found, "m").output
    assert plain_price(config(model="nobody-knows"), "m") is None


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
    monkeypatch.setattr(price_book, "listed_price", lambda *_: after)
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
    with pytest.raises(DataError, match=r"prices\.json: is not as the start of a run wrote it"):
        find_price(run, "m")


@pytest.mark.parametrize("provider", ["openai", "replay", "nobody"])
def test_a_model_that_nobody_knows_has_no_price(provider):
    assert find_price(config(provider=provider, model="no-such-model-9"), "m") is None


def test_requests_that_go_out_one_by_one_cost_the_plain_rates():
    mine = {"input": 1, "output": 2}
    price = find_price(config(provider="local", m=mine), "m")
    assert (price.batch_multiplier, price.batch_rate) == (1, BatchRate.FOUND)
    assert find_price(
        config(provider="local", m={**mine, "batch_multiplier": 0.25}), "m"
    ).batch_multiplier == (Decimal("0.25"))


def test_whoever_takes_no_slots_sends_no_batches():
    without = {name for name in PROVIDERS if not provider_class(name).takes_slots}
    assert without == price_book.WITHOUT_BATCHES


def load_priced(folder, prices, *, model="gpt-4o-mini"):
    made = yaml.safe_load((EXAMPLES / "openai.yaml").read_text("utf-8"))
    made |= {"models": {"mini": {"provider": "openai", "model": model}}, "prices": prices}
    made["trials"]["sweep"]["model"] = ["mini"]
    path = folder / "c.yaml"
    path.write_text(yaml.safe_dump(made))
    return load_settings([path])


RATES = {"input": 1, "output": 2}


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("mini", "; did you mean 'gpt-4o-mini', the provider's name of models.mini?"),
        ("gpt-4o_mini", "; did you mean 'gpt-4o-mini'?"),
    ],
)
def test_a_price_under_a_name_that_is_a_slip_is_refused(tmp_path, key, hint):
    with pytest.raises(ConfigError, match="prices no model of the run") as caught:
        list(check_price_names(load_priced(tmp_path, {key: RATES})))
    assert hint in str(caught.value)
    assert f"prices.{key}" in caught.value.where


def test_a_price_that_serves_no_model_is_told_beside_one_that_does(tmp_path):
    prices = {"gpt-4o-mini": RATES, "gpt-4o": RATES, "mini": RATES}
    told = [str(warning) for warning in check_price_names(load_priced(tmp_path, prices))]
    assert [".gpt-4o: prices no model" in told[0], ".mini: prices no model" in told[1]] == [True, True]
    assert "did you mean" not in "".join(told)
    assert list(check_price_names(load_priced(tmp_path, {"gpt-4o-mini": RATES}))) == []


@pytest.mark.parametrize("model", ["gpt-99-ultra", "mistral-nemo:free", "007", "accounts/x/models/y", "true"])
def test_the_line_of_the_message_is_the_one_that_helps(tmp_path, model):
    for prices in ({}, {"other": RATES}):
        settings = load_priced(tmp_path, prices, model=model)
        line = re.search("`(.*)`", price_line(settings.config, "mini"))[1].replace("...", "1")
        pasted = yaml.safe_load(line)
        pasted = pasted if prices else pasted["prices"]
        assert find_price(load_priced(tmp_path, pasted, model=model).config, "mini").input == 1


EXAMPLES = PROJECT_ROOT / "config" / "examples"


DAY = datetime.date(2026, 11, 23)


BEFORE = datetime.date(2026, 10, 13)
"""The table has batch rates from the next day on."""


def models_of(provider):
    """The models of a provider that the examples name."""
    configs = [yaml.safe_load(path.read_text("utf-8")) for path in EXAMPLES.glob("*.yaml")]
    models = [model for config in configs for model in config["models"].items()]
    return sorted({options.get("model", name) for name, options in models if options["provider"] == provider})


def test_batch_rates_are_listed_for_every_model_of_the_examples():
    for provider in ("openai", "anthropic"):
        assert models_of(provider)
        for model in models_of(provider):
            price, plain = listed_price(model, provider, DAY), listed_price(model, provider, BEFORE)
            assert price.batch_rate is BatchRate.FOUND, model
            assert (price.input, price.output) == (plain.input / 2, plain.output / 2)
            assert price.batch_multiplier == 1  # it is in the rates already
            assert (price.version, price.as_of) == (genai_prices.__version__, "2026-11-23")


def test_for_a_day_before_the_batch_rates_hold_the_plain_ones_are_called_defaulted():
    price = listed_price("gpt-4o-mini", "openai", BEFORE)
    assert (price.input, price.batch_rate) == (Decimal("0.15"), BatchRate.DEFAULTED)
    assert price.source.endswith("(plain rates, no batch rate listed)")


def test_a_model_without_a_batch_rate_has_the_plain_one_and_says_so():
    price = listed_price("accounts/fireworks/models/gpt-oss-120b", "fireworks", DAY)
    assert (price.input, price.output, price.batch_rate) == (
        Decimal("0.15"),
        Decimal("0.6"),
        BatchRate.DEFAULTED,
    )


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("no-such-model-9", "openai"),
        ("gpt-oss-120b-of-nobody", "fireworks"),
        ("gpt-4o-mini", "no-such-provider"),
        ("whisper-1", "openai"),  # priced by the hour
        ("text-embedding-3-small", "openai"),  # writes nothing
        ("mistral-nemo:free", "mistral"),  # at no cost
    ],
)
def test_what_has_no_price_per_token_is_never_free(model, provider):
    assert listed_price(model, provider, DAY) is None


def test_a_model_that_nobody_knows_is_an_error_unless_it_is_allowed(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    config = yaml.safe_load((EXAMPLES / "openai.yaml").read_text("utf-8"))
    config["models"]["gpt-4o-mini"]["model"] = "no-such-model-9"
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(ConfigError, match="the model 'no-such-model-9' has no price") as caught:
        check_settings(load_settings([path]))
    assert "Add the line `prices: {no-such-model-9: {input: ..., output: ...}}`" in caught.value.fix
    check_settings(load_settings([path], {"allow_unpriced": True}))


def test_what_is_written_to_a_cache_has_the_rates_of_the_table():
    price = listed_price("claude-haiku-4-5", "anthropic", DAY)
    rates = (price.input, price.cached_input, price.cache_write, price.cache_write_1h, price.output)
    assert rates == tuple(map(Decimal, ("0.5", "0.05", "0.625", "1", "2.5")))
