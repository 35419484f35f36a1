"""What every answer took."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.comparison.usage import read_usage
from scripts.money.price import Price
from scripts.parse import outcomes_schema

PRICE = Price(Decimal(2), Decimal(10), Decimal(2), Decimal("0.5"), "a test")


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    filled = [
        {
            "request_key": f"k{n}",
            "dataset": "d",
            "item_id": f"q{n}",
            "replicate": 0,
            "outcome": "answered",
            "attempts": 1,
            "is_reused": False,
            **row,
        }
        for n, row in enumerate(rows)
    ]
    table = pa.Table.from_pylist(filled, schema=outcomes_schema())
    pq.write_table(table, path)
    return path


def test_an_answer_has_a_length_and_a_cost(tmp_path: Path) -> None:
    rows = [{"text": "Zürich", "input_tokens": 100, "output_tokens": 3}]
    (found,) = read_usage(write(tmp_path / "o.parquet", rows), PRICE).to_dict("records")

    assert (found["output_tokens"], found["characters"]) == (3, 6)
    assert found["usd_per_answer"] == pytest.approx((100 * 2 + 3 * 10) * 0.5 / 1e6)


def test_what_is_not_there_is_missing_and_never_zero(tmp_path: Path) -> None:
    rows = [
        {"text": None, "outcome": "errored", "output_tokens": 7, "input_tokens": 1},
        {"text": "a", "output_tokens": None},
        {"text": None, "outcome": "missing"},
    ]
    path = write(tmp_path / "o.parquet", rows)
    found = read_usage(path, PRICE)

    assert [math.isnan(n) for n in found["output_tokens"]] == [True, True, True]
    assert [math.isnan(n) for n in found["characters"]] == [True, False, True]
    assert [math.isnan(n) for n in found["usd_per_answer"]] == [False, True, False]
    assert read_usage(path, None)["usd_per_answer"].isna().all()


def test_an_empty_text_has_no_characters(tmp_path: Path) -> None:
    (found,) = read_usage(write(tmp_path / "o.parquet", [{"text": ""}]), None).to_dict("records")

    assert found["characters"] == 0
