"""Phase costs: what a trial cost, from the tokens that the provider counted."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.experiment.settings import Settings
from scripts.files import write_json
from scripts.money.billed import preflight_cost, trial_cost
from scripts.money.price_book import find_price
from scripts.records import Trial
from scripts.run.job import phase_job, phase_parser, trial_job
from scripts.run.paths import EVENTS_FILE


def cost_trial(settings: Settings, trial: Trial, outcomes: Path, *, out: Path) -> None:
    """Write ``costs.json`` of a trial."""
    price = find_price(settings.config, trial.model)
    write_json(
        out,
        {
            "schema_version": 1,
            "trial": trial.name,
            "model": trial.model,
            "provider_model": settings.config["models"][trial.model].get("model", trial.model),
            **trial_cost(outcomes, price),
            "preflight": preflight_cost(settings.paths.ledger(trial.name) / EVENTS_FILE),
            "price": price.to_json() if price else None,
        },
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Price one trial (the command of rule ``costs``)."""
    parser = phase_parser("costs", "Price the tokens of a trial.")
    parser.add_argument("--outcomes", type=Path, required=True, help="the trial's outcomes.parquet")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args(argv)
    with phase_job(trial_job("costs", options, inputs=[options.outcomes], outputs=[options.out])) as settings:
        cost_trial(settings, settings.trial(options.trial), options.outcomes, out=options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
