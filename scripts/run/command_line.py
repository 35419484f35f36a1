"""What the commands that a user types have in common on their command lines."""

from __future__ import annotations

import argparse
from pathlib import Path

from scripts.run.folder import experiments_folders, find_run


def command_parser(name: str, description: str | None, examples: str) -> argparse.ArgumentParser:
    """Start the command line of ``python -m scripts.<name>``; its help ends with the examples."""
    return argparse.ArgumentParser(
        prog=f"python -m scripts.{name}",
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


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
