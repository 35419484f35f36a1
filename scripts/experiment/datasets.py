"""Reading items: JSONL, CSV or Parquet as users have them, and the run's own prepared Parquet."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any

from scripts.errors import DataError, shorten
from scripts.experiment.raw_rows import read_rows
from scripts.records import Item

OWN_FIELDS = ("id", "question", "answers", "is_unanswerable", "context", "choices", "cluster")
BATCH_ROWS = 4096
MAX_ID = 512

Fail = Callable[[str, str], DataError]
"""Makes the error of a row from what is wrong and what to do."""


def read_items(path: Path, *, limit: int | None = None) -> Iterator[Item]:
    """
    Read the items of a dataset, one in memory at a time (its ids apart).

    Parameters
    ----------
    path : Path
        ``.jsonl``, ``.csv`` or ``.parquet``.
    limit : int, optional
        Only the first so many items.

    Raises
    ------
    DataError
        For the first row that is wrong, with its line; also for an empty dataset or a duplicate id.
    """
    places: dict[str, str] = {}
    for place, row in read_rows(path, limit=limit):
        item = make_item(row, place)
        if item.id in places:
            raise DataError(
                f"duplicate id {item.id!r} (first used in {places[item.id]})",
                where=place,
                fix="Give every item a unique id.",
            )
        places[item.id] = place.removeprefix(f"{path}, ")
        yield item
    if not places:
        raise DataError(
            "holds no items", where=str(path), fix="Write one item per line, with id, question and answers."
        )


def make_item(row: Mapping[str, Any], place: str) -> Item:
    """Make an item of a raw row, or say what is wrong with it."""

    def fail(what: str, fix: str) -> DataError:
        return DataError(what, where=place, fix=fix)

    for key in ("id", "question"):
        if row.get(key) is None or not str(row[key]).strip():
            seen = shorten(row, limit=12) or "none"
            raise fail(
                f"the field {key!r} is missing or empty{_hint_at(key, row)}",
                f"Fields seen: {seen}. Every item needs id and question.",
            )
    item_id = _read_id(row["id"], fail)
    answers = _read_answers(row, fail)
    return Item(
        id=item_id,
        question=_text(row["question"], "question", fail),
        answers=answers,
        is_unanswerable=not answers,
        context=None if row.get("context") is None else _text(row["context"], "context", fail),
        choices=_texts(row.get("choices"), "choices", fail),
        cluster=_read_cluster(row.get("cluster"), fail),
        fields=_further_fields(row, fail),
    )


def find_own_field(key: str) -> tuple[str | None, bool]:
    """
    Find which of a dataset's own fields a name is meant for, and whether only its spelling differs.

    Examples
    --------
    >>> find_own_field("Cluster"), find_own_field("is unanswerable"), find_own_field("clusters")
    (('cluster', True), ('is_unanswerable', True), ('cluster', False))
    >>> find_own_field("topic")
    (None, False)
    """
    plain = {re.sub(r"[\W_]+", "", own): own for own in OWN_FIELDS}
    bare = re.sub(r"[\W_]+", "", key).casefold()
    if bare in plain:
        return plain[bare], True
    near = next((plain[word] for word in (f"{bare}s", bare.removesuffix("s")) if word in plain), None)
    return near, False


def _hint_at(own: str, row: Mapping[str, Any]) -> str:
    """Name the field of a row that is meant for one that is missing, if there is any."""
    others = [key for key in row if key not in OWN_FIELDS]
    meant = [key for key in others if find_own_field(key)[0] == own]
    meant = meant or difflib.get_close_matches(own, others, n=1, cutoff=0.7)
    return f"; there is {meant[0]!r}: did you mean {own!r}?" if meant else ""


def _read_id(value: Any, fail: Fail) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise fail(f"the id is {_kind(value)}, not a text or whole number", "Write it in quotes.")
    if len(str(value)) > MAX_ID:
        raise fail(f"the id has {len(str(value))} characters", f"Use at most {MAX_ID}.")
    return _text(str(value), "id", fail)


def _read_answers(row: Mapping[str, Any], fail: Fail) -> tuple[str, ...]:
    """Read the accepted answers; none if the item is unanswerable."""
    is_unanswerable = row.get("is_unanswerable") or False
    if not isinstance(is_unanswerable, bool):
        raise fail(f"is_unanswerable is {is_unanswerable!r:.80}", "Write true or false.")
    answers = _texts(row.get("answers"), "answers", fail)
    if is_unanswerable:
        return ()
    if row.get("answers") is None:
        raise fail(
            f"the field 'answers' is missing or null{_hint_at('answers', row)}",
            "List the accepted answers; an empty list means unanswerable.",
        )
    if not all(answer.strip() for answer in answers):
        raise fail("the field 'answers' holds an empty text", "Delete it; an empty list means unanswerable.")
    return answers


def _read_cluster(value: Any, fail: Fail) -> str | None:
    if isinstance(value, list | dict):
        raise fail(f"the field 'cluster' is {_kind(value)}, not a text", "Write it in quotes.")
    return None if value is None else _text(str(value), "cluster", fail)


def _further_fields(row: Mapping[str, Any], fail: Fail) -> dict[str, Any]:
    """Take the dataset's own fields as JSON values, as they are after prepare."""
    fields = {key: value for key, value in row.items() if key not in OWN_FIELDS}
    for key, value in fields.items():
        if key.isascii() and (value is None or type(value) in {bool, int, float}):
            continue
        is_text = isinstance(value, str)
        try:
            text = f"{key}{value}" if is_text else json.dumps([key, value], ensure_ascii=False, default=str)
            text.encode("utf-8")
        except (UnicodeEncodeError, RecursionError) as error:
            is_deep = isinstance(error, RecursionError)
            what = "is nested too deeply" if is_deep else "holds half of a surrogate pair"
            raise fail(f"the field {key!r:.80} {what}", "Correct the field, or leave it out.") from None
        if not is_text:
            fields[key] = json.loads(text)[1]
    return fields


def _kind(value: Any) -> str:
    words = {str: "a text", bool: "true or false", int: "a number", float: "a number", NoneType: "null"}
    words |= {dict: "an object", list: "a list"}
    return words.get(type(value), f"a {type(value).__name__}")


def _text(value: Any, key: str, fail: Fail) -> str:
    if not isinstance(value, str):
        raise fail(f"the field {key!r} is or holds {_kind(value)}, not a text", "Write it in quotes.")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise fail(
            f"the field {key!r} holds half of a surrogate pair", "Save the text as valid Unicode."
        ) from None
    return value


def _texts(value: Any, key: str, fail: Fail) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise fail(f"the field {key!r} is {_kind(value)}, not a list", f'Write "{key}": ["..."].')
    numbers = (str(entry) if type(entry) in (int, float) else entry for entry in value)
    return tuple(_text(entry, key, fail) for entry in numbers)


def prepared_schema() -> Any:
    """Columns of ``datasets/<dataset>.parquet``."""
    import pyarrow as pa

    texts = pa.list_(pa.string())
    return pa.schema(
        [
            ("id", pa.string()),
            ("question", pa.string()),
            ("answers", texts),
            ("is_unanswerable", pa.bool_()),
            ("context", pa.string()),
            ("choices", texts),
            ("cluster", pa.string()),
            ("fields", pa.string()),
        ]
    )


def item_row(item: Item) -> dict[str, Any]:
    """Make a row of the prepared Parquet; further fields travel as one JSON text."""
    return {
        "id": item.id,
        "question": item.question,
        "answers": list(item.answers),
        "is_unanswerable": item.is_unanswerable,
        "context": item.context,
        "choices": list(item.choices),
        "cluster": item.cluster,
        "fields": json.dumps(item.fields, ensure_ascii=False, default=str) if item.fields else None,
    }


def read_prepared(path: Path) -> Iterator[Item]:
    """Read the items of a prepared dataset in their order, one batch in memory at a time."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            for row in batch.to_pylist():
                row["answers"], row["choices"] = tuple(row["answers"]), tuple(row["choices"])
                row["fields"] = json.loads(row["fields"]) if row["fields"] else {}
                yield Item(**row)


class PreparedItems:
    """
    The items of a prepared dataset, looked up in its order; only those of one call are in memory.

    Any other order works as well, but then each call may read the whole file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rest = read_prepared(path)
        self._found: dict[str, Item] = {}

    def find(self, ids: Collection[str]) -> Mapping[str, Item]:
        """
        Find items by their ids.

        Raises
        ------
        DataError
            If there is no such item.
        """
        missing = set(ids) - self._found.keys()
        # An item's replicates may go on from one call to the next.
        self._found = {id_: self._found[id_] for id_ in ids if id_ in self._found}
        if self._read_on(missing):
            self._rest = read_prepared(self._path)
            self._read_on(missing)
        if missing:
            raise DataError(
                f"holds no item {min(missing)!r}",
                where=str(self._path),
                fix="Delete it and run `snakemake` again: it is remade, with everything that depends on it.",
            )
        return self._found

    def _read_on(self, missing: set[str]) -> bool:
        """Read until no item is missing, or to the end; say whether one still is."""
        while missing and (item := next(self._rest, None)):
            if item.id in missing:
                missing.remove(item.id)
                self._found[item.id] = item
        return bool(missing)
