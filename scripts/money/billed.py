"""The attempts at a trial's requests, each with the tokens that it was billed."""

from __future__ import annotations

from typing import Any

from scripts.records import FAILED_OUTCOMES, Usage

TOKENS = tuple(vars(Usage()))
"""Every count of a usage, which is a column of the outcomes too."""


def list_attempts(rows: Any) -> Any:
    """
    Make a table of the attempts from a table of the outcomes.

    Its columns are `TOKENS`, ``request_key``, ``is_repeated`` (followed by another attempt) and ``is_lost``
    (the last attempt, without an answer).  Requests that were never sent, or whose tokens stand in another
    row, are among them without tokens.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    is_several = pc.is_valid(rows["usage_by_attempt"])
    once, several = rows.filter(pc.invert(is_several)), rows.filter(is_several)
    lists = several["usage_by_attempt"].combine_chunks()
    parents = pc.list_parent_indices(lists).to_numpy()
    is_repeated = np.diff(parents, append=-1) == 0
    failed_once, failed = (is_failed(table).to_numpy() for table in (once, several))
    flat, keys = pa.Table.from_struct_array(pc.list_flatten(lists)), several["request_key"].take(parents)
    parts = [
        (once, once["request_key"], np.zeros(once.num_rows, bool), failed_once),
        (flat, keys, is_repeated, failed[parents] & ~is_repeated),
    ]
    return pa.concat_tables(
        tokens.select(TOKENS)
        .append_column("request_key", key)
        .append_column("is_repeated", pa.array(repeated))
        .append_column("is_lost", pa.array(lost))
        for tokens, key, repeated, lost in parts
    )


def is_failed(rows: Any) -> Any:
    """Tell which rows of a table of outcomes brought no reply."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.is_in(rows["outcome"], value_set=pa.array([str(outcome) for outcome in FAILED_OUTCOMES]))
