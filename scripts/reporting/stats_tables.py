"""Tables of whatever else the statistics hold: analyses that have no place of their own on the pages."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scripts.reporting.tables import MINUS, MISSING, brief, count, finite, p_value

MAX_ROWS = 300
"""A page shows no more rows of a table; how many there are is said."""

STATS_FIELDS = {
    "schema_version",
    "trial",
    "baseline",
    "confidence_level",
    "n_items",
    "n_units",
    "n_requests",
    "outcomes",
    "without_score",
    "n_without_text",
    "reading",
    "metrics",
    "by_dataset",
    "effects",
    "bounds",
    "variance",
    "selective",
}
"""Fields of ``stats.json`` that the pages show elsewhere."""

EFFECT_FIELDS = {
    "dataset",
    "metric",
    "n_pairs",
    "n_questions",
    "better",
    "is_share",
    "unit",
    "margin",
    "is_p_floor",
    "requests",
    "n_unpaired",
    "n_clusters",
    "n_gained",
    "n_lost",
    "difference",
    "low",
    "high",
    "interval_method",
    "test",
    "p_value",
    "odds_ratio",
    "equivalence_low",
    "equivalence_high",
}
"""The same of an effect."""

CHECK_FIELDS = {"sensitivity", "gee", "meta", "selective", "variance", "subgroups"}
"""Fields of an effect that `scripts.reporting.robustness` and `scripts.reporting.trial_notes` show."""


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str
    label: str
    is_number: bool


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of one kind under a heading."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    n_rows: int
    """Rows in all."""


def stats_tables(many_stats: Sequence[Mapping[str, Any]]) -> tuple[Table, ...]:
    """
    Make a table of every field of ``stats.json`` that the pages show nowhere else.

    A field that holds records (a list of them, or one by name) becomes a table with a row for each; the
    same field of several trials becomes one table, with the trial in its first column.  Records within
    effects are told apart by dataset and metric.

    Examples
    --------
    >>> stats = {"trial": "t", "subgroups": [{"group": "easy", "n_pairs": 7, "difference": None}]}
    >>> (table,) = stats_tables([stats])
    >>> table.title, [column.label for column in table.columns], table.rows
    ('Subgroups', ['Group', 'N pairs', 'Difference'], (('easy', '7', '—'),))
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for stats in many_stats:
        about = {"trial": stats["trial"]} if len(many_stats) > 1 else {}
        for name in sorted(stats.keys() - STATS_FIELDS):
            found.setdefault(name, []).extend({**about, **row} for row in _rows(stats[name]))
        for effect in stats.get("effects", ()):
            where = {**about, "dataset": effect["dataset"], "metric": effect["metric"]}
            for name in effect.keys() - EFFECT_FIELDS - CHECK_FIELDS:
                found.setdefault(name, []).extend({**where, **row} for row in _rows(effect[name]))
    return tuple(_table(name, rows) for name, rows in sorted(found.items()) if rows)


def _rows(value: Any) -> list[dict[str, Any]]:
    """A field's records as flat rows."""
    if isinstance(value, Mapping):
        if value and all(isinstance(part, Mapping) for part in value.values()):
            return [{"name": name, **_flat(part)} for name, part in value.items()]
        return [_flat(value)] if value else []
    if isinstance(value, list):
        return [_flat(part) if isinstance(part, Mapping) else {"value": part} for part in value]
    return [] if value is None else [{"value": value}]


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            row |= _flat(value, f"{prefix}{name} ")
        else:
            row[f"{prefix}{name}"] = ", ".join(map(str, value)) if isinstance(value, list) else value
    return row


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    names = list(dict.fromkeys(key for row in rows for key in row))
    columns = tuple(Column(key, _label(key), _is_number(row.get(key) for row in rows)) for key in names)
    cells = tuple(tuple(_cell(key, row.get(key)) for key in names) for row in rows[:MAX_ROWS])
    return Table(_label(name), columns, cells, len(rows))


def _label(name: str) -> str:
    return brief(name.replace("_", " ").capitalize(), limit=60)


def _is_number(values: Iterable[Any]) -> bool:
    kinds = {type(value) for value in values if value is not None}
    return bool(kinds) and kinds <= {int, float}


def _cell(name: str, value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        number = finite(value)
        last = name.rpartition(" ")[2]
        if number is None:
            return MISSING
        return (
            p_value(number) if last == "p" or last.startswith("p_") else f"{number:.4g}".replace("-", MINUS)
        )
    return brief(value)
