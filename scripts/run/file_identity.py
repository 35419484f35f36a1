"""What distinguishes one content of a file from another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.errors import DataError
from scripts.files import file_sha256, read_json
from scripts.run.paths import RunPaths


def identify_unchanged(path: Path, paths: RunPaths) -> dict[str, Any]:
    """
    Identify a file, and refuse one that was changed after the phase that made it.

    Raises
    ------
    DataError
        If the file was edited or cut off since; nothing is computed from it.
    """
    print_ = identify(path)
    for record in path.parent.glob("*.made.json"):
        outputs = read_json(record).get("outputs", {})
        made = outputs.get(paths.key(path)) or outputs.get(str(path))
        if made is not None and made["sha256"] != print_["sha256"]:
            raise DataError(
                "has been changed since it was made",
                where=str(path),
                fix="Delete it and run again: it is remade.",
            )
    return print_


def identify(path: Path) -> dict[str, Any]:
    """Give what distinguishes one content of a file from another: size, mtime in ns, SHA-256."""
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": file_sha256(path)}
