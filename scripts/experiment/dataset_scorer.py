"""The scorer of a dataset, as the configuration describes it."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.experiment.datasets import read_items
from scripts.experiment.settings import Settings
from scripts.files import cached_sha256

if TYPE_CHECKING:
    from scripts.scorers import Scorer

N_FOR_LABELS = 10_000
"""How many of a dataset's items are asked for labels, where the configuration names none."""

MAX_LABELS = 1_000


def make_scorer(settings: Settings, dataset: str) -> Scorer:
    """
    Build a dataset's scorer.

    Raises
    ------
    ConfigError
        If there is no such scorer, or an option of it is wrong.
    """
    from scripts.scorers import build_scorer

    try:
        return build_scorer(scorer_spec(settings, dataset))
    except ValueError as error:
        raise settings.error(str(error), "datasets", dataset, "scorer", fix="Correct the scorer.") from None


def scorer_spec(settings: Settings, dataset: str) -> str | Mapping[str, Any]:
    """
    Give the scorer as the configuration describes it, with what it refers to: a schema's file, the labels.

    Raises
    ------
    ConfigError
        If the file of a schema is not there, or is no JSON; or if the dataset has too many labels.
    """
    spec: str | Mapping[str, Any] = settings.config["datasets"][dataset]["scorer"]
    name = spec if isinstance(spec, str) else spec.get("name")
    options = {"name": name} if isinstance(spec, str) else dict(spec)
    if name == "json_schema" and "schema_file" in options:
        return _with_schema(settings, dataset, options)
    if name == "label" and not options.get("labels"):
        path = settings.find_file(settings.config["datasets"][dataset]["path"], "datasets", dataset, "path")
        labels = _gold_labels(path, cached_sha256(path))
        if len(labels) > MAX_LABELS:
            raise settings.error(
                f"the dataset has more than {MAX_LABELS:,} different answers: are they labels?",
                *("datasets", dataset, "scorer"),
                fix="List the labels under `labels`, or choose another scorer.",
            )
        return {**options, "labels": list(labels)}
    return spec


def _with_schema(settings: Settings, dataset: str, options: dict[str, Any]) -> Mapping[str, Any]:
    where = ("datasets", dataset, "scorer", "schema_file")
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
