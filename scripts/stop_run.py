"""Ask a run to stop: it starts no further job, and its paid batches stay at the provider."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.errors import ConfigError, StateError, user_errors
from scripts.experiment.settings import read_run_settings
from scripts.run.command_line import add_run_options, chosen_run, command_parser
from scripts.run.lock import read_holder
from scripts.run.stop import StopToken

EXAMPLES = """examples:
  python -m scripts.stop_run --run_id demo
  python -m scripts.stop_run --run_id demo --reason "wrong prompt"
"""


def stop_run(run_root: Path, *, reason: str) -> str:
    """
    Write ``STOP_REQUESTED`` into a run's folder, and say what happens now.

    Raises
    ------
    StateError
        If the folder cannot be written.
    """
    token = StopToken(run_root)
    try:
        token.set(reason)
    except OSError as error:
        what = f"cannot be written ({error.strerror})"
        raise StateError(what, where=str(token.path), fix="Check who owns the folder.") from None
    return f"{token.path} is written.  {_say_what_follows(run_root, read_holder(run_root))}"


def _say_what_follows(run_root: Path, holder: str | None) -> str:
    """Say what the file does, by the settings that the run was started with."""
    try:
        config = read_run_settings(run_root).config
    except ConfigError:
        config = {"ignore_stop": False, "stop_stale_minutes": None}
    if config["ignore_stop"]:
        way = f"The run ({holder}) ignores it" if holder else "Its next start ignores it"
        return f"{way} (ignore_stop: true); Ctrl-C or SIGTERM to its main process stops a run all the same."
    if holder is not None:
        return f"The run ({holder}) stops within seconds."
    limit = config["stop_stale_minutes"]
    now = "No process is working on the run now; its next start will"
    if limit is None:
        return f"{now} be refused."
    if limit <= 0:
        return f"{now} rename it as stale (stop_stale_minutes: 0)."
    return f"{now} be refused for {limit:g} minutes."


def main(argv: Sequence[str] | None = None) -> int:
    """Ask a run to stop."""
    parser = command_parser("stop_run", __doc__, EXAMPLES)
    add_run_options(parser)
    parser.add_argument("--reason", default="", help="the reason, for whoever reads the file")
    options = parser.parse_args(argv)
    with user_errors(code=2):
        run_root = chosen_run(options)
    with user_errors():
        print(stop_run(run_root, reason=options.reason))
    return 0


if __name__ == "__main__":
    sys.exit(main())
