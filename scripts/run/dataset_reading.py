"""
One pass over a dataset before a run, and what is kept of it so that the next start need not read it again.

A dataset of a million questions takes half a minute to check.  What one check has found is kept in the run's
folder under a digest of everything it hangs on, the file's content first: an edit of any of it is read anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.errors import DataError
from scripts.experiment.dataset_scorer import resolved_specs
from scripts.experiment.datasets import read_items
from scripts.experiment.settings import Settings
from scripts.files import cached_sha256, read_json, write_json
from scripts.records import Item, digest
from scripts.run.phase_code import import_closure, module_file

MAX_SHAPES = 1024
"""How many kinds of items (by the fields that templates use) are kept of a dataset."""

MAX_DIFFERENT = 256
"""How many items whose questions differ are kept of a dataset."""

MAX_CHARACTERS = 4_000_000
"""About how much text these may hold."""

WORTH_KEEPING = 10_000
"""A look at fewer items than this takes less time than a digest of their file."""

MAX_KEPT_BYTES = 16 * 1024**2


FindAlike = Callable[[Item], tuple[str, str] | None]


@dataclasses.dataclass
class Reading:
    """What one pass over a dataset has found."""

    samples: list[Item] = dataclasses.field(default_factory=list)
    """One item of each shape."""
    different: list[Item] = dataclasses.field(default_factory=list)
    """The first items whose questions differ."""
    fields: set[str] = dataclasses.field(default_factory=set)
    """Names of the further fields."""
    own: set[str] = dataclasses.field(default_factory=set)
    """Which optional fields of a dataset's own some item has."""
    ids: set[str] = dataclasses.field(default_factory=set)
    """Of all items, where they were asked for."""
    alike: list[str] = dataclasses.field(default_factory=list)
    """The id of the first item of which two texts are alike to its scorer, and these texts."""
    n_alike: int = 0
    """How many such items there are."""
    is_whole: bool = True
    """Whether the dataset was read to its end."""

    def to_json(self) -> dict[str, Any]:
        """Write all but the ids down."""
        return {
            "samples": [dataclasses.asdict(item) for item in self.samples],
            "different": [dataclasses.asdict(item) for item in self.different],
            "fields": sorted(self.fields),
            "own": sorted(self.own),
            "alike": self.alike,
            "n_alike": self.n_alike,
        }

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Reading:
        """Read what `to_json` has written."""
        return cls(
            [_item(row) for row in written["samples"]],
            [_item(row) for row in written["different"]],
            set(written["fields"]),
            set(written["own"]),
            alike=list(written["alike"]),
            n_alike=int(written["n_alike"]),
        )


def _item(row: Mapping[str, Any]) -> Item:
    return Item(**{**row, "answers": tuple(row["answers"]), "choices": tuple(row["choices"])})


_FOUND: dict[Path, dict[str, dict[str, Any]]] = {}
"""What this process has found, by run and dataset, until its start writes it down."""


def read_dataset(
    settings: Settings,
    name: str,
    used: Sequence[str],
    *,
    check: Callable[[Item, Path], None],
    find_alike: FindAlike,
    with_ids: bool,
) -> Reading:
    """
    Read the items of a dataset that the run takes, or recall what was found when they were last read.

    Parameters
    ----------
    settings, name
        The configuration, and one of its datasets.
    used : sequence of str
        Fields that tell one shape of items from another.
    check : callable
        Raises for an item that will not do; called on each that is read, and on none that is recalled.
    find_alike : callable
        Gives two texts of an item that are alike to its scorer, or None.
    with_ids : bool
        Whether every item's id is needed, which is not kept.

    Raises
    ------
    PipelineError
        For a row that is wrong, or what `check` raises.
    """
    path = settings.find_file(settings.config["datasets"][name]["path"], "datasets", name, "path")
    limit = settings.config["limit_items"]
    if with_ids or (limit is not None and limit <= WORTH_KEEPING):
        return _read(path, limit, used, check=check, find_alike=find_alike, with_ids=with_ids)
    key = _key(settings, name, path, used)
    kept = _recall(settings, name, key)
    if kept is not None:
        return kept
    reading = _read(path, limit, used, check=check, find_alike=find_alike, with_ids=False)
    _FOUND.setdefault(settings.run_root, {})[name] = {"key": key, **reading.to_json()}
    return reading


def remember(settings: Settings) -> None:
    """Write down what this process has found in the run's datasets, if anything is new."""
    found = _FOUND.pop(settings.run_root, {})
    if not found:
        return
    kept = {**_read_kept(settings), **found}
    kept = {name: entry for name, entry in kept.items() if name in settings.config["datasets"]}
    if len(json.dumps(kept)) <= MAX_KEPT_BYTES:
        with contextlib.suppress(OSError):  # it only saves time; the run says what is wrong with the disk
            write_json(settings.paths.checked, {"schema_version": 1, "datasets": kept})


def _read(
    path: Path,
    limit: int | None,
    used: Sequence[str],
    *,
    check: Callable[[Item, Path], None],
    find_alike: FindAlike,
    with_ids: bool,
) -> Reading:
    found, n_items, n_characters = Reading(), 0, 0
    shapes: set[tuple[Any, ...]] = set()
    questions: set[str] = set()
    for item in read_items(path, limit=limit):
        n_items += 1
        check(item, path)
        if alike := find_alike(item):
            found.alike = found.alike or [item.id, *alike]
            found.n_alike += 1
        found.fields |= item.fields.keys()
        found.own.update(_own_fields(item))
        if with_ids:
            found.ids.add(item.id)
        types = tuple(type(item.fields.get(key, ...)) for key in used)
        shape = (types, item.context is None, bool(item.choices))
        if shape not in shapes and len(shapes) < MAX_SHAPES:
            shapes.add(shape)
            found.samples.append(item)
        if (
            len(questions) < MAX_DIFFERENT
            and n_characters < MAX_CHARACTERS
            and item.question not in questions
        ):
            questions.add(item.question)
            found.different.append(item)
            n_characters += len(item.question) + len(item.context or "")
    found.is_whole = limit is None or n_items < limit
    return found


def _own_fields(item: Item) -> Iterator[str]:
    for name, is_there in (
        ("context", item.context is not None),
        ("choices", bool(item.choices)),
        ("cluster", item.cluster is not None),
    ):
        if is_there:
            yield name


def _key(settings: Settings, name: str, path: Path, used: Sequence[str]) -> str:
    """Digest of all that a reading hangs on."""
    config = settings.config
    code = hashlib.sha256()
    for module in sorted(import_closure("scripts.run.item_checks")):
        code.update(module_file(module).read_bytes())
    return digest(
        {
            "source": cached_sha256(path),
            "limit_items": config["limit_items"],
            "scorers": resolved_specs(settings, name),
            "metrics": config["metrics"],
            "subgroups": config["stats"]["subgroups"],
            "used": list(used),
            "code": code.hexdigest(),
        }
    )


def _recall(settings: Settings, name: str, key: str) -> Reading | None:
    entry = _read_kept(settings).get(name, {})
    if not isinstance(entry, dict) or entry.get("key") != key:
        return None
    try:
        return Reading.from_json(entry)
    except (LookupError, TypeError):  # somebody has edited it: the dataset is read again
        return None


def _read_kept(settings: Settings) -> dict[str, Any]:
    try:
        kept = read_json(settings.paths.checked)
    except (DataError, OSError):  # not there, or not whole
        return {}
    datasets = kept.get("datasets") if isinstance(kept, dict) else None
    return datasets if isinstance(datasets, dict) else {}
