"""The configuration: read strictly, checked against its schema, filled with defaults."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import ConfigError
from scripts.experiment.schema import (
    config_schema,
    explain_schema_error,
    fill_defaults,
    shortened,
    show_value,
)
from scripts.experiment.strict_yaml import KeyPath, read_override, read_yaml
from scripts.experiment.trials import expand_trials, read_trial
from scripts.files import PROJECT_ROOT, find_kind
from scripts.records import Trial
from scripts.run.paths import RunPaths

if TYPE_CHECKING:
    pass


@dataclasses.dataclass(frozen=True)
class Settings:
    """A valid configuration with every default filled in."""

    config: Mapping[str, Any]
    source: str
    """The file or files it came from, for messages."""
    lines: Mapping[KeyPath, str] = dataclasses.field(default_factory=dict)
    """The position of each key (``file, line``), by its path."""
    is_checked: bool = False
    """Whether it was read back from a run, whose start has checked every value."""
    folder: Path = Path()
    """The folder of the configuration file, where the files that it names may be."""
    started_with: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What `load_settings` was called with, to call it again: ``files`` and ``overrides``."""

    @property
    def run_id(self) -> str:
        """Name of the run."""
        return str(self.config["run_id"])

    @property
    def run_root(self) -> Path:
        """The run's folder."""
        return self.paths.root

    @functools.cached_property
    def paths(self) -> RunPaths:
        """Where the run's files are."""
        return RunPaths.of(self.config["experiments_dir"], self.run_id)

    @property
    def logs_root(self) -> Path:
        """The folder of the run's logs."""
        return Path("logs") / f"run_{self.run_id}"

    @functools.cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Every trial of the run, in the order of the configuration."""
        return expand_trials(self)

    def trial(self, name: str) -> Trial:
        """Find one trial by its slug; a run's jobs read it from its own file rather than expand them all."""
        path = self.paths.trial(name)
        return read_trial(path) if self.is_checked and path.is_file() else self.trial_by_name[name]

    @functools.cached_property
    def trial_by_name(self) -> dict[str, Trial]:
        """Every trial by its slug."""
        return {trial.name: trial for trial in self.trials}

    def error(self, what: str, *keys: str | int, fix: str) -> ConfigError:
        """Make the error that names the key `keys` and, where known, its file and line."""
        return ConfigError(what, where=_where(self.source, self.lines, keys), fix=fix)

    def find_file(self, path: str, *keys: str | int) -> Path:
        """
        Find a file that the configuration names.

        Looked for in the working directory, beside the configuration file and in the project's folder.

        Raises
        ------
        ConfigError
            If it is in none of them, or is no file that can be read.
        """
        kind = None
        with contextlib.suppress(OSError, RuntimeError):  # a name that no file or user can have
            given = Path(path).expanduser()
            for base in (Path(), self.folder, PROJECT_ROOT):
                if (base / given).is_file():
                    self._check_readable(base / given, keys)
                    return base / given
                kind = kind or find_kind(base / given)
        if kind is not None:
            is_folder = kind == "a folder"
            fix = "Name a file in it." if is_folder else "Save what it gives to a file, and name that."
            raise self.error(f"{show_value(path)} is {kind}, not a file", *keys, fix=fix)
        raise self.error(
            f"the file {show_value(path)} does not exist",
            *keys,
            fix=f"Create it, or correct the path (looked for in {Path.cwd()}).",
        )

    def _check_readable(self, path: Path, keys: Sequence[str | int]) -> None:
        if not os.access(path, os.R_OK):
            raise self.error(
                f"the file {show_value(str(path))} may not be read", *keys, fix="Check whose it is (chmod)."
            )


def load_settings(files: Sequence[Path], overrides: Mapping[str, Any] | None = None) -> Settings:
    """
    Read and check the configuration.

    Parameters
    ----------
    files : sequence of Path
        YAML files; a later one wins over an earlier one, key by key.
    overrides : mapping, optional
        Top-level keys from the command line; texts are read as YAML values.

    Raises
    ------
    ConfigError
        For a file that does not exist or is not YAML, an unknown key or a value that is not allowed.
    """
    config: dict[str, Any] = {}
    lines: dict[KeyPath, str] = {}
    for file in files:
        data, places = read_yaml(file)
        config = _merge(config, data)
        lines.update({path: f"{file}, line {line}" for path, line in places.items()})
    given = {key: read_override(value, key=key) for key, value in (overrides or {}).items()}
    config = _merge(config, given)
    lines.update(dict.fromkeys(_key_paths(given), "--config"))
    source = ", ".join(str(file) for file in files)
    settings = _expand_home(check_schema(config, source=source, lines=lines))
    started_with = {"files": [str(file.absolute()) for file in files], "overrides": given}
    return dataclasses.replace(settings, folder=files[-1].parent, started_with=started_with)


def take_settings(config: Mapping[str, Any], *, source: str) -> Settings:
    """
    Check a configuration that another workflow has read and passes on.

    Raises
    ------
    ConfigError
        For an unknown key, a value that is not allowed, or a name that its reader has made a number of.
    """
    plain = json.loads(json.dumps(config))
    if not isinstance(plain.get("run_id", ""), str):
        raise ConfigError(
            f"arrives as {plain['run_id']!r}, which may not be what was written",
            where=f"{source}: run_id",
            fix='Quote it, as in `run_id: "007"`.',
        )
    return _expand_home(check_schema(plain, source=source))


def _expand_home(settings: Settings) -> Settings:
    """Read ``~`` in ``experiments_dir`` as the shell does."""
    given = settings.config["experiments_dir"]
    try:
        expanded = str(Path(given).expanduser())
    except RuntimeError:
        raise settings.error(
            f"there is no home folder for {given!r}", "experiments_dir", fix="Write the whole path."
        ) from None
    return dataclasses.replace(settings, config={**settings.config, "experiments_dir": expanded})


def check_schema(
    config: Mapping[str, Any], *, source: str, lines: Mapping[KeyPath, str] | None = None
) -> Settings:
    """Check a configuration against its schema and fill in the defaults."""
    import jsonschema

    schema = config_schema()
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(dict(config)))
    if errors:
        what, keys, fix = explain_schema_error(min(errors, key=lambda error: len(error.absolute_path)))
        raise ConfigError(what, where=_where(source, lines or {}, keys), fix=fix)
    return Settings(fill_defaults(config, schema), source, lines or {})


def dump_config(settings: Settings) -> str:
    """Write the configuration with every default, and every path as it was found."""
    import yaml

    config = json.loads(json.dumps(settings.config))
    for name, entry in config["datasets"].items():
        entry["path"] = str(settings.find_file(entry["path"], "datasets", name, "path"))
    for name, texts in config["prompts"].items():
        config["prompts"][name] = {
            role: str(settings.find_file(path, "prompts", name, role)) for role, path in texts.items()
        }
    for name, model in config["models"].items():
        if "recorded" in model:
            model["recorded"] = str(settings.find_file(model["recorded"], "models", name, "recorded"))
    if "table" in config["trials"]:
        del config["trials"]["table"]
        config["trials"]["list"] = [dict(trial.factors) for trial in settings.trials]
    header = f"# What the run was started with: {settings.source}, with every default filled in.\n"
    return header + yaml.dump(config, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)


def read_run_settings(run_root: Path) -> Settings:
    """Read the settings that a run was started with (``effective_config.yaml``, checked when written)."""
    path = RunPaths(run_root).effective_config
    if not path.is_file():
        raise ConfigError(
            "the run has no effective_config.yaml", where=str(run_root), fix="Start the run with `snakemake`."
        )
    import yaml

    try:
        config = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        config = None
    if not isinstance(config, dict) or not {"run_id", "experiments_dir", "trials"} <= config.keys():
        raise ConfigError(
            "is not as the start of a run wrote it",
            where=str(path),
            fix="Start the run again to rewrite it.",
        )
    return Settings(config, str(path), is_checked=True)


def _key_paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    entries: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, Mapping):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    for key, entry in entries:
        yield (*path, key)
        yield from _key_paths(entry, (*path, key))


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _where(source: str, lines: Mapping[KeyPath, str], keys: Sequence[str | int]) -> str:
    dotted = "".join(f"[{key}]" if isinstance(key, int) else f".{shortened(key)}" for key in keys).lstrip(".")
    for end in range(len(keys), 0, -1):
        place = lines.get(tuple(keys[:end]))
        if place:
            return f"{place}: {dotted}"
    return f"{source}: {dotted}" if dotted else source
