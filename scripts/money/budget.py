"""What sending may cost, and the budget that it must keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from scripts.errors import ProviderError
from scripts.money.books import read_books
from scripts.money.price_book import find_price, plain_price, price_line
from scripts.records import Trial, Usage

if TYPE_CHECKING:
    from scripts.experiment.settings import Settings


BYTES_PER_TOKEN = 3
"""For estimates before sending: English text has about four bytes to a token, so this errs upwards."""


OUTPUT_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
"""What providers call the longest answer that a request allows."""


UNLIMITED_OUTPUT_TOKENS = 4096
"""What is reserved for the answer to a request without ``max_tokens``."""


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


def make_reserve(
    settings: Settings, trial: Trial, *, is_batch: bool = True
) -> Callable[[Usage], float | None]:
    """
    Make the function that prices what a shard may take, and refuses to pass ``budget_usd``.

    It returns None for a model without a price, which a run with a budget refuses.

    Parameters
    ----------
    settings, trial
        The configuration, and one of its trials.
    is_batch : bool
        Whether it goes out in a batch, at the rates for batches.
    """
    budget = settings.config["budget_usd"]
    ledgers = settings.paths.ledgers
    price = (find_price if is_batch else plain_price)(settings.config, trial.model)

    def reserve(usage: Usage) -> float | None:
        needed = None if price is None else price.cost(usage)
        if budget is None:
            return None if needed is None else float(needed)
        if needed is None:
            raise ProviderError(
                f"the model {trial.model!r} has no price, so budget_usd cannot be enforced",
                where=trial.name,
                fix=f"{price_line(settings.config, trial.model)}; or set budget_usd to null.",
            )
        spent = read_books(ledgers).committed_usd
        if spent + needed > Decimal(str(budget)):
            raise ProviderError(
                f"sending may cost ${needed:.4f}; ${spent:.4f} of the run's ${budget} is spent or reserved",
                where=f"{trial.name}: budget_usd",
                fix="Nothing of this batch was sent. Raise budget_usd, or ask fewer items.",
            )
        return float(needed)

    return reserve
