"""List the runs in an experiments folder, with the status of each."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.errors import PipelineError
from scripts.run.command_line import add_experiments_dir, command_parser, make_console
from scripts.run.folder import experiments_folders, iterate_runs, present_run
from scripts.run.paths import RunPaths
from scripts.run.state import present_state

EXAMPLES = """examples:
  python -m scripts.list_runs
  python -m scripts.list_runs --experiments_dir /data/experiments --json
"""


def list_runs(experiments_dirs: Sequence[Path]) -> list[dict[str, Any]]:
    """Say of every run its status, how many of its trials are completed, and when that was last so."""
    return [_describe(run_root) for run_root in iterate_runs(experiments_dirs)]


def _describe(run_root: Path) -> dict[str, Any]:
    run_id = RunPaths(run_root).run_id
    try:
        with present_run(run_root) as settings:
            state = present_state(settings)
    except PipelineError as error:
        return {
            "run_id": run_id,
            "status": "unreadable",
            "trials": None,
            "completed": None,
            "error": str(error),
        }
    trials = state["trials"].values()
    errors = [part["error"] for part in trials] + [part["last_error"] for part in state["phases"].values()]
    updates = [phase["updated_at"] for phase in state["phases"].values() if phase["updated_at"]]
    return {
        "run_id": run_id,
        "status": state["status"],
        "trials": len(trials),
        "completed": sum(trial["status"] == "completed" for trial in trials),
        "updated_at": max(updates, default=None),
        "error": next(filter(None, errors), None),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """List runs."""
    parser = command_parser("list_runs", __doc__, EXAMPLES)
    add_experiments_dir(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args(argv)
    folders = experiments_folders(options.experiments_dir)
    runs = list_runs(folders)
    if options.json:
        print(json.dumps(runs, indent=1))
    elif not runs:
        print(f"No runs in {', '.join(map(str, folders))}.")
    else:
        _print_table(runs)
    return 0


def _print_table(runs: Sequence[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("run", "status", "trials", "updated (UTC)", "error", box=None, header_style="bold")
    for run in runs:
        trials = "" if run["trials"] is None else f"{run['completed']}/{run['trials']}"
        updated = (run.get("updated_at") or "")[:19].replace("T", " ")
        error = (run["error"] or "").splitlines()[:1]
        table.add_row(
            *(Text(cell) for cell in (run["run_id"], run["status"], trials, updated, "".join(error)))
        )
    make_console().print(table)


if __name__ == "__main__":
    sys.exit(main())
