"""JSON: whether a reply holds what a schema asks for, and whether its fields are right."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from scripts.comparison.metrics import Better, Metric
from scripts.errors import DataError
from scripts.records import Item
from scripts.scorers.base import UNREAD, Score, is_abstention, is_unanswerable, judge, judge_nothing
from scripts.scorers.reading import Trimming
from scripts.scorers.text import ABSTENTION_PHRASES, normalize_answer
from scripts.scorers.time_limit import TooSlowError, time_limit

COMPARES = ("fields", "nothing")
"""What of the JSON is compared with the item's accepted answers."""

MAX_SECONDS = 2.0
"""How long a schema's patterns may compute on one reply."""

_MAX_FAILED = 64
"""At how many places JSON may seem to begin and not do so: a limit on the work for a hostile reply."""

_BEGINS = re.compile(r'\{\s*+["}]|\[\s*+[\[{"\]\d-]')
_NOTHING = object()
_LARGE = 1e300


@dataclasses.dataclass(frozen=True)
class JsonSchema(Trimming):
    """
    Validate the JSON in a reply, and compare its fields with those that the item expects.

    The JSON may be the whole reply, stand in a fence, or within other text; the last one counts.
    `correct` wants it valid and every expected field right.

    Raises
    ------
    ValueError
        The schema is none, or refers to another document.

    Examples
    --------
    >>> scorer = JsonSchema(schema={"type": "object", "required": ["name"]})
    >>> item = Item("q1", "Who, and when?", ('{"name": "Ada", "born": 1815}',))
    >>> score = scorer.score('Here you are: {"name": "ADA.", "born": 1816}', item)
    >>> score.correct, dict(score.more)
    (0.0, {'valid': 1.0, 'fields': 0.5})
    """

    METRICS: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "valid",
            "Valid",
            "1 if the answer holds JSON that the schema allows, else 0.",
            Better.HIGHER,
            is_compared=True,
        ),
        Metric(
            "fields",
            "Fields right",
            "Share of the expected fields that the answer's JSON has right.",
            Better.HIGHER,
            is_compared=True,
            is_complete=False,
        ),
    )

    schema: Mapping[str, Any]
    """A JSON schema, of draft 2020-12 unless it says which."""
    compares: str = "fields"
    """``fields``: with the item's accepted answers; ``nothing``: valid is right."""
    abstention_phrases: tuple[str, ...] = ABSTENTION_PHRASES
    _validator: Any = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.compares not in COMPARES:
            raise ValueError(f"compares is {self.compares!r}, but must be fields or nothing")
        object.__setattr__(self, "_validator", _make_validator(self.schema))

    def score(self, text: str, item: Item) -> Score:
        """
        Score the `text` of a reply to `item`.

        Raises
        ------
        ValueError
            An accepted answer is no JSON.
        DataError
            If a pattern of the schema does not come to an end.
        """
        expected = self._expected(item)
        trimmed = self.trim(text).text
        if not trimmed:
            return judge_nothing(item, abstains=self.empty_abstains)
        none_right = 0.0 if expected else math.nan
        value, read = find_json(trimmed)
        if value is not _NOTHING:
            is_valid = self._is_valid(value, item)
            share = max((_share_right(value, one) for one in expected), default=math.nan)
            score = self._judge(item, correct=is_valid and (not expected or share == 1), read=read)
            return dataclasses.replace(score, more={"valid": float(is_valid), "fields": share})
        if is_abstention(trimmed, self.abstention_phrases):
            score = self._judge(item, abstained=True, read=trimmed)
            return dataclasses.replace(score, more={"valid": 0.0, "fields": none_right})
        return dataclasses.replace(UNREAD, more={"valid": 0.0, "fields": math.nan})

    def _judge(self, item: Item, *, read: str, abstained: bool = False, correct: bool = False) -> Score:
        if self.compares == "nothing":  # then an item without answers is not an unanswerable one
            return Score(float(correct), abstained=float(abstained), unread=0.0, read=read)
        return judge(item, abstained=abstained, correct=correct, read=read)

    def _expected(self, item: Item) -> tuple[Any, ...]:
        if self.compares == "nothing" or is_unanswerable(item):
            return ()
        try:
            return _expected_values(item.answers)
        except ValueError as error:
            raise ValueError(f"item {item.id!r}: {error}") from None

    def _is_valid(self, value: object, item: Item) -> bool:
        try:
            with time_limit(MAX_SECONDS):
                return bool(self._validator.is_valid(value))
        except RecursionError:  # nested too deeply for any schema
            return False
        except TooSlowError:
            raise DataError(
                f"a pattern of the schema takes longer than {MAX_SECONDS:g} seconds on one reply",
                where=f"scorer json_schema, item {item.id!r}",
                fix="Let no repetition stand within another, as in (a+)+, and no alternatives begin alike.",
            ) from None


def find_json(text: str) -> tuple[Any, str]:
    r"""
    Find the JSON in a text: all of it, the last fence that holds some, or the last object or list within it.

    Returns
    -------
    tuple
        The value and its text; a value that equals nothing and an empty text if there is none.

    Examples
    --------
    >>> find_json('Sure:\n```json\n{"a": 1}\n```\nDone [1].')
    ({'a': 1}, '{"a": 1}')
    >>> find_json('Either {"a": 1} or {"a": 2}, {x}.')
    ({'a': 2}, '{"a": 2}')
    """
    for candidate in (text, *reversed(_fenced(text))):
        value = _load(candidate)
        if value is not _NOTHING:
            return value, candidate.strip()
    last: tuple[Any, str] = (_NOTHING, "")
    try:
        for found in _embedded(text):
            last = found
    except (ValueError, RecursionError):  # digits or brackets beyond any use
        return _NOTHING, ""
    return last


def _fenced(text: str) -> list[str]:
    """Give what stands in fences of code."""
    parts = re.split(r"(?m)^[ \t]*+```[^\n`]*+$", text)
    return parts[1::2]


def _embedded(text: str) -> Iterator[tuple[Any, str]]:
    """Find objects; lists only where no object is."""
    lists: list[tuple[Any, str]] = []
    position, n_failed, n_objects = 0, 0, 0
    while n_failed < _MAX_FAILED and (begin := _BEGINS.search(text, position)):
        try:
            value, position = _DECODER.raw_decode(text, begin.start())
        except json.JSONDecodeError as error:
            n_failed += 1
            position = max(error.pos, begin.start() + 1)  # an object within one that is broken is no answer
            if error.msg.startswith("Unterminated"):
                return
            continue
        if isinstance(value, dict):
            n_objects += 1
            yield value, text[begin.start() : position]
        else:
            lists = [(value, text[begin.start() : position])]
    if not n_objects:
        yield from lists


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _load(text: str) -> Any:
    try:
        return _DECODER.decode(text.strip())
    except (ValueError, RecursionError):
        return _NOTHING


def _make_validator(schema: Mapping[str, Any]) -> Any:
    import jsonschema
    import referencing.exceptions
    import referencing.jsonschema

    try:
        plain = json.loads(json.dumps(schema))
    except TypeError as error:
        raise ValueError(f"the schema is no JSON: {error}") from None
    validator = jsonschema.validators.validator_for(plain, default=jsonschema.Draft202012Validator)
    try:
        validator.check_schema(plain)
    except jsonschema.SchemaError as error:
        place = "/".join(map(str, error.absolute_path)) or "its top"
        raise ValueError(f"the schema is not valid at {place}: {error.message:.200}") from None
    registry: Any = referencing.Registry()  # it fetches nothing
    resource = referencing.jsonschema.specification_with(validator.META_SCHEMA["$schema"]).create_resource(
        plain
    )
    resolver = registry.with_resource("", resource).resolver()
    for reference in _references(plain):
        try:
            resolver.lookup(reference)
        except referencing.exceptions.Unresolvable:
            raise ValueError(f"the schema refers to {reference!r:.80}, which is not within it") from None
    return validator(plain, registry=registry)


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key in {"$ref", "$dynamicRef"} and isinstance(value, str):
                yield value
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


@functools.lru_cache(maxsize=2**14)
def _expected_values(answers: tuple[str, ...]) -> tuple[Any, ...]:
    values = []
    for answer in answers:
        value = _load(answer)
        if value is _NOTHING:
            raise ValueError(f"the accepted answer {answer!r:.80} is no JSON")
        values.append(value)
    return tuple(values)


def _share_right(value: Any, expected: Any) -> float:
    """Give the share of the expected leaves that are there and equal; others do not count."""
    right = [_is_right(value, path, leaf) for path, leaf in _leaves(expected, ())]
    return sum(right) / len(right)


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Part objects into their fields; a list is one."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    else:
        yield path, value


def _is_right(value: Any, path: tuple[str | int, ...], leaf: Any) -> bool:
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return _equal(value, leaf)


def _equal(one: Any, other: Any) -> bool:
    """Compare values: texts after normalisation, numbers by value, lists in their order."""
    if isinstance(one, str) and isinstance(other, str):
        return one.strip() == other.strip() or normalize_answer(one) == normalize_answer(other) != ""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in other)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or (max(abs(one), abs(other)) < _LARGE and math.isclose(one, other, rel_tol=1e-9))
    return bool(one == other)
