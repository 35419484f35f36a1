"""A reader never sees half a file, and a line that is broken is named."""

import json
import math
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.errors import DataError
from scripts.files import (
    MAX_LINE_BYTES,
    atomic_open,
    dump_line,
    file_sha256,
    read_json,
    read_jsonl,
    write_json,
    write_text,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def broken_write(path: Path) -> None:
    with atomic_open(path) as handle:
        handle.write("half of")
        raise RuntimeError("in the middle")


def test_a_write_that_breaks_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError):
        broken_write(path)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_json(path, ["x"] * 5000)

    def write_often() -> None:
        for _ in range(50):
            write_json(path, ["x"] * 5000)

    writers = [threading.Thread(target=write_often) for _ in range(2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert len(read_json(path)) == 5000
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf]])
def test_what_is_no_json_is_not_written(tmp_path: Path, value: object) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, value)
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump_line(value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "x.json: is not there\n"), (b"{", "is not valid JSON"), (b"\xff", "is not valid JSON")],
)
def test_a_json_file_that_cannot_be_read_says_where(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_json(path)
    assert said in str(caught.value)


def test_blank_lines_and_a_byte_order_mark_are_passed_over_but_counted(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf\r\n{"a": 1}\r\n\n  \n{"a": 2}')
    assert list(read_jsonl(path)) == [(2, {"a": 1}), (5, {"a": 2})]


@pytest.mark.parametrize("text", ["\u2028", "\x0c", "\x85", "\\r"])
def test_only_line_feeds_end_a_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(dump_line({"a": text}) * 2, encoding="utf-8")
    assert [row["a"] for _, row in read_jsonl(path)] == [text, text]


@pytest.mark.parametrize("size", [MAX_LINE_BYTES, MAX_LINE_BYTES + 1])
def test_the_longest_line_is_read_and_a_longer_one_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a":"' + b"x" * (size - 8) + b'"}')
    if size <= MAX_LINE_BYTES:
        assert len(next(read_jsonl(path))[1]["a"]) == size - 8
    else:
        with pytest.raises(DataError, match=r"rows.jsonl, line 1: is longer than 8 MB"):
            next(read_jsonl(path))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "is not valid JSON"),
        (b'{"a": Infinity}', "Infinity is not JSON; write null"),
        (b"[]", "is not a JSON object but '[]'"),
        (b'"text"', "is not a JSON object but "),
        (b"\xff", "is not UTF-8 (byte 0xff at position 0)"),
        (b"[" * 100_000, "is not valid JSON (maximum recursion depth exceeded"),
    ],
)
def test_a_broken_line_is_named_after_the_good_ones_were_read(tmp_path: Path, line: bytes, said: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n' + line + b"\n")
    rows = read_jsonl(path)
    assert next(rows) == (1, {"a": 1})
    with pytest.raises(DataError) as caught:
        next(rows)
    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert said in str(caught.value)


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=3), max_size=5), st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_survive_writing_and_reading(
    tmp_path: Path, rows: list[dict[str, object]], ascii_only: bool
) -> None:
    path = tmp_path / "rows.jsonl"
    with atomic_open(path) as handle:
        handle.writelines(dump_line(row, ascii_only=ascii_only) for row in rows)
    assert [row for _, row in read_jsonl(path)] == rows


def test_text_that_is_no_unicode_travels_in_ascii(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_text(path, dump_line({"text": "\ud800"}, ascii_only=True))
    assert next(read_jsonl(path)) == (1, {"text": "\ud800"})
    assert json.loads(path.read_bytes()) == {"text": "\ud800"}


def test_a_digest_is_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert file_sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
