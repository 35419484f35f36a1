"""
A price: rates per million tokens, from the configuration or from genai-prices' table.

Money is `Decimal` until it is written.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from scripts.records import Usage

MILLION = Decimal(1_000_000)


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
        tokens = {name: count or 0 for name, count in vars(usage).items()}
        return price.total(split_by_rate(tokens, smaller=min))

    def total(self, tokens: Mapping[str, int]) -> Decimal:
        """Price tokens in USD, exactly, by the rate that each is billed at (see `split_by_rate`)."""
        dollars = sum((count * self.rate(name) for name, count in tokens.items()), Decimal(0))
        return dollars * self.batch_multiplier / MILLION

    def rate(self, name: str) -> Decimal:
        """Give one of `RATES`; what has no rate of its own is billed as what it is a part of."""
        if name == "cache_write_1h" and self.cache_write_1h is None:
            name = "cache_write"
        if name == "cache_write" and self.cache_write is None:
            name = "input"
        rate: Decimal = getattr(self, name)
        return rate

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


def split_by_rate(tokens: Mapping[str, Any], *, smaller: Callable[[Any, Any], Any]) -> dict[str, Any]:
    """
    Split what was counted into the tokens that are billed at each of `RATES`, for one request or for many.

    Parameters
    ----------
    tokens : mapping
        The counts of a `Usage` by name: numbers, or arrays with an element per request; none is missing.
    smaller : callable
        The smaller of two counts: ``min`` for numbers, ``numpy.minimum`` for arrays.

    Returns
    -------
    dict
        Tokens by rate; they add up to the input and output tokens.

    Examples
    --------
    >>> counts = dict.fromkeys(vars(Usage()), 0) | {"input_tokens": 9, "cached_tokens": 5, "output_tokens": 2}
    >>> split_by_rate(counts, smaller=min)
    {'input': 4, 'cached_input': 5, 'cache_write': 0, 'cache_write_1h': 0, 'output': 2}
    """
    given = tokens["input_tokens"]
    cached = smaller(tokens["cached_tokens"], given)
    written = smaller(tokens["cache_write_tokens"], given - cached)
    written_1h = smaller(tokens["cache_write_1h_tokens"], written)
    return {
        "input": given - cached - written,
        "cached_input": cached,
        "cache_write": written - written_1h,
        "cache_write_1h": written_1h,
        "output": tokens["output_tokens"],
    }


def _read_rates(written: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if written[name] is None else Decimal(str(written[name])) for name in RATES}


REHEARSAL = Price(
    input=Decimal("0.15"),
    output=Decimal("0.60"),
    cached_input=Decimal("0.075"),
    batch_multiplier=Decimal("0.5"),
    source="rehearsal rates of simulated models (nothing is paid)",
)
