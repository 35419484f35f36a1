"""The attempts at a trial's requests, each with the tokens that it was billed."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.files import read_parquet
from scripts.money.books import add_dollars, as_float
from scripts.money.preflights import read_preflights
from scripts.money.price import MILLION, Price, split_by_rate
from scripts.records import FAILED_OUTCOMES, Usage

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

TOKENS = tuple(vars(Usage()))
"""Every count of a usage, which is a column of the outcomes too."""


def list_attempts(rows: Any) -> Any:
    """
    Make a table of the attempts from a table of the outcomes.

    Its columns are `TOKENS`, ``request_key``, ``is_repeated`` (followed by another attempt) and ``is_lost``
    (the last attempt, without an answer).  Requests that were never sent, or whose tokens stand in another
    row, are among them without tokens.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    is_several = pc.is_valid(rows["usage_by_attempt"])
    once, several = rows.filter(pc.invert(is_several)), rows.filter(is_several)
    lists = several["usage_by_attempt"].combine_chunks()
    parents = pc.list_parent_indices(lists).to_numpy()
    is_repeated = np.diff(parents, append=-1) == 0
    failed_once, failed = (is_failed(table).to_numpy() for table in (once, several))
    flat, keys = pa.Table.from_struct_array(pc.list_flatten(lists)), several["request_key"].take(parents)
    parts = [
        (once, once["request_key"], np.zeros(once.num_rows, bool), failed_once),
        (flat, keys, is_repeated, failed[parents] & ~is_repeated),
    ]
    return pa.concat_tables(
        tokens.select(TOKENS)
        .append_column("request_key", key)
        .append_column("is_repeated", pa.array(repeated))
        .append_column("is_lost", pa.array(lost))
        for tokens, key, repeated, lost in parts
    )


def is_failed(rows: Any) -> Any:
    """Tell which rows of a table of outcomes brought no reply."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.is_in(rows["outcome"], value_set=pa.array([str(outcome) for outcome in FAILED_OUTCOMES]))


COLUMNS = ("request_key", "outcome", "attempts", "is_reused", "usage_by_attempt", *TOKENS)


def trial_cost(outcomes: Path, price: Price | None) -> dict[str, Any]:
    """
    Price all that a trial took, and say what is not known of it.

    Every attempt counts, also what another run has paid for (``reused``).  ``repeated`` is what the attempts
    took that were followed by another one, and ``failed`` what the last attempts took that brought no answer:
    a provider may bill both.
    """
    import pyarrow.compute as pc

    rows, n_unread = read_parquet(outcomes, COLUMNS), _count_unread(outcomes)
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
        "reason": _reason(price, cost, n_silent, n_unread),
        "cost_per_request_usd": cost / rows.num_rows if cost is not None and rows.num_rows else None,
        **whole,
        "n_requests": rows.num_rows,
        "n_with_usage": rows.num_rows - rows["input_tokens"].null_count,
        "n_without_usage": n_silent,
        "n_unread": n_unread,
        "n_attempts": n_attempts,
        "repeated": {"n_attempts": n_repeated, **_part(attempts.filter(attempts["is_repeated"]), price)},
        "reused": {"n_requests": reused.num_rows, **_part(list_attempts(reused), price)},
        "failed": {"n_requests": n_failed, **_part(attempts.filter(attempts["is_lost"]), price)},
    }


def preflight_cost(events: Path) -> dict[str, Any]:
    """
    Add up the requests of a ledger that were sent by themselves, and may be paid; null: nobody knows.

    They bought no answer, so no trial's cost holds them.
    """
    paid = [entry for entry in read_preflights(events) if entry.is_perhaps_paid]
    cost = as_float(add_dollars(entry.cost_usd for entry in paid))
    return {"n_requests": len(paid), "cost_usd": cost}


def price_attempts(attempts: Any, price: Price) -> Decimal | None:
    """Price attempts exactly, each by the tier that it is in; None if no attempt has its counts."""
    import pyarrow.compute as pc

    counted = attempts.filter(
        pc.and_(pc.is_valid(attempts["input_tokens"]), pc.is_valid(attempts["output_tokens"]))
    )
    tokens = {name: pc.fill_null(counted[name], 0).to_numpy() for name in TOKENS}
    if not counted.num_rows:
        return None
    total = Decimal(0)
    for inside, rates in _tiers(tokens["input_tokens"], price):
        part = _split({name: counts[inside] for name, counts in tokens.items()})
        total += rates.total({name: int(counts.sum()) for name, counts in part.items()})
    return total


def price_each(attempts: pd.DataFrame, price: Price) -> NDArray[np.float64]:
    """
    Price every row of counts by itself, each by the tier that it is in; NaN where its tokens are not known.

    The same as `Price.cost`, but for rounding, for many at once.
    """
    import numpy as np

    tokens = {name: attempts[name].to_numpy(float) for name in TOKENS}
    ends = ("input_tokens", "output_tokens")
    tokens |= {name: np.nan_to_num(counts) for name, counts in tokens.items() if name not in ends}
    dollars = np.full(len(attempts), np.nan)
    for inside, rates in _tiers(tokens["input_tokens"], price):
        part = _split({name: counts[inside] for name, counts in tokens.items()})
        sums = [counts * float(rates.rate(name)) for name, counts in part.items()]
        dollars[inside] = functools.reduce(np.add, sums) * float(rates.batch_multiplier / MILLION)
    return dollars


def _split(tokens: Mapping[str, Any]) -> dict[str, Any]:
    import numpy as np

    return split_by_rate(tokens, smaller=np.minimum)


def _tiers(input_tokens: Any, price: Price) -> Iterator[tuple[Any, Price]]:
    """Yield which requests are in each tier of a price, and the rates of that tier."""
    starts = [-1, *(start for start, _ in price.tiers)]
    for start, end in zip(starts, [*starts[1:], math.inf], strict=True):
        yield (input_tokens > start) & (input_tokens <= end), price.for_request(start + 1)


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


def _count_unread(outcomes: Path) -> int:
    """Count the attempts that may be billed though their rows could not be had; an old file has none."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if "n_unread" not in pq.read_schema(outcomes).names:
        return 0
    return pc.sum(read_parquet(outcomes, ["n_unread"])["n_unread"]).as_py() or 0


def _reason(price: Price | None, cost: float | None, n_silent: int, n_unread: int) -> str | None:
    if price is None:
        return "the model has no price"
    if cost is None:
        return "no reply reports its tokens"
    reasons = []
    if n_silent:
        reasons.append(f"{n_silent} replies do not report their tokens")
    if n_unread:
        reasons.append(f"{n_unread} requests may have been billed whose results could not be had")
    return f"{', and '.join(reasons)}: the true cost is higher" if reasons else None
