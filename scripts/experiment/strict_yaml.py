"""
YAML as a configuration needs it: keys are unique and have line numbers, and few plain words are special.

Only the unquoted words ``true``, ``false`` and ``null`` and decimal numbers are not texts, as in YAML 1.2: a
prompt may be called ``on``, a run ``2025-01-01`` or ``007``, and ``1e-5`` is a number.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.errors import ConfigError

KeyPath = tuple[str | int, ...]
"""The keys and positions that lead to a value."""

NAME_KEYS = frozenset({"run_id", "model", "prompt"})
"""Keys whose values are names, so that a number is the text that was written."""

PLAIN = {
    "null": re.compile(r"~|null|Null|NULL|"),
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(r"[-+]?(0|[1-9][0-9]{0,17})"),
    "float": re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?"),
}
"""What an unquoted word must look like not to be a text."""

TAG = "tag:yaml.org,2002:"


def read_scalar(text: str, *, key: str = "") -> Any:
    """
    Read an unquoted word, found under `key`, as the configuration does.

    Examples
    --------
    >>> [read_scalar(text) for text in ("0.70", "1e-3", "true", "null", "no", "007")]
    [0.7, 0.001, True, None, 'no', '007']
    >>> read_scalar("1.10", key="prompt")
    '1.10'
    """
    kind = next((kind for kind, pattern in PLAIN.items() if pattern.fullmatch(text)), "str")
    if kind == "null":
        return None
    if kind == "str" or key in NAME_KEYS:
        return text
    if kind == "bool":
        return text.lower() == "true"
    number = int(text) if kind == "int" else float(text)
    return number if math.isfinite(number) else text


def read_override(value: Any, *, key: str = "") -> Any:
    """Read a value of ``--config``, whose words Snakemake has left as texts, as the configuration does."""
    if isinstance(value, Mapping):
        return {str(name): read_override(entry, key=str(name)) for name, entry in value.items()}
    if isinstance(value, list):
        return [read_override(entry, key=key) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and key in NAME_KEYS:
        raise ConfigError(
            f"arrives as the number {value!r}, which may not be what was written",
            where=f"--config: {key}",
            fix=f"Give it on the command line (--config {key}=007) or in the configuration file.",
        )
    if isinstance(value, str) and not value.strip():
        raise ConfigError(
            "is empty",
            where=f"--config: {key}",
            fix="Write null if that is what is meant; is a shell variable not set?",
        )
    return read_scalar(value, key=key) if isinstance(value, str) else value


def read_yaml(file: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """
    Read a YAML file of keys, with the line of each key and list entry.

    Raises
    ------
    ConfigError
        If it does not exist, is not UTF-8 or YAML, has no keys, or a duplicate key.
    """
    import yaml

    try:
        text = file.read_text(encoding="utf-8-sig")
        loader = _loader_class()(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
        lines: dict[KeyPath, int] = {}
        data = None if node is None else _Builder(file, lines).build(node, ())
    except OSError as error:
        raise ConfigError(
            f"the configuration file cannot be read ({error.strerror})",
            where=str(file),
            fix="Name yours with --configfile, or run in the project's folder.",
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"is not UTF-8 ({error.reason})", where=str(file), fix="Save it as UTF-8."
        ) from None
    except yaml.YAMLError as error:
        raise _syntax_error(file, error) from None
    except RecursionError:
        raise ConfigError(
            "is nested too deeply", where=str(file), fix="Does an anchor contain itself?"
        ) from None
    if not isinstance(data, dict) or not data:
        raise ConfigError(
            "contains no configuration keys", where=str(file), fix="See config/config.yaml for an example."
        )
    return data, lines


def _syntax_error(file: Path, error: Any) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
    return ConfigError(
        f"is not valid YAML: {problem}",
        where=f"{file}, line {mark.line + 1}" if mark else str(file),
        fix="Check the indentation (spaces, no tabs) and the quotes.",
    )


@functools.cache
def _loader_class() -> Any:
    import yaml

    loader: Any = type("Loader", (yaml.CSafeLoader,), {"yaml_implicit_resolvers": {}})
    loader.add_implicit_resolver(f"{TAG}merge", re.compile("<<$"), ["<"])
    for kind, pattern in PLAIN.items():
        loader.add_implicit_resolver(f"{TAG}{kind}", re.compile(rf"(?:{pattern.pattern})\Z"), None)
    return loader


class _Builder:
    """Builds the values of one file, and notes the line of each key."""

    def __init__(self, file: Path, lines: dict[KeyPath, int]) -> None:
        self.file = file
        self.lines = lines

    def build(self, node: Any, path: KeyPath, *, key: str = "") -> Any:
        if node.id == "mapping":
            return self._mapping(node, path)
        if node.id == "sequence":
            for position, entry in enumerate(node.value):
                self.lines[(*path, position)] = entry.start_mark.line + 1
            return [self.build(entry, (*path, at), key=key) for at, entry in enumerate(node.value)]
        kind = node.tag.removeprefix(TAG)
        if kind not in {*PLAIN, "str", "merge"}:
            raise self._error(f"the tag {node.tag!r} is not supported", node, "Write the plain value.")
        return node.value if kind in {"str", "merge"} else read_scalar(node.value, key=key)

    def _mapping(self, node: Any, path: KeyPath) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        first: dict[str, int] = {}
        for name, value in node.value:
            line = name.start_mark.line + 1
            if name.id != "scalar":
                raise self._error("a key is not a text", name, "Write a plain name before the colon.")
            key = name.value
            if key in first:
                what = f"duplicate key {key!r} (first in line {first[key]})"
                raise self._error(what, name, "Keep one of them.")
            first[key] = line
            if name.tag == f"{TAG}merge":
                merged = self._merged(value, path)
            else:
                own[key] = self.build(value, (*path, key), key=key)
                self.lines[(*path, key)] = line
        return {**merged, **own}

    def _merged(self, node: Any, path: KeyPath) -> dict[str, Any]:
        parts = node.value if node.id == "sequence" else [node]
        if any(part.id != "mapping" for part in parts):
            raise self._error("<< merges something without keys", node, "Name an anchor that has keys.")
        merged: dict[str, Any] = {}
        for part in reversed(parts):
            merged |= self._mapping(part, path)
        return merged

    def _error(self, what: str, node: Any, fix: str) -> ConfigError:
        return ConfigError(what, where=f"{self.file}, line {node.start_mark.line + 1}", fix=fix)
