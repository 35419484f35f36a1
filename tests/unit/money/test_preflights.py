"""What the ledger keeps of preflight requests, beside its shards."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from scripts.errors import DataError
from scripts.files import dump_line
from scripts.money.billed import preflight_cost
from scripts.money.books import read_books
from scripts.money.ledger import Ledger, read_shards, write_keys
from scripts.money.preflights import read_preflights, record_preflight


def test_a_preflight_is_no_shard_and_does_not_shift_their_names(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger" / "t") as ledger:
        record_preflight(ledger, "p0001", "intent", request_key="k", reserved_usd=0.5)
        record_preflight(ledger, "p0001", "accepted", cost_usd=0.25)
        write_keys(tmp_path / "keys", ["k"])
        assert ledger.plan(attempt=1, keys=tmp_path / "keys", n_requests=1) == "s0001"
    assert list(read_shards(ledger.path)) == ["s0001"]
    (entry,) = read_preflights(ledger.path)
    assert (entry.name, entry.state, entry.request_key, entry.reserved_usd, entry.cost_usd) == (
        *("p0001", "accepted", "k"),
        *(0.5, 0.25),
    )


STATES = {
    "intent": (None, Decimal("0.5")),
    "lost": (None, Decimal("0.5")),
    "accepted": (Decimal("0.25"), None),
    "rejected": (None, None),
    "busy": (None, None),
    "not_offered": (None, None),
}


@pytest.mark.parametrize("state", STATES)
def test_what_may_be_paid_counts_and_nothing_else(tmp_path: Path, state: str) -> None:
    with Ledger(tmp_path / "t") as ledger:
        record_preflight(ledger, "p0001", "intent", reserved_usd=0.5)
        if state != "intent":
            facts = {"cost_usd": 0.25} if state == "accepted" else {"error": "why"}
            record_preflight(ledger, "p0001", state, **facts)
    books = read_books(tmp_path)
    assert (books.spent_usd, books.reserved_usd) == STATES[state]
    n_requests = int(STATES[state] != (None, None))
    cost = 0.25 if state == "accepted" else None
    assert preflight_cost(ledger.path) == {"n_requests": n_requests, "cost_usd": cost}


def test_a_ledger_without_any_has_none(tmp_path: Path) -> None:
    assert read_preflights(tmp_path / "events.jsonl") == []
    assert preflight_cost(tmp_path / "events.jsonl") == {"n_requests": 0, "cost_usd": None}


def test_a_broken_line_is_told_with_its_number_and_a_torn_one_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    event = {"event": "preflight", "shard": "p0001", "state": "intent", "at": "2026-01-01"}
    path.write_text(dump_line(event) + '{"event": "preflight", "sha')
    assert [entry.state for entry in read_preflights(path)] == ["intent"]
    path.write_text(dump_line(event) + '{"event": "preflight", "sha\n')
    with pytest.raises(DataError, match="line 2"):
        read_preflights(path)
