"""Metrics that a configuration declares."""

from __future__ import annotations

import math
from typing import Any

import pytest

from scripts.comparison.metrics import Better
from scripts.scorers.declared_metrics import read_metrics


def test_a_metric_may_say_its_direction_range_and_margin() -> None:
    declared = {"words": {"better": "lower", "range": [0, 100], "margin": 2}, "tone_of_voice": None}
    words, tone = read_metrics(declared, source="mine:f")
    assert (words.name, words.better, words.range, words.margin) == ("words", Better.LOWER, (0.0, 100.0), 2.0)
    assert (tone.heading, tone.better, tone.range, tone.margin) == ("Tone of voice", Better.NONE, None, None)
    assert all(metric.is_compared and not metric.is_complete for metric in (words, tone))
    assert words.meaning == "As mine:f gives it."


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"Words": {}}, "metric 'Words': a name is of up to 40 lower-case letters"),
        ({"2b": {}}, "a name is of up to 40"),
        ({3: {}}, "metric 3: a name is of up to 40"),
        ({"x" * 41: {}}, "a name is of up to 40"),
        ({"correct": {}}, "metric 'correct': there is one of this name"),
        ({"output_tokens": {}}, "there is one of this name"),
        ({"dataset": {}}, "there is one of this name"),
        ({"words": "lower"}, "metric 'words': is 'lower', not a mapping of better, margin, range"),
        (
            {"words": {"bettr": "lower"}},
            r"unknown key 'bettr' \(did you mean 'better'\?\); allowed: better, margin",
        ),
        ({"words": {"better": "smaller"}}, "better is 'smaller'; allowed: higher, lower, none"),
        ({"words": {"better": ["higher"]}}, r"better is \['higher'\]; allowed"),
        ({"words": {"range": [0]}}, r"range is \[0\], but must be two numbers, as in \[0, 100\]"),
        ({"words": {"range": [0, math.inf]}}, "must be two numbers"),
        ({"words": {"range": [False, 1]}}, "must be two numbers"),
        ({"words": {"range": [1, 1]}}, "the first number must be the smaller one"),
        ({"words": {"margin": 0}}, "margin is 0, but must be a number above 0"),
        ({"words": {"margin": "2"}}, "margin is '2', but must be a number above 0"),
        ({"words": {"margin": math.nan}}, "must be a number above 0"),
    ],
)
def test_a_mistake_is_reported_with_what_is_allowed(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_metrics(declared, source="f")
