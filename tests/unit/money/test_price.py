"""Dollars of what was used: exact, and those of the pinned table to the last digit."""

from __future__ import annotations

import datetime
from decimal import Decimal

import genai_prices
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.money.price import RATES
from scripts.money.price_book import (
    Price,
    configured_price,
    listed_price,
)
from scripts.records import Usage

DAY = datetime.date(2026, 11, 23)

TIERED = "claude-sonnet-4-5"
START = 200_000


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


PRICE = Price(Decimal(10), Decimal(100), Decimal(1), Decimal("0.5"), "test")


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
