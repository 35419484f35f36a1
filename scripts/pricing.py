"""
What tokens cost: the configuration's prices, the packaged ones for rehearsals, then genai-prices' table.

Money is `Decimal` until it is written.  A model without a price costs None, never 0.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import ProviderError
from scripts.ledger import read_shards
from scripts.records import Trial, Usage

if TYPE_CHECKING:
    from scripts.settings import Settings

MILLION = Decimal(1_000_000)
BYTES_PER_TOKEN = 3
"""For estimates before sending: English text has about four bytes to a token, so this errs upwards."""

OUTPUT_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""What providers call the longest answer that a request allows."""

UNLIMITED_OUTPUT_TOKENS = 4096
"""What is reserved for the answer to a request without ``max_tokens``."""


@dataclasses.dataclass(frozen=True)
class Price:
    """Rates in USD per million tokens, as they hold for a batch once `batch_multiplier` is applied."""

    input: Decimal
    output: Decimal
    cached_input: Decimal
    batch_multiplier: Decimal
    source: str
    as_of: str | None = None

    def cost(self, usage: Usage) -> Decimal | None:
        """
        Price of a usage in USD; None where the provider did not say how many tokens there were.

        Examples
        --------
        >>> price = Price(Decimal(1), Decimal(2), Decimal("0.1"), Decimal("0.5"), "example")
        >>> price.cost(Usage(input_tokens=1_000_000, output_tokens=500_000, cached_tokens=500_000))
        Decimal('0.775')
        """
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        cached = min(usage.cached_tokens or 0, usage.input_tokens)
        dollars = (
            (usage.input_tokens - cached) * self.input
            + cached * self.cached_input
            + usage.output_tokens * self.output
        )
        return dollars * self.batch_multiplier / MILLION

    def to_json(self) -> dict[str, Any]:
        """Write the rates as they stand in ``costs.json``."""
        return {
            "input": float(self.input),
            "output": float(self.output),
            "cached_input": float(self.cached_input),
            "batch_multiplier": float(self.batch_multiplier),
            "source": self.source,
            "as_of": self.as_of,
        }


REHEARSAL = Price(
    input=Decimal("0.15"),
    output=Decimal("0.60"),
    cached_input=Decimal("0.075"),
    batch_multiplier=Decimal("0.5"),
    source="rehearsal rates of simulated models (nothing is paid)",
)


def find_price(config: Mapping[str, Any], model: str) -> Price | None:
    """
    Find the price of the configuration's model `model`; None if nobody knows one.

    Notes
    -----
    In this order: ``prices`` in the configuration, rehearsal rates for simulated models, the table of the
    package genai-prices (its batch rates where it has them, else its plain ones, which errs upwards).
    """
    options = config["models"][model]
    name = options.get("model", model)
    if name in config["prices"]:
        return configured_price(config["prices"][name])
    if options["provider"] == "simulated":
        return REHEARSAL
    return _listed_price(name, None if options["provider"] == "replay" else options["provider"])


def configured_price(rates: Mapping[str, Any]) -> Price:
    """Make a price of the configuration's entry; cached input costs as much as other input if not said."""
    return Price(
        input=Decimal(str(rates["input"])),
        output=Decimal(str(rates["output"])),
        cached_input=Decimal(str(rates.get("cached_input", rates["input"]))),
        batch_multiplier=Decimal(str(rates.get("batch_multiplier", 0.5))),
        source="the configuration's prices",
    )


def warm_up() -> None:
    """Read the table of listed prices."""
    _listed_price("gpt-4o-mini", "openai")


@functools.cache
def _listed_price(name: str, provider: str | None) -> Price | None:
    import importlib.metadata

    import genai_prices

    usage = genai_prices.Usage(input_tokens=1, output_tokens=1)
    context: Any = {"processing": "batch"}
    try:
        plain = genai_prices.calc_price(usage, name, provider_id=provider).model_price
        batch = genai_prices.calc_price(usage, name, provider_id=provider, price_context=context).model_price
    except LookupError:
        return None
    cached = batch.input_mtok if batch.cache_read_mtok is None else batch.cache_read_mtok
    rates = (batch.input_mtok, batch.output_mtok, cached)
    if not all(isinstance(rate, Decimal) for rate in rates):
        return None  # tiered rates: the total of a trial does not tell which tier a request was in
    found = "batch rates" if batch != plain else "plain rates, no batch rate listed"
    version = importlib.metadata.version("genai-prices")
    return Price(*rates, batch_multiplier=Decimal(1), source=f"genai-prices {version} ({found})")  # type: ignore[arg-type]


def estimate_usage(body: Mapping[str, Any]) -> Usage:
    """
    Estimate from above what a request takes: the bytes of its texts, and an answer at full length.

    Examples
    --------
    >>> estimate_usage({"messages": [{"role": "user", "content": "Who wrote Hamlet?"}], "max_tokens": 50})
    Usage(input_tokens=12, output_tokens=50, cached_tokens=None)
    """
    output = next((body[key] for key in OUTPUT_LIMITS if body.get(key)), UNLIMITED_OUTPUT_TOKENS)
    return Usage(_text_bytes(body) // BYTES_PER_TOKEN + 1, int(output))


def _text_bytes(value: Any) -> int:
    """Bytes of all texts in a JSON value, with some to spare for what the provider puts around each."""
    if isinstance(value, str):
        return len(value) + 6 if value.isascii() else len(value.encode("utf-8", "surrogatepass")) + 6
    if isinstance(value, Mapping):
        return sum(map(_text_bytes, value.values()))
    return sum(map(_text_bytes, value)) if isinstance(value, list) else 0


def spent_usd(ledger_root: Path) -> Decimal:
    """Add up what a run's batches have cost, with what is reserved for those not yet collected."""
    total = Decimal(0)
    for events in ledger_root.glob("*/events.jsonl"):
        for entry in read_shards(events).values():
            if entry.is_live:
                known = entry.cost_usd if entry.cost_usd is not None else entry.reserved_usd
                total += Decimal(str(known or 0))
    return total


def make_reserve(settings: Settings, trial: Trial) -> Callable[[Usage], float | None]:
    """
    Make the function that prices what a shard may take, and refuses to pass ``budget_usd``.

    It returns None for a model without a price, which a run with a budget refuses.
    """
    budget = settings.config["budget_usd"]
    ledger_root = settings.run_root / "ledger"
    price = find_price(settings.config, trial.model)

    def reserve(usage: Usage) -> float | None:
        needed = None if price is None else price.cost(usage)
        if budget is None:
            return None if needed is None else float(needed)
        if needed is None:
            raise ProviderError(
                f"the model {trial.model!r} has no price, so budget_usd cannot be kept",
                where=trial.name,
                fix="Add the model under prices, or set budget_usd to null.",
            )
        spent = spent_usd(ledger_root)
        if spent + needed > Decimal(str(budget)):
            raise ProviderError(
                f"sending may cost ${needed:.4f}; ${spent:.4f} of the run's ${budget} is spent or reserved",
                where=f"{trial.name}: budget_usd",
                fix="Nothing of this batch was sent. Raise budget_usd, or ask fewer items.",
            )
        return float(needed)

    return reserve
