"""Scorers by name, their options, and how they take hostile replies."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from typing import Any

import pytest

from scripts.comparison.metrics import NAMES
from scripts.records import Item
from scripts.scorers import SCORERS, build_scorer, scorer_names
from scripts.scorers.multiple_choice import MultipleChoice
from scripts.scorers.numeric import Numeric
from scripts.scorers.regex import Regex
from scripts.scorers.short_answer import ShortAnswer

ITEM = Item("q1", "How many?", ("7", "A"), context="Seven, 7, VII.", choices=("7", "8"))
BUILT = [
    build_scorer(spec)
    for spec in (
        "short_answer",
        "numeric",
        "multiple_choice",
        "python:operator:is_not",
        "exact",
        "contains",
        {"name": "label", "labels": ["7", "A"]},
    )
]
HOSTILE = [
    "\x00" * 10**6,
    "\ud800" * 10**6,
    "\u202e\u200f" * 500_000,
    "1" * 10**6,
    ",234" * 250_000,
    "1 " * 500_000,
    "A: " * 300_000,
    "1/" * 500_000,
    "answer is " * 100_000,
    "answer is A and " * 60_000,
    "boxed{" * 160_000,
    "A: 1" + "=" * 10**6,
    "the " * 250_000,
    "\n" * 10**6,
    "-" * 10**6,
    "<think>" * 150_000,
    "</think>" * 130_000,
    "<think>a</think>" * 60_000,
    "<" * 10**6,
    "</s>" * 250_000,
    "a</s>" * 200_000,
    "<|channel|>analysis" * 50_000,
    "\\boxed{" * 150_000,
    "\\boxed{\\text{" * 60_000 + "}" * 120_000,
    "<answer>" * 120_000,
    "{" * 10**6,
    '{"a":' * 200_000,
    "{}" * 500_000,
    '{"answer": "' * 80_000,
    '"answer": 1 {' * 80_000,
    "```\n" * 250_000,
    "Final answer: " * 70_000,
    "the answer to a b c d e " * 40_000,
    "final answer\n" * 70_000,
    "答案是" * 300_000,
    "#### " * 200_000,
    "**" * 500_000,
    "A) \n" * 250_000,
    "B is correct. " * 70_000,
    "so it is B " * 90_000,
    "A or B " * 140_000,
    "x. " * 300_000,
]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("short_answer", ShortAnswer()),
        ({"name": "short_answer"}, ShortAnswer()),
        ({"name": "short_answer", "unsupported_threshold": 1}, ShortAnswer(unsupported_threshold=1.0)),
        ({"name": "numeric", "tolerance": 1e-3, "markers": ["=>"]}, Numeric(1e-3, markers=("=>",))),
        ({"name": "multiple_choice", "abstention_phrases": []}, MultipleChoice(abstention_phrases=())),
        ({"name": "regex", "pattern": "(x)"}, Regex("(x)")),
        ({"name": "multiple_choice", "answer_index": True}, MultipleChoice(answer_index=True)),
        ({"name": "numeric", "drop_thoughts": False}, Numeric(drop_thoughts=False)),
    ],
)
def test_a_scorer_is_built_from_its_name_and_options(spec: str | dict[str, Any], expected: object) -> None:
    assert build_scorer(spec) == expected


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "numerics",
            f"unknown scorer 'numerics' (did you mean 'numeric'?); allowed: {', '.join(scorer_names())}",
        ),
        ("zzz", "unknown scorer 'zzz'; allowed: contains, exact, "),
        ("", "unknown scorer ''; allowed"),
        (None, "a scorer is a name or a mapping with a name, not None"),
        (["numeric"], "a scorer is a name or a mapping with a name, not ['numeric']"),
        ({"tolerance": 1}, "a scorer needs a name, not None; allowed: contains, exact, "),
        (
            {"name": "numeric", "tolerence": 1},
            "scorer 'numeric': unknown option 'tolerence' (did you mean 'tolerance'?); "
            "allowed: abstention_phrases, answer_keys, answer_tags, ",
        ),
        ({"name": "numeric", "tolerance": "0.1"}, "the option 'tolerance' must be a number, not '0.1'"),
        ({"name": "numeric", "tolerance": True}, "the option 'tolerance' must be a number, not True"),
        ({"name": "numeric", "tolerance": -1}, "scorer 'numeric': tolerance is -1.0, but must be in [0, 1)"),
        ({"name": "numeric", "markers": "A:"}, "the option 'markers' must be a list of texts, not 'A:'"),
        ({"name": "numeric", "markers": ["A:", 3]}, "must be a list of texts, not ['A:', 3]"),
        ({"name": "numeric", "read_boxed": "no"}, "the option 'read_boxed' must be true or false, not 'no'"),
        ({"name": "numeric", "read_boxed": 0}, "the option 'read_boxed' must be true or false, not 0"),
        ({"name": "numeric", "empty": "wrong"}, "empty is 'wrong', but must be missing or abstained"),
        ({"name": "numeric", "answer_tags": [" "]}, "answer_tags contains a blank text"),
        ({"name": "regex", "pattern": "x", "markers": []}, "unknown option 'markers'"),
        ("regex", "scorer 'regex': the option 'pattern' is required"),
        ({"name": "regex", "pattern": 3}, "the option 'pattern' must be a text, not 3"),
        (
            {"name": "regex", "pattern": "(x"},
            "scorer 'regex': pattern '(x' is not a valid regular expression",
        ),
        ("python", "scorer 'python': the option 'function' is required"),
        ({"python": 3}, "the option 'function' must be a text, not 3"),
        ("numeric:x", "scorer 'numeric': unknown option 'function'"),
    ],
)
def test_a_mistake_is_reported_with_what_is_allowed(spec: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        build_scorer(spec)


def test_every_scorer_that_is_listed_can_be_imported() -> None:
    for name in scorer_names():
        module, _, class_name = SCORERS[name].partition(":")
        assert hasattr(sys.modules.get(module) or __import__(module, fromlist=["_"]), class_name)


def test_nothing_heavy_is_imported() -> None:
    modules = ", ".join(sorted({path.partition(":")[0] for path in SCORERS.values()}))
    code = f"import sys, {modules}; print(*{{'numpy', 'pandas', 'pyarrow', 'scipy'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_reply_gets_a_score(text: str) -> None:
    # A pattern that steps back over so long a text would take hours here, not milliseconds.
    for scorer in [*BUILT, Regex("(?i)answer is (.*)")]:
        score = scorer.score(text[:250_000], ITEM)
        assert score.correct in {0.0, 1.0} or (math.isnan(score.correct) and score.unread != 0.0)
        assert all(isinstance(getattr(score, name), float) for name in NAMES)
