"""The pinned table of prices: its traps, and our arithmetic against its own."""

from __future__ import annotations

import datetime
from decimal import Decimal

import genai_prices
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.errors import ConfigError
from scripts.experiment.settings import load_settings
from scripts.files import PROJECT_ROOT
from scripts.money.price import BatchRate
from scripts.money.price_book import listed_price
from scripts.records import Usage
from scripts.run.checks import check_settings

EXAMPLES = PROJECT_ROOT / "config" / "examples"
DAY = datetime.date(2026, 11, 23)
BEFORE = datetime.date(2026, 10, 13)
"""The table has batch rates from the next day on."""

TIERED = "claude-sonnet-4-5"
START = 200_000


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
    with pytest.raises(ConfigError, match="the model 'gpt-4o-mini' has no price"):
        check_settings(load_settings([path]))
    check_settings(load_settings([path], {"allow_unpriced": True}))


def test_what_is_written_to_a_cache_has_the_rates_of_the_table():
    price = listed_price("claude-haiku-4-5", "anthropic", DAY)
    rates = (price.input, price.cached_input, price.cache_write, price.cache_write_1h, price.output)
    assert rates == tuple(map(Decimal, ("0.5", "0.05", "0.625", "1", "2.5")))


def test_a_long_request_has_the_rates_of_its_tier_for_all_its_tokens():
    price = listed_price(TIERED, "anthropic", DAY)
    assert price.cost(Usage(START, 10)) == (START * Decimal("1.5") + 10 * Decimal("7.5")) / 1_000_000
    assert price.cost(Usage(START + 1, 10)) == ((START + 1) * 3 + 10 * Decimal("11.25")) / 1_000_000
    assert [tier["above_input_tokens"] for tier in price.to_json()["tiers"]] == [START]


@given(
    model=st.sampled_from([("gpt-4o-mini", "openai"), ("gpt-5.4", "openai"), (TIERED, "anthropic")]),
    plain=st.integers(0, 300_000),
    cached=st.integers(0, 100_000),
    written=st.tuples(st.integers(0, 100_000), st.integers(0, 100_000)),
    output=st.integers(0, 100_000),
)
@settings(max_examples=60, deadline=None)
def test_our_dollars_are_those_of_the_table_to_the_last_digit(model, plain, cached, written, output):
    written = written if model[1] == "anthropic" else (0, 0)
    total = plain + cached + sum(written)
    ours = listed_price(*model, DAY).cost(Usage(total, output, cached, sum(written), written[1]))
    counts = {"input_tokens": total, "cache_read_tokens": cached, "output_tokens": output}
    if any(written):
        counts |= {"cache_write_tokens": sum(written), "cache_write_1h_tokens": written[1]}
    theirs = genai_prices.calc_price(
        genai_prices.Usage(**counts),
        model[0],
        provider_id=model[1],
        genai_request_timestamp=datetime.datetime.combine(DAY, datetime.time(12), datetime.UTC),
        price_context={"processing": "batch"},
    )
    assert ours == theirs.total_price
