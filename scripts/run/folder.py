"""Finding runs, and what a run was started with, wherever it lies now and wherever this is called."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scripts.errors import ConfigError, PipelineError, StateError, shorten
from scripts.experiment.prompts import forget_templates
from scripts.experiment.schema import DEFAULT_CONFIG
from scripts.experiment.settings import Settings, load_settings, read_run_settings
from scripts.experiment.strict_yaml import read_yaml
from scripts.files import read_json
from scripts.run.paths import RunPaths

DEFAULT_FOLDER = Path("experiments")
POINTER = "run_folder"
"""A file beside a run's logs that says where the run is."""


def find_run(experiments_dirs: Sequence[Path], run_id: str) -> Path:
    """
    Find the folder of a run.

    Parameters
    ----------
    experiments_dirs : sequence of Path
        Folders that it may be in; the first that has it counts.
    run_id : str
        The run's name, as the configuration has it.

    Raises
    ------
    StateError
        If there is no such run; names those that are there.
    """
    for run_root in iterate_runs(experiments_dirs):
        if RunPaths(run_root).run_id == run_id:
            return run_root
    known = [RunPaths(path).run_id for path in iterate_runs(experiments_dirs)]
    seen = f"Runs here: {shorten(known, limit=12)}." if known else "There is no run here yet."
    raise StateError(
        f"there is no run {run_id!r}",
        where=", ".join(map(str, experiments_dirs)),
        fix=f"{seen} Say where it is with --experiments_dir DIR.",
    )


def iterate_runs(experiments_dirs: Sequence[Path]) -> Iterator[Path]:
    """Yield the folder of every run, folder by folder and by name."""
    for folder in experiments_dirs:
        yield from (path for path in sorted(folder.glob("run_*")) if path.is_dir())


def experiments_folders(experiments_dir: Path | None, configfile: Path | None = None) -> list[Path]:
    """
    List the folders that runs may be in.

    Parameters
    ----------
    experiments_dir : Path, optional
        The only one, if the user says so.
    configfile : Path, optional
        The configuration file whose ``experiments_dir`` counts.  Without either: ``experiments``, what the
        default configuration says, and where the runs are that were started from this folder.

    Raises
    ------
    ConfigError
        If the configuration file cannot be read.
    """
    if experiments_dir is not None:
        return [experiments_dir.expanduser()]
    if configfile is not None:
        return [_configured_folder(configfile)]
    folders = [DEFAULT_FOLDER]
    if DEFAULT_CONFIG.is_file():
        with contextlib.suppress(ConfigError):  # it is not asked for
            folders.append(_configured_folder(DEFAULT_CONFIG))
    for pointer in sorted(Path("logs").glob(f"run_*/{POINTER}")):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            folders.append(Path(pointer.read_text(encoding="utf-8").strip()).parent)
    by_place = {folder.absolute(): folder for folder in reversed(folders)}
    return list(reversed(by_place.values()))


def _configured_folder(configfile: Path) -> Path:
    data, _ = read_yaml(configfile)
    return Path(str(data.get("experiments_dir", DEFAULT_FOLDER))).expanduser()


def describe_start(settings: Settings) -> dict[str, Any]:
    """
    Say which files and overrides a run is started with, and where, so that it is found again if it is moved.

    The places seen from the run's folder come first: they also lead from a copy to the copy's files.
    """
    root = settings.run_root.resolve()
    files = settings.started_with.get("files", [])
    return {
        **settings.started_with,
        "folder": str(Path.cwd()),
        "from_the_run": {
            "files": [os.path.relpath(Path(file).resolve(), root) for file in files],
            "folder": os.path.relpath(Path.cwd().resolve(), root),
        },
    }


@dataclasses.dataclass(frozen=True)
class Home:
    """A run's configuration, and the folder that the relative paths in it belong to."""

    folder: Path
    settings: Settings


@contextlib.contextmanager
def present_run(run_root: Path) -> Iterator[Settings]:
    """
    Give a run's configuration as its files are now, in the folder that its relative paths belong to.

    A trial that was added to the configuration file since, or a prompt that was edited, so counts at once.
    Where the files do not serve, what the run was started with counts.

    Raises
    ------
    ConfigError
        If the run has no configuration that can be read.
    """
    home = _find_home(run_root.absolute())
    with contextlib.chdir(home.folder):
        forget_templates()  # of another run, whose files may have the same names
        yield home.settings


def _find_home(run_root: Path) -> Home:
    for folder, files, overrides in _starts(run_root):
        try:
            with contextlib.chdir(folder):
                settings = load_settings(files, overrides)
                _ = settings.trials
                if settings.run_root.resolve() == run_root.resolve():
                    return Home(folder, settings)
        except (PipelineError, OSError):
            continue
    return _home_of_the_start(run_root)


def _starts(run_root: Path) -> Iterator[tuple[Path, list[Path], dict[str, Any]]]:
    """Yield where a run may have been started: working folder, configuration files, overrides."""
    try:
        known = read_json(RunPaths(run_root).started_with)
    except PipelineError:
        return
    match known:
        case {"files": [_, *_] as files, "overrides": dict() as overrides}:
            match known.get("from_the_run"):
                case {"files": [_, *_] as near, "folder": str() as place}:
                    folder = (run_root.resolve() / place).resolve()
                    found = [Path(os.path.relpath(run_root.resolve() / str(file), folder)) for file in near]
                    yield folder, found, overrides
            yield Path(str(known.get("folder", Path.cwd()))), [Path(str(file)) for file in files], overrides
            for folder in (Path.cwd(), *run_root.parents[1:3]):
                yield folder, [Path(str(file)) for file in files], overrides


def _home_of_the_start(run_root: Path) -> Home:
    """Take what the run was started with, in the folder that it must have been started in."""
    settings = read_run_settings(run_root)
    given = Path(settings.config["experiments_dir"])
    parts = given.parts
    if not given.is_absolute() and run_root.parent.parts[-len(parts) :] == parts and parts:
        folder = Path(*run_root.parent.parts[: -len(parts)])
    else:
        folder = Path.cwd()
        config = {
            **settings.config,
            "experiments_dir": str(run_root.parent),
            "run_id": RunPaths(run_root).run_id,
        }
        settings = dataclasses.replace(settings, config=config)
    return Home(folder, settings)
