"""Phase costs: what a trial cost, from the tokens that the provider counted."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from scripts.experiment.settings import Settings
from scripts.files import read_parquet, write_json
from scripts.money.billed import TOKENS, is_failed, list_attempts
from scripts.money.price_book import Price, find_price
from scripts.records import Trial, Usage
from scripts.run.job import phase_job, phase_parser, trial_job

COLUMNS = ("request_key", "outcome", "attempts", "is_reused", "usage_by_attempt", *TOKENS)


def cost_trial(settings: Settings, trial: Trial, outcomes: Path, *, out: Path) -> None:
    """Write ``costs.json`` of a trial."""
    price = find_price(settings.config, trial.model)
    write_json(
        out,
        {
            "schema_version": 1,
            "trial": trial.name,
            "model": trial.model,
            "provider_model": settings.config["models"][trial.model].get("model", trial.model),
            **trial_cost(outcomes, price),
            "price": price.to_json() if price else None,
        },
    )


def trial_cost(outcomes: Path, price: Price | None) -> dict[str, Any]:
    """
    Price all that a trial took, and say what is not known of it.

    Every attempt counts, also what another run has paid for (``reused``).  ``repeated`` is what the attempts
    took that were followed by another one, and ``failed`` what the last attempts took that brought no answer:
    a provider may bill both.
    """
    import pyarrow.compute as pc

    rows = read_parquet(outcomes, COLUMNS)
    attempts = list_attempts(rows)
    whole = _bill(attempts, price)
    cost, n_silent = whole.pop("cost_usd"), _count_silent(rows)
    by_key = rows.group_by("request_key").aggregate([("attempts", "max")])["attempts_max"]
    n_attempts = pc.sum(by_key).as_py() or 0
    n_repeated = n_attempts - (pc.sum(pc.greater(by_key, 0)).as_py() or 0)
    reused = rows.filter(rows["is_reused"])
    n_failed = pc.sum(is_failed(rows)).as_py() or 0
    return {
        "cost_usd": cost,
        "reason": _reason(price, cost, n_silent),
        "cost_per_request_usd": cost / rows.num_rows if cost is not None and rows.num_rows else None,
        **whole,
        "n_requests": rows.num_rows,
        "n_with_usage": rows.num_rows - rows["input_tokens"].null_count,
        "n_without_usage": n_silent,
        "n_attempts": n_attempts,
        "repeated": {"n_attempts": n_repeated, **_part(attempts.filter(attempts["is_repeated"]), price)},
        "reused": {"n_requests": reused.num_rows, **_part(list_attempts(reused), price)},
        "failed": {"n_requests": n_failed, **_part(attempts.filter(attempts["is_lost"]), price)},
    }


def price_attempts(attempts: Any, price: Price) -> Decimal | None:
    """Price attempts exactly, each by the tier that it is in; None if no attempt has its counts."""
    import pyarrow.compute as pc

    counted = attempts.filter(
        pc.and_(pc.is_valid(attempts["input_tokens"]), pc.is_valid(attempts["output_tokens"]))
    )
    total = Decimal(0) if counted.num_rows else None
    starts = [-1, *(start for start, _ in price.tiers)]
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        part = counted.filter(pc.greater(counted["input_tokens"], start))
        if end is not None:
            part = part.filter(pc.less_equal(part["input_tokens"], end))
        cost = price.for_request(start + 1).cost(Usage(**_sums(part))) if part.num_rows else None
        if cost is not None and total is not None:
            total += cost
    return total


def _bill(attempts: Any, price: Price | None) -> dict[str, Any]:
    """Tokens of attempts and their dollars; null where nothing is known of attempts that were made."""
    dollars = None if price is None else price_attempts(attempts, price)
    return {**_sums(attempts), "cost_usd": None if dollars is None else float(dollars)}


def _part(attempts: Any, price: Price | None) -> dict[str, Any]:
    bill = _bill(attempts, price)
    return {name: bill[name] for name in ("input_tokens", "output_tokens", "cost_usd")}


def _sums(attempts: Any) -> dict[str, int | None]:
    import pyarrow.compute as pc

    return {name: pc.sum(attempts[name]).as_py() for name in TOKENS}


def _count_silent(rows: Any) -> int:
    """Count the replies that say nothing of tokens, though they were answered and so are billed."""
    import pyarrow.compute as pc

    has_usage = pc.and_(pc.is_valid(rows["input_tokens"]), pc.is_valid(rows["output_tokens"]))
    counted = rows["request_key"].filter(has_usage).combine_chunks()
    silent = pc.and_not(pc.invert(is_failed(rows)), pc.is_in(rows["request_key"], value_set=counted))
    return pc.sum(silent).as_py() or 0


def _reason(price: Price | None, cost: float | None, n_silent: int) -> str | None:
    if price is None:
        return "the model has no price"
    if cost is None:
        return "no reply says how many tokens it took"
    return f"{n_silent} replies do not say how many tokens they took: it cost more" if n_silent else None


def main(argv: Sequence[str] | None = None) -> int:
    """Price one trial (the command of rule ``costs``)."""
    parser = phase_parser("costs", "Price the tokens of a trial.")
    parser.add_argument("--outcomes", type=Path, required=True, help="the trial's outcomes.parquet")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args(argv)
    with phase_job(trial_job("costs", options, inputs=[options.outcomes], outputs=[options.out])) as settings:
        cost_trial(settings, settings.trial(options.trial), options.outcomes, out=options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
