"""Files of rows that come in pieces: they go to the disk as they come, and must have come whole."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from typing import BinaryIO

CHUNK_BYTES = 1 << 20


def append_rows(chunks: Iterable[bytes], handle: BinaryIO) -> int:
    r"""
    Append a file of JSON rows; the last one gets its line feed.

    Returns
    -------
    int
        The number of lines.

    Raises
    ------
    ValueError
        If the last row is cut off.

    Examples
    --------
    >>> import io
    >>> handle = io.BytesIO()
    >>> append_rows([b'{"a": 1}', b'\n{"b"', b": 2}"], handle)
    2
    >>> handle.getvalue()
    b'{"a": 1}\n{"b": 2}\n'
    """
    start, n_lines = handle.tell(), 0
    for chunk in chunks:
        handle.write(chunk)
        n_lines += chunk.count(b"\n")
    last = _last_line(handle, start)
    try:
        json.loads(last or "{}")
    except ValueError:
        raise ValueError("the file did not come whole") from None
    if last and not last.endswith(b"\n"):
        handle.write(b"\n")
        n_lines += 1
    return n_lines


def _last_line(handle: BinaryIO, start: int) -> bytes:
    """Return the last line that was written after `start`, and leave the handle at the end."""
    end, tail = handle.seek(0, os.SEEK_END), b""
    while end > start and not re.search(rb"\n.", tail, re.DOTALL):
        begin = max(start, end - CHUNK_BYTES)
        handle.seek(begin)
        tail, end = handle.read(end - begin) + tail, begin
    handle.seek(0, os.SEEK_END)
    return tail[tail.rstrip(b"\n").rfind(b"\n") + 1 :]
