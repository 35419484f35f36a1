"""
A price: rates per million tokens, from the configuration or from genai-prices' table.

Money is `Decimal` until it is written.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import functools
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from scripts.records import Usage

MILLION = Decimal(1_000_000)

ASSUMED_BATCH_MULTIPLIER = 0.5
"""What a batch costs of the plain price where the configuration does not say."""

LISTED_AS = {True: "batch rates", False: "plain rates, no batch rate listed"}

RATES = ("input", "output", "cached_input", "cache_write", "cache_write_1h")
"""The rates of a price, by their names in the configuration."""


class BatchRate(enum.StrEnum):
    """Whether the rate for batches is known."""

    FOUND = "found"
    """Listed, or given in the configuration."""
    DEFAULTED = "defaulted"
    """Assumed: the plain rates of the table, or half of the configuration's."""


@dataclasses.dataclass(frozen=True)
class Price:
    """Rates in USD per million tokens, as they hold for a batch once `batch_multiplier` is applied."""

    input: Decimal
    output: Decimal
    cached_input: Decimal
    batch_multiplier: Decimal
    source: str
    as_of: str | None = None
    """The day for which the source was asked."""
    cache_write: Decimal | None = None
    """For input written to a cache; None: as other input."""
    cache_write_1h: Decimal | None = None
    """For input written to a cache for an hour; None: as `cache_write`."""
    batch_rate: BatchRate = BatchRate.FOUND
    version: str | None = None
    """Of the source."""
    tiers: tuple[tuple[int, Price], ...] = ()
    """Requests with more than so many input tokens have other rates for all their tokens; in rising order."""

    def for_request(self, input_tokens: int) -> Price:
        """Give the price, without tiers, of a request with so many input tokens."""
        reached = [price for start, price in self.tiers if input_tokens > start]
        return reached[-1] if reached else dataclasses.replace(self, tiers=())

    def cost(self, usage: Usage) -> Decimal | None:
        """
        Price of one request's usage in USD; None where the provider did not say how many tokens there were.

        The total of several requests is priced exactly where there are no tiers, else from above.

        Examples
        --------
        >>> price = Price(Decimal(1), Decimal(2), Decimal("0.1"), Decimal("0.5"), "example")
        >>> price.cost(Usage(input_tokens=1_000_000, output_tokens=500_000, cached_tokens=500_000))
        Decimal('0.775')
        """
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        price = self.for_request(usage.input_tokens) if self.tiers else self
        write = price.input if price.cache_write is None else price.cache_write
        write_1h = write if price.cache_write_1h is None else price.cache_write_1h
        cached = min(usage.cached_tokens or 0, usage.input_tokens)
        written = min(usage.cache_write_tokens or 0, usage.input_tokens - cached)
        written_1h = min(usage.cache_write_1h_tokens or 0, written)
        dollars = (
            (usage.input_tokens - cached - written) * price.input
            + cached * price.cached_input
            + (written - written_1h) * write
            + written_1h * write_1h
            + usage.output_tokens * price.output
        )
        return dollars * price.batch_multiplier / MILLION

    def to_json(self) -> dict[str, Any]:
        """Write the rates, and where they are from, as they stand in ``costs.json``."""
        return {
            **self._rates(),
            "batch_multiplier": float(self.batch_multiplier),
            "batch_rate": self.batch_rate.value,
            "tiers": [{"above_input_tokens": start, **price._rates()} for start, price in self.tiers],
            "source": self.source,
            "version": self.version,
            "as_of": self.as_of,
        }

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Price:
        """
        Read what `to_json` has written.

        Examples
        --------
        >>> Price.from_json(REHEARSAL.to_json()) == REHEARSAL
        True
        """
        price = cls(
            **_read_rates(written),
            batch_multiplier=Decimal(str(written["batch_multiplier"])),
            batch_rate=BatchRate(written["batch_rate"]),
            **{name: written[name] for name in ("source", "version", "as_of")},
        )
        tiers = (
            (tier["above_input_tokens"], dataclasses.replace(price, **_read_rates(tier)))
            for tier in written["tiers"]
        )
        return dataclasses.replace(price, tiers=tuple(tiers))

    def _rates(self) -> dict[str, float | None]:
        rates = {name: getattr(self, name) for name in RATES}
        return {name: None if rate is None else float(rate) for name, rate in rates.items()}


def _read_rates(written: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if written[name] is None else Decimal(str(written[name])) for name in RATES}


REHEARSAL = Price(
    input=Decimal("0.15"),
    output=Decimal("0.60"),
    cached_input=Decimal("0.075"),
    batch_multiplier=Decimal("0.5"),
    source="rehearsal rates of simulated models (nothing is paid)",
)


def configured_price(rates: Mapping[str, Any]) -> Price:
    """
    Make a price of the configuration's entry.

    Cached input costs as much as other input if not said, and a batch half of the plain rates.

    Examples
    --------
    >>> price = configured_price({"input": 1, "output": 2, "cache_write": 1.25})
    >>> price.cost(Usage(input_tokens=1_000_000, output_tokens=0, cache_write_tokens=800_000))
    Decimal('0.600')
    """
    known = {name: Decimal(str(rates[name])) for name in RATES if rates.get(name) is not None}
    return Price(
        input=known["input"],
        output=known["output"],
        cached_input=known.get("cached_input", known["input"]),
        cache_write=known.get("cache_write"),
        cache_write_1h=known.get("cache_write_1h"),
        batch_multiplier=Decimal(str(rates.get("batch_multiplier", ASSUMED_BATCH_MULTIPLIER))),
        source="the configuration's prices",
        batch_rate=BatchRate.FOUND if "batch_multiplier" in rates else BatchRate.DEFAULTED,
    )


@functools.cache
def listed_price(name: str, provider: str | None, day: datetime.date) -> Price | None:
    """
    Look a model up in the table of genai-prices, as of noon (UTC) of a day.

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
        batch = ask(price_context={"processing": "batch"}).model_price
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
