"""Kill a run again and again at moments drawn by chance: at the end it is as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.workflow.harness import Experiment, simulated_config
from tests.workflow.truth import assert_state_is_true, done_by_the_files

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

N_KILLS = 12
CONFIG = {
    "providers": {"simulated": {"poll_seconds": 0.1, "delay_seconds": [0.2, 1.5], "max_requests": 5}},
    "models": {
        "sim": {
            "provider": "simulated",
            "accuracy": {"control": 0.5, "treatment": 0.9},
            "errored": 0.1,
            "missing": 0.05,
            "expired": 0.05,
        }
    },
    "max_active_batches": 3,
    "max_error_rate": 1.0,
}


def job_processes(experiment: Experiment) -> list[int]:
    """Processes of this experiment's jobs: clients, shells and, in the warm case, forked children."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cwd").resolve() == experiment.folder.resolve():
                words = (path / "cmdline").read_bytes()
                if b"scripts." in words:
                    found.append(int(path.name))
        except OSError:
            continue
    return found


def tear_last_line(experiment: Experiment, chance: random.Random) -> None:
    """What a power cut leaves of an append that was not synced: its beginning."""
    ledgers = sorted(experiment.root.glob("ledger/*/events.jsonl"))
    if ledgers:
        with chance.choice(ledgers).open("ab") as handle:
            handle.write(b'{"event":"term')


def kill(process: subprocess.Popen[str], experiment: Experiment, chance: random.Random) -> str:
    """Kill the main process, a job, or everything."""
    victim = chance.choice(["main", "main", "job", "group"])
    if victim == "job":
        jobs = job_processes(experiment)
        if jobs:
            os.kill(chance.choice(jobs), signal.SIGKILL)
            process.wait(timeout=60)
            return victim
    if victim == "group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    return victim


def test_a_storm_of_kills_changes_nothing(tmp_path: Path) -> None:
    calm = Experiment(tmp_path / "calm")
    stormy = Experiment(tmp_path / "stormy")
    for experiment in (calm, stormy):
        experiment.folder.mkdir()
        experiment.write(simulated_config(**CONFIG), n_items=12)
    assert calm.run().returncode == 0

    chance = random.Random(20250101)
    seen: set[str] = set()
    n_kills = 0
    while n_kills < N_KILLS:
        with stormy.started(*(["--keep-going"] if chance.random() < 0.3 else [])) as process:
            time.sleep(chance.uniform(1.2, 6.5))
            if process.poll() is None:
                kill(process, stormy, chance)
                n_kills += 1
        if chance.random() < 0.3:
            tear_last_line(stormy, chance)
        done = done_by_the_files(stormy)
        seen |= {phase for phase, units in done.items() if units}
        assert_state_is_true(stormy)
        if (stormy.root / "report" / "summary.json").exists():
            forget_some_outputs(stormy, chance)

    finished = stormy.run()

    assert finished.returncode == 0, finished.stderr
    assert_state_is_true(stormy)
    assert stormy.state()["status"] == "completed"
    assert stormy.summary() == calm.summary()
    assert sorted(stormy.billed()) == sorted(calm.billed())
    assert {"build", "submit", "poll", "parse", "score"} <= seen


def forget_some_outputs(experiment: Experiment, chance: random.Random) -> None:
    """Delete outputs by hand, so that a finished run has work again in every phase."""
    outputs = sorted(path for path in experiment.root.glob("trials/*/*/*") if path.suffix != ".json")
    for path in chance.sample(outputs, k=len(outputs) // 2):
        path.unlink()
    (experiment.root / "report" / "summary.json").unlink()


def test_the_books_of_the_respondent_tell_a_request_sent_twice(experiment: Experiment) -> None:
    """The check of the storm can fail: send everything again by removing the ledger."""
    assert experiment.run("submit_done").returncode == 0
    once = experiment.billed()
    for path in experiment.root.glob("ledger/*/events.jsonl"):
        path.unlink()

    assert experiment.run("submit_done", "--forcerun", "submit").returncode == 0

    assert len(experiment.billed()) == 2 * len(once)


def test_the_state_check_tells_a_state_that_is_not_so(experiment: Experiment) -> None:
    assert experiment.run().returncode == 0
    assert_state_is_true(experiment)
    path = experiment.root / "run_state.json"
    state = json.loads(path.read_text())
    (experiment.root / "trials" / "sim__control__t0" / "score" / "scores.parquet").unlink()
    path.write_text(json.dumps(state))

    with pytest.raises(AssertionError):
        assert_state_is_true(experiment, as_written=True)
