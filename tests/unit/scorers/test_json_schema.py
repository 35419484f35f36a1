"""The scorer of JSON."""

from __future__ import annotations

import math
from typing import Any

import pytest

from scripts.errors import DataError
from scripts.records import Item
from scripts.scorers import build_scorer
from scripts.scorers.base import NO_TEXT, Score
from scripts.scorers.json_schema import JsonSchema, find_json

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "born": {"type": "integer"}},
    "required": ["name", "born"],
}
ITEM = Item("q1", "Who, and when?", ('{"name": "Ada", "born": 1815}',))


def scored(text: str, item: Item = ITEM, **options: Any) -> tuple[float, float, float]:
    score = JsonSchema(**{"schema": SCHEMA, **options}).score(text, item)
    return score.correct, score.more["valid"], score.more["fields"]


@pytest.mark.parametrize(
    ("text", "correct", "valid", "fields"),
    [
        ('{"name": "Ada", "born": 1815}', 1, 1, 1),
        ('```json\n{"name": "ada.", "born": 1815.0}\n```', 1, 1, 1),
        ('Here it is:\n{"name": "Ada", "born": 1815}\nAnything else?', 1, 1, 1),
        ('<think>{"name": "Bob"}</think>{"name": "Ada", "born": 1815}', 1, 1, 1),
        ('{"name": "Bob", "born": 1} No: {"name": "Ada", "born": 1815}', 1, 1, 1),
        ('{"name": "Ada", "born": 1815, "died": 1852}', 1, 1, 1),
        ('{"name": "Ada", "born": 1816}', 0, 1, 0.5),
        ('{"name": "Ada", "born": "1815"}', 0, 0, 0.5),
        ('{"name": "Ada"}', 0, 0, 0.5),
        ('{"born": true, "name": null}', 0, 0, 0),
        ('["Ada", 1815]', 0, 0, 0),
        ("42", 0, 0, 0),
        ("I don't know", 0, 0, 0),
    ],
)
def test_json_is_validated_and_its_fields_compared(
    text: str, correct: float, valid: float, fields: float
) -> None:
    assert scored(text) == (correct, valid, fields)


@pytest.mark.parametrize(
    "text",
    [
        "Ada was born in 1815.",
        "{'name': 'Ada', 'born': 1815}",
        '{"name": "Ada", "born": 1815',  # cut
        '{"person": {"name": "Ada", "born": 1815},}',  # what is within broken JSON is no answer
        '{"name": "Ada", "born": 1815, "why": "since {"name": "Ada", "born": 1815}',
        '{"name": "Ada", "born": NaN}',
        "{" * 10**6,
        "[" * 10**6,
        '{"a":' * 10**5,
        '{"a' * 10**5,
        "```\n" * 10**5,
        "[1" * 10**5,
    ],
)
def test_a_text_without_json_is_unread_and_not_valid(text: str) -> None:
    score = JsonSchema(schema=SCHEMA).score(text, ITEM)
    assert (score.unread, score.read, score.more["valid"]) == (1.0, None, 0.0)
    assert math.isnan(score.correct)
    assert math.isnan(score.more["fields"])


@pytest.mark.parametrize(
    ("found", "expected", "fields"),
    [
        ('{"a": {"b": 1, "c": 2}}', '{"a": {"b": 1, "c": 3}}', 0.5),
        ('{"a": [1, 2]}', '{"a": [1, 2.0]}', 1.0),
        ('{"a": [2, 1]}', '{"a": [1, 2]}', 0.0),  # a list is one field, in its order
        ('{"a": [{"b": "X"}]}', '{"a": [{"b": "x"}]}', 1.0),
        ('{"a": true}', '{"a": 1}', 0.0),
        ('{"a": null}', '{"a": null, "b": {}}', 0.5),
        ('{"a": "−5"}', '{"a": "-5"}', 1.0),
        ('{"a": "5"}', '{"a": "-5"}', 0.0),
        ('{"a": ""}', '{"a": "!"}', 0.0),
        ("[1, 2]", "[1, 2]", 1.0),
        ('{"a": 1e999}', '{"a": 1}', 0.0),
        ('{"a": %s}' % ("9" * 400), '{"a": 1.5}', 0.0),
        ('{"b": 1}', '{"a": 1}', 0.0),
    ],
)
def test_fields_are_compared_by_value(found: str, expected: str, fields: float) -> None:
    assert scored(found, Item("q1", "?", (expected,)), schema={})[2] == fields


def test_the_nearest_accepted_answer_counts() -> None:
    item = Item("q1", "?", ('{"a": 1, "b": 2}', '{"a": 3, "b": 2}'))
    assert scored('{"a": 3, "b": 2}', item, schema={}) == (1.0, 1.0, 1.0)


def test_valid_may_be_all_that_counts() -> None:
    item = Item("q1", "?", ())
    assert scored('{"name": "x", "born": 1}', item, compares="nothing")[:2] == (1.0, 1.0)
    assert scored('{"name": "x"}', item, compares="nothing")[:2] == (0.0, 0.0)
    assert scored("I don't know", item, compares="nothing")[:2] == (0.0, 0.0)
    score = JsonSchema(schema=SCHEMA).score("I don't know", item)  # else it is unanswerable
    assert (score.correct, score.abstained) == (1.0, 1.0)


def test_nothing_is_no_answer() -> None:
    assert JsonSchema(schema={}).score("<think>{}</think>", ITEM) == NO_TEXT


def test_what_was_read_is_the_json() -> None:
    score = JsonSchema(schema={}).score('So: {"name": "Ada", "born": 1815}.', ITEM)
    assert score == Score(
        1.0,
        abstained=0.0,
        unread=0.0,
        read='{"name": "Ada", "born": 1815}',
        more={"valid": 1.0, "fields": 1.0},
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('use {x} or $\\frac{1}{2}$, then {"a": 1}', {"a": 1}),
        ('```python\nprint("{}")\n```\n```json\n{"a": 1}\n```', {"a": 1}),
        ('```json\n{"a": 1}\n```\n```python\nprint()\n```', {"a": 1}),
        ('{"a": 1}, as in [1]', {"a": 1}),
        ("the list is [1, 2]", [1, 2]),
        ('{"a": {"b": 2}}', {"a": {"b": 2}}),
    ],
)
def test_json_is_found_within_other_text(text: str, value: object) -> None:
    assert find_json(text)[0] == value


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "the option 'schema' is required"),
        ({"schema": "x"}, "the option 'schema' must be a mapping, not 'x'"),
        ({"schema": {"type": "objekt"}}, "the schema is not valid at type"),
        (
            {"schema": {"$ref": "http://127.0.0.1/x"}},
            "refers to 'http://127.0.0.1/x', which is not within it",
        ),
        ({"schema": {"$ref": "#/$defs/x"}}, "refers to '#/\\$defs/x', which is not within it"),
        ({"schema": {"const": {1, 2}}}, "the schema is no JSON"),
        ({"schema": {}, "compares": "all"}, "compares is 'all', but must be fields or nothing"),
    ],
)
def test_a_mistake_in_the_options_is_reported(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_scorer({"name": "json_schema", **options})


def test_references_within_a_schema_are_followed() -> None:
    schema = {"$defs": {"x": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/x"}}}
    item = Item("q1", "?", ('{"a": 1}',))
    assert scored('{"a": 1}', item, schema=schema) == (1.0, 1.0, 1.0)
    assert scored('{"a": "1"}', item, schema=schema)[1] == 0.0


def test_an_accepted_answer_that_is_no_json_is_reported() -> None:
    with pytest.raises(ValueError, match="item 'q2': the accepted answer 'Ada' is no JSON"):
        JsonSchema(schema={}).score("{}", Item("q2", "?", ("Ada",)))


def test_a_pattern_that_never_ends_is_reported() -> None:
    schema = {"properties": {"a": {"pattern": "^(a+)+$"}}}
    with pytest.raises(DataError, match="a pattern of the schema takes longer than 2 seconds"):
        JsonSchema(schema=schema).score('{"a": "%s!"}' % ("a" * 60), Item("q3", "?", ('{"a": 1}',)))
