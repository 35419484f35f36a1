"""A whole run whose trials go to all batch services at once: what each bills, and that no key is left."""

from __future__ import annotations

import contextlib
import json
import os

import pytest

from scripts.files import read_json
from tests.providers.batch_peers import PEERS, UNSET
from tests.workflow.harness import Experiment, simulated_config

STATUSES = {
    "openai": ["validating", "in_progress", "completed"],
    "together": ["VALIDATING", "IN_PROGRESS", "COMPLETED"],
    "mistral": ["QUEUED", "RUNNING", "SUCCESS"],
    "fireworks": ["JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_COMPLETED"],
}


@pytest.fixture(name="servers")
def servers_fixture(monkeypatch, tmp_path):
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)
    servers = {name: peer.make_server() for name, peer in PEERS.items()}
    with contextlib.ExitStack() as running:
        for name, server in servers.items():
            running.enter_context(server.running())
            monkeypatch.setenv(PEERS[name].variable, server.key)
            server.statuses = STATUSES[name]
        yield servers
    assert {name: server.breaches for name, server in servers.items()} == {name: [] for name in servers}
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert not any(server.key.encode() in content for server in servers.values()), path


@pytest.mark.workflow
def test_a_whole_run_at_every_batch_service_leaves_no_key_anywhere(servers, tmp_path):
    options = {name: {"base_url": servers[name].url, **PEERS[name].options} for name in PEERS}
    config = simulated_config(
        models={name: {"provider": name, "model": peer.model} for name, peer in PEERS.items()},
        providers={name: {**place, "poll_seconds": 0.1} for name, place in options.items()},
        trials={
            "sweep": {"model": list(PEERS), "prompt": ["control", "treatment"]},
            "baseline": {"model": "openai", "prompt": "control"},
        },
    )
    experiment = Experiment(tmp_path).write(config)
    done = experiment.run()
    assert done.returncode == 0, done.stderr
    for server in servers.values():
        assert len(server.billed) == len(set(server.billed)) == 16
    trials = experiment.summary()["trials"]
    assert len(trials) == 2 * len(PEERS)
    assert {trial["outcomes"]["answered"] for trial in trials} == {8}
    assert all(trial["cost_usd"] > 0 for trial in trials)
    again = experiment.run()
    assert "Nothing to be done" in again.stderr + again.stdout
    assert {len(server.batches) for server in servers.values()} == {2}
    told = done.stdout + done.stderr + json.dumps(read_json(experiment.root / "run_state.json"))
    assert not any(os.environ[peer.variable] in told for peer in PEERS.values())
