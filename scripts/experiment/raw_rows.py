"""Rows of a dataset as they stand in its file, JSONL, CSV or Parquet, each with its place for messages."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from scripts.errors import DataError
from scripts.files import MAX_LINE_BYTES, read_jsonl

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

Rows = Iterator[tuple[str, dict[str, Any]]]
"""Raw rows with the place of each, for messages."""

BATCH_ROWS = 4096

MAX_DECODED_BYTES = 512 * 1024**2
"""A group of rows whose column takes more memory than this, in cells that are too long, is not read."""

TOO_LONG = f"is longer than {MAX_LINE_BYTES // 1024**2} MB"
TOO_LONG_FIX = "A question of that length is a broken file; shorten the text."

SEPARATORS = {";": "semicolons", "\t": "tabs"}


def read_rows(path: Path, *, limit: int | None = None) -> Rows:
    """
    Read the rows of a dataset, a few in memory at a time; of a long file no more than `limit` asks for.

    Raises
    ------
    DataError
        For a file of another kind, or the first row that cannot be read.
    """
    readers: dict[str, Callable[[Path, int | None], Rows]] = {
        ".jsonl": _jsonl_rows,
        ".ndjson": _jsonl_rows,
        ".csv": _csv_rows,
        ".parquet": _parquet_rows,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"datasets cannot be read from {path.suffix or 'a file without an extension'}",
            where=str(path),
            fix=f"Save it as one of {', '.join(readers)}.",
        )
    return itertools.islice(reader(path, limit), limit)


def _jsonl_rows(path: Path, limit: int | None) -> Rows:
    for number, row in read_jsonl(path):
        yield f"{path}, line {number}", row


def _csv_rows(path: Path, limit: int | None) -> Rows:
    """Read rows of a CSV file; lists are JSON or separated by ``|``, an empty cell is not there."""
    csv.field_size_limit(MAX_LINE_BYTES)
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(_lines(handle, path), strict=True)
        try:
            _check_columns(reader.fieldnames or (), f"{path}, line 1")
            for row in reader:
                place = f"{path}, line {reader.line_num}"
                if None in row or None in row.values():
                    raise DataError(
                        "has more or fewer cells than the header",
                        where=place,
                        fix="Quote cells that hold a comma.",
                    )
                yield (
                    place,
                    {key: _csv_value(key, cell, place) for key, cell in row.items() if _is_there(key, cell)},
                )
        except UnicodeDecodeError as error:
            raise DataError(
                f"is not a CSV file in UTF-8 ({error})", where=str(path), fix="Save it again as UTF-8."
            ) from None
        except csv.Error as error:
            if "field larger than" in str(error):
                place = f"{path}, line {reader.line_num}"
                raise DataError(f"a cell {TOO_LONG}", where=place, fix="Is a quote missing?") from None
            raise DataError(
                f"is not a CSV file in UTF-8 ({error})", where=str(path), fix="Is a quote missing?"
            ) from None


def _lines(handle: IO[str], path: Path) -> Iterator[str]:
    number = 0
    while line := handle.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise DataError(TOO_LONG, where=f"{path}, line {number}", fix="Is a line feed missing?")
        yield line


def _check_columns(columns: Sequence[str], place: str) -> None:
    for column in columns:
        if columns.count(column) > 1:
            raise DataError(f"duplicate column {column!r}", where=place, fix="Rename one of them.")
    if len(columns) == 1:
        for separator, word in SEPARATORS.items():
            if separator in columns[0]:
                raise DataError(
                    f"the cells of the header are separated by {word} ({separator!r}), not by commas",
                    where=place,
                    fix="Save the table with commas between its cells.",
                )


def _is_there(key: str, cell: str) -> bool:
    return bool(cell) or key == "answers"


def _csv_value(key: str, cell: str, place: str) -> Any:
    if key in {"answers", "choices"}:
        if cell.startswith("["):
            try:
                return json.loads(cell)
            except json.JSONDecodeError as error:
                raise DataError(
                    f"the cell {key!r} is not a JSON list ({error})",
                    where=place,
                    fix='Write ["a", "b"] or a|b.',
                ) from None
        return [part for part in cell.split("|") if part]
    if key == "is_unanswerable":
        return {"true": True, "1": True, "false": False, "0": False}.get(cell.lower(), cell)
    return cell


def _parquet_rows(path: Path, limit: int | None) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            n_read = 0
            for group in range(file.metadata.num_row_groups):
                if limit is not None and n_read >= limit:
                    return
                size = _batch_rows(file, group, path, n_read)
                size = size if limit is None else max(1, min(size, limit - n_read))
                for batch in file.iter_batches(batch_size=size, row_groups=[group]):
                    _check_sizes(batch, path, n_read)
                    for row in batch.to_pylist():
                        n_read += 1
                        yield f"{path}, row {n_read}", row
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"is not a Parquet file ({error!s:.200})", where=str(path), fix="Write it again."
        ) from None


def _batch_rows(file: pq.ParquetFile, group: int, path: Path, n_before: int) -> int:
    """Say how many rows to read at once, from the sizes that the file gives for a group of rows."""
    about = file.metadata.row_group(group)
    n_rows = max(about.num_rows, 1)
    sizes = [about.column(number).total_uncompressed_size for number in range(about.num_columns)]
    largest = max(sizes, default=0)
    if largest > MAX_DECODED_BYTES and largest // n_rows > MAX_LINE_BYTES:
        place = f"{path}, rows {n_before + 1} to {n_before + n_rows}"
        raise DataError(f"a row {TOO_LONG}", where=place, fix=TOO_LONG_FIX)
    n_fitting: int = MAX_LINE_BYTES * n_rows // max(sum(sizes), 1)
    return max(1, min(BATCH_ROWS, n_fitting))


def _check_sizes(batch: pa.RecordBatch, path: Path, n_before: int) -> None:
    """Refuse a row that is too long before it becomes a text of Python's."""
    if batch.nbytes <= MAX_LINE_BYTES:
        return
    for number in range(batch.num_rows):
        if batch.slice(number, 1).nbytes > MAX_LINE_BYTES:
            raise DataError(TOO_LONG, where=f"{path}, row {n_before + number + 1}", fix=TOO_LONG_FIX)
