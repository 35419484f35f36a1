from __future__ import annotations

import dataclasses
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.money.billed import trial_cost
from scripts.money.price_book import Price
from scripts.parse import outcome_row, outcomes_schema
from scripts.records import Outcome, Reply, Usage
from tests.fakes.sending_fakes import FakeProvider, make_requests

PRICE = Price(Decimal(1), Decimal(2), Decimal("0.5"), Decimal(1), "test")
CACHES = dataclasses.replace(PRICE, cache_write=Decimal("1.25"), cache_write_1h=Decimal(2))
LONG = dataclasses.replace(PRICE, input=Decimal(2), output=Decimal(3), cached_input=Decimal(1))
TIERED = dataclasses.replace(PRICE, tiers=((1000, LONG),))


class Answered:
    """An attempt that is read already."""

    def __init__(self, usage, outcome=Outcome.ANSWERED, *, is_reused=False, is_unread=False):
        self.reply, self.batch_id = Reply(outcome, "text", usage=usage), "b"
        self.is_reused, self.is_unread = is_reused, is_unread

    def read(self, _provider):
        return self.reply


def cost_of(folder, *requests, price=PRICE):
    """Price requests, each a list of attempts; the first of those with one text is counted."""
    seen, rows = set(), []
    for request, attempts in zip(make_requests(len(requests)), requests, strict=True):
        row = outcome_row(request, attempts, FakeProvider(), is_counted=id(attempts) not in seen)
        rows.append({**row, "request_key": str(id(attempts))})
        seen.add(id(attempts))
    path = folder / "outcomes.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=outcomes_schema()), path)
    return trial_cost(path, price)


def test_tokens_are_added_up_and_priced(tmp_path):
    cost = cost_of(
        tmp_path,
        [Answered(Usage(1000, 100, 400))],
        [Answered(Usage(1000, 100), Outcome.TRUNCATED)],
    )
    assert cost["cost_usd"] == float(Decimal(1600 * 2 + 400 + 200 * 4) / 2_000_000)
    assert cost["cost_per_request_usd"] == pytest.approx(cost["cost_usd"] / 2)
    assert cost["reason"] is None
    assert (cost["input_tokens"], cost["n_requests"], cost["n_with_usage"]) == (2000, 2, 2)


def test_what_another_run_has_paid_for_is_a_part_of_the_cost_and_shown(tmp_path):
    cost = cost_of(tmp_path, [Answered(Usage(100, 10), is_reused=True)], [Answered(Usage(100, 10))])
    assert cost["cost_usd"] == float(Decimal(240) / 1_000_000)
    assert cost["reused"] == {
        "n_requests": 1,
        "input_tokens": 100,
        "output_tokens": 10,
        "cost_usd": float(Decimal(120) / 1_000_000),
    }


def test_what_was_billed_and_never_read_is_named(tmp_path):
    lost = Answered(Usage(), Outcome.MISSING, is_unread=True)
    cost = cost_of(tmp_path, [lost, Answered(Usage(100, 10))], [Answered(Usage(100, 10))])
    assert (cost["n_unread"], cost["cost_usd"]) == (1, float(Decimal(240) / 1_000_000))
    assert (
        "1 requests may have been billed whose results could not be had: the true cost is higher"
        in cost["reason"]
    )


def test_what_was_written_to_a_cache_has_rates_of_its_own(tmp_path):
    cost = cost_of(tmp_path, [Answered(Usage(1000, 10, 200, 700, 300))], price=CACHES)
    by_hand = 100 * 1 + 200 * Decimal("0.5") + 400 * Decimal("1.25") + 300 * 2 + 10 * 2
    assert cost["cost_usd"] == float(by_hand / 1_000_000)
    assert (cost["cache_write_tokens"], cost["cache_write_1h_tokens"]) == (700, 300)


def test_reasoning_is_part_of_the_output_and_is_not_paid_twice(tmp_path):
    thought, plain = (Usage(10, 100, reasoning_tokens=count) for count in (90, None))
    costs = [cost_of(tmp_path, [Answered(usage)]) for usage in (thought, plain)]
    assert costs[0]["cost_usd"] == costs[1]["cost_usd"] == float(Decimal(210) / 1_000_000)
    assert [cost["reasoning_tokens"] for cost in costs] == [90, None]


def test_attempts_that_were_sent_again_and_failures_that_were_billed_are_counted_and_shown(tmp_path):
    lost = Answered(Usage(100, 0), Outcome.ERRORED)
    nothing = Answered(Usage(), Outcome.EXPIRED)
    cost = cost_of(
        tmp_path,
        [lost, nothing, Answered(Usage(100, 50))],
        [Answered(Usage(100, 50))],
        [nothing, lost],
        [nothing],
        [],
    )
    assert cost["cost_usd"] == float(Decimal(4 * 100 + 2 * 100) / 1_000_000)
    assert (cost["n_requests"], cost["n_attempts"], cost["reason"]) == (5, 7, None)
    repeated, failed = cost["repeated"], cost["failed"]
    assert (repeated["n_attempts"], repeated["input_tokens"], repeated["cost_usd"]) == (3, 100, 1e-4)
    assert (failed["n_requests"], failed["input_tokens"], failed["cost_usd"]) == (3, 100, 1e-4)


def test_each_attempt_is_priced_by_the_tier_that_it_is_in(tmp_path):
    short, edge, long = Usage(600, 10), Usage(1000, 10, 1000), Usage(1001, 10, 1)
    cost = cost_of(
        tmp_path, [Answered(short), Answered(short)], [Answered(edge)], [Answered(long)], price=TIERED
    )
    by_hand = 2 * (600 + 20) + (500 + 20) + (1000 * 2 + 1 + 30)
    assert cost["cost_usd"] == float(Decimal(by_hand) / 1_000_000)
    assert cost["repeated"]["cost_usd"] == float(Decimal(620) / 1_000_000)


def test_replies_without_counts_cost_null_with_a_reason(tmp_path):
    cost = cost_of(tmp_path, [Answered(Usage())])
    assert (cost["cost_usd"], cost["reason"]) == (None, "no reply reports its tokens")
    assert cost["cost_per_request_usd"] is None


def test_some_replies_without_counts_are_said(tmp_path):
    cost = cost_of(tmp_path, [Answered(Usage(10, 1))], [Answered(Usage(), Outcome.REFUSED)])
    assert cost["cost_usd"] == pytest.approx(12e-6)
    assert cost["reason"].startswith("1 replies do not report")


def test_failed_requests_and_items_with_one_text_need_no_counts(tmp_path):
    twice = [Answered(Usage(10, 1))]
    cost = cost_of(tmp_path, twice, twice, [Answered(Usage(), Outcome.ERRORED)], [])
    assert cost["reason"] is None
    assert (cost["cost_usd"], cost["n_requests"], cost["n_attempts"]) == (12e-6, 4, 2)


def test_a_model_without_a_price_costs_null_with_a_reason(tmp_path):
    cost = cost_of(tmp_path, [Answered(Usage(10, 1)), Answered(Usage(10, 1))], price=None)
    assert (cost["cost_usd"], cost["reason"]) == (None, "the model has no price")
    assert (cost["repeated"]["input_tokens"], cost["repeated"]["cost_usd"]) == (10, None)


COUNT = st.integers(0, 3000)
USAGE = st.builds(
    lambda parts, output, thought: Usage(
        sum(parts), output, parts[1], sum(parts[2:]), parts[3], min(output, thought)
    ),
    st.tuples(COUNT, COUNT, COUNT, COUNT),
    COUNT,
    COUNT,
)
ATTEMPTS = st.lists(
    st.tuples(USAGE | st.just(Usage()), st.sampled_from([Outcome.ANSWERED, Outcome.ERRORED])), max_size=4
)


@given(requests=st.lists(ATTEMPTS, min_size=1, max_size=6), is_tiered=st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_cost_is_the_sum_over_all_attempts_and_its_parts_do_not_exceed_it(tmp_path, requests, is_tiered):
    price = dataclasses.replace(CACHES, tiers=((2000, dataclasses.replace(LONG)),) if is_tiered else ())
    usages = [usage for attempts in requests for usage, _ in attempts]
    parts = [part for usage in usages if (part := price.cost(usage)) is not None]
    cost = cost_of(tmp_path, *([Answered(*each) for each in attempts] for attempts in requests), price=price)
    assert cost["cost_usd"] == (float(sum(parts)) if parts else None)
    assert cost["n_attempts"] == len(usages)
    known = [cost[part]["cost_usd"] or 0 for part in ("repeated", "failed")]
    assert sum(known) <= (cost["cost_usd"] or 0) + 1e-12
