"""Rows that are too long are named in every format, and no more is read of a file than was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.errors import DataError
from scripts.experiment import raw_rows
from scripts.experiment.raw_rows import read_rows

LONG = "y" * (9 * 1024**2)
ROWS = [{"id": str(n), "question": "q", "answers": ["x"]} for n in range(6)]


def parquet(path: Path, *texts: str, group: int = 100) -> Path:
    rows = [{**row, "question": text} for row, text in zip(ROWS, texts, strict=False)]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=group)
    return path


def message(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        list(read_rows(path))
    return str(caught.value)


@pytest.mark.parametrize("group", [100, 2])
def test_a_cell_of_parquet_that_is_too_long_is_named(tmp_path: Path, group: int) -> None:
    path = parquet(tmp_path / "a.parquet", "q", "q", LONG, "q", group=group)
    assert "a.parquet, row 3: is longer than 8 MB" in message(path)


def test_cells_of_parquet_that_would_fill_the_memory_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_rows, "MAX_DECODED_BYTES", 8 * 1024**2)
    path = parquet(tmp_path / "a.parquet", "q", LONG, "q" + LONG, group=2)
    assert "a.parquet, rows 3 to 3: a row is longer than 8 MB" in message(path) or "row 2" in message(path)


def test_long_rows_within_the_limit_are_read(tmp_path: Path) -> None:
    texts = ["a" * 5_000_000, "b" * 5_000_000, "c" * 7_000_000]
    path = parquet(tmp_path / "a.parquet", *texts)
    assert [row["question"] for _, row in read_rows(path)] == texts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"id,question,answers\n1,q,x\n2,{LONG},x\n", "a.csv, line 3: is longer than 8 MB\n  Is a line feed"),
        (f'id,question,answers\n1,"{LONG[:-100]}\n{LONG}",x\n', "a.csv, line 2: is longer than 8 MB"),
        (
            'id,question,answers\n1,"' + "yyyyyyyyy\n" * 1_000_000 + '",x\n',
            "a cell is longer than 8 MB\n  Is a quote",
        ),
        (LONG, "a.csv, line 1: is longer than 8 MB"),
    ],
    ids=range(4),
)
def test_a_cell_of_csv_that_is_too_long_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert said in message(path)


@pytest.mark.parametrize(("separator", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_a_table_with_other_separators_is_told_as_such(tmp_path: Path, separator: str, word: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(separator.join(ROWS[0]) + "\n")
    assert f"a.csv, line 1: the cells of the header are separated by {word}" in message(path)


@pytest.mark.parametrize("ending", [".jsonl", ".csv"])
def test_what_lies_behind_the_limit_is_not_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    lines = (
        [json.dumps(row) for row in ROWS] if ending == ".jsonl" else ["id,question,answers", "1,q,x", "2,q,x"]
    )
    path.write_bytes("\n".join(lines[:3]).encode() + b"\n" * 20_000 + b"\xff broken")
    assert len(list(read_rows(path, limit=2))) == 2
    assert "UTF-8" in message(path)


def test_later_groups_of_parquet_are_not_read(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", "q", "q", LONG, group=2)
    assert [place for place, _ in read_rows(path, limit=2)] == [f"{path}, row 1", f"{path}, row 2"]
