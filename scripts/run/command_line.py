"""What the commands that a user types have in common on their command lines."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.run.folder import experiments_folders, find_run

if TYPE_CHECKING:
    from rich.console import Console


class CommandParser(argparse.ArgumentParser):
    """A parser that takes ``--run-id`` for ``--run_id``: people know both ways of writing options."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the command line; see `argparse.ArgumentParser.parse_known_args`."""
        given = sys.argv[1:] if args is None else list(args)
        return super().parse_known_args([self._known_spelling(text) for text in given], namespace)

    def _known_spelling(self, text: str) -> str:
        name, equals, value = text.partition("=")
        spelled = "--" + name[2:].replace("-", "_")
        known = self._option_string_actions
        is_ours = name.startswith("--") and name not in known and spelled in known
        return f"{spelled}{equals}{value}" if is_ours else text


def command_parser(name: str, description: str | None, examples: str) -> argparse.ArgumentParser:
    """Start the command line of ``python -m scripts.<name>``; its help ends with the examples."""
    return CommandParser(
        prog=f"python -m scripts.{name}",
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def make_console() -> Console:
    """Make the console that a command draws on; a letter that the terminal does not have is replaced."""
    from rich.console import Console

    if sys.stdout is None:  # closed by the caller
        return Console(file=io.StringIO())
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return Console()


def add_experiments_dir(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where runs are."""
    parser.add_argument(
        "--experiments_dir",
        type=Path,
        help="folder of all runs (default: experiments, and wherever runs were started from here)",
    )


def add_run_options(parser: argparse.ArgumentParser, *, configfile: bool = True) -> None:
    """Add the options that say which run is meant; `configfile`: by its configuration file, too."""
    parser.add_argument("--run_id", required=True, help="name of the run")
    add_experiments_dir(parser)
    if configfile:
        parser.add_argument("--configfile", type=Path, help="its experiments_dir is the folder of all runs")


def chosen_run(options: argparse.Namespace, *, configfile: bool = True) -> Path:
    """
    Find the run that the options of `add_run_options` name.

    Raises
    ------
    PipelineError
        If there is no such run, or the configuration file cannot be read.
    """
    file = options.configfile if configfile else None
    return find_run(experiments_folders(options.experiments_dir, file), options.run_id)
