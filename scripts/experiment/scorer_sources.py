"""What a scorer refers to beside the configuration: the file of a schema, the labels of a dataset."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.experiment.datasets import read_items
from scripts.experiment.settings import Settings
from scripts.files import cached_sha256

N_FOR_LABELS = 10_000
"""How many of a dataset's items are asked for labels, where the configuration names none."""

MAX_LABELS = 1_000


def resolve_spec(
    settings: Settings, dataset: str, spec: str | Mapping[str, Any], *keys: str | int
) -> str | Mapping[str, Any]:
    """
    Give a scorer as the configuration describes it, with what it refers to.

    Parameters
    ----------
    settings, dataset
        The configuration, and one of its datasets.
    spec : str or mapping
        One of the dataset's scorers.
    *keys : str or int
        Where in the configuration it stands.

    Raises
    ------
    ConfigError
        If the file of a schema is not there, or is no JSON; or if the dataset has too many labels.
    """
    name = spec.get("name") if isinstance(spec, Mapping) else spec
    options = dict(spec) if isinstance(spec, Mapping) else {"name": spec}
    if name == "json_schema" and "schema_file" in options:
        return _with_schema(settings, options, *keys, "schema_file")
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


def _with_schema(settings: Settings, options: dict[str, Any], *where: str | int) -> Mapping[str, Any]:
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
