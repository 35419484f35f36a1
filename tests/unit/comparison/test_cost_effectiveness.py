"""Dollars item by item, and what they bought; small enough to be checked by hand."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.comparison.cost_effectiveness import compare_costs
from scripts.comparison.item_costs import cost_items, price_each
from scripts.experiment.datasets import item_row, prepared_schema
from scripts.money.billed import trial_cost
from scripts.money.price import Price
from scripts.parse import outcomes_schema
from scripts.records import Item, Trial, Usage
from scripts.run.paths import RunPaths
from scripts.score import scores_schema
from scripts.scorers import METRICS

DOLLAR = Price(Decimal(1), Decimal(2), Decimal("0.5"), Decimal(1), "test")
LONG = dataclasses.replace(DOLLAR, input=Decimal(2), output=Decimal(3))
TIERED = dataclasses.replace(
    DOLLAR,
    batch_multiplier=Decimal("0.5"),
    cache_write=Decimal("1.25"),
    cache_write_1h=Decimal(2),
    tiers=((1000, LONG), (5000, dataclasses.replace(LONG, input=Decimal(4)))),
)
NONE = Usage()


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


COUNT = st.none() | st.sampled_from([0, 999, 1000, 1001, 5001]) | st.integers(0, 9000)


@given(st.lists(st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT), min_size=1, max_size=6))
def test_many_requests_are_priced_as_each_by_itself(usages: list[Usage]) -> None:
    attempts = pd.DataFrame([dataclasses.asdict(usage) for usage in usages], dtype=float)
    costs = [TIERED.cost(usage) for usage in usages]
    expected = [math.nan if cost is None else float(cost) for cost in costs]
    assert price_each(attempts, TIERED).tolist() == pytest.approx(expected, nan_ok=True)


def test_every_attempt_at_every_replicate_of_an_item_counts(tmp_path: Path) -> None:
    rows = [outcome(0, dollars(1)), outcome(0, [dollars(2), dollars(3)], replicate=1), outcome(1, dollars(4))]
    path = write_outcomes(tmp_path / "outcomes.parquet", rows)
    costs = cost_items(path, DOLLAR)
    assert costs["usd"].tolist() == [6, 4]
    assert costs["n_requests"].tolist() == [2, 1]
    assert trial_cost(path, DOLLAR)["cost_usd"] == 10


def test_each_attempt_is_priced_by_its_own_tier(tmp_path: Path) -> None:
    path = write_outcomes(tmp_path / "outcomes.parquet", [outcome(0, [Usage(900, 0), Usage(900, 0)])])
    assert cost_items(path, TIERED)["usd"].tolist() == pytest.approx([900 * 2 * 0.5 / 1e6])


def test_items_that_share_a_request_share_its_cost(tmp_path: Path) -> None:
    rows = [outcome(0, dollars(1), key="same"), outcome(1, NONE, key="same"), outcome(2, dollars(3))]
    path = write_outcomes(tmp_path / "outcomes.parquet", rows)
    assert cost_items(path, DOLLAR)["usd"].tolist() == [0.5, 0.5, 3]


def test_what_failed_unbilled_cost_nothing_and_what_is_not_counted_is_not_known(tmp_path: Path) -> None:
    rows = [outcome(0, NONE, what="errored"), outcome(1, NONE), outcome(2, dollars(1), what="expired")]
    path = write_outcomes(tmp_path / "outcomes.parquet", rows)
    assert cost_items(path, DOLLAR)["usd"].tolist() == pytest.approx([0, math.nan, 1], nan_ok=True)
    assert cost_items(path, None)["usd"].isna().all()


class Run:
    """Trials with costs and scores for the same four items."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.trials: list[Trial] = []
        self.prices: dict[str, Mapping[str, Any] | None] = {}
        items = [Item(f"q{n}", "?", ("a",)) for n in range(4)]
        self.prepared = root / "d.parquet"
        table = pa.Table.from_pylist([item_row(item) for item in items], schema=prepared_schema())
        pq.write_table(table, self.prepared)

    def add(
        self,
        name: str,
        usd: Sequence[float],
        correct: Sequence[float],
        *,
        baseline: str | None = None,
        price: Price | None = DOLLAR,
    ) -> None:
        self.trials.append(Trial(name, "m", "p", {}, baseline=baseline))
        self.prices[name] = price.to_json() if price else None
        folder = self.root / "trials" / name
        rows = [outcome(n, dollars(cost)) for n, cost in enumerate(usd)]
        write_outcomes(folder / "parse" / "outcomes.parquet", rows)
        frame = pd.DataFrame({"item_id": [f"q{n}" for n in range(4)], "correct": correct})
        frame = frame.assign(
            dataset="d", replicate=0, outcome="answered", **dict.fromkeys(METRICS[1:], math.nan)
        )
        path = folder / "score" / "scores.parquet"
        path.parent.mkdir()
        pq.write_table(pa.Table.from_pandas(frame, schema=scores_schema(), preserve_index=False), path)

    def compare(self) -> dict[str, dict[str, Any]]:
        found = compare_costs(
            self.trials, RunPaths(self.root), self.prices, [self.prepared], confidence_level=0.95
        )
        assert json.dumps(found, allow_nan=False)
        return found


def test_a_correct_answer_has_a_price_and_so_has_one_more(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.add("cheap", [1, 1, 1, 1], [1, 0, 1, 0])
    run.add("good", [2, 2, 2, 2], [1, 1, 1, 0], baseline="cheap")
    run.add("bad", [3, 3, 3, 3], [1, math.nan, 0, 0], baseline="cheap")
    found = run.compare()
    assert [trial["usd_per_request"] for trial in found.values()] == [1, 2, 3]
    assert [trial["per_correct"]["usd_per_correct"] for trial in found.values()] == [2, 8 / 3, 12]
    assert found["bad"]["per_correct"]["n_without_score"] == 1
    assert found["cheap"]["incremental"] is None
    good, bad = (found[name]["incremental"] for name in ("good", "bad"))
    assert (good["quadrant"], good["usd_per_additional_correct"]) == ("better and dearer", 4)
    assert (bad["quadrant"], bad["n_pairs"]) == ("dominated", 3)
    # The score of "bad" is one in three, and it costs most.
    assert [trial["is_on_front"] for trial in found.values()] == [True, True, False]


def test_swapped_trials_mirror_what_one_costs_more(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.add("one", [1, 2, 1, 1], [1, 0, 1, 0], baseline="two")
    run.add("two", [2, 2, 3, 2], [1, 1, 1, 0], baseline="one")
    one, two = (trial["incremental"] for trial in run.compare().values())
    assert one["cost_difference_usd"] == -two["cost_difference_usd"]
    assert one["correct_difference"] == -two["correct_difference"]
    assert one["usd_per_additional_correct"] == pytest.approx(two["usd_per_additional_correct"])


def test_without_a_price_or_a_correct_answer_the_reason_is_given(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.add("unpriced", [1, 1, 1, 1], [1, 0, 1, 0], price=None)
    run.add("wrong", [1, 1, 1, 1], [0, 0, 0, 0], baseline="unpriced")
    run.add("silent", [1, 1, 1, 1], [math.nan] * 4, baseline="wrong")
    found = run.compare()
    assert found["unpriced"]["per_correct"]["reason"] == "no item with a known cost"
    assert found["unpriced"]["usd_per_request"] is None
    assert found["wrong"]["per_correct"]["reason"] == "no correct answer"
    assert found["wrong"]["incremental"]["reason"] == "no pairs"
    assert [trial["is_on_front"] for trial in found.values()] == [None, True, None]
