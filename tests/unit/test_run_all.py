"""The command line that runs an experiment: what it refuses, and what each option does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts import run_all
from scripts.files import PROJECT_ROOT, write_json
from scripts.records import PHASES
from scripts.run.paths import STATE_FILE
from tests.fakes.fake_runs import PLAIN, FakeRun, snapshot

SNAKEFILE = str(PROJECT_ROOT / "Snakefile")


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    """An experiment that was not started, with its configuration in the working directory."""
    monkeypatch.chdir(tmp_path)
    run = FakeRun(tmp_path)
    assert run.settings
    return run


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """The Snakemake calls that are made, none of which is carried out."""
    calls: list[Sequence[str]] = []

    def note(command: Sequence[str], _root: Path, **_: object) -> int:
        calls.append(command)
        return 0

    monkeypatch.setattr(run_all, "run", note)
    return calls


def refuse(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Call run_all, which must refuse with exit code 2; returns what it said."""
    with pytest.raises(SystemExit) as caught:
        run_all.main(arguments)
    assert caught.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--only_step", "score", "--from_step", "score"],
            "--only_step cannot be combined with --from_step or",
        ),
        (
            ["--only_step", "score", "--to_step", "score"],
            "--only_step cannot be combined with --from_step or",
        ),
        (["--from_step", "score", "--to_step", "build"], "--from_step score comes after --to_step build"),
        (["--cores", "0"], "argument --cores: is '0', but must be a whole number of at least 1"),
        (["--cores", "-2"], "argument --cores: is '-2', but must be a whole number of at least 1"),
        (["--cores", "2.5"], "argument --cores: is '2.5', but must be a whole number of at least 1"),
        (["--cores", "many"], "argument --cores: is 'many', but must be a whole number of at least 1"),
        (
            ["--stop_stale_minutes", "-1"],
            "--stop_stale_minutes: is '-1', but must be a number of minutes, or null",
        ),
        (
            ["--stop_stale_minutes", "soon"],
            "--stop_stale_minutes: is 'soon', but must be a number of minutes, or null",
        ),
        (
            ["--stop_stale_minutes", "nan"],
            "--stop_stale_minutes: is 'nan', but must be a number of minutes, or null",
        ),
        (
            ["--stop_stale_minutes", "inf"],
            "--stop_stale_minutes: is 'inf', but must be a number of minutes, or null",
        ),
        (["--only_step", "scores"], "argument --only_step: invalid choice: 'scores'"),
        (["--configfile", "nowhere.yaml"], "nowhere.yaml: the configuration file cannot be read"),
        (["--run_id", ""], "--config: run_id: is empty"),
        (["--run_id", "../up"], "--config: run_id: '../up' is not a valid name"),
        (["--resume"], "run_small was never started; start it without --resume"),
        (
            ["--only_step", "score"],
            "--only_step score needs prepare, which is done for 0 of 2; run with --to_",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_runs(
    experiment: FakeRun,
    called: list[Sequence[str]],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    named = [] if "--configfile" in arguments else ["--configfile", "config.yaml"]
    assert message in refuse(capsys, *named, *arguments)
    assert called == []
    assert not experiment.root.exists()


def test_a_configuration_that_is_wrong_is_refused(
    experiment: FakeRun, called: list[Sequence[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    experiment.experiment.write("plain.md", "{{ nonsense }}")
    assert "nonsense" in refuse(capsys, "--configfile", "config.yaml")
    experiment.experiment.write("config.yaml", "run_id: [")
    assert "config.yaml, line 2: is not valid YAML" in refuse(capsys, "--configfile", "config.yaml")
    assert called == []


@pytest.mark.parametrize(
    ("arguments", "targets", "options"),
    [
        ([], [], []),
        (["--run_id", "other"], [], ["--config", "run_id=other"]),
        (["--cores", "3"], [], ["--cores", "3"]),
        (["--profile", "profiles/slurm"], [], ["--profile", "profiles/slurm"]),
        (["--ignore_stop"], [], ["--config", "ignore_stop=true"]),
        (["--stop_stale_minutes", "2.5"], [], ["--config", "stop_stale_minutes=2.5"]),
        (["--stop_stale_minutes", "0"], [], ["--config", "stop_stale_minutes=0"]),
        (["--stop_stale_minutes", "null"], [], ["--config", "stop_stale_minutes=null"]),
        (["--plan_only"], [], ["--dry-run"]),
        (["--only_step", "prepare"], ["prepare_done"], []),
        (["--to_step", "submit"], ["submit_done"], []),
        (["--to_step", "report"], ["report_done", "run_report"], []),
        (["--from_step", "score"], [], ["--forcerun", "score"]),
        # costs does not depend on stats: without its marker, stats would not be done again
        (
            ["--from_step", "stats", "--to_step", "costs"],
            ["stats_done", "costs_done"],
            ["--forcerun", "stats"],
        ),
        (
            [
                "--run_id",
                "other",
                "--ignore_stop",
                "--stop_stale_minutes",
                "1",
                "--cores",
                "1",
                "--plan_only",
            ],
            [],
            [
                *("--config", "run_id=other", "stop_stale_minutes=1", "ignore_stop=true"),
                *("--cores", "1", "--dry-run"),
            ],
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_every_option_reaches_snakemake(
    experiment: FakeRun,
    called: list[Sequence[str]],
    arguments: list[str],
    targets: list[str],
    options: list[str],
) -> None:
    assert run_all.main(["--configfile", "config.yaml", *arguments]) == 0
    start = [sys.executable, "-m", "snakemake", *targets, "--snakefile", SNAKEFILE]
    assert called == [[*start, "--configfile", "config.yaml", *options]]


def test_no_option_is_accepted_and_ignored(experiment: FakeRun) -> None:
    """Each option of the parser makes another call, except `--resume`, which is a check."""
    given = {
        "cores": "7",
        "stop_stale_minutes": "7",
        "profile": "x",
        "run_id": "x",
        "configfile": "config.yaml",
    }
    parser, settings = run_all.make_parser(), experiment.settings
    plain = run_all.snakemake_command(parser.parse_args([]), settings)
    options = [action for action in parser._actions if action.dest not in {"help", "resume"}]
    assert len(options) == 10
    for action in options:
        value = [] if action.nargs == 0 else [given.get(action.dest, "score")]
        parsed = parser.parse_args([action.option_strings[0], *value])
        assert run_all.snakemake_command(parsed, settings) != plain, action.dest


def test_without_a_configuration_file_the_default_one_counts(
    experiment: FakeRun, called: list[Sequence[str]]
) -> None:
    assert run_all.main([]) == 0
    assert called == [[sys.executable, "-m", "snakemake", "--snakefile", SNAKEFILE]]


def test_a_run_that_was_started_can_be_resumed(experiment: FakeRun, called: list[Sequence[str]]) -> None:
    experiment.start()
    assert run_all.main(["--configfile", "config.yaml", "--resume"]) == 0
    assert len(called) == 1


@pytest.mark.parametrize("step", PHASES)
def test_a_phase_alone_needs_all_that_it_hangs_on(
    experiment: FakeRun, called: list[Sequence[str]], capsys: pytest.CaptureFixture[str], step: str
) -> None:
    experiment.complete_phases(*PHASES[: PHASES.index(step)])
    assert run_all.main(["--configfile", "config.yaml", "--only_step", step]) == 0
    if step == "prepare":
        return
    experiment.output("prepare", "quiz").unlink()
    message = f"--only_step {step} needs prepare, which is done for 1 of 2; run with --to_step {step}"
    assert message in refuse(capsys, "--configfile", "config.yaml", "--only_step", step)
    assert len(called) == 1


def test_costs_alone_need_no_statistics(experiment: FakeRun, called: list[Sequence[str]]) -> None:
    experiment.complete_phases(*PHASES[:5])
    assert run_all.main(["--configfile", "config.yaml", "--only_step", "costs"]) == 0


def end_with(code: int, *, state: Path | None = None, status: str = "stopped", at: str = "9999") -> list[str]:
    """A command that ends with a code, after writing a state."""
    text = f'{{"status": "{status}", "updated_at": "{at}"}}'
    write = f"import pathlib; pathlib.Path({str(state)!r}).write_text({text!r}); " if state else ""
    return [sys.executable, "-c", f"{write}raise SystemExit({code})"]


@pytest.mark.parametrize(
    ("code", "status", "at", "expected"),
    [
        (0, "completed", "9999", 0),
        (1, "failed", "9999", 1),
        (1, "stopped", "9999", 3),
        (130, "stopped", "9999", 3),
        (1, "stopped", "2020-01-01T00:00:00.000+00:00", 1),  # an earlier start was stopped
        (1, "running", "9999", 1),
        (0, "stopped", "9999", 0),  # a part of the run, done
    ],
)
def test_the_exit_code_says_how_the_run_ended(
    tmp_path: Path, code: int, status: str, at: str, expected: int
) -> None:
    command = end_with(code, state=tmp_path / STATE_FILE, status=status, at=at)
    assert run_all.run(command, tmp_path) == expected


@pytest.mark.parametrize(
    "text", ["", "[]", '{"status": "stopped"}', '{"status": "stopped", "updated_at": 5}']
)
def test_a_run_whose_state_says_nothing_has_failed(tmp_path: Path, text: str) -> None:
    (tmp_path / STATE_FILE).write_text(text)
    assert run_all.run(end_with(1), tmp_path) == 1


def test_sigterm_is_passed_on_and_the_end_of_the_run_awaited(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    code = (
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path('ended').touch(), sys.exit(1)))\n"
        "pathlib.Path('ready').touch()\n"
        "time.sleep(60)\n"
    )

    def terminate() -> None:
        while not (tmp_path / "ready").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=terminate)
    thread.start()
    command = [sys.executable, "-c", f"import os; os.chdir({str(tmp_path)!r})\n{code}"]
    assert run_all.run(command, tmp_path) == 1
    thread.join()
    assert (tmp_path / "ended").exists()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.workflow
def test_a_plan_writes_nothing(experiment: FakeRun) -> None:
    experiment.complete_phases("prepare", "build")
    write_json(experiment.root / "phases" / "build.done.json", {})
    (experiment.root / "STOP_REQUESTED").write_text("lunch")
    before = snapshot(experiment.experiment.folder)
    done = subprocess.run(
        [sys.executable, "-m", "scripts.run_all", "--configfile", "config.yaml", "--plan_only"],
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"trial={PLAIN}" in done.stdout.replace(" ", "") + done.stderr.replace(" ", "")
    assert "a stop is requested" in done.stderr
    assert snapshot(experiment.experiment.folder) == before


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("interrupted", 1), ("stopped", 1)])
def test_a_whole_run_is_done_only_if_its_state_says_so(tmp_path: Path, status: str, code: int) -> None:
    command = end_with(0, state=tmp_path / STATE_FILE, status=status, at="9999")
    assert run_all.run(command, tmp_path, is_whole=True) == code
    assert run_all.run(command, tmp_path) == 0


def test_a_home_that_cannot_be_written_is_not_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "XDG_CACHE_HOME" not in run_all._environment()
    monkeypatch.setenv("HOME", "/proc/nowhere")
    assert Path(run_all._environment()["XDG_CACHE_HOME"]).is_dir()
