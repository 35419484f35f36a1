"""Finding runs in the experiments folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scripts.errors import PipelineError, StateError, shorten
from scripts.experiment.settings import Settings, load_settings, read_run_settings
from scripts.files import read_json
from scripts.run.paths import RunPaths


def find_run(experiments_dir: Path, run_id: str) -> Path:
    """
    Find the folder of a run.

    Raises
    ------
    StateError
        If there is no such run; names those that are there.
    """
    for run_root in iterate_runs(experiments_dir):
        if RunPaths(run_root).run_id == run_id:
            return run_root
    known = [RunPaths(path).run_id for path in iterate_runs(experiments_dir)]
    fix = f"Runs here: {shorten(known, limit=12)}." if known else "There is no run here yet."
    raise StateError(f"there is no run {run_id!r}", where=str(experiments_dir), fix=fix)


def iterate_runs(experiments_dir: Path) -> Iterator[Path]:
    """Yield the folder of every run, by name."""
    return (path for path in sorted(experiments_dir.glob("run_*")) if path.is_dir())


def present_settings(run_root: Path) -> Settings:
    """
    Read a run's configuration as its files are now or, if they are unusable, as it was started with.

    So a trial that was added to the configuration file, or a prompt that was edited, counts at once.

    Raises
    ------
    ConfigError
        If the run has no configuration that can be read.
    StateError
        If the folder is not where its configuration says: all paths in it lead elsewhere.
    """
    settings = _load_again(run_root)
    if settings is None or settings.run_root.resolve() != run_root.resolve():
        settings = read_run_settings(run_root)
    if settings.run_root.resolve() != run_root.resolve():
        raise StateError(
            f"its configuration places the run in {settings.run_root.resolve()}",
            where=str(run_root),
            fix="Run this from the folder where the run was started; give a copy its own run_id.",
        )
    return settings


def _load_again(run_root: Path) -> Settings | None:
    """Load the files that the run was started with; None if they are unusable."""
    try:
        known = read_json(RunPaths(run_root).started_with)
        match known:
            case {"files": [_, *_] as files, "overrides": dict() as overrides}:
                settings = load_settings([Path(str(file)) for file in files], overrides)
                _ = settings.trials
                return settings
    except (PipelineError, OSError):
        return None
    return None
