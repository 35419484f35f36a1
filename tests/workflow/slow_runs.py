"""Small runs whose batches take their time, and looks at them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.workflow.harness import ROOT, Experiment, simulated_config


def small_config(**changes: Any) -> dict[str, Any]:
    """Two trials, of eight requests each."""
    trials = {"sweep": {"prompt": ["control", "treatment"]}, "baseline": {"prompt": "control"}}
    return simulated_config(trials=trials, **changes)


def slow_config(delay: float = 120.0) -> dict[str, Any]:
    """An experiment whose batches take their time."""
    return small_config(providers={"simulated": {"poll_seconds": 0.1, "delay_seconds": delay}})


def is_polling(experiment: Experiment) -> bool:
    """Whether every trial's batch is at the provider and its poll is waiting."""
    if not (experiment.root / "run_state.json").exists():
        return False
    phases = experiment.state()["phases"]
    return phases["submit"]["status"] == "completed" and phases["poll"]["status"] == "in_progress"


def hurry(experiment: Experiment) -> None:
    """Have every batch at the provider done at once."""
    for book in experiment.folder.glob("experiments/.simulated/*/batch_*/batch.json"):
        book.write_text(json.dumps({**json.loads(book.read_text()), "ready_at": 0}))


def assert_resumes(experiment: Experiment) -> None:
    """The same command ends the run, and nothing was sent twice."""
    hurry(experiment)
    done = experiment.run()
    assert done.returncode == 0, done.stderr
    assert experiment.state()["status"] == "completed"
    assert len(experiment.billed()) == len(set(experiment.billed())) == 2 * 8


def stop_files(experiment: Experiment) -> list[str]:
    return sorted(path.name for path in experiment.root.glob("STOP_REQUESTED*"))


def make_stop(experiment: Experiment, *, minutes_old: float = 0.0) -> Path:
    experiment.root.mkdir(parents=True, exist_ok=True)
    path = experiment.root / "STOP_REQUESTED"
    path.write_text('{"requested_by": "ann@host", "reason": "lunch"}\n')
    when = time.time() - 60 * minutes_old
    os.utime(path, (when, when))
    return path


def polls_of(experiment: Experiment) -> list[str]:
    """Processes that poll for this experiment."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes()
            if b"scripts.poll" in words and (path / "cwd").resolve() == experiment.folder.resolve():
                found.append(words.decode())
        except OSError:
            continue
    return found


def status_of(experiment: Experiment) -> dict[str, object]:
    command = [sys.executable, "-m", "scripts.status", "--run_id", "t", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=experiment.folder, env=environment, capture_output=True, text=True, check=True
    )
    status: dict[str, object] = json.loads(done.stdout)
    return status
