"""Growing an experiment in a run of its own pays for the new items only, if the user says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.files import read_json
from tests.workflow.harness import Experiment, simulated_config

pytestmark = pytest.mark.workflow


def test_a_larger_run_takes_the_answers_of_a_smaller_one(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path).write(simulated_config(), n_items=12)
    small = experiment.run("--config", "run_id=small", "limit_items=5")
    assert small.returncode == 0, small.stderr
    n_trials = 4
    assert len(experiment.billed()) == 5 * n_trials
    large = experiment.run("--config", "run_id=t", "reuse=store")
    assert large.returncode == 0, large.stderr
    billed = experiment.billed()
    assert len(billed) == len(set(billed)) == 12 * n_trials
    for trial in experiment.summary()["trials"]:
        assert trial["outcomes"]["answered"] == 12
        costs = read_json(experiment.root / "trials" / trial["trial"] / "costs" / "costs.json")
        assert costs["reused"]["n_requests"] == 5
        assert 0 < costs["reused"]["cost_usd"] < costs["cost_usd"]
    again = experiment.run("--config", "run_id=t", "reuse=store")
    assert "Nothing to be done" in again.stderr + again.stdout
