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
from scripts.files import find_kind

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

MAX_BYTES = 8 * 1024**2
MAX_VALUES = 150_000
MAX_DEPTH = 64
"""What a configuration may have: more is a mistake or a trap that takes all memory, or ends the process."""

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
        If it does not exist, is no file, not UTF-8 or YAML, has no keys, a duplicate key, or far too much.
    """
    import yaml

    text = _read_text(file)
    try:
        _check_size(file, text)
        loader = _loader_class()(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
        lines: dict[KeyPath, int] = {}
        data = None if node is None else _Builder(file, lines).build(node, ())
    except yaml.YAMLError as error:
        raise _syntax_error(file, text, error) from None
    except RecursionError:
        raise ConfigError(
            "is nested too deeply", where=str(file), fix="Does an anchor contain itself?"
        ) from None
    if not isinstance(data, dict) or not data:
        raise ConfigError(
            "contains no configuration keys", where=str(file), fix="See config/config.yaml for an example."
        )
    return data, lines


def _read_text(file: Path) -> str:
    if (kind := find_kind(file)) is not None:
        raise ConfigError(f"is {kind}, not a file", where=str(file), fix="Name a file with --configfile.")
    try:
        if file.stat().st_size > MAX_BYTES:
            what = f"is larger than {MAX_BYTES // 1024**2} MB"
            raise ConfigError(what, where=str(file), fix="Is it a dataset? Name a configuration.")
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"the configuration file cannot be read ({error.strerror})",
            where=str(file),
            fix="Name yours with --configfile, or run in the project's folder.",
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"is not UTF-8 ({error.reason})", where=str(file), fix="Save it again as UTF-8."
        ) from None


def _check_size(file: Path, text: str) -> None:
    """Refuse too many values, or too deep ones, while they are read one by one, without recursion."""
    import yaml

    depth = 0
    for n_events, event in enumerate(yaml.parse(text, Loader=_loader_class())):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH or n_events > 2 * MAX_VALUES:
            what = "is nested too deeply" if depth > MAX_DEPTH else f"holds more than {MAX_VALUES:,} values"
            where = f"{file}, line {event.start_mark.line + 1}" if event.start_mark else str(file)
            raise ConfigError(what, where=where, fix="Is a bracket missing?")


NO_COLON = "could not find expected ':'"
SECOND_COLON = "mapping values are not allowed in this context"
TAB = "found character that cannot start any token"


def _syntax_error(file: Path, text: str, error: Any) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
    fix = "Check the indentation (spaces, no tabs) and the quotes."
    number = mark.line if mark else None
    written = text.splitlines()
    if problem == NO_COLON and error.context_mark is not None:
        number, problem, fix = error.context_mark.line, "a colon is missing", "Write `key: value`."
    elif problem == SECOND_COLON and mark:
        number, problem, fix = _find_missing_colon(written, mark)
    elif problem == TAB and mark and written[mark.line][mark.column : mark.column + 1] == "\t":
        problem, fix = "a tab stands in the indentation", "Indent with spaces."
    where = str(file) if number is None else f"{file}, line {number + 1}"
    return ConfigError(f"is not valid YAML: {problem}", where=where, fix=fix)


def _find_missing_colon(written: list[str], mark: Any) -> tuple[int, str, str]:
    """Tell a line that lacks its colon, which YAML joins to the next one, from a text that holds one."""
    above = [number for number in range(mark.line) if written[number].split("#")[0].strip()]
    is_first = re.search(r":\s", written[mark.line][: mark.column]) is None
    if is_first and above and re.search(r":(\s|$)", written[above[-1]]) is None:
        return above[-1], "a colon is missing, or the space behind it", "Write `key: value`."
    return mark.line, "a colon is missing, or stands within a text", "Write `key: value`; quote such a text."


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
        self.n_values = 0

    def build(self, node: Any, path: KeyPath, *, key: str = "") -> Any:
        self.n_values += 1
        if self.n_values > MAX_VALUES:  # aliases of aliases make many values of few lines
            what = f"holds more than {MAX_VALUES:,} values"
            raise self._error(what, node, "Does an alias (*name) repeat what holds aliases?")
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
                is_below = value.id == "scalar" and value.start_mark.line >= line and value.value
                self.lines[(*path, key)] = value.start_mark.line + 1 if is_below else line
        return {**merged, **own}

    def _merged(self, node: Any, path: KeyPath) -> dict[str, Any]:
        parts = node.value if node.id == "sequence" else [node]
        if any(part.id != "mapping" for part in parts):
            raise self._error("<< merges something without keys", node, "Name an anchor that has keys.")
        merged: dict[str, Any] = {}
        for part in reversed(parts):
            self.n_values += 1
            merged |= self._mapping(part, path)
        return merged

    def _error(self, what: str, node: Any, fix: str) -> ConfigError:
        return ConfigError(what, where=f"{self.file}, line {node.start_mark.line + 1}", fix=fix)
