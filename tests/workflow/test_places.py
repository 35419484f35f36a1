"""A run is known by one text, and can be looked at from anywhere, wherever it was moved or copied."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.harness import ROOT, Experiment, simulated_config
from tests.workflow.slow_runs import small_config

pytestmark = pytest.mark.workflow


def command(name: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call one of the project's commands in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    call = [sys.executable, "-m", f"scripts.{name}", *arguments]
    return subprocess.run(call, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def status(*arguments: str, cwd: Path) -> dict[str, Any]:
    """What ``scripts.status`` says in a folder."""
    done = command("status", "--run_id", "t", "--json", *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder that has nothing to do with the run."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def test_a_run_can_be_looked_at_from_another_folder(ended: Experiment, elsewhere: Path) -> None:
    where = ("--experiments_dir", str(ended.folder / "experiments"))
    assert status(*where, cwd=elsewhere)["status"] == "completed"
    listed = command("list_runs", "--json", *where, cwd=elsewhere)
    assert [run["status"] for run in json.loads(listed.stdout)] == ["completed"]
    assert command("ledger", "--run_id", "t", *where, cwd=elsewhere).returncode == 0


def test_a_copied_project_answers_from_its_own_files(ended: Experiment, tmp_path: Path) -> None:
    copy = Experiment(tmp_path / "again")
    shutil.copytree(ended.folder, copy.folder, symlinks=True)
    copy.reconfigure(trials={"sweep": {"prompt": ["control", "treatment"], "temperature": [0.0, 0.7, 1.0]}})

    said = status(cwd=copy.folder)

    assert (said["status"], said["phases"]["build"]["total"]) == ("interrupted", 6)
    assert said["configuration"].endswith("config.yaml")
    assert status(cwd=ended.folder)["status"] == "completed"
    assert "Nothing to be done" not in copy.run("-n").stdout + copy.run("-n").stderr


def test_a_moved_project_has_nothing_to_do(ended: Experiment, tmp_path: Path) -> None:
    moved = Experiment(tmp_path / "moved" / "deeper")
    moved.folder.parent.mkdir()
    ended.folder.rename(moved.folder)

    assert status(cwd=moved.folder)["status"] == "completed"
    done = moved.run("-n")
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_run_in_a_folder_that_only_its_configuration_names_is_found(tmp_path: Path) -> None:
    store = tmp_path / "store"
    folder = tmp_path / "study"
    folder.mkdir()
    experiment = Experiment(folder).write(small_config(experiments_dir=str(store)))
    assert experiment.run("--until", "build").returncode == 0

    assert status(cwd=folder)["phases"]["build"]["done"] == 2
    assert status("--configfile", str(folder / "config.yaml"), cwd=tmp_path)["run_id"] == "t"
    asked = command("stop_run", "--run_id", "t", cwd=folder)
    assert (asked.returncode, (store / "run_t" / "STOP_REQUESTED").exists()) == (0, True)
    lost = command("status", "--run_id", "t", cwd=tmp_path)
    assert (lost.returncode, "--experiments_dir" in lost.stderr) == (2, True)


@pytest.mark.parametrize("run_id", ["007", "12e45", "1_000"])
def test_one_text_names_one_run_in_every_command(tmp_path: Path, run_id: str) -> None:
    experiment = Experiment(tmp_path).write(simulated_config(run_id=run_id))
    text = (tmp_path / "config.yaml").read_text().replace(f"'{run_id}'", run_id)
    (tmp_path / "config.yaml").write_text(text)
    same = ("--configfile", "config.yaml")
    for made in (
        experiment.run("--until", "prepare"),
        experiment.run("--until", "prepare", "--config", f"run_id={run_id}"),
        command("run_all", *same, "--run_id", run_id, "--to_step", "prepare", cwd=tmp_path),
    ):
        assert made.returncode == 0, made.stderr
    assert [path.name for path in (tmp_path / "experiments").iterdir()] == [f"run_{run_id}"]


@pytest.mark.parametrize("key", ["run_id", "stop_stale_minutes", "limit_items"])
def test_an_empty_override_is_refused(tmp_path: Path, key: str) -> None:
    refused = Experiment(tmp_path).write(simulated_config()).run("-n", "--config", f"{key}=")
    assert refused.returncode != 0
    assert f"--config: {key}: is empty" in refused.stdout + refused.stderr


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    experiment = Experiment(tmp_path).write(small_config(experiments_dir="~/runs"))
    assert experiment.run("--until", "prepare").returncode == 0
    assert (tmp_path / "home" / "runs" / "run_t").is_dir()
    assert not (tmp_path / "~").exists()
