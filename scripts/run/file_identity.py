"""What distinguishes one content of a file from another."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.errors import DataError, StateError
from scripts.files import file_sha256, read_json
from scripts.run.paths import RunPaths


def identify_unchanged(path: Path, paths: RunPaths) -> dict[str, Any]:
    """
    Identify a file, and refuse one that was changed after the phase that made it.

    Raises
    ------
    DataError
        If the file was edited or cut off since; nothing is computed from it.
    StateError
        If it was made from other settings than the run was started with.
    """
    print_ = identify(path)
    for place in path.parent.glob("*.made.json"):
        record = read_json(place)
        outputs = record.get("outputs", {})
        made = outputs.get(paths.key(path)) or outputs.get(str(path))
        if made is None:
            continue
        if made["sha256"] != print_["sha256"]:
            raise DataError(
                "has been changed since it was made",
                where=str(path),
                fix="Delete it and run again: it is remade.",
            )
        _refuse_other_settings(record, path, paths)
    return print_


def _refuse_other_settings(record: Mapping[str, Any], path: Path, paths: RunPaths) -> None:
    """Compute nothing from what was made from other settings than the run was started with."""
    phase, unit = record.get("phase"), record.get("unit")
    if not isinstance(phase, str) or not isinstance(unit, str):
        return
    told = _read_expected(paths.expected(phase, unit))
    expected = told.get(unit if phase == "prepare" else phase)
    if expected is not None and record.get("made_from") not in (None, expected):
        raise StateError(
            "was made from other settings than the run has now",
            where=str(path),
            fix="Run `snakemake` for the whole run: it remakes what is out of date, and sends nothing twice.",
        )


@functools.lru_cache(maxsize=64)
def _read_expected(path: Path) -> dict[str, str]:
    return dict(read_json(path)) if path.is_file() else {}


def identify(path: Path) -> dict[str, Any]:
    """Give what distinguishes one content of a file from another: size, mtime in ns, SHA-256."""
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": file_sha256(path)}
