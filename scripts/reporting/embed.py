"""Questions and answers as a block of a page: columns as JSON, compressed, in letters that are no markup.

The block holds data only: the page's script inflates it and shows every text as text.
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.reporting.page_content import Answer, Example, Excerpt, Questions
from scripts.reporting.tables import visible

TEXT_LIMITS = (4000, 2500, 1600, 1000, 700, 500, 350, 250, 180, 130, 90)
"""Lengths that texts are cut to until a block fits, in characters."""

ALL_ITEMS_BUDGET = 8_200_000
"""Bytes that the questions of all trials' pages together should not pass, so that a run can be mailed."""

ITEMS_BUDGETS = (60_000, 600_000)
"""The least and the most of them for one page."""

MIN_ROW_BYTES = 40
"""A row never takes less than this: more rows need not be tried."""

_MARK = '<script type="application/octet-stream" class="items"'
_BLOCK = re.compile(re.escape(_MARK) + r"[^>]*>([A-Za-z0-9+/=]*)</script>")
_TEXT_COLUMNS = ("question", "text", "error", "baseline_text", "baseline_error")
_LIST_COLUMNS = ("accepted", "choices")
_RARE_COLUMNS = ("read", "unread", "baseline_read", "baseline_unread")
"""Columns that a page does without where they hold nothing."""


@dataclasses.dataclass(frozen=True)
class Block:
    """What a page holds of a comparison."""

    data: str
    """Base64 of gzip of JSON."""
    n_shown: int
    n_items: int
    """Questions of the whole trial."""
    text_limit: int
    """Longer texts are cut to this many characters, contexts to `context_limit` of it."""
    is_cut: bool
    """Whether any text is."""


def items_budget(n_trials: int) -> int:
    """
    Bytes for the questions of one trial's page.

    Examples
    --------
    >>> items_budget(2), items_budget(100)
    (600000, 82000)
    """
    least, most = ITEMS_BUDGETS
    return min(most, max(least, ALL_ITEMS_BUDGET // max(1, n_trials)))


def columns(questions: Questions, *, trial: str, baseline: str | None) -> dict[str, Any]:
    """
    Turn questions into columns: what a block holds before it is compressed.

    A text is a string when it is whole, and ``[beginning, characters of the whole]`` when it is cut.
    """
    rows = [_row(example) for example in questions.examples]
    names = rows[0] if rows else {}
    return {
        "trial": visible(trial),
        "baseline": None if baseline is None else visible(baseline),
        "n_items": questions.n_items,
        "totals": dict(questions.totals),
        "text_limit": TEXT_LIMITS[0],
        "columns": {
            name: column
            for name in names
            if any(column := [row[name] for row in rows]) or name not in _RARE_COLUMNS
        },
    }


def fit(value: Mapping[str, Any], *, budget: int, shortest: int = TEXT_LIMITS[-1]) -> Block:
    """
    Compress columns into a block of at most `budget` bytes, or of one row.

    Texts are cut first, as little as will do, but not below `shortest` characters; if that is still too
    much, the last rows go.
    """
    value = _head(value, 1 + budget // MIN_ROW_BYTES)
    cut_before = value["text_limit"]
    limits = [limit for limit in TEXT_LIMITS if shortest <= limit <= cut_before] or [cut_before]
    low, high = 0, len(limits) - 1
    while low < high:  # the first limit that fits; the last one is taken as it is
        middle = (low + high) // 2
        if len(_encode(_cut(value, limits[middle]))) <= budget:
            high = middle
        else:
            low = middle + 1
    limit = limits[low]
    cut = _cut(value, limit)
    n = n_rows(cut)
    data = _encode(cut)
    while len(data) > budget and n > 1:
        n = max(1, int(0.95 * n * budget / len(data)))
        data = _encode(_head(cut, n))
    return Block(data, n, value["n_items"], limit, is_cut=_is_cut(_head(cut, n)))


def unpack(page: str) -> dict[str, Any] | None:
    """
    Read the block of a trial's page back into columns; None when the page has none.

    Examples
    --------
    >>> unpack("<html></html>") is None
    True
    """
    found = _BLOCK.search(page)
    if found is None:
        return None
    value: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    contexts = value.pop("contexts")
    if "context" in value["columns"]:
        value["columns"]["context"] = [
            None if place is None else contexts[place] for place in value["columns"]["context"]
        ]
    return value


def context_limit(limit: int) -> int:
    """
    Length that contexts are cut to, where the other texts are cut to `limit` characters.

    Contexts go first: an answer can be judged by what is accepted.

    Examples
    --------
    >>> context_limit(4000), context_limit(350), context_limit(130)
    (4000, 175, 0)
    """
    if limit < 150:
        return 0
    return limit if limit >= 1000 else limit // 2


def n_rows(value: Mapping[str, Any]) -> int:
    """Count the rows of columns."""
    return max((len(column) for column in value["columns"].values()), default=0)


def _row(example: Example) -> dict[str, Any]:
    row = {
        "dataset": visible(example.dataset),
        "id": visible(example.item_id),
        "replicate": example.replicate,
        "kinds": list(example.kinds),
        "question": _text(example.question),
        "accepted": [_text(part) for part in example.accepted],
        "n_accepted": example.n_accepted,
        "is_unanswerable": example.is_unanswerable,
        "choices": [_text(part) for part in example.choices],
        "context": _text(example.context),
        **_answer(example.trial),
    }
    if example.baseline is not None:
        row |= {f"baseline_{name}": value for name, value in _answer(example.baseline).items()}
    return row


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "outcome": visible(answer.outcome),
        "correct": answer.correct,
        "abstained": answer.is_abstention,
        "text": _text(answer.text),
        "read": None if answer.read is None else visible(answer.read.text),
        "unread": answer.is_unread,
        "finish_reason": None if answer.finish_reason is None else visible(answer.finish_reason),
        "error": _text(answer.error),
    }


def _text(part: Excerpt | None) -> Any:
    if part is None:
        return None
    shown = visible(part.text)
    return [shown, part.n_characters] if part.is_cut else shown


def _cut(value: Mapping[str, Any], limit: int) -> dict[str, Any]:
    cut = {
        name: [_shorter(text, limit) for text in column] if name in _TEXT_COLUMNS else column
        for name, column in value["columns"].items()
    }
    if "context" in cut:
        cut["context"] = [_shorter(text, context_limit(limit)) for text in cut["context"]]
    for name in set(_LIST_COLUMNS) & set(cut):
        cut[name] = [[_shorter(text, limit) for text in texts] for texts in cut[name]]
    return {**value, "columns": cut, "text_limit": limit}


def _is_cut(value: Mapping[str, Any]) -> bool:
    columns = (value["columns"].get(name, []) for name in (*_TEXT_COLUMNS, "context"))
    return any(isinstance(text, list) for column in columns for text in column)


def _shorter(text: Any, limit: int) -> Any:
    if isinstance(text, list):
        return [text[0][:limit], text[1]]
    return [text[:limit], len(text)] if text is not None and len(text) > limit else text


def _head(value: Mapping[str, Any], n: int) -> dict[str, Any]:
    return {**value, "columns": {name: column[:n] for name, column in value["columns"].items()}}


def _encode(value: Mapping[str, Any]) -> str:
    """Compress columns; a context that several questions share is kept once."""
    contexts, places = _shared(value["columns"].get("context", []))
    packed = {**value, "contexts": contexts, "columns": {**value["columns"], "context": places}}
    text = json.dumps(packed, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # The time must not be in it: the same questions make the same page.
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode()


def _shared(texts: Sequence[Any]) -> tuple[list[Any], list[int | None]]:
    place: dict[str, int] = {}
    values: dict[str, Any] = {}
    places: list[int | None] = []
    for text in texts:
        if text is None:
            places.append(None)
            continue
        key = json.dumps(text)
        values[key] = text
        places.append(place.setdefault(key, len(place)))
    return list(values.values()), places
