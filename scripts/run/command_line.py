"""What the commands that a user types have in common on their command lines."""

from __future__ import annotations

import argparse
from pathlib import Path


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
        "--experiments_dir", type=Path, default=Path("experiments"), help="folder of all runs"
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which run is meant."""
    parser.add_argument("--run_id", required=True, help="name of the run")
    add_experiments_dir(parser)
