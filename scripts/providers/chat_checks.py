"""What no chat endpoint takes, and each adapter's own ranges, found before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scripts.experiment.settings import Settings
    from scripts.records import Trial

Ranges = Mapping[str, tuple[float, float]]
Words = Mapping[str, Sequence[str]]

WHOLE = frozenset({"seed", "max_tokens", "top_k"})


def check_base_url(settings: Settings, provider: str, url: str, *, form: str = "https://HOST/v1") -> None:
    """Refuse an address that is none, or that holds a secret."""
    if re.fullmatch(r"https?://[^\s@?#]+", url) is None:
        raise settings.error(
            "is not a plain address",
            "providers",
            provider,
            "base_url",
            fix=f"Write it as {form}, without a user, a key or a question mark.",
        )


def check_values(settings: Settings, trial: Trial, ranges: Ranges, words: Words) -> None:
    """
    Refuse a decoding setting of a trial that is not among what is allowed.

    Raises
    ------
    ConfigError
        With the setting, the value seen and what is allowed.
    """
    for key, value in trial.sampling.items():
        problem = None if value is None else find_problem(key, value, ranges, words)
        if problem is not None:
            raise settings.error(
                problem,
                "sampling",
                key,
                fix=f"Set {key} to null, or to what is allowed, for the trial {trial.name}.",
            )


def find_problem(key: str, value: Any, ranges: Ranges, words: Words) -> str | None:
    """
    Say what is wrong with the value of a decoding setting; None: nothing.

    Examples
    --------
    >>> find_problem("temperature", 3, {"temperature": (0, 2)}, {})
    'is 3, but must be a number from 0 to 2'
    >>> find_problem("seed", 3, {}, {}) is None
    True
    """
    if key in ranges:
        low, high = ranges[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            return f"is {value!r}, but must be a number from {low} to {high}"
    if key in words and value not in words[key]:
        return f"is {value!r}, but must be one of {', '.join(words[key])}"
    if key in WHOLE and (isinstance(value, bool) or not isinstance(value, int)):
        return f"is {value!r}, but must be a whole number"
    if key == "stop" and not isinstance(value, str):
        return f"is {value!r}, but must be a text"
    return None
