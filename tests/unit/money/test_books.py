"""The books of a run: one figure for one sum, wherever it is shown."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from scripts.files import dump_line
from scripts.ledger import describe_ledger
from scripts.money.books import add_dollars, read_books
from scripts.reporting.tables import dollars
from scripts.run.paths import RunPaths


def write_ledger(paths: RunPaths, trial: str, *events: dict[str, Any]) -> None:
    """Write a trial's events."""
    folder = paths.ledger(trial)
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text(
        "".join(dump_line({"at": "2026-01-01", **event}) for event in events)
    )


def shard(name: str, *, cost_usd: float | None, **facts: Any) -> list[dict[str, Any]]:
    """Events of a shard that was sent and, with a cost, collected."""
    planned = {"event": "planned", "shard": name, "attempt": 1, "n_requests": 3}
    intent = {"event": "intent", "shard": name, "reserved_usd": 0.02, **facts}
    done = [{"event": "reconciled", "shard": name, "cost_usd": cost_usd}] if cost_usd is not None else []
    return [planned, intent, *done]


def test_what_is_spent_and_reserved_is_added_up_exactly_over_all_trials(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "run_t")
    write_ledger(paths, "b", *shard("s0001", cost_usd=0.1), *shard("s0002", cost_usd=0.2))
    write_ledger(paths, "a", *shard("s0001", cost_usd=None))

    books = read_books(paths.ledgers)

    assert [trial for trial, _ in books.shards] == ["a", "b", "b"]
    assert books.spent_usd == Decimal("0.3")
    assert books.reserved_usd == Decimal("0.02")
    assert books.committed_usd == Decimal("0.32")


def test_a_shard_that_was_refused_costs_nothing_and_one_without_a_price_is_not_zero(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "run_t")
    refused = {"event": "refused", "shard": "s0001"}
    write_ledger(
        paths, "a", *shard("s0001", cost_usd=None), refused, *shard("s0002", cost_usd=None, reserved_usd=None)
    )

    books = read_books(paths.ledgers)

    assert (books.spent_usd, books.reserved_usd, books.committed_usd) == (None, None, Decimal(0))


def test_a_run_without_ledgers_has_spent_nothing_that_is_known(tmp_path: Path) -> None:
    assert read_books(tmp_path / "ledger").spent_usd is None


def test_a_sum_at_the_edge_of_a_digit_is_the_same_figure_in_every_command(tmp_path: Path) -> None:
    amounts = [0.0000768, 0.0000769, 0.000077, 0.0000771, 0.0000768, 0.0000767, 0.0000768, 0.0000769]
    paths = RunPaths(tmp_path / "run_t")
    for number, amount in enumerate(amounts):
        write_ledger(paths, f"t{number}", *shard("s0001", cost_usd=amount))

    in_books = read_books(paths.ledgers).spent_usd
    in_ledger = describe_ledger(paths.root)["totals"]["spent_usd"]
    in_report = add_dollars(reversed(amounts))

    assert in_books == in_report == Decimal("0.000615")
    assert {dollars(in_books), dollars(in_ledger), dollars(float(sum(amounts)))} == {"$0.00062"}
