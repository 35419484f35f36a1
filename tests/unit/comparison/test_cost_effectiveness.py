"""Dollars item by item, and what they bought; small enough to be checked by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.comparison.cost_effectiveness import compare_costs
from scripts.comparison.metrics import NAMES
from scripts.experiment.datasets import item_row, prepared_schema
from scripts.money.price import Price
from scripts.records import Item, Trial
from scripts.run.paths import RunPaths
from scripts.score import scores_schema
from tests.fakes.priced_outcomes import DOLLAR, dollars, outcome, write_outcomes


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
            dataset="d",
            replicate=0,
            request_key=None,
            read=None,
            outcome="answered",
            **dict.fromkeys(NAMES[1:], math.nan),
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
