"""Outcomes with tokens that are easy to price."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scripts.money.price import Price
from scripts.parse import outcomes_schema
from scripts.records import Usage

DOLLAR = Price(Decimal(1), Decimal(2), Decimal("0.5"), Decimal(1), "test")


def outcome(
    item: int, usage: Usage | Sequence[Usage], *, key: str = "", what: str = "answered", replicate: int = 0
) -> dict[str, Any]:
    """A row of ``outcomes.parquet``, whose tokens are those of one attempt or of several."""
    several = [usage] if isinstance(usage, Usage) else list(usage)
    return {
        "request_key": key or f"k{item}.{replicate}",
        "dataset": "d",
        "item_id": f"q{item}",
        "replicate": replicate,
        "outcome": what,
        "attempts": len(several),
        "is_reused": False,
        "usage_by_attempt": [dataclasses.asdict(each) for each in several] if len(several) > 1 else None,
        **dataclasses.asdict(Usage.total(several)),
    }


def write_outcomes(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema=outcomes_schema()), path)
    return path


def dollars(n: float) -> Usage:
    """Usage that costs so many dollars."""
    return Usage(int(n * 1_000_000), 0)
