"""The truth about a run at this moment: progress, failures, batches in flight, money."""

from __future__ import annotations

import datetime
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import user_errors
from scripts.money.books import Books, as_float, read_books
from scripts.reporting.tables import dollars
from scripts.run.command_line import add_run_options, chosen_run, command_parser, make_console
from scripts.run.folder import present_run
from scripts.run.lock import read_holder
from scripts.run.paths import RunPaths
from scripts.run.state import present_state

if TYPE_CHECKING:
    from rich.console import RenderableType

EXAMPLES = """examples:
  python -m scripts.status --run_id demo
  python -m scripts.status --run_id demo --watch
  python -m scripts.status --run_id demo --json | jq .phases.poll
"""
COLOURS = {
    "completed": "green",
    "in_progress": "cyan",
    "running": "cyan",
    "failed": "red",
    "stopped": "yellow",
    "interrupted": "yellow",
}
WATCH_S = 1.0


def describe_run(run_root: Path) -> dict[str, Any]:
    """
    Combine the freshly derived content of ``run_state.json`` with the ledger's batches and money.

    Nothing is written.
    """
    with present_run(run_root) as settings:
        state = present_state(settings)
        judged = settings.source
    books = read_books(RunPaths(run_root).ledgers)
    return {
        **state,
        "configuration": judged,
        "works_on_it": read_holder(run_root),
        "batches": list(batches_in_flight(books)),
        "spent_usd": as_float(books.spent_usd),
        "reserved_usd": as_float(books.reserved_usd),
        "eta_seconds": estimate_seconds(state),
    }


def batches_in_flight(books: Books) -> Iterator[dict[str, Any]]:
    """Yield the batches that are, or may be, at the provider, with their age."""
    for trial, entry in books.shards:
        if entry.is_in_flight:
            yield {
                "trial": trial,
                "shard": entry.shard,
                "batch_id": entry.batch_id,
                "n_requests": entry.n_requests,
                "attempt": entry.attempt,
                "age_seconds": _age(entry.submitted_at),
            }


def estimate_seconds(state: dict[str, Any]) -> float | None:
    """
    Estimate how long the rest takes, from the pace of the phase in progress with the most units done.

    None if it cannot be estimated: no such phase, or nothing done yet.
    """
    phases = [
        phase for phase in state["phases"].values() if phase["status"] == "in_progress" and phase["done"]
    ]
    if state["status"] != "running" or not phases:
        return None
    phase = max(phases, key=lambda phase: phase["done"])
    age = _age(phase["started_at"])
    return None if age is None else age / phase["done"] * (phase["total"] - phase["done"])


def _age(when: str | None) -> float | None:
    if when is None:
        return None
    return (datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(when)).total_seconds()


def render(run: dict[str, Any]) -> RenderableType:
    """Draw the run for the terminal."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [_headline(run), _phase_table(run)]
    parts += [Text(line, style="red") for line in _failures(run)]
    if run["batches"]:
        parts.append(_batch_table(run["batches"]))
    parts.append(Text(_money_line(run)))
    parts.append(Text(f"configuration: {run['configuration']}", style="dim"))
    return Group(*parts)


def _failures(run: dict[str, Any]) -> Iterator[str]:
    """Yield why trials failed, and why anything outside the trials did: a dataset, the run's page."""
    told = set()
    for trial, entry in run["trials"].items():
        if entry["error"]:
            told.add(entry["error"])
            yield f"{trial}, {entry['phase']}: {entry['error']}"
    for name, phase in run["phases"].items():
        if phase["last_error"] and phase["last_error"] not in told:
            yield f"{name}: {phase['last_error']}"


def _headline(run: dict[str, Any]) -> RenderableType:
    from rich.text import Text

    line = Text.assemble((run["run_id"], "bold"), "  ", (run["status"], COLOURS.get(run["status"], "")))
    if run["works_on_it"]:
        line.append(f"  ({run['works_on_it']})", style="dim")
    if run["stop_requested"]:
        line.append("  stop requested", style="yellow")
    if run["eta_seconds"] is not None:
        line.append(f"  about {datetime.timedelta(seconds=round(run['eta_seconds']))} left")
    return line


def _phase_table(run: dict[str, Any]) -> RenderableType:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table("phase", "", "done", "failed", "status", box=None, header_style="bold")
    for name, phase in run["phases"].items():
        colour = COLOURS.get(phase["status"], "dim")
        bar = ProgressBar(
            total=max(phase["total"], 1), completed=phase["done"], width=30, complete_style=colour
        )
        done, failed = f"{phase['done']}/{phase['total']}", str(phase["failed"] or "")
        table.add_row(name, bar, done, Text(failed, style="red"), Text(phase["status"], style=colour))
    return table


def _batch_table(batches: Sequence[dict[str, Any]]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table("batch in flight", "trial", "requests", "attempt", "age", box=None, header_style="bold")
    for batch in batches:
        age = (
            "" if batch["age_seconds"] is None else str(datetime.timedelta(seconds=int(batch["age_seconds"])))
        )
        cells = (
            batch["batch_id"] or "not answered yet",
            batch["trial"],
            batch["n_requests"],
            batch["attempt"],
            age,
        )
        table.add_row(*(Text(str(cell)) for cell in cells))
    return table


def _money_line(run: dict[str, Any]) -> str:
    spent = "no cost known yet" if run["spent_usd"] is None else f"{dollars(run['spent_usd'])} spent"
    return spent if run["reserved_usd"] is None else f"{spent}, {dollars(run['reserved_usd'])} reserved"


def main(argv: Sequence[str] | None = None) -> int:
    """Show the state of a run."""
    parser = command_parser("status", __doc__, EXAMPLES)
    add_run_options(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--watch", action="store_true", help="refresh every second, until Ctrl-C")
    form.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args(argv)
    with user_errors(code=2):
        run_root = chosen_run(options)
        if options.json:
            print(json.dumps(describe_run(run_root), indent=1))
        else:
            _show(run_root, watch=options.watch)
    return 0


def _show(run_root: Path, *, watch: bool) -> None:
    from rich.live import Live

    if not watch:
        make_console().print(render(describe_run(run_root)))
        return
    try:
        with Live(render(describe_run(run_root)), console=make_console(), auto_refresh=False) as live:
            while True:
                time.sleep(WATCH_S)
                live.update(render(describe_run(run_root)), refresh=True)
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    sys.exit(main())
