"""
What a run would send, what it would cost and what it could show, before anything is spent.

Writes nothing, sends nothing.  Exit codes: 0 planned, 2 wrong usage or configuration.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.errors import user_errors
from scripts.experiment.schema import DEFAULT_CONFIG
from scripts.experiment.settings import Settings, load_settings
from scripts.files import PROJECT_ROOT
from scripts.money.books import add_dollars, read_books
from scripts.money.budget import BYTES_PER_TOKEN
from scripts.money.price_book import find_price
from scripts.planning.forecast import (
    TYPICAL_BYTES_PER_TOKEN,
    TrialForecast,
    count_items,
    forecast_trials,
    span,
)
from scripts.planning.pilot import Pilot, read_pilot
from scripts.planning.power import describe_power
from scripts.run.command_line import command_parser, make_console

EXAMPLES = """examples:
  python -m scripts.plan
  python -m scripts.plan --configfile my.yaml
  python -m scripts.plan --configfile my.yaml --pilot my_pilot      # take assumptions from a finished run
  python -m scripts.plan --configfile my.yaml --answer_tokens 300   # for longer answers than usual
  python -m scripts.plan --configfile my.yaml --json | jq .totals
"""
ANSWER_TOKENS = 64
"""How long an answer is by default: a sentence or two."""


def make_plan(settings: Settings, *, pilot: Pilot | None, answer_tokens: float | None) -> dict[str, Any]:
    """
    Put together the plan of a checked configuration.

    Parameters
    ----------
    settings : Settings
        The configuration, checked by `scripts.run.checks.check_settings`.
    pilot : Pilot, optional
        A finished run to take variances and lengths of answers from.
    answer_tokens : float, optional
        Mean length of an answer; overrides the pilot's.
    """
    datasets = count_items(settings)
    trials = [
        _describe_trial(settings, forecast, pilot, answer_tokens) for forecast in forecast_trials(settings)
    ]
    totals = _totals(trials)
    return {
        "run_id": settings.run_id,
        "config": settings.source,
        "pilot": None if pilot is None else pilot.run_id,
        "bytes_per_token": span(TYPICAL_BYTES_PER_TOKEN, BYTES_PER_TOKEN),
        "datasets": datasets,
        "trials": trials,
        "totals": totals,
        "budget": _compare_budget(settings, totals),
        "power": describe_power(settings, datasets, pilot),
    }


def _describe_trial(
    settings: Settings, forecast: TrialForecast, pilot: Pilot | None, answer_tokens: float | None
) -> dict[str, Any]:
    trial = forecast.trial
    found = None if pilot is None else pilot.find_answer_tokens(trial)
    if answer_tokens is not None:
        found = answer_tokens, "--answer_tokens"
    length, source = found or (ANSWER_TOKENS, "assumed")
    return {
        "trial": trial.name,
        "model": trial.model,
        "provider": settings.config["models"][trial.model]["provider"],
        "prompt": trial.prompt,
        "replicates": trial.replicates,
        "baseline": trial.baseline,
        "answer_tokens": {**span(min(length, forecast.output_limit), forecast.output_limit), "from": source},
        **forecast.describe(find_price(settings.config, trial.model), length),
    }


def _totals(trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Add up the trials; the dollars are of those that have a price, and null if none has."""
    counts = ("n_requests", "n_sent", "n_repeated", "n_to_send")
    tokens = ("input_tokens", "output_tokens")
    priced = [trial["cost_usd"] for trial in trials if trial["cost_usd"] is not None]
    return {
        "n_trials": len(trials),
        **{name: sum(trial[name] for trial in trials) for name in counts},
        **{
            name: span(*(sum(trial[name][end] for trial in trials) for end in ("typical", "upper")))
            for name in tokens
        },
        "cost_usd": span(*(_add(cost[end] for cost in priced) for end in ("typical", "upper")))
        if priced
        else None,
        "n_without_price": len(trials) - len(priced),
    }


def _add(amounts: Iterator[float]) -> float:
    return float(add_dollars(amounts) or 0)


def _compare_budget(settings: Settings, totals: Mapping[str, Any]) -> dict[str, Any]:
    """Compare what is planned, and what is spent or reserved, with ``budget_usd``."""
    budget = settings.config["budget_usd"]
    spent = float(read_books(settings.paths.ledgers).committed_usd)
    left = None if budget is None else budget - spent
    cost = totals["cost_usd"] or span(0.0, 0.0)
    if left is None:
        verdict = "none"
    elif totals["n_without_price"]:
        verdict = "unpriced"
    elif cost["upper"] <= left:
        verdict = "enough"
    else:
        verdict = "maybe" if cost["typical"] <= left else "short"
    return {"budget_usd": budget, "spent_usd": spent, "left_usd": left, "verdict": verdict}


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e9:
        raise argparse.ArgumentTypeError(f"is {text!r}, but must be a number of tokens above 0")
    return number


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = command_parser("plan", __doc__, EXAMPLES)
    add = parser.add_argument
    add("--configfile", type=Path, help=f"the experiment (default: {DEFAULT_CONFIG})")
    add("--run_id", help="name of the run, instead of the configuration's")
    add(
        "--pilot",
        metavar="RUN_ID",
        help="a finished run in the same experiments_dir to take assumptions from",
    )
    add(
        "--answer_tokens",
        type=_positive,
        help=f"tokens in a typical answer (default: the pilot's mean, else {ANSWER_TOKENS})",
    )
    add("--json", action="store_true", help="as JSON, complete")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Plan a run (exit codes: see above)."""
    options = make_parser().parse_args(argv)
    default = DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else PROJECT_ROOT / DEFAULT_CONFIG
    with user_errors(code=2):
        from scripts.run.checks import check_settings

        overrides = {} if options.run_id is None else {"run_id": options.run_id}
        settings = load_settings([options.configfile or default], overrides)
        warnings = check_settings(settings, needs_keys=False)
        experiments_dir = Path(settings.config["experiments_dir"])
        pilot = None if options.pilot is None else read_pilot(experiments_dir, options.pilot)
        plan = make_plan(settings, pilot=pilot, answer_tokens=options.answer_tokens)
        plan["warnings"] = [str(warning) for warning in warnings]
    if options.json:
        print(json.dumps(plan, indent=1, allow_nan=False))
    else:
        from scripts.planning.view import render

        make_console().print(render(plan))
    return 0


if __name__ == "__main__":
    sys.exit(main())
