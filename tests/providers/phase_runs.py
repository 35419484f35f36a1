"""Both phases of a trial at a batch service, run in this process, and what a check of the settings says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts.errors import PipelineError
from scripts.experiment.prompts import load_template, used_fields
from scripts.experiment.settings import Settings
from scripts.files import read_jsonl
from scripts.poll import poll_trial
from scripts.providers import make_provider
from scripts.run.checks import check_settings
from scripts.submit import submit_trial
from tests.fakes.sending_fakes import make_settings, write_requests
from tests.providers.batch_peers import Peer, make_requests
from tests.providers.faulty_server import FaultyServer

RUN_KEYS = (
    *("sampling", "max_error_rate", "run_id", "experiments_dir", "reuse", "prompts", "trials"),
    *("models", "resubmit", "prices", "budget_usd"),
)
"""Keys of the configuration that are the run's."""


def peer_settings(
    peer: Peer, server: FaultyServer, root: Path, *, model: str | None = None, **options: Any
) -> Settings:
    """Make the settings of one trial; `options` are the provider's, and None takes one away."""
    extra = {key: options.pop(key) for key in RUN_KEYS if key in options}
    place = {"base_url": server.url, **peer.options, "poll_seconds": 0.02, "timeout_seconds": 60}
    place["preflight"] = False
    given = {key: value for key, value in {**place, **options}.items() if value is not None}
    return make_settings(
        root,
        model={"provider": peer.name, "model": model or peer.model},
        providers={peer.name: given},
        **extra,
    )


def run(
    settings: Settings, *, phases: Sequence[str] = ("submit", "poll"), n: int = 4, name: str | None = None
) -> list[dict[str, Any]]:
    """Run the phases of the trial `name`, or of the only one; the replies' rows."""
    (trial,) = (trial for trial in settings.trials if name in {None, trial.name})
    folder = settings.run_root / "trials" / trial.name
    provider = make_provider(settings, trial.model)
    requests = write_requests(folder / "requests.jsonl", make_requests(provider, n))
    if "submit" in phases:
        submit_trial(settings, trial, requests, out=folder / "batches.json")
    if "poll" not in phases:
        return []
    poll_trial(settings, trial, requests, out=folder / "replies.jsonl")
    return [row for _, row in read_jsonl(folder / "replies.jsonl")]


def check_message(settings: Settings) -> str:
    """Check the settings before anything is sent; what the error says."""
    load_template.cache_clear()
    used_fields.cache_clear()
    with pytest.raises(PipelineError) as caught:
        check_settings(settings)
    return str(caught.value)
