"""Metrics that a configuration declares: ``{words: {better: lower, range: [0, 100], margin: 2}}``."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from typing import Any

from scripts.comparison.metrics import BY_NAME, Better, Metric

KEYS = ("better", "margin", "range")
"""What may be said of a metric."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_TAKEN = frozenset(BY_NAME) | {"dataset", "item_id", "replicate", "outcome", "read"}


def read_metrics(declared: Mapping[str, Any], *, source: str) -> tuple[Metric, ...]:
    """
    Read the metrics that a configuration declares.

    Parameters
    ----------
    declared : mapping
        By name: ``better`` (``higher``, ``lower`` or ``none``, which is the default), ``range`` (two
        numbers; without it there are no limits) and ``margin`` (the smallest difference that matters).
    source : str
        What gives the metrics, for their meaning.

    Raises
    ------
    ValueError
        A name or a value will not do; says which, and what is allowed.

    Examples
    --------
    >>> (words,) = read_metrics({"words": {"better": "lower", "range": [0, 100], "margin": 2}}, source="f")
    >>> words.heading, words.better.value, words.range, words.margin, words.is_compared
    ('Words', 'lower', (0.0, 100.0), 2.0, True)
    """
    return tuple(_read_metric(name, options, source) for name, options in declared.items())


def _read_metric(name: object, options: object, source: str) -> Metric:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"metric {name!r:.80}: a name is of up to 40 lower-case letters, digits and _")
    if name in _TAKEN:
        raise ValueError(f"metric {name!r}: there is one of this name; choose another")
    options = {} if options is None else options
    if not isinstance(options, Mapping):
        raise ValueError(f"metric {name!r}: is {options!r:.80}, not a mapping of {', '.join(KEYS)}")
    for key in options:
        if key not in KEYS:
            close = difflib.get_close_matches(str(key), KEYS, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ValueError(f"metric {name!r}: unknown key {key!r:.80}{hint}; allowed: {', '.join(KEYS)}")
    return Metric(
        name,
        name.replace("_", " ").capitalize(),
        f"As {source} gives it.",
        _better(name, options.get("better", "none")),
        range=_range(name, options.get("range")),
        is_compared=True,
        margin=_margin(name, options.get("margin")),
    )


def _better(name: str, value: object) -> Better:
    allowed = [better.value for better in Better]
    if value not in allowed:
        raise ValueError(f"metric {name!r}: better is {value!r:.80}; allowed: {', '.join(allowed)}")
    return Better(value)


def _range(name: str, value: object) -> tuple[float, float] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(map(_is_finite, value)):
        raise ValueError(f"metric {name!r}: range is {value!r:.80}, but must be two numbers, as in [0, 100]")
    low, high = map(float, value)
    if low >= high:
        raise ValueError(f"metric {name!r}: range is {value!r}, but the first number must be the smaller one")
    return low, high


def _margin(name: str, value: object) -> float | None:
    if value is None:
        return None
    if not _is_finite(value) or float(str(value)) <= 0:
        raise ValueError(f"metric {name!r}: margin is {value!r:.80}, but must be a number above 0")
    return float(str(value))


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
