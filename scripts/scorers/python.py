"""A user's own function as scorer: ``python: module:function``."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import math
import numbers
import re
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, cast

from scripts.comparison.metrics import BY_NAME, METRICS, NAMES, SHARE_RANGE, Metric
from scripts.records import Item
from scripts.scorers.base import Score, is_abstention, judge, judge_nothing
from scripts.scorers.reading import Trimming
from scripts.scorers.text import ABSTENTION_PHRASES

Returned = Score | bool | float | Mapping[str, float]
"""What a user's function may return: a score, `correct` alone, or any of the metrics by name."""

_HOW_TO_DECLARE = "; declare others under `metrics` in the configuration"
_FUNCTION = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*")


@dataclasses.dataclass(frozen=True)
class PythonScorer(Trimming):
    """
    Call the user's ``function(text, item)`` and check what it returns.

    The function gets the reply as it is, thoughts and all, but none that is blank or nothing but thoughts.
    `abstained` and `false_answer` are filled in if the function does not return them; any other
    metric that it leaves out does not apply.

    Raises
    ------
    ValueError
        The module or the function does not exist. An error within the module keeps its traceback.

    Examples
    --------
    >>> score = PythonScorer("operator:is_not").score("unknown", Item("q1", "Who?", ("Ada",)))
    >>> score.correct, score.f1, score.abstained
    (1.0, nan, 1.0)
    """

    function: str
    """``module:function``; the module is importable, or is in the working directory."""
    abstention_phrases: tuple[str, ...] = ABSTENTION_PHRASES
    declared: Mapping[str, Metric] = dataclasses.field(default_factory=dict, repr=False)
    """Further metrics that the function may return: those that the configuration declares."""
    _call: Callable[[str, Item], object] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "_call", _load(self.function))

    def score(self, text: str, item: Item) -> Score:
        """
        Score the `text` of a reply to `item`.

        Raises
        ------
        ValueError
            The function returned something that is not a score; names the function, the item and the value.
        """
        trimmed = self.trim(text).text
        if not trimmed:
            return judge_nothing(item, abstains=self.empty_abstains)
        returned = self._call(text, item)
        try:
            if isinstance(returned, Score):
                return _with_read(_checked(returned, self.declared), text)
            given, more = _metrics(returned, self.declared)
        except ValueError as error:
            raise ValueError(f"scorer python:{self.function}, item {item.id!r}: {error}") from None
        abstained = is_abstention(trimmed, self.abstention_phrases)
        default = judge(item, abstained=abstained, correct=False)
        values: dict[str, Any] = {"correct": math.nan, "f1": math.nan, **given, "more": more}
        return _with_read(dataclasses.replace(default, **values), text)


def _load(function: str) -> Callable[[str, Item], object]:
    if not _FUNCTION.fullmatch(function):
        raise ValueError(f"python scorer {function!r}: write it as module:function")
    module_name, _, name = function.partition(":")
    module = _import(module_name)
    found: object = getattr(module, name, None)
    if not callable(found):
        known = sorted(key for key, value in vars(module).items() if callable(value) and key[0] != "_")
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ValueError(f"python scorer {function!r}: module {module_name!r} has no function {name!r}{hint}")
    return found


def _import(name: str) -> ModuleType:
    """Import a module; the working directory comes last, so that it shadows nothing."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not _is_about(error, name):
            raise
    if "" not in sys.path:
        sys.path.append("")
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not _is_about(error, name):
            raise
        raise ValueError(
            f"python scorer: no module {name!r}, neither installed nor in the working directory"
        ) from None


def _is_about(error: ModuleNotFoundError, name: str) -> bool:
    """Distinguish a module that does not exist from one whose own imports fail."""
    return error.name is not None and f"{name}.".startswith(f"{error.name}.")


def _metrics(returned: object, declared: Mapping[str, Metric]) -> tuple[dict[str, float], dict[str, float]]:
    """Part what a function gave into the metrics that every scorer may have and those that were declared."""
    if not isinstance(returned, Mapping):
        return {"correct": _in_range(returned, BY_NAME["correct"])}, {}
    allowed = {metric.name: metric for metric in METRICS} | dict(declared)
    unknown = sorted(map(repr, set(returned) - set(allowed)))
    if unknown:
        raise ValueError(f"gave {', '.join(unknown)}; the metrics are {', '.join(allowed)}{_HOW_TO_DECLARE}")
    values = {name: _in_range(value, allowed[name]) for name, value in returned.items()}
    return (
        {name: value for name, value in values.items() if name in NAMES},
        {name: value for name, value in values.items() if name not in NAMES},
    )


def _checked(score: Score, declared: Mapping[str, Metric]) -> Score:
    given = {name: getattr(score, name) for name in NAMES}
    present = {name: value for name, value in given.items() if not _is_nan(value)}
    values, more = _metrics({**present, **score.more}, declared)
    absent = dict.fromkeys(NAMES, math.nan)
    checked: dict[str, Any] = {**absent, **values, "more": more}
    return dataclasses.replace(score, **checked)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _with_read(score: Score, text: str) -> Score:
    """Say that the whole text was read, unless the function says that it could not be, or what it read."""
    unread = 0.0 if math.isnan(score.unread) else score.unread
    read = text if score.read is None and not unread else score.read
    return dataclasses.replace(score, unread=unread, read=read)


def _in_range(value: object, metric: Metric) -> float:
    low, high = metric.range or (-math.inf, math.inf)
    allowed = f"in [{low:g}, {high:g}]" if metric.range else "a number"
    if not isinstance(value, numbers.Real):
        wanted = f"a bool or a number in [{low:g}, {high:g}]" if metric.range == SHARE_RANGE else allowed
        raise ValueError(f"gave {value!r:.80} as {metric.name}, but it must be {wanted}")
    if not (low <= cast(float, value) <= high and math.isfinite(value)):
        raise ValueError(f"gave {value!r:.80} as {metric.name}, but it must be {allowed}")
    return float(value)
