"""The schema of the configuration: its defaults, and its errors in the project's words."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import shorten
from scripts.experiment.strict_yaml import KeyPath
from scripts.files import PROJECT_ROOT

if TYPE_CHECKING:
    pass


SCHEMA_PATH = PROJECT_ROOT / "workflow" / "schemas" / "config.schema.yaml"


DEFAULT_CONFIG = Path("config/config.yaml")


NAME_RULE = (
    "a name has 1 to 64 letters, digits, '.', '_' or '-', starts with a letter or digit, "
    "and holds neither '..' nor '__'"
)


RULES = {
    "name": NAME_RULE,
    "factor_name": "a factor has lower-case letters, digits and single '_', and starts with a letter",
    "path": "a path contains neither braces nor control characters",
    "shard": "a shard is written TRIAL/s0001, as in the message about it",
}
"""What the patterns of the schema require, in words."""


BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "minLength": "{} or more characters",
    "minItems": "{} or more entries",
    "maxItems": "{} or fewer entries",
    "minProperties": "{} or more keys",
}


TYPE_WORDS = {
    "object": ("a mapping of keys", "Write keys under it, or {} for none"),
    "array": ("a list", "Write a list, such as [a, b]"),
    "string": ("a text", "Write a text; put it in quotes if necessary"),
    "number": ("a number", "Write a number"),
    "integer": ("a whole number", "Write a whole number"),
    "boolean": ("true or false", "Write true or false"),
    "null": ("null", "Write null"),
}
"""For each type: what it is, and what to write."""


@functools.cache
def config_schema() -> dict[str, Any]:
    """The JSON schema of the configuration."""
    import yaml

    schema: dict[str, Any] = yaml.safe_load(SCHEMA_PATH.read_text(encoding="utf-8"))
    return schema


def fill_defaults(value: Any, schema: Mapping[str, Any]) -> Any:
    """Copy `value` with the schema's defaults for the keys that it lacks."""
    if isinstance(value, float) and value.is_integer() and "integer" in schema.get("type", ()):
        return int(value)
    if not isinstance(value, Mapping):
        return value
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties")
    filled = {
        key: fill_defaults(entry, properties.get(key, others if isinstance(others, Mapping) else {}))
        for key, entry in value.items()
    }
    for key, rule in properties.items():
        if key not in filled and "default" in rule:
            filled[key] = fill_defaults(rule["default"], rule)
    return filled


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """
    Suggest the closest known word, if any.

    Examples
    --------
    >>> did_you_mean("promts", ["models", "prompts"])
    "; did you mean 'prompts'?"
    """
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.7)
    return f"; did you mean {close[0]!r}?" if close else ""


def explain_schema_error(error: Any) -> tuple[str, KeyPath, str]:
    """Say what jsonschema found in the project's words: what, which key, what to do."""
    path: KeyPath = tuple(error.absolute_path)
    rule, wanted, seen = error.validator, error.validator_value, show_value(error.instance)
    if "propertyNames" in error.absolute_schema_path:
        path = (*path, error.instance)
    if rule == "additionalProperties":
        return _explain_unknown_key(error, path)
    if rule == "required":
        missing = [key for key in wanted if key not in error.instance]
        return f"the key {missing[0]!r} is missing", path, f"Add it; see {DEFAULT_CONFIG} for an example."
    if rule == "pattern":
        name = error.schema.get("title", "name")
        return f"{seen} is not a valid {name.replace('_', ' ')}", path, f"Correct it: {RULES[name]}."
    if rule == "type":
        return _explain_type(error, path, seen)
    if rule == "oneOf":
        return _explain_alternatives(error, path)
    if rule == "enum":
        return f"is {seen}", path, f"Allowed: {shorten(wanted, limit=12)}."
    if rule == "not":
        return f"the name {seen} is reserved", path, "Choose another name."
    if rule in BOUNDS:
        return f"is {seen}", path, f"Allowed: {BOUNDS[rule].format(wanted)}."
    return f"is {seen}: {shortened(error.message)}", path, "Correct the value."


def _explain_type(error: Any, path: KeyPath, seen: str) -> tuple[str, KeyPath, str]:
    wanted = error.validator_value
    kinds = [wanted] if isinstance(wanted, str) else list(wanted)
    what = " or ".join(TYPE_WORDS[kind][0] for kind in kinds)
    fix = f"{TYPE_WORDS[kinds[0]][1]}."
    if kinds[0] == "object" and re.match(r"[\w-]+(\s|:\S)", str(error.instance)):
        fix += " Is a colon missing, or the space behind it?"
    return f"is {seen}, but must be {what}", path, fix


def _explain_alternatives(error: Any, path: KeyPath) -> tuple[str, KeyPath, str]:
    """Say that one of several keys is missing, or that there is more than one of them."""
    keys = [alternative["required"][0] for alternative in error.validator_value]
    given = [key for key in keys if key in error.instance]
    if given:
        return f"has both {' and '.join(map(repr, given))}", path, "Keep one of them."
    return f"the key {keys[0]!r} is missing", path, f"Add it; see {DEFAULT_CONFIG} for an example."


def _explain_unknown_key(error: Any, path: KeyPath) -> tuple[str, KeyPath, str]:
    known = sorted(error.schema.get("properties", {}))
    unknown = next(key for key in error.instance if key not in known)
    hint = did_you_mean(str(unknown), known)
    return f"unknown key {show_value(unknown)}{hint}", (*path, unknown), f"Allowed here: {', '.join(known)}."


def show_value(value: Any) -> str:
    """Write a value as in YAML, but briefly."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return shortened(repr(value))


def shortened(text: str) -> str:
    """Shorten a text to 80 characters for a message."""
    return text if len(text) <= 80 else f"{text[:77]}..."
