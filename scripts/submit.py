"""Phase submit: send what is not in the ledger yet."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.dispatch.selection import live_shards, unsent_requests
from scripts.dispatch.sender import make_sender
from scripts.experiment.settings import Settings
from scripts.files import write_json
from scripts.money.ledger import Ledger
from scripts.records import Trial
from scripts.run.job import phase_job, phase_parser, say, trial_job


def submit_trial(settings: Settings, trial: Trial, requests: Path, *, out: Path) -> None:
    """
    Send every request of a trial that was not sent before, and list the trial's batches in `out`.

    Raises
    ------
    StopRequested
        Between two shards, or while waiting for a slot.
    ProviderError
        The provider refused, or cannot tell whether it took a shard.
    """
    with Ledger(settings.paths.ledger(trial.name)) as ledger:
        sender = make_sender(settings, trial, ledger)
        sender.reconcile()
        sender.send_due(lambda: unsent_requests(requests, ledger), attempt=1)
        shards = live_shards(requests, ledger)
    say(f"{sum(entry.n_requests for entry in shards)} requests are in {len(shards)} batches")
    write_json(
        out,
        {
            "schema_version": 1,
            "trial": trial.name,
            "provider": settings.config["models"][trial.model]["provider"],
            "batches": [
                {
                    "shard": entry.shard,
                    "batch_id": entry.batch_id,
                    "attempt": entry.attempt,
                    "n_requests": entry.n_requests,
                    "submitted_at": entry.submitted_at,
                    "reused_from": entry.reused_from,
                }
                for entry in shards
            ],
        },
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Send one trial's requests (the command of rule ``submit``)."""
    parser = phase_parser("submit", "Send a trial's requests, each at most once.")
    parser.add_argument("--requests", type=Path, required=True, help="the trial's requests.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args(argv)
    with phase_job(
        trial_job("submit", options, inputs=[options.requests], outputs=[options.out])
    ) as settings:
        submit_trial(settings, settings.trial(options.trial), options.requests, out=options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
