"""One content of a file is told from another, and one that was edited since it was made is refused."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from scripts.errors import DataError
from scripts.run.file_identity import identify, identify_unchanged
from scripts.run.paths import RunPaths


def made(folder: Path, content: str = "made", *, named: str = "<run>/outcomes.parquet") -> Path:
    """A file with the record of the phase that made it."""
    path = folder / "outcomes.parquet"
    path.write_text(content)
    (folder / "parse.made.json").write_text(json.dumps({"outputs": {named: identify(path)}}))
    return path


def test_a_file_is_known_by_its_size_its_time_and_its_bytes(tmp_path: Path) -> None:
    path = made(tmp_path)
    os.utime(path, ns=(5, 7))
    assert identify(path) == {"size": 4, "mtime_ns": 7, "sha256": hashlib.sha256(b"made").hexdigest()}


def test_a_file_that_was_only_touched_is_unchanged(tmp_path: Path) -> None:
    path = made(tmp_path)
    os.utime(path, ns=(5, 7))
    assert identify_unchanged(path, RunPaths(tmp_path)) == identify(path)


def test_an_edited_file_is_refused_though_its_size_is_the_same(tmp_path: Path) -> None:
    path = made(tmp_path)
    path.write_text("Made")
    with pytest.raises(DataError, match=r"outcomes\.parquet: has been changed since it was made"):
        identify_unchanged(path, RunPaths(tmp_path))


def test_a_file_that_no_phase_made_is_taken_as_it_is(tmp_path: Path) -> None:
    made(tmp_path)
    other = tmp_path / "items.jsonl"
    other.write_text("x")
    assert identify_unchanged(other, RunPaths(tmp_path)) == identify(other)


def test_a_record_of_an_earlier_version_names_files_by_their_paths(tmp_path: Path) -> None:
    path = made(tmp_path, named=str(tmp_path / "outcomes.parquet"))
    path.write_text("Made")
    with pytest.raises(DataError, match="has been changed since it was made"):
        identify_unchanged(path, RunPaths(tmp_path))
