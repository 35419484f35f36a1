"""The scorers of a dataset as the configuration describes them, with what they refer to: files, labels."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.experiment.datasets import read_items
from scripts.experiment.settings import Settings
from scripts.files import cached_sha256

Keys = tuple[str | int, ...]
"""Path of a key in the configuration."""

N_FOR_LABELS = 10_000
"""How many of a dataset's items are asked for labels, where the configuration names none."""

MAX_LABELS = 1_000


def scorer_specs(settings: Settings, dataset: str) -> list[Any]:
    """
    List the scorers of a dataset, with what they refer to: the schema of a file, the labels of the dataset.

    Raises
    ------
    ConfigError
        If the file of a schema is not there, or is no JSON; or if the dataset has too many labels.
    """
    entry = settings.config["datasets"][dataset]
    if "scorers" not in entry:
        return [_resolve(settings, dataset, entry["scorer"], ("datasets", dataset, "scorer"))]
    return [
        _resolve(settings, dataset, spec, ("datasets", dataset, "scorers", place))
        for place, spec in enumerate(entry["scorers"])
    ]


def _resolve(settings: Settings, dataset: str, spec: Any, keys: Keys) -> Any:
    name = spec.get("name") if isinstance(spec, Mapping) else spec
    options = dict(spec) if isinstance(spec, Mapping) else {"name": name}
    if name == "json_schema" and "schema_file" in options:
        return _with_schema(settings, options, keys)
    if name == "label" and not options.get("labels"):
        path = settings.find_file(settings.config["datasets"][dataset]["path"], "datasets", dataset, "path")
        labels = _gold_labels(path, cached_sha256(path))
        if len(labels) > MAX_LABELS:
            raise settings.error(
                f"the dataset has more than {MAX_LABELS:,} different answers: are they labels?",
                *keys,
                fix="List the labels under `labels`, or choose another scorer.",
            )
        return {**options, "labels": list(labels)}
    return spec


def _with_schema(settings: Settings, options: dict[str, Any], keys: Keys) -> Mapping[str, Any]:
    where = (*keys, "schema_file")
    file = options.pop("schema_file")
    if "schema" in options:
        raise settings.error("there is a `schema`, too", *where, fix="Give one of them.")
    if not isinstance(file, str):
        raise settings.error(f"is {file!r:.80}, which names no file", *where, fix="Name a JSON file.")
    path = settings.find_file(file, *where)
    try:
        return {**options, "schema": json.loads(path.read_text(encoding="utf-8"))}
    except ValueError as error:
        raise settings.error(f"{path} is not valid JSON ({error})", *where, fix="Correct the file.") from None


@functools.lru_cache(maxsize=64)
def _gold_labels(path: Path, _sha256: str) -> tuple[str, ...]:
    """List the different accepted answers of a dataset's first items, as they are written first."""
    from scripts.scorers.text import normalize_answer

    labels: dict[str, str] = {}
    for item in read_items(path, limit=N_FOR_LABELS):
        for answer in () if item.is_unanswerable else item.answers:
            labels.setdefault(normalize_answer(answer), answer)
        if len(labels) > MAX_LABELS:
            break
    return tuple(labels.values())
