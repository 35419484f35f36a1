"""Trials that wait for their batches do not wait for one another."""

from __future__ import annotations

import json

import pytest

from tests.workflow.harness import Experiment, simulated_config

pytestmark = pytest.mark.workflow

N_TRIALS = 16


def test_more_trials_than_cores_wait_for_their_batches_at_the_same_time(experiment: Experiment) -> None:
    temperatures = [round(n / N_TRIALS, 4) for n in range(N_TRIALS)]
    experiment.write(
        simulated_config(
            trials={"sweep": {"prompt": ["control"], "temperature": temperatures}},
            providers={"simulated": {"poll_seconds": 0.1, "delay_seconds": 12}},
            max_active_batches=N_TRIALS,
        ),
        n_items=1,
    )

    finished = experiment.run("poll_done")

    assert finished.returncode == 0, finished.stderr
    paths = experiment.root.glob("ledger/*/events.jsonl")
    events = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    times = {
        name: sorted(event["at"] for event in events if event["event"] == name)
        for name in ("submitted", "terminal")
    }
    assert len(times["submitted"]) == len(times["terminal"]) == N_TRIALS
    assert times["submitted"][-1] < times["terminal"][0]
