"""
Run an experiment, or a part of it, with one Snakemake call.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 stopped on request.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.clock import now
from scripts.errors import user_errors
from scripts.experiment.schema import DEFAULT_CONFIG
from scripts.experiment.settings import Settings, load_settings
from scripts.files import PROJECT_ROOT
from scripts.records import PHASES
from scripts.run.command_line import command_parser
from scripts.run.findings import RunView
from scripts.run.state import derive_state, read_last_state
from scripts.run.units import needed_phases

DONE, FAILED, WRONG_USAGE, STOPPED = 0, 1, 2, 3
EXAMPLES = """examples:
  python -m scripts.run_all
  python -m scripts.run_all --configfile my.yaml --cores 4
  python -m scripts.run_all --configfile my.yaml --plan_only
  python -m scripts.run_all --run_id demo --to_step submit      # send now, collect later
  python -m scripts.run_all --run_id demo --resume              # collect and finish
"""


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = command_parser("run_all", __doc__, EXAMPLES)
    add = parser.add_argument
    add("--configfile", type=Path, help=f"the experiment (default: {DEFAULT_CONFIG})")
    add("--run_id", help="name of the run, instead of the configuration's")
    add("--cores", type=_positive, help="how many jobs compute at once (default: the profile's)")
    add("--profile", help="a Snakemake profile, by name or folder")
    add("--ignore_stop", action="store_true", help="run despite a STOP_REQUESTED file")
    add(
        "--stop_stale_minutes",
        type=_minutes,
        help="a STOP_REQUESTED file older than this is ignored; null: never",
    )
    add("--plan_only", action="store_true", help="show what would be done; write nothing")
    steps = parser.add_argument_group("a part of the run")
    steps.add_argument(
        "--only_step", choices=PHASES, help="only this phase; what it needs must be done already"
    )
    steps.add_argument(
        "--from_step", choices=PHASES, help="redo this phase and those that follow (sends nothing again)"
    )
    steps.add_argument("--to_step", choices=PHASES, help="stop when all trials have completed this phase")
    steps.add_argument("--resume", action="store_true", help="resume a run that was started before")
    return parser


def snakemake_command(options: argparse.Namespace, settings: Settings) -> list[str]:
    """Translate the options into a Snakemake call."""
    command = [sys.executable, "-m", "snakemake", *find_targets(options)]  # before options of several words
    command += ["--snakefile", str(PROJECT_ROOT / "Snakefile")]
    if options.configfile:
        command += ["--configfile", str(options.configfile)]
    overrides = [f"{key}={value}" for key, value in config_overrides(options).items()]
    command += ["--config", *overrides] if overrides else []
    command += ["--cores", str(options.cores)] if options.cores else []
    command += ["--profile", options.profile] if options.profile is not None else []
    command += ["--dry-run"] if options.plan_only else []
    return [*command, "--forcerun", options.from_step] if options.from_step else command


def config_overrides(options: argparse.Namespace) -> dict[str, str]:
    """Say which of the options are keys of the configuration, with their values."""
    given = {"run_id": options.run_id, "stop_stale_minutes": options.stop_stale_minutes}
    given["ignore_stop"] = "true" if options.ignore_stop else None
    return {key: value for key, value in given.items() if value is not None}


def find_targets(options: argparse.Namespace) -> list[str]:
    """Name Snakemake's targets: none for the whole run, else the markers of the last phases."""
    last = options.only_step or options.to_step
    if not last:
        return []
    first = options.from_step or last  # not every phase depends on the one before it
    phases = PHASES[PHASES.index(first) : PHASES.index(last) + 1]
    return [f"{phase}_done" for phase in phases] + (["run_report"] if last == "report" else [])


def check_upstream(settings: Settings, step: str) -> str | None:
    """Say which phase is missing before `step` can be done alone, if any."""
    state = derive_state(RunView(settings), is_live=False)
    for phase in PHASES[: PHASES.index(step)]:
        found = state["phases"][phase]
        if phase in needed_phases(step) and found["status"] != "completed":
            return f"--only_step {step} needs {phase}, which is done for {found['done']} of {found['total']}"
    return None


def check_options(options: argparse.Namespace) -> str | None:
    """Say what is wrong with the combination of options, if anything."""
    if options.only_step and (options.from_step or options.to_step):
        return "--only_step cannot be combined with --from_step or --to_step"
    if (
        options.from_step
        and options.to_step
        and PHASES.index(options.from_step) > PHASES.index(options.to_step)
    ):
        return f"--from_step {options.from_step} comes after --to_step {options.to_step}"
    return None


def run(command: Sequence[str], run_root: Path, *, is_whole: bool = False) -> int:
    """
    Call Snakemake, pass signals on to it, and return the exit code that says how the run ended.

    Where the whole run was asked for (`is_whole`), it is done only if its state says so.
    """
    began = now()
    with subprocess.Popen(command, env=_environment()) as process, _passing_on_signals(process):
        code = process.wait()
    state = read_last_state(run_root) or {}
    if code == 0 and is_whole and state.get("status") != "completed":
        print(f"The run is not done: its state is {state.get('status', 'not known')!r}.", file=sys.stderr)
        return FAILED
    if code == 0:
        return DONE
    written = state.get("updated_at")
    is_of_this_run = isinstance(written, str) and written >= began
    return STOPPED if is_of_this_run and state["status"] == "stopped" else FAILED


@contextlib.contextmanager
def _passing_on_signals(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """SIGTERM goes on to Snakemake; Ctrl-C reaches it by itself, as it shares the terminal."""

    def pass_on(number: int, _frame: object) -> None:
        process.send_signal(number)

    before = signal.signal(signal.SIGTERM, pass_on), signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])


def _environment() -> dict[str, str]:
    path = os.environ.get("PYTHONPATH", "")
    own = {"PYTHONPATH": f"{PROJECT_ROOT}{os.pathsep}{path}" if path else str(PROJECT_ROOT)}
    return {**os.environ, **own, **_cache_elsewhere()}


def _cache_elsewhere() -> dict[str, str]:
    """Give Snakemake, which cannot do without, a folder for its cache where the home folder has no room."""
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        cache.mkdir(parents=True, exist_ok=True)
        if os.access(cache, os.W_OK):
            return {}
    except (OSError, RuntimeError):
        pass
    return {"XDG_CACHE_HOME": tempfile.mkdtemp(prefix="trialmake-cache-")}


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"is {text!r}, but must be a whole number of at least 1")
    return int(text)


def _minutes(text: str) -> str:
    try:
        is_allowed = text == "null" or 0 <= float(text) < math.inf
    except ValueError:
        is_allowed = False
    if not is_allowed:
        raise argparse.ArgumentTypeError(f"is {text!r}, but must be a number of minutes, or null")
    return text


def main(argv: Sequence[str] | None = None) -> int:
    """Run an experiment (exit codes: see above)."""
    parser = make_parser()
    options = parser.parse_args(argv)
    problem = check_options(options)
    if problem:
        parser.error(problem)
    default = DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else PROJECT_ROOT / DEFAULT_CONFIG
    with user_errors(code=WRONG_USAGE):
        from scripts.run.checks import check_settings

        settings = load_settings([options.configfile or default], config_overrides(options))
        check_settings(settings)
    if options.resume and not settings.paths.effective_config.is_file():
        parser.error(f"--resume: {settings.run_root} was never started; start it without --resume")
    if options.only_step:
        problem = check_upstream(settings, options.only_step)
        if problem:
            parser.error(f"{problem}; run with --to_step {options.only_step}")
    is_whole = not (options.plan_only or find_targets(options))
    return run(snakemake_command(options, settings), settings.run_root, is_whole=is_whole)


if __name__ == "__main__":
    sys.exit(main())
