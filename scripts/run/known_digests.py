"""Digests of files that are known by their size and time, kept in the run's folder between looks."""

from __future__ import annotations

import json
import os
from pathlib import Path

from scripts.files import cached_sha256, write_json
from scripts.run.paths import RunPaths


class KnownDigests:
    """
    SHA-256 digests of the files that a run has recorded.

    Snakemake dates an output anew when its job has ended, after the phase has recorded it: no recorded time
    fits, and without a memory each look would read every output.

    Parameters
    ----------
    paths : RunPaths
        The run.
    """

    def __init__(self, paths: RunPaths) -> None:
        self._paths = paths
        self._known: dict[str, list[int | str]] | None = None
        self._has_news = False

    def digest(self, path: str, status: os.stat_result) -> str:
        """Give the digest of a file; `status` is what `os.stat` says of it now."""
        known = self._load()
        key = self._paths.key(path)
        entry = known.get(key)
        if isinstance(entry, list) and entry[:2] == [status.st_size, status.st_mtime_ns] and len(entry) == 3:
            return str(entry[2])
        found = cached_sha256(Path(path))
        known[key] = [status.st_size, status.st_mtime_ns, found]
        self._has_news = True
        return found

    def save(self) -> None:
        """Write down what is known, if there is anything new."""
        if self._has_news and self._known is not None:
            write_json(self._paths.digests, self._known)
            self._has_news = False

    def _load(self) -> dict[str, list[int | str]]:
        if self._known is None:
            try:
                read = json.loads(self._paths.digests.read_bytes())
            except (OSError, ValueError, RecursionError):  # it is a memory only: the files can be read again
                read = {}
            self._known = read if isinstance(read, dict) else {}
        return self._known
