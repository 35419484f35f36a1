"""Reading and writing files, so that readers never see half a file and a bad line is named."""

from __future__ import annotations

import codecs
import contextlib
import errno
import functools
import hashlib
import json
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from scripts.errors import DataError, StateError

if TYPE_CHECKING:
    pass

MAX_LINE_BYTES = 8 * 1024 * 1024
"""A longer line is a broken file, not an item, a request or a reply."""


DISK_FAULTS = {
    errno.ENOSPC: "there is no space left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EFBIG: "the file would be larger than is allowed here",
    errno.EMFILE: "this process has too many files open",
    errno.ENFILE: "the machine has too many files open",
    errno.EIO: "the disk reports an input/output error",
    errno.EACCES: "writing is not permitted",
    errno.EPERM: "writing is not permitted",
}
"""What may be wrong with the place that is written to, in words."""


def explain_disk(error: OSError) -> StateError | None:
    """
    Tell a fault of the disk as what it is; None where the error is of another kind.

    Examples
    --------
    >>> print(explain_disk(OSError(errno.ENOSPC, "No space left on device", "run/state.json")))
    run/state.json: there is no space left on the disk
      Make room there, then start the run again; nothing that was paid is lost.
    """
    what = DISK_FAULTS.get(error.errno or 0)
    if what is None:
        return None
    needs_room = error.errno in (errno.ENOSPC, errno.EDQUOT)
    fix = "Make room there" if needs_room else "Put that right"
    return StateError(
        what,
        where=str(error.filename or "the run's folder"),
        fix=f"{fix}, then start the run again; nothing that was paid is lost.",
    )


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """
    Yield a temporary path beside `path` that replaces it when the block ends well.

    When the block raises, the temporary file is removed and `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_open(path: Path) -> Iterator[IO[str]]:
    """Open a text file for writing that replaces `path` when the block ends well."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as handle:
        yield handle


def write_text(path: Path, text: str) -> None:
    """Write a whole text file atomically."""
    with atomic_open(path) as handle:
        handle.write(text)


def write_json(path: Path, value: Any) -> None:
    """
    Write a JSON file atomically, in valid JSON.

    Raises
    ------
    ValueError
        If `value` holds NaN or an infinity: write None, with a reason beside it.
    """
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; a broken one is a `DataError` that says where."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError("is not there", where=str(path), fix="Run `snakemake` to create it.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(
            f"is not valid JSON ({error})", where=str(path), fix="Delete it and run `snakemake` again."
        ) from None


def dump_line(value: Any, *, ascii_only: bool = False) -> str:
    """One line of JSONL, line feed included; `ascii_only` also preserves text that is not valid Unicode."""
    return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"), allow_nan=False) + "\n"


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """
    Yield ``(line number, object)`` for each line of a JSONL file, one line in memory at a time.

    Blank lines are skipped.

    Raises
    ------
    DataError
        For a line that is not UTF-8, not JSON, not an object or over `MAX_LINE_BYTES`, with its number.
    """
    with path.open("rb") as handle:
        number = 0
        while line := handle.readline(MAX_LINE_BYTES + 1):
            number += 1
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            if len(line) > MAX_LINE_BYTES:
                raise DataError(
                    f"is longer than {MAX_LINE_BYTES // 1024**2} MB",
                    where=f"{path}, line {number}",
                    fix="Each line must be one JSON object; is a line break missing?",
                )
            if line.strip():
                yield number, _parse_line(line, path, number)


def _parse_line(line: bytes, path: Path, number: int) -> dict[str, Any]:
    where = f"{path}, line {number}"
    try:
        value = _DECODER.decode(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"is not UTF-8 (byte {error.object[error.start]:#04x} at position {error.start})",
            where=where,
            fix="Save it again as UTF-8.",
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"is not valid JSON ({error})", where=where, fix="Each line must be one JSON object."
        ) from None
    if not isinstance(value, dict):
        raise DataError(
            f"is not a JSON object but {line.decode().strip()!r:.40}",
            where=where,
            fix='Each line must be one JSON object, such as {"id": "q1", ...}.',
        )
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON; write null")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> Any:
    """Read a Parquet file as a pyarrow table, without the machinery for datasets of many files."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return file.read(columns=None if columns is None else list(columns))


KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe (FIFO)"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def find_kind(path: Path) -> str | None:
    """
    Say what lies at `path` where that is no plain file; None for a file, and where nothing is.

    Reading a pipe waits for whoever writes it, and a device may have no end.

    Examples
    --------
    >>> find_kind(Path("/dev/null")), find_kind(Path("/")), find_kind(Path("/no/such/file"))
    ('a device', 'a folder', None)
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return None
    return next((words for is_kind, words in KINDS if is_kind(mode)), None)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in bounded memory."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def cached_sha256(path: Path) -> str:
    """SHA-256 of a file, computed again only when its size or mtime has changed."""
    status = path.stat()
    return _sha256(path.absolute(), status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    return file_sha256(path)


PROJECT_ROOT = Path(__file__).resolve().parent.parent
"""The folder of the project: where the Snakefile is."""
