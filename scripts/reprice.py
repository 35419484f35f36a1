"""
What a finished run would cost at other rates: today's, or those in a configuration.

Sends nothing, and does not change the run.  Exit codes: 0 priced, 2 wrong usage or configuration.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import StateError, user_errors
from scripts.experiment.settings import Settings, check_schema, read_run_settings
from scripts.experiment.strict_yaml import read_yaml
from scripts.files import read_json, write_json
from scripts.money.billed import trial_cost
from scripts.money.books import add_dollars, as_float
from scripts.money.price_book import present_price
from scripts.records import Trial
from scripts.reporting.tables import MISSING, dollars, plural
from scripts.run.command_line import add_run_options, chosen_run, command_parser, make_console
from scripts.run.paths import RunPaths

if TYPE_CHECKING:
    from rich.console import RenderableType

EXAMPLES = """examples:
  python -m scripts.reprice --run_id demo
  python -m scripts.reprice --run_id demo --configfile my_discount.yaml   # only its `prices` are read
  python -m scripts.reprice --run_id demo --write repriced.json
"""


def reprice_run(settings: Settings, run_root: Path) -> dict[str, Any]:
    """
    Price every trial of a run again, using the tokens in its outcomes.

    Parameters
    ----------
    settings : Settings
        The run's, with the ``prices`` to use; for other models, today's price table is used.
    run_root : Path
        The run's folder.

    Returns
    -------
    dict
        Per trial the old and the new dollars and the price, then the totals of those that are known.
    """
    trials = [_reprice_trial(settings, trial, RunPaths(run_root)) for trial in settings.trials]
    old, new = ([trial[f"{age}_usd"] for trial in trials] for age in ("old", "new"))
    return {
        "schema_version": 1,
        "run_id": settings.run_id,
        "trials": trials,
        "totals": {
            "old_usd": as_float(add_dollars(old)),
            "new_usd": as_float(add_dollars(new)),
            "n_old_unknown": old.count(None),
            "n_new_unknown": new.count(None),
        },
    }


def _reprice_trial(settings: Settings, trial: Trial, paths: RunPaths) -> dict[str, Any]:
    outcomes, costs = (paths.output(phase, trial.name) for phase in ("parse", "costs"))
    before = read_json(costs) if costs.is_file() else {"cost_usd": None, "reason": "not computed yet"}
    price = present_price(settings.config, trial.model)
    after: dict[str, Any] = {"cost_usd": None, "reason": "not computed yet: the run has no outcomes so far"}
    if outcomes.is_file():
        after = trial_cost(outcomes, price)
    return {
        "trial": trial.name,
        "model": trial.model,
        "old_usd": before["cost_usd"],
        "old_reason": before["reason"],
        "old_price": before.get("price"),
        "new_usd": after["cost_usd"],
        "new_reason": after["reason"],
        "new_price": None if price is None else price.to_json(),
    }


def with_prices(settings: Settings, file: Path) -> Settings:
    """
    Replace a run's ``prices`` by those of another configuration file, and ignore the rest of that file.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a price in it is wrong.
    """
    given, places = read_yaml(file)
    lines = {path: f"{file}, line {line}" for path, line in places.items()}
    config = {**settings.config, "prices": given.get("prices", {})}
    return check_schema(config, source=str(file), lines=lines)


def render(repriced: Mapping[str, Any]) -> RenderableType:
    """Draw the old and the new dollars for the terminal."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim")
    table.add_column("trial", overflow="fold")
    for header in ("old", "new", "change"):
        table.add_column(header, justify="right", no_wrap=True)
    for trial in repriced["trials"]:
        table.add_row(Text(trial["trial"]), *_cells(trial, is_comparable=True))
    totals = repriced["totals"]
    is_whole = not (totals["n_old_unknown"] or totals["n_new_unknown"])
    table.add_row(Text("all", style="bold"), *_cells(totals, is_comparable=is_whole))
    return Group(table, *(Text(line) for line in _lines(repriced)))


def _cells(row: Mapping[str, Any], *, is_comparable: bool) -> Iterator[str]:
    old, new = row["old_usd"], row["new_usd"]
    yield dollars(old)
    yield dollars(new)
    yield f"{(new - old) / old:+.1%}" if is_comparable and old and new is not None else MISSING


def _lines(repriced: Mapping[str, Any]) -> Iterator[str]:
    """Say where the rates are from, and what is not known."""
    for age in ("old", "new"):
        sources: dict[str, list[str]] = {}
        for trial in repriced["trials"]:
            names = sources.setdefault(_source(trial[f"{age}_price"]), [])
            names += [trial["model"]] if trial["model"] not in names else []
        for source, names in sources.items():
            yield f"{age.capitalize()} price of {', '.join(names)}: {source}."
    for trial in repriced["trials"]:
        if trial["new_reason"]:
            yield f"{trial['trial']}: {trial['new_reason']}."
    n_unknown = repriced["totals"]["n_new_unknown"]
    if n_unknown:
        yield f"Not in the sum: {plural(n_unknown, 'trial')} whose new cost is unknown."


def _source(price: Mapping[str, Any] | None) -> str:
    if price is None:
        return "none known"
    return f"{price['source']}, {price['as_of']}" if price["as_of"] else str(price["source"])


def _write(path: Path, repriced: Mapping[str, Any]) -> None:
    try:
        write_json(path, repriced)
    except OSError as error:
        raise StateError(
            f"cannot be written ({error.strerror})", where=str(path), fix="Name another file with --write."
        ) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Price a finished run again."""
    parser = command_parser("reprice", __doc__, EXAMPLES)
    add_run_options(parser, configfile=False)
    parser.add_argument("--configfile", type=Path, help="its `prices` count instead of the run's own")
    parser.add_argument("--write", type=Path, metavar="FILE.json", help="write the result to this file too")
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args(argv)
    with user_errors(code=2):
        run_root = chosen_run(options, configfile=False)
        settings = read_run_settings(run_root)
        if options.configfile:
            settings = with_prices(settings, options.configfile)
        repriced = reprice_run(settings, run_root)
        if options.write:
            _write(options.write, repriced)
    if options.json:
        print(json.dumps(repriced, indent=1))
    else:
        make_console().print(render(repriced))
    return 0


if __name__ == "__main__":
    sys.exit(main())
