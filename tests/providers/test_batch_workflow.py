"""A whole run whose trials go to all batch services at once: what each bills, and that no key is left."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys

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


@pytest.mark.workflow
def test_a_renamed_prompt_and_a_twin_pay_nothing_and_are_told_of(servers, tmp_path):
    name = "openai"
    config = simulated_config(
        models={name: {"provider": name, "model": PEERS[name].model}},
        prompts={"control": {"user": "user.md"}},
        providers={name: {"base_url": servers[name].url, "poll_seconds": 0.1}},
        trials={"sweep": {"model": [name], "prompt": ["control"]}},
    )
    experiment = Experiment(tmp_path).write(config)
    done = experiment.run()
    assert done.returncode == 0, done.stderr
    experiment.reconfigure(
        prompts={"renamed": {"user": "user.md"}, "twin": {"user": "user.md"}},
        trials={"sweep": {"model": [name], "prompt": ["renamed", "twin"]}},
    )
    dry = experiment.run("-n")
    assert "openai__renamed__t0: already paid under openai__control__t0" in dry.stderr
    assert "openai__twin__t0: already paid under openai__control__t0" in dry.stderr
    plan = subprocess.run(
        [sys.executable, "-m", "scripts.plan", "--configfile", "config.yaml", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(experiment.project)},
        capture_output=True,
        text=True,
        check=True,
    )
    trials = json.loads(plan.stdout)["trials"]
    assert [(trial["n_to_send"], trial["paid_under"]) for trial in trials] == [
        (0, ["openai__control__t0"])
    ] * 2
    again = experiment.run()
    assert again.returncode == 0, again.stderr
    assert len(servers[name].billed) == len(set(servers[name].billed)) == 8
    summary = experiment.summary()
    assert [trial["outcomes"]["answered"] for trial in summary["trials"]] == [8, 8]
    assert summary["costs"]["reused_usd"] == summary["costs"]["total_usd"] > 0


@pytest.mark.workflow
def test_a_run_whose_folder_was_deleted_pays_nothing_twice(servers, tmp_path):
    options = {name: {"base_url": servers[name].url, **PEERS[name].options} for name in PEERS}
    config = simulated_config(
        models={name: {"provider": name, "model": peer.model} for name, peer in PEERS.items()},
        providers={name: {**place, "poll_seconds": 0.1} for name, place in options.items()},
        trials={"sweep": {"model": list(PEERS), "prompt": ["control"]}},
    )
    experiment = Experiment(tmp_path).write(config)
    assert experiment.run("--until", "submit").returncode == 0
    shutil.rmtree(experiment.root)
    done = experiment.run()
    assert done.returncode == 0, done.stderr
    for server in servers.values():
        assert len(server.billed) == len(set(server.billed)) == 8
