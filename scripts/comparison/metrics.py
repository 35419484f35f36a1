"""
The one table of metrics: what each is called, which direction is better, and its range.

Scorers, statistics, summary, leaderboard, the configuration's schema, reports and docs use it.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

SHARE_RANGE = (0.0, 1.0)
"""Smallest and largest value of a share."""


class Better(enum.StrEnum):
    """Which direction of a metric is better."""

    HIGHER = "higher"
    LOWER = "lower"
    NONE = "none"


@dataclasses.dataclass(frozen=True)
class Metric:
    """A number that a scorer assigns to an answer."""

    name: str
    heading: str
    """What reports call it."""
    meaning: str
    """What it says about an answer, for the docs."""
    better: Better
    range: tuple[float, float] | None = SHARE_RANGE
    """Its smallest and largest value; None: it has no limits."""
    is_compared: bool = False
    """Whether trials are compared on it."""
    is_complete: bool = True
    """Whether every answer that it applies to has a value, so that an absent value is a missing one."""
    margin: float | None = None
    """Smallest difference that matters; None: the run's margin for a share, and none for anything else."""
    unit: str = ""
    """What it counts, such as ``tokens``; an empty text: nothing that has a name."""

    @property
    def is_share(self) -> bool:
        """Whether it lies between 0 and 1, so that pages show it in per cent."""
        return self.range == SHARE_RANGE


METRICS = (
    Metric(
        "correct",
        "Correct",
        "1 if the answer is right, else 0; for unanswerable items, 1 if it abstains.",
        Better.HIGHER,
        is_compared=True,
    ),
    Metric(
        "f1",
        "F1",
        "Share of words in common with the best accepted answer; for unanswerable items, as `correct`.",
        Better.HIGHER,
        is_compared=True,
    ),
    Metric(
        "abstained",
        "Abstained",
        "1 if the whole answer is an abstention phrase, or empty where the scorer says so.",
        Better.NONE,
    ),
    Metric(
        "false_answer",
        "False answers",
        "For unanswerable items, 1 if the answer does not abstain.",
        Better.LOWER,
        is_compared=True,
    ),
    Metric(
        "unsupported",
        "Unsupported",
        "1 if too many of the answer's words are not in the item's context; none without a context or if the "
        "answer abstains.",
        Better.LOWER,
        is_complete=False,
    ),
    Metric(
        "unread",
        "Unread",
        "1 if there is a text but no answer could be read in it, 0 if one was read; none without a text.",
        Better.LOWER,
        is_complete=False,
    ),
)

USAGE = (
    Metric(
        "output_tokens",
        "Output tokens",
        "Tokens of the answer, as the provider counted them.",
        Better.NONE,
        range=None,
        is_compared=True,
        unit="tokens",
    ),
    Metric(
        "characters",
        "Characters",
        "Characters of the answer.",
        Better.NONE,
        range=None,
        is_compared=True,
        unit="characters",
    ),
    Metric(
        "usd_per_answer",
        "Cost per answer",
        "Dollars for the request, all attempts at it together.",
        Better.LOWER,
        range=None,
        is_compared=True,
        unit="USD",
    ),
)
"""What every trial has without a scorer."""

BY_NAME = {metric.name: metric for metric in (*METRICS, *USAGE)}
NAMES = tuple(metric.name for metric in METRICS)
"""Every metric of a scorer, in the order in which tables show them."""

COMPARED = tuple(metric.name for metric in METRICS if metric.is_compared)
"""Metrics on which trials are compared."""

COMPLETE = tuple(metric.name for metric in METRICS if metric.is_complete)
"""Metrics whose missing values can be bounded."""


def heading(name: str) -> str:
    """
    Return what reports call a metric; an unknown one keeps its own name.

    Examples
    --------
    >>> heading("f1"), heading("words")
    ('F1', 'words')
    """
    return BY_NAME[name].heading if name in BY_NAME else name


def higher_is_better(name: str) -> bool:
    """Say whether higher is better; for an unknown metric it is."""
    return name not in BY_NAME or BY_NAME[name].better is not Better.LOWER


def margin_of(metric: Metric, margin: float | None) -> float | None:
    """Give the smallest difference in a metric that matters, if the run's is `margin`."""
    return metric.margin if metric.margin is not None or not metric.is_share else margin


def describe_metric(metric: Metric) -> dict[str, Any]:
    """
    Say how a number of this metric is read, for the files that hold one.

    Examples
    --------
    >>> describe_metric(BY_NAME["false_answer"])
    {'better': 'lower', 'is_share': True, 'unit': ''}
    """
    return {"better": metric.better.value, "is_share": metric.is_share, "unit": metric.unit}
