"""Digests are kept between looks, and never believed of a file that has changed."""

import json
import os
from pathlib import Path

import pytest

from scripts.files import file_sha256
from scripts.run.known_digests import KnownDigests
from scripts.run.paths import RunPaths


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    (tmp_path / "run_t").mkdir()
    return RunPaths(tmp_path / "run_t")


def test_what_was_digested_once_is_not_read_again(paths: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    output = paths.root / "x"
    output.write_text("one")
    first = KnownDigests(paths)
    assert first.digest(str(output), output.stat()) == file_sha256(output)
    first.save()

    monkeypatch.setattr("scripts.run.known_digests.cached_sha256", lambda _: "read again")

    assert KnownDigests(paths).digest(str(output), output.stat()) == file_sha256(output)


def test_an_edited_file_is_read_again(paths: RunPaths) -> None:
    output = paths.root / "x"
    output.write_text("one")
    known = KnownDigests(paths)
    known.digest(str(output), output.stat())
    known.save()
    output.write_text("two")
    os.utime(output, ns=(1, output.stat().st_mtime_ns + 1))
    assert KnownDigests(paths).digest(str(output), output.stat()) == file_sha256(output)


@pytest.mark.parametrize("text", ["", "[]", "null", '{"<run>/x": 3}', '{"<run>/x": [3]}', "{"])
def test_a_broken_memory_is_no_memory(paths: RunPaths, text: str) -> None:
    output = paths.root / "x"
    output.write_text("one")
    paths.digests.write_text(text)
    known = KnownDigests(paths)
    assert known.digest(str(output), output.stat()) == file_sha256(output)
    known.save()
    assert json.loads(paths.digests.read_text())["<run>/x"][2] == file_sha256(output)
