"""What Snakemake would do and what the state says are one answer: that of the records, whatever the times."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.harness import PATIENCE_S, ROOT, Experiment, wait_until
from tests.workflow.slow_runs import assert_resumes, hurry, is_polling, slow_config, small_config, status_of

pytestmark = pytest.mark.workflow

TRIAL = "sim__control__t0"


def has_nothing_to_do(experiment: Experiment) -> bool:
    """Whether a dry run finds nothing."""
    done = experiment.run("--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    return "Nothing to be done" in done.stdout + done.stderr


def assert_one_truth(experiment: Experiment, *, is_completed: bool) -> None:
    """The state is completed exactly when nothing would be done, and it is what is expected."""
    said = status_of(experiment)["status"] == "completed"
    assert (said, has_nothing_to_do(experiment)) == (is_completed, is_completed)


def touch(path: Path, *, hours: float) -> None:
    """Date a file so many hours from now."""
    when = time.time() + 3600 * hours
    os.utime(path, (when, when))


def forget_metadata(experiment: Experiment) -> None:
    shutil.rmtree(experiment.folder / ".snakemake")


HARMLESS: dict[str, Callable[[Experiment], object]] = {
    "outputs touched": lambda run: touch(run.root / f"trials/{TRIAL}/score/scores.parquet", hours=0),
    "an input dated in the future": lambda run: touch(run.folder / "items.jsonl", hours=3),
    "outputs dated in the past": lambda run: touch(run.root / "report/summary.json", hours=-900),
    "metadata lost": forget_metadata,
    "logs deleted": lambda run: shutil.rmtree(run.folder / "logs"),
    "state deleted": lambda run: (run.root / "run_state.json").unlink(),
}
HARMFUL: dict[str, Callable[[Experiment], object]] = {
    "marker deleted": lambda run: (run.root / "phases/score.done.json").unlink(),
    "marker emptied": lambda run: (run.root / "phases/stats.done.json").write_text(""),
    "output deleted": lambda run: (run.root / f"trials/{TRIAL}/stats/stats.json").unlink(),
    "output emptied": lambda run: (run.root / f"trials/{TRIAL}/costs/costs.json").write_text(""),
    "record deleted": lambda run: (run.root / f"trials/{TRIAL}/parse/parse.made.json").unlink(),
    "figure deleted": lambda run: next((run.root / "report/figures").iterdir()).unlink(),
    "level edited": lambda run: run.reconfigure(stats={"confidence_level": 0.9}),
    "price edited": lambda run: run.reconfigure(prices={"sim": {"input": 1, "output": 2}}),
    "prompt edited": lambda run: (run.folder / "system.md").write_text("Think thrice.\n"),
}


def test_time_stamps_and_what_is_snakemakes_own_decide_nothing(ended: Experiment) -> None:
    for spoil in HARMLESS.values():
        spoil(ended)
    assert_one_truth(ended, is_completed=True)


@pytest.mark.parametrize("what", HARMFUL)
def test_what_is_missing_or_out_of_date_is_seen_by_both_without_metadata(
    ended: Experiment, what: str
) -> None:
    forget_metadata(ended)
    HARMFUL[what](ended)
    assert_one_truth(ended, is_completed=False)


def test_after_whatever_happened_the_same_command_completes_the_run(ended: Experiment) -> None:
    chance = random.Random(1)
    forget_metadata(ended)
    for what in chance.sample(sorted(HARMFUL), 5):
        with contextlib.suppress(FileNotFoundError):  # deleted by another one before
            HARMFUL[what](ended)
    ledgers = ended.ledgers()
    assert ended.run().returncode == 0
    assert_one_truth(ended, is_completed=True)
    assert all(ended.ledgers()[trial].startswith(before) for trial, before in ledgers.items())


def test_outputs_made_from_inputs_of_the_future_are_up_to_date(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path).write(small_config())
    touch(tmp_path / "items.jsonl", hours=3)
    touch(tmp_path / "system.md", hours=5)
    done = experiment.run()
    assert done.returncode == 0, done.stderr
    assert_one_truth(experiment, is_completed=True)


def test_an_edit_counts_after_the_metadata_was_lost_in_mid_flight(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path).write(slow_config())
    with experiment.started() as process:
        wait_until(lambda: is_polling(experiment), patience_s=60)
        process.terminate()
        process.communicate(timeout=30)
    sent = experiment.billed()
    forget_metadata(experiment)
    experiment.reconfigure(
        sampling={"max_tokens": 77}, providers={"simulated": {"poll_seconds": 0.1, "delay_seconds": 0}}
    )
    hurry(experiment)

    assert experiment.run().returncode == 0

    built = (experiment.root / "trials" / TRIAL / "build" / "requests.jsonl").read_text()
    assert '"max_tokens":77' in built
    assert len(set(experiment.billed()) - set(sent)) == 16, "what was paid before was for other requests"
    assert experiment.summary()["trials"][0]["max_tokens"] == 77


@pytest.mark.parametrize("option", [["--omit-from", "stats", "--forcerun", "score"], ["--until", "parse"]])
def test_a_part_of_a_run_leaves_a_state_that_is_so(ended: Experiment, option: list[str]) -> None:
    assert ended.run(*option).returncode == 0
    assert (status_of(ended)["status"] == "completed") is has_nothing_to_do(ended)


def test_the_outputs_of_a_live_run_cannot_be_deleted(tmp_path: Path) -> None:
    slow = Experiment(tmp_path).write(slow_config())
    with slow.started() as process:
        wait_until(lambda: is_polling(slow), patience_s=60)
        refused = slow.run("--delete-all-output")
        assert refused.returncode != 0
        assert f"pid {process.pid}" in refused.stderr
        assert "Nothing was deleted" in refused.stderr
        assert (slow.root / "trials" / TRIAL / "build" / "requests.jsonl").exists()
    assert_resumes(slow)


def test_a_marker_that_cannot_be_written_is_told_of(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path).write(small_config())
    (experiment.root / "phases" / "parse.done.json" / "in the way").mkdir(parents=True)

    done = experiment.run("--keep-going")

    assert done.returncode != 0
    state = experiment.state()
    assert state["status"] == "failed"
    assert "parse.done.json" in state["phases"]["parse"]["last_error"]


OTHER_WORKFLOWS = {
    "with rules of its own": """
use rule * from trialmake as tm_*

rule all:
    default_target: True
    input: rules.tm_all.input
""",
    "as a deployment writes it": """
use rule * from trialmake
""",
}


@pytest.mark.parametrize("which", OTHER_WORKFLOWS)
def test_another_workflow_uses_this_one_as_a_module(tmp_path: Path, which: str) -> None:
    experiment = Experiment(tmp_path).write(small_config())
    (tmp_path / "config.yaml").rename(tmp_path / "study.yaml")
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow" / "Snakefile").write_text(
        f"""configfile: "study.yaml"

module trialmake:
    snakefile: "{ROOT / "Snakefile"}"
    config: config
{OTHER_WORKFLOWS[which]}"""
    )

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )

    done = call()
    assert done.returncode == 0, done.stderr
    assert len(experiment.billed()) == 16
    again = call("-n")
    assert "Nothing to be done" in again.stdout + again.stderr
    assert status_of(experiment)["status"] == "completed"
