"""
What a model costs in a run: the configuration's prices, those for rehearsals, then genai-prices' table.

A model without a price costs None, never 0.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from scripts.errors import DataError, PipelineError, shorten
from scripts.experiment.schema import did_you_mean
from scripts.experiment.settings import Settings
from scripts.files import read_json, write_json
from scripts.money.price import RATES, REHEARSAL, BatchRate, Price
from scripts.records import Usage  # noqa: F401 - for the example
from scripts.run.paths import RunPaths


def find_price(config: Mapping[str, Any], model: str) -> Price | None:
    """
    Find the price of the configuration's model `model` in its run; None if nobody knows one.

    Notes
    -----
    In this order: ``prices`` in the configuration, rehearsal rates for simulated models, what the run has
    recorded, the table of genai-prices (its batch rates where it has them, else its plain ones, which errs
    upwards).
    """
    if _is_listed(config, model) and (recorded := read_prices(config).get(_listing(config, model))):
        return recorded
    return present_price(config, model)


def present_price(config: Mapping[str, Any], model: str) -> Price | None:
    """Find a model's price as of today, whatever its run has recorded."""
    options = config["models"][model]
    name = options.get("model", model)
    if name in config["prices"]:
        is_batch = options["provider"] not in WITHOUT_BATCHES
        return configured_price(config["prices"][name], is_batch=is_batch)
    if options["provider"] == "simulated":
        return REHEARSAL
    provider = None if options["provider"] == "replay" else options["provider"]
    return listed_price(name, provider, datetime.datetime.now(datetime.UTC).date())


def plain_price(config: Mapping[str, Any], model: str) -> Price | None:
    """Find what a model costs for a request that is answered at once, without the discount of batches."""
    price = find_price(config, model)
    if price is None or not _is_listed(config, model):
        return price and dataclasses.replace(price, batch_multiplier=Decimal(1))
    today = datetime.datetime.now(datetime.UTC).date()
    provider = config["models"][model]["provider"]
    return listed_price(provider_name(config, model), provider, today, is_batch=False) or price


def record_prices(config: Mapping[str, Any]) -> None:
    """
    Write down what the table says of the models of a run; what is written already stays as it is.

    So a finished run keeps its rates when the table is renewed, or rates that it has change at a date.
    """
    recorded = read_prices(config)
    listed = {_listing(config, model): model for model in config["models"] if _is_listed(config, model)}
    fresh = {key: present_price(config, model) for key, model in listed.items() if key not in recorded}
    prices = recorded | {key: price for key, price in fresh.items() if price is not None}
    if prices != recorded:
        rates = {key: price.to_json() for key, price in prices.items()}
        write_json(_prices_path(config), {"schema_version": 1, "prices": rates})


def warm_up() -> None:
    """Read the table of listed prices."""
    listed_price("gpt-4o-mini", "openai", datetime.datetime.now(datetime.UTC).date())


def read_prices(config: Mapping[str, Any]) -> dict[str, Price]:
    """
    Read what a run has recorded, by provider and the provider's name of the model.

    Raises
    ------
    DataError
        If somebody has broken the file.
    """
    path = _prices_path(config)
    try:
        status = path.stat()
    except FileNotFoundError:
        return {}
    return _parse_prices(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=8)
def _parse_prices(path: Path, _mtime_ns: int, _size: int) -> dict[str, Price]:
    try:
        return {key: Price.from_json(rates) for key, rates in read_json(path)["prices"].items()}
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError):
        raise DataError(
            "is not as the start of a run wrote it",
            where=str(path),
            fix="Restore it; or delete it, and the run uses the rates of today's table.",
        ) from None


def _prices_path(config: Mapping[str, Any]) -> Path:
    return RunPaths.of(config["experiments_dir"], str(config["run_id"])).prices


def _is_listed(config: Mapping[str, Any], model: str) -> bool:
    """Whether it is the table that tells a model's price."""
    options = config["models"][model]
    return options["provider"] != "simulated" and options.get("model", model) not in config["prices"]


def _listing(config: Mapping[str, Any], model: str) -> str:
    options = config["models"][model]
    return f"{options['provider']}/{options.get('model', model)}"


ASSUMED_BATCH_MULTIPLIER = 0.5
"""What a batch costs of the plain price where the configuration does not say."""

WITHOUT_BATCHES = frozenset({"local"})
"""Providers that are asked request by request, at plain rates."""


LISTED_AS = {True: "batch rates", False: "plain rates, no batch rate listed"}


def configured_price(rates: Mapping[str, Any], *, is_batch: bool = True) -> Price:
    """
    Make a price of the configuration's entry.

    Cached input costs as much as other input if not said, and a batch half of the plain rates; requests that
    go out one by one (`is_batch` is false) cost the plain rates.

    Examples
    --------
    >>> price = configured_price({"input": 1, "output": 2, "cache_write": 1.25})
    >>> price.cost(Usage(input_tokens=1_000_000, output_tokens=0, cache_write_tokens=800_000))
    Decimal('0.600')
    """
    known = {name: Decimal(str(rates[name])) for name in RATES if rates.get(name) is not None}
    assumed = ASSUMED_BATCH_MULTIPLIER if is_batch else 1
    is_assumed = is_batch and "batch_multiplier" not in rates
    return Price(
        input=known["input"],
        output=known["output"],
        cached_input=known.get("cached_input", known["input"]),
        cache_write=known.get("cache_write"),
        cache_write_1h=known.get("cache_write_1h"),
        batch_multiplier=Decimal(str(rates.get("batch_multiplier", assumed))),
        source="the configuration's prices",
        batch_rate=BatchRate.DEFAULTED if is_assumed else BatchRate.FOUND,
    )


def price_line(config: Mapping[str, Any], model: str) -> str:
    """
    Write the line that gives the configuration's model `model` a price, ready to be pasted.

    Examples
    --------
    >>> price_line({"models": {"mini": {"model": "gpt-99"}}, "prices": {}}, "mini")
    'Add the line `prices: {gpt-99: {input: ..., output: ...}}`, in USD per million tokens'
    """
    name = provider_name(config, model)
    key = name if re.fullmatch(r"[A-Za-z][\w./-]*", name) else json.dumps(name, ensure_ascii=False)
    entry = f"{key}: {{input: ..., output: ...}}"
    place = f"under prices the line `{entry}`" if config["prices"] else f"the line `prices: {{{entry}}}`"
    return f"Add {place}, in USD per million tokens"


def provider_name(config: Mapping[str, Any], model: str) -> str:
    """Give the provider's name of the configuration's model `model`."""
    return str(config["models"][model].get("model", model))


def check_price_names(settings: Settings) -> Iterator[PipelineError]:
    """
    Refuse a price whose name is surely a slip; yield a warning for any other that prices no model.

    Raises
    ------
    ConfigError
        If it is, or is nearly, the name of a model that has no price here.
    """
    config = settings.config
    names = {model: provider_name(config, model) for model in config["models"]}
    unpriced = sorted({name for name in names.values() if name not in config["prices"]})
    for key in config["prices"]:
        if key in names.values():
            continue
        if names.get(key) in unpriced:
            hint = f"; did you mean {names[key]!r}, the provider's name of models.{key}?"
        else:
            hint = did_you_mean(key, unpriced)
        error = settings.error(
            f"prices no model of the run{hint}",
            "prices",
            key,
            fix=f"Prices stand under the provider's names: {shorten(set(names.values()), limit=12)}.",
        )
        if hint:
            raise error
        yield error


@functools.cache
def listed_price(
    name: str, provider: str | None, day: datetime.date, *, is_batch: bool = True
) -> Price | None:
    """
    Look a model up in the table of genai-prices, as of noon (UTC) of a day; its batch rates, unless not.

    Returns None for a model that the table does not have, or has without a price per token, or at no cost: a
    gap in the table must not become $0.

    Notes
    -----
    The day matters: rates, and batch rates above all, hold from a date on, and the table gives the plain ones
    for earlier days.  It gives them without a word for a model that has no batch rates, too.
    """
    import genai_prices

    ask = functools.partial(
        genai_prices.calc_price,
        genai_prices.Usage(input_tokens=1, output_tokens=1),
        name,
        provider_id=provider,
        genai_request_timestamp=datetime.datetime.combine(day, datetime.time(12), datetime.UTC),
    )
    try:
        plain = ask().model_price
        batch = ask(price_context={"processing": "batch"}).model_price if is_batch else plain
    except LookupError:
        return None
    if not all(_rate_above(rate, 0) for rate in (batch.input_mtok, batch.output_mtok)):
        return None
    is_found = (batch.input_mtok, batch.output_mtok) != (plain.input_mtok, plain.output_mtok)
    price = Price(
        **_listed_rates(batch, 0),
        batch_multiplier=Decimal(1),
        source=f"genai-prices {genai_prices.__version__} ({LISTED_AS[is_found]})",
        as_of=day.isoformat(),
        batch_rate=BatchRate.FOUND if is_found else BatchRate.DEFAULTED,
        version=genai_prices.__version__,
    )
    starts = {tier.start for rate in vars(batch).values() for tier in getattr(rate, "tiers", ())}
    tiers = ((start, dataclasses.replace(price, **_listed_rates(batch, start))) for start in sorted(starts))
    return dataclasses.replace(price, tiers=tuple(tiers))


def _listed_rates(listed: Any, start: int) -> dict[str, Any]:
    """Rates of requests with more than `start` input tokens."""
    names = ("input", "output", "cache_read", "cache_write", "cache_write_1h")
    rates = {name: _rate_above(getattr(listed, f"{name}_mtok"), start) for name in names}
    cached = rates.pop("cache_read")
    return {**rates, "cached_input": rates["input"] if cached is None else cached}


def _rate_above(rate: Any, start: int) -> Decimal | None:
    if rate is None or isinstance(rate, Decimal):
        return rate
    reached = [tier.price for tier in rate.tiers if tier.start <= start]
    found: Decimal = reached[-1] if reached else rate.base
    return found
