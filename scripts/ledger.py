"""What a run has sent, when, and what it cost: shard by shard, according to the ledger."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import user_errors
from scripts.experiment.raw_rows import read_rows
from scripts.experiment.settings import read_run_settings
from scripts.money.books import Books, as_float, read_books
from scripts.money.ledger import ShardEntry
from scripts.money.preflights import PreflightEntry
from scripts.reporting.tables import MISSING, brief, count, dollars, plural
from scripts.run.command_line import add_run_options, chosen_run, command_parser, make_console
from scripts.run.looks import read_looks
from scripts.run.paths import RunPaths

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

EXAMPLES = """examples:
  python -m scripts.ledger --run_id demo
  python -m scripts.ledger --run_id demo --json | jq .totals
"""
COLOURS = {"intent": "cyan", "submitted": "cyan", "reconciled": "green", "refused": "red"}


def describe_ledger(run_root: Path) -> dict[str, Any]:
    """
    Put together all shards of a run and their totals.

    Nothing is written and no lock is taken, so a run may be sending at the same time.
    """
    paths = RunPaths(run_root)
    books = read_books(paths.ledgers)
    return {
        "run_id": paths.run_id,
        "shards": [{"trial": trial, **_describe_shard(entry)} for trial, entry in books.shards],
        "preflights": [{"trial": trial, **_describe_preflight(entry)} for trial, entry in books.preflights],
        "totals": _totals(books),
        "looks": [dataclasses.asdict(look) for look in read_looks(paths)],
        "not_asked": _not_asked(paths, books),
    }


def _not_asked(paths: RunPaths, books: Books) -> dict[str, Any] | None:
    """Count the questions that a limit left out, at what the others cost; None: there is no limit."""
    if not paths.effective_config.is_file():
        return None
    settings = read_run_settings(paths.root)
    limit = settings.config["limit_items"]
    if limit is None:
        return None
    datasets = settings.config["datasets"]
    files = [settings.find_file(entry["path"], "datasets", name, "path") for name, entry in datasets.items()]
    counts = [sum(1 for _ in read_rows(file)) for file in files]
    n_asked = sum(min(limit, n) for n in counts)
    spent = as_float(books.spent_usd)
    n_left = sum(counts) - n_asked
    usd = spent * n_left / n_asked if spent is not None and n_asked else None
    return {"n_questions": n_left, "n_available": sum(counts), "usd": usd}


def _describe_preflight(entry: PreflightEntry) -> dict[str, Any]:
    return {
        "preflight": entry.name,
        "state": entry.state,
        "updated_at": entry.at,
        "reserved_usd": entry.reserved_usd,
        "cost_usd": entry.cost_usd,
        "error": entry.error,
    }


def _describe_shard(entry: ShardEntry) -> dict[str, Any]:
    return {
        "shard": entry.shard,
        "attempt": entry.attempt,
        "batch_id": entry.batch_id,
        "model": entry.model,
        "n_requests": entry.n_requests,
        "state": entry.state,
        "is_in_flight": entry.is_in_flight,
        "submitted_at": entry.submitted_at,
        "updated_at": entry.at,
        "status": entry.status,
        "reserved_usd": entry.reserved_usd,
        "cost_usd": entry.cost_usd,
        "error": entry.error,
        "reused_from": entry.reused_from,
    }


def _totals(books: Books) -> dict[str, Any]:
    """Add up what counts as sent; a sum of money is None where no part of it is known."""
    reused = [entry for entry in books.live if entry.reused_from]
    in_flight = [entry for entry in books.sent if entry.is_in_flight]
    return {
        "n_shards": len(books.shards),
        "n_sent": len(books.sent),
        "n_requests_sent": sum(entry.n_requests for entry in books.sent),
        "n_in_flight": len(in_flight),
        "n_requests_in_flight": sum(entry.n_requests for entry in in_flight),
        "n_requests_reused": sum(entry.n_requests for entry in reused),
        "n_refused": sum(entry.state == "refused" for _, entry in books.shards),
        "spent_usd": as_float(books.spent_usd),
        "reserved_usd": as_float(books.reserved_usd),
        "n_without_price": sum(entry.cost_usd is None and entry.reserved_usd is None for entry in books.sent),
    }


def render(ledger: Mapping[str, Any]) -> RenderableType:
    """Draw the ledger for the terminal: a table per trial, then the totals."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for trial in dict.fromkeys(shard["trial"] for shard in ledger["shards"]):
        parts.append(Text(trial, style="bold"))
        shards = [shard for shard in ledger["shards"] if shard["trial"] == trial]
        parts.append(_table(shards))
        parts += [
            Text(f"  preflight {each['preflight']}: {_preflight_line(each)}", style="dim")
            for each in ledger["preflights"]
            if each["trial"] == trial
        ]
        parts += [
            Text(f"  {shard['shard']}: {brief(shard['error'])}", style="red")
            for shard in shards
            if shard["error"]
        ]
    parts += [Text(line) for line in _total_lines(ledger["totals"])]
    parts += [Text(line) for line in _look_lines(ledger)]
    return Group(*parts)


def _table(shards: Sequence[Mapping[str, Any]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim")
    for header in ("shard", "try", "requests", "state", "sent (UTC)", "cost", "batch"):
        table.add_column(
            header,
            justify="right" if header in {"try", "requests", "cost"} else "left",
            no_wrap=header not in {"state", "batch"},
            overflow="fold",
        )
    for shard in shards:
        table.add_row(
            shard["shard"],
            str(shard["attempt"]),
            count(shard["n_requests"]),
            Text(_state(shard), style=COLOURS.get(shard["state"], "")),
            (shard["submitted_at"] or MISSING)[:16].replace("T", " "),
            _cost(shard),
            Text(shard["batch_id"] or MISSING),
        )
    return table


def _state(shard: Mapping[str, Any]) -> str:
    """The state, and the provider's final status unless it was done."""
    status = shard["status"]
    if shard["reused_from"]:
        return f"{shard['state']}, from {shard['reused_from']}"
    return shard["state"] if status in {None, "done"} else f"{shard['state']}, {status}"


def _cost(shard: Mapping[str, Any]) -> str:
    if shard["cost_usd"] is not None:
        return dollars(shard["cost_usd"])
    is_open = shard["state"] not in {"planned", "refused"} and shard["reserved_usd"] is not None
    return f"\N{LESS-THAN OR EQUAL TO} {dollars(shard['reserved_usd'])}" if is_open else MISSING


def _preflight_line(preflight: Mapping[str, Any]) -> str:
    told = [preflight["state"].replace("_", " ")]
    if preflight["cost_usd"] is not None:
        told.append(dollars(preflight["cost_usd"]))
    return ", ".join([*told, *([brief(preflight["error"])] if preflight["error"] else [])])


def _total_lines(totals: Mapping[str, Any]) -> Iterator[str]:
    if not totals["n_shards"]:
        yield "Nothing was sent."
        return
    sent = (
        f"{plural(totals['n_requests_sent'], 'request')} sent in {count(totals['n_sent'])} of "
        f"{plural(totals['n_shards'], 'shard')}"
    )
    yield f"{sent}, {count(totals['n_requests_in_flight'])} of them in flight."
    if totals["n_requests_reused"]:
        answers = plural(totals["n_requests_reused"], "answer")
        yield f"{answers} taken over from other trials or runs, paid for there."
    money = "No cost is known yet" if totals["spent_usd"] is None else f"{dollars(totals['spent_usd'])} spent"
    if totals["reserved_usd"] is not None:
        money += f", up to {dollars(totals['reserved_usd'])} reserved for batches that are not priced yet"
    if totals["n_without_price"]:
        money += f", {plural(totals['n_without_price'], 'shard')} without a price"
    yield f"{money}."


def _look_lines(ledger: Mapping[str, Any]) -> Iterator[str]:
    """Say when results were seen, and what it saved to ask no more questions."""
    if ledger["looks"]:
        seen = ", ".join(
            f"{look['at'][:16].replace('T', ' ')} ({plural(look['n_questions'], 'question')})"
            for look in ledger["looks"]
        )
        yield f"Results seen: {seen}."
    left = ledger["not_asked"]
    if left and left["n_questions"]:
        saved = "" if left["usd"] is None else f", which saved about {dollars(left['usd'])}"
        yield (
            f"{plural(left['n_questions'], 'question')} of {count(left['n_available'])} not asked "
            f"(limit_items){saved}."
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Show a run's ledger."""
    parser = command_parser("ledger", __doc__, EXAMPLES)
    add_run_options(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args(argv)
    with user_errors(code=2):
        ledger = describe_ledger(chosen_run(options))
    if options.json:
        print(json.dumps(ledger, indent=1))
    else:
        make_console().print(render(ledger))
    return 0


if __name__ == "__main__":
    sys.exit(main())
