"""The phase-done markers: written once every trial has a phase's output."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.errors import user_errors
from scripts.experiment.settings import read_run_settings
from scripts.files import read_json, write_json
from scripts.records import PHASES
from scripts.run.job import keeping_error
from scripts.run.markers import make_marker
from scripts.run.paths import RunPaths
from scripts.run.units import MARK, run_units


def mark_phase(run: Path, phase: str, *, out: Path) -> None:
    """Write the marker: the trials it covers, and a digest of what their outputs were made from."""
    settings = read_run_settings(run)
    units = [unit for unit in run_units(settings).values() if unit.phase == phase and unit.name]
    records = {unit.name: read_json(Path(unit.made)) for unit in units}
    write_json(out, make_marker(phase, settings.trial_by_name, records))


def main(argv: Sequence[str] | None = None) -> int:
    """Mark one phase as done (the command of the rules ``<phase>_done``)."""
    parser = argparse.ArgumentParser(prog="python -m scripts.mark", description=main.__doc__)
    parser.add_argument("--run", type=Path, required=True, help="the run's folder")
    parser.add_argument("--phase", required=True, choices=PHASES, help="the phase that every trial has done")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args(argv)
    with user_errors(), keeping_error(RunPaths(options.run).error(MARK, options.phase)):
        mark_phase(options.run, options.phase, out=options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
