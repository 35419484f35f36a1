"""Every way a run may be stopped, and how it goes on: real processes, real signals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.harness import PATIENCE_S, ROOT, Experiment, wait_until
from tests.workflow.slow_runs import (
    assert_resumes,
    hurry,
    is_polling,
    make_stop,
    polls_of,
    slow_config,
    small_config,
    status_of,
    stop_files,
)

pytestmark = pytest.mark.workflow


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return Experiment(tmp_path).write(small_config())


def test_a_fresh_stop_lets_no_job_start(experiment: Experiment) -> None:
    make_stop(experiment, minutes_old=5)

    refused = experiment.run()

    assert refused.returncode != 0
    assert "STOP_REQUESTED" in refused.stderr
    assert re.search(r"\b5\.\d minutes old", refused.stderr)
    assert "ann@host" in refused.stderr
    for way in ("delete the file", "ignore_stop=true", "stop_stale_minutes"):
        assert way in refused.stderr
    assert "Traceback" not in refused.stderr
    assert experiment.billed() == []
    assert not (experiment.root / "datasets").exists()
    assert stop_files(experiment) == ["STOP_REQUESTED"]
    state = experiment.state()
    assert (state["status"], state["stop_requested"]) == ("stopped", True)


def test_a_stale_stop_is_set_aside_and_the_run_goes_on(experiment: Experiment) -> None:
    make_stop(experiment, minutes_old=61)

    done = experiment.run()

    assert done.returncode == 0, done.stderr
    assert "stale" in done.stderr
    (name,) = stop_files(experiment)
    assert name.startswith("STOP_REQUESTED.stale.2")
    assert name.endswith("Z")
    assert len(name) == len("STOP_REQUESTED.stale.20250101T000000Z")


@pytest.mark.parametrize(
    ("minutes_old", "override"),
    [(61, "stop_stale_minutes=null"), (3, "stop_stale_minutes=5"), (-30, "stop_stale_minutes=1")],
    ids=["null: never stale", "younger than the limit", "mtime in the future"],
)
def test_a_stop_that_is_not_stale_is_honoured(
    experiment: Experiment, minutes_old: float, override: str
) -> None:
    make_stop(experiment, minutes_old=minutes_old)

    refused = experiment.run("--config", override)

    assert refused.returncode != 0
    assert stop_files(experiment) == ["STOP_REQUESTED"]
    assert experiment.billed() == []


def test_ignore_stop_neither_honours_nor_touches_the_file(experiment: Experiment) -> None:
    path = make_stop(experiment, minutes_old=500)
    before = path.stat()

    done = experiment.run("--config", "ignore_stop=true")

    assert done.returncode == 0, done.stderr
    assert stop_files(experiment) == ["STOP_REQUESTED"]
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_dry_run_says_what_it_would_do_and_renames_nothing(experiment: Experiment) -> None:
    make_stop(experiment)

    fresh = experiment.run("--dry-run")
    make_stop(experiment, minutes_old=90)
    stale = experiment.run("--dry-run")

    assert "a stop is requested" in fresh.stderr
    assert "would rename it" in stale.stderr
    assert sorted(path.name for path in experiment.root.iterdir()) == ["STOP_REQUESTED"]


def test_a_folder_of_that_name_is_a_stop_too(experiment: Experiment) -> None:
    (experiment.root / "STOP_REQUESTED").mkdir(parents=True)

    refused = experiment.run()

    assert refused.returncode != 0
    assert "a stop is requested" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("arguments", [(), ("--keep-going",)], ids=["plain", "keep-going"])
def test_a_stop_during_a_long_poll_ends_the_run_within_seconds(
    slow: Experiment, arguments: tuple[str, ...]
) -> None:
    with slow.started(*arguments) as process:
        wait_until(lambda: is_polling(slow))
        make_stop(slow)
        process.wait(timeout=15)

    assert process.returncode != 0
    state = slow.state()
    assert state["status"] == "stopped"
    assert state["phases"]["submit"]["status"] == "completed"
    assert state["phases"]["poll"]["status"] == "stopped"
    assert {trial["error"] for trial in state["trials"].values()} == {None}
    (name,) = stop_files(slow)
    assert name.startswith("STOP_REQUESTED.honored.")
    assert_resumes(slow)


def test_ignore_stop_goes_on_also_when_the_file_comes_later(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path).write(slow_config(4))
    with experiment.started("--config", "ignore_stop=true") as process:
        wait_until(lambda: is_polling(experiment))
        make_stop(experiment)
        process.wait(timeout=PATIENCE_S)

    assert process.returncode == 0
    assert stop_files(experiment) == ["STOP_REQUESTED"]


@pytest.mark.parametrize(
    ("number", "warm"), [(signal.SIGINT, "on"), (signal.SIGTERM, "on"), (signal.SIGINT, "off")]
)
def test_a_signal_drains_the_run_and_leaves_nothing_that_blocks(
    slow: Experiment, number: signal.Signals, warm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if warm == "off":
        monkeypatch.setenv("TRIALMAKE_WARM", "off")
    with slow.started() as process:
        wait_until(lambda: is_polling(slow), patience_s=60)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as the terminal does
        else:
            process.send_signal(number)
        process.wait(timeout=20)

    assert process.returncode != 0
    assert slow.state()["status"] == "stopped"
    assert stop_files(slow) == []
    assert not (slow.root / ".draining").exists()
    assert_resumes(slow)


def test_a_second_interrupt_ends_at_once(slow: Experiment) -> None:
    with slow.started() as process:
        wait_until(lambda: is_polling(slow))
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=5)

    assert process.returncode != 0
    assert_resumes(slow)


@pytest.mark.parametrize("warm", ["on", "off"])
def test_kill_9_of_the_main_process_takes_its_jobs_along_and_the_same_command_resumes(
    slow: Experiment, warm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if warm == "off":
        monkeypatch.setenv("TRIALMAKE_WARM", "off")
    with slow.started() as process:
        wait_until(lambda: is_polling(slow), patience_s=60)
        process.kill()
        process.wait()
        assert slow.state()["status"] == "running", "nobody was there to say otherwise"
        assert status_of(slow)["status"] == "interrupted"
        wait_until(lambda: not polls_of(slow), patience_s=10)

    assert_resumes(slow)


def test_a_second_start_is_refused_and_names_the_first(slow: Experiment) -> None:
    with slow.started() as process:
        wait_until(lambda: is_polling(slow))
        refused = slow.run()

        assert refused.returncode != 0
        assert f"pid {process.pid}" in refused.stderr
        assert os.uname().nodename in refused.stderr
        assert slow.state()["status"] == "running"

    assert_resumes(slow)


def test_a_killed_job_fails_its_trial_only_and_says_so(slow: Experiment) -> None:
    with slow.started("--keep-going") as process:
        ledger = slow.root / "ledger" / "sim__control__t0"
        wait_until(lambda: is_polling(slow) and find_polls(ledger) != [])
        for number in find_polls(ledger):
            os.kill(number, signal.SIGKILL)
        wait_until(lambda: slow.state()["trials"]["sim__control__t0"]["status"] == "failed")
        state = slow.state()
        assert (state["status"], state["phases"]["poll"]["status"]) == ("running", "failed")
        assert state["phases"]["poll"]["failed"] == 1
        hurry(slow)
        process.wait(timeout=PATIENCE_S)

    assert process.returncode != 0
    state = slow.state()
    assert state["status"] == "failed"
    assert "sim__control__t0.log" in state["trials"]["sim__control__t0"]["error"]
    assert state["trials"]["sim__treatment__t0"]["phase"] in {"stats", "report"}
    assert not (slow.root / "phases" / "poll.done.json").exists()
    assert_resumes(slow)


def find_polls(ledger: Path) -> list[int]:
    """Find the processes that have the ledger of one trial open: the job itself, not its client."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if is_poll_of(path, ledger)]


def is_poll_of(process: Path, ledger: Path) -> bool:
    """Whether a process has the ledger of one trial open: the job itself, not its client."""
    try:
        return any(link.resolve() == ledger / "events.jsonl" for link in (process / "fd").iterdir())
    except OSError:
        return False


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("--to_step", "submit"), 0), (("--to_step", "parse"), 3)],
    ids=["done", "stopped"],
)
def test_run_all_says_by_its_exit_code_how_it_ended(
    slow: Experiment, arguments: tuple[str, ...], code: int
) -> None:
    command = [
        sys.executable,
        "-m",
        "scripts.run_all",
        "--configfile",
        "config.yaml",
        "--cores",
        "2",
        *arguments,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=slow.folder, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        if code == 3:
            wait_until(lambda: is_polling(slow))
            stop = [sys.executable, "-m", "scripts.stop_run", "--run_id", "t", "--reason", "test"]
            subprocess.run(stop, cwd=slow.folder, env=environment, check=True, capture_output=True)
        process.communicate(timeout=60)

    assert process.returncode == code
    assert_resumes(slow)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_run_all_stops_the_run_with_its_own_exit_code(
    slow: Experiment, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "scripts.run_all", "--configfile", "config.yaml", "--cores", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=slow.folder, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        wait_until(lambda: is_polling(slow))
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as the terminal does
        else:
            process.send_signal(number)
        process.wait(timeout=30)

    assert process.returncode == 3
    assert slow.state()["status"] == "stopped"
    assert stop_files(slow) == []
    assert_resumes(slow)
