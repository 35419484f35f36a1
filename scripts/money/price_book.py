"""
What a model costs in a run: the configuration's prices, those for rehearsals, then genai-prices' table.

A model without a price costs None, never 0.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import DataError, ProviderError
from scripts.files import read_json, write_json
from scripts.money.ledger import read_shards
from scripts.money.price import REHEARSAL, Price, configured_price, listed_price
from scripts.records import Trial, Usage

if TYPE_CHECKING:
    from scripts.experiment.settings import Settings

__all__ = [
    "REHEARSAL",
    "Price",
    "estimate_usage",
    "find_price",
    "make_reserve",
    "present_price",
    "read_prices",
    "record_prices",
    "spent_usd",
]

PRICES_FILE = "prices.json"
"""What the table of prices said of a run's models when they were first asked."""

BYTES_PER_TOKEN = 3
"""For estimates before sending: English text has about four bytes to a token, so this errs upwards."""

OUTPUT_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""What providers call the longest answer that a request allows."""

UNLIMITED_OUTPUT_TOKENS = 4096
"""What is reserved for the answer to a request without ``max_tokens``."""


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
        return configured_price(config["prices"][name])
    if options["provider"] == "simulated":
        return REHEARSAL
    provider = None if options["provider"] == "replay" else options["provider"]
    return listed_price(name, provider, datetime.datetime.now(datetime.UTC).date())


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
            "is not what a run's start has written",
            where=str(path),
            fix="Restore it; or delete it, and the run has the rates of today's table.",
        ) from None


def _prices_path(config: Mapping[str, Any]) -> Path:
    return Path(config["experiments_dir"]) / f"run_{config['run_id']}" / PRICES_FILE


def _is_listed(config: Mapping[str, Any], model: str) -> bool:
    """Whether it is the table that tells a model's price."""
    options = config["models"][model]
    return options["provider"] != "simulated" and options.get("model", model) not in config["prices"]


def _listing(config: Mapping[str, Any], model: str) -> str:
    options = config["models"][model]
    return f"{options['provider']}/{options.get('model', model)}"


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
