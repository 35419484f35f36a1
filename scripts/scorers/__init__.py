"""
Scorers: how good an answer is.

A scorer is a frozen dataclass whose fields are its options; it makes a `Score` from a reply's text and
its item, and touches no file, clock or network.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import typing
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from scripts.comparison.metrics import Metric
from scripts.scorers.base import Score, Scorer

__all__ = ["SCORERS", "Score", "Scorer", "build_scorer", "scorer_names"]

SCORERS: Mapping[str, str] = {
    "contains": "scripts.scorers.contains:Contains",
    "exact": "scripts.scorers.exact:Exact",
    "json_schema": "scripts.scorers.json_schema:JsonSchema",
    "label": "scripts.scorers.label:Label",
    "multiple_choice": "scripts.scorers.multiple_choice:MultipleChoice",
    "numeric": "scripts.scorers.numeric:Numeric",
    "python": "scripts.scorers.python:PythonScorer",
    "regex": "scripts.scorers.regex:Regex",
    "short_answer": "scripts.scorers.short_answer:ShortAnswer",
    "similarity": "scripts.scorers.similarity:Similarity",
}
"""Where each scorer is, by its name in the configuration; imported on demand."""


def warm_up() -> None:
    """Import every scorer."""
    for place in SCORERS.values():
        importlib.import_module(place.partition(":")[0])


def scorer_names() -> tuple[str, ...]:
    """
    List the scorers that a configuration may name.

    Examples
    --------
    >>> scorer_names()
    ('contains', 'exact', 'json_schema', 'label', 'multiple_choice', 'numeric', 'python', 'regex', \
'short_answer', 'similarity')
    """
    return tuple(sorted(SCORERS))


def scorer_name(spec: str | Mapping[str, Any]) -> str:
    """
    Name the scorer that a configuration describes.

    Examples
    --------
    >>> scorer_name({"name": "numeric"}), scorer_name("python: own:f")
    ('numeric', 'python')
    """
    return _read_spec(spec)[0]


def build_scorer(
    spec: str | Mapping[str, Any], declared: Mapping[str, Metric] = MappingProxyType({})
) -> Scorer:
    """
    Build the scorer that a configuration describes, and find every mistake in it before money is spent.

    Parameters
    ----------
    spec : str or mapping
        A name (``short_answer``), a name with options (``{name: numeric, tolerance: 0.01}``), or a
        function of the user's (``python: module:function`` as one text or as a mapping).
    declared : mapping, optional
        Metrics that the configuration declares, which a function of the user's may return.

    Raises
    ------
    ValueError
        The scorer or an option is unknown, missing or of the wrong type; names the value seen and
        those allowed.

    Examples
    --------
    >>> build_scorer({"name": "numeric", "tolerance": 0.01}).tolerance
    0.01
    >>> build_scorer("numerics")
    Traceback (most recent call last):
        ...
    ValueError: unknown scorer 'numerics' (did you mean 'numeric'?); allowed: contains, exact, json_schema, \
label, multiple_choice, numeric, python, regex, short_answer, similarity
    """
    name, options = _read_spec(spec)
    if name not in SCORERS:
        raise ValueError(_unknown("scorer", name, scorer_names()))
    module, _, class_name = SCORERS[name].partition(":")
    scorer_class: Any = getattr(importlib.import_module(module), class_name)
    where = f"scorer {name!r}"
    try:
        scorer: Scorer = scorer_class(
            **_read_options(scorer_class, options), **_facts(scorer_class, declared)
        )
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return scorer


def _read_spec(spec: object) -> tuple[str, dict[str, object]]:
    if isinstance(spec, str):
        name, colon, function = spec.partition(":")
        return (name.strip(), {"function": function.strip()}) if colon else (spec, {})
    if not isinstance(spec, Mapping):
        raise ValueError(f"a scorer is a name or a mapping with a name, not {spec!r:.80}")
    options = dict(spec)
    if "python" in options and "name" not in options:
        return "python", {"function": options.pop("python"), **options}
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise ValueError(f"a scorer needs a name, not {name!r:.80}; allowed: {', '.join(scorer_names())}")
    return name, options


def _facts(scorer_class: Any, declared: Mapping[str, Metric]) -> dict[str, object]:
    """Give a scorer what it must know of the run and is no option of it: the metrics that are declared."""
    return (
        {"declared": declared} if any(f.name == "declared" for f in dataclasses.fields(scorer_class)) else {}
    )


def _read_options(scorer_class: Any, options: Mapping[str, object]) -> dict[str, object]:
    fields = [field for field in dataclasses.fields(scorer_class) if field.init and field.name != "declared"]
    known = sorted(field.name for field in fields)
    for option in options:
        if option not in known:
            raise ValueError(_unknown("option", option, known))
    for field in fields:
        is_required = field.default is field.default_factory is dataclasses.MISSING
        if is_required and field.name not in options:
            raise ValueError(f"the option {field.name!r} is required")
    types = typing.get_type_hints(scorer_class)
    return {option: _typed(value, types[option], option) for option, value in options.items()}


def _typed(value: object, wanted: object, option: str) -> object:
    """Check an option as YAML gives it: a list for a tuple, an integer for a float."""
    if wanted == bool | None:  # null is the default, which nobody has to write
        wanted = bool
    if wanted is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if wanted is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(wanted, type) and wanted in {str, bool} and isinstance(value, wanted):
        return value
    is_texts = isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value)
    if wanted == tuple[str, ...] and isinstance(value, (list, tuple)) and is_texts:
        return tuple(value)
    if wanted == Mapping[str, Any] and isinstance(value, Mapping):
        return value
    kinds = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}
    kind = (
        "a mapping" if wanted == Mapping[str, Any] else kinds.get(typing.cast(Any, wanted), "a list of texts")
    )
    raise ValueError(f"the option {option!r} must be {kind}, not {value!r:.80}")


def _unknown(what: str, value: object, allowed: typing.Iterable[str]) -> str:
    names = sorted(allowed)
    close = difflib.get_close_matches(str(value), names, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {what} {value!r}{hint}; allowed: {', '.join(names)}"
