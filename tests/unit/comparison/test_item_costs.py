"""What an item's requests cost, attempt by attempt."""

from __future__ import annotations

import dataclasses
import math
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.comparison.item_costs import cost_items, price_each
from scripts.money.billed import trial_cost
from scripts.records import Usage
from tests.fakes.priced_outcomes import DOLLAR, dollars, outcome, write_outcomes

LONG = dataclasses.replace(DOLLAR, input=Decimal(2), output=Decimal(3))


TIERED = dataclasses.replace(
    DOLLAR,
    batch_multiplier=Decimal("0.5"),
    cache_write=Decimal("1.25"),
    cache_write_1h=Decimal(2),
    tiers=((1000, LONG), (5000, dataclasses.replace(LONG, input=Decimal(4)))),
)


NONE = Usage()


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
