"""The scorer that asks a user's function."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from scripts.comparison.metrics import Better, Metric
from scripts.records import Item
from scripts.scorers import build_scorer
from scripts.scorers.base import NO_TEXT, UNREAD, Score
from scripts.scorers.python import PythonScorer

ITEM = Item("q1", "Which city?", ("Paris",))
UNANSWERABLE = Item("q2", "Which city?", ())


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A user's module in the working directory, which is not on the path."""
    name = f"user_scorer_of_{tmp_path.name.replace('-', '_')}"
    source = "def give(text, item):\n    return item.fields['give']\n\nNUMBER = 3\n"
    (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    (tmp_path / f"{name}_broken.py").write_text("import no_such_module_anywhere\n", encoding="utf-8")
    (tmp_path / "colorsys.py").write_text("raise RuntimeError('shadowed')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    return name


def give(module: str, value: object, *, text: str = "Paris", answers: tuple[str, ...] = ("Paris",)) -> Score:
    item = Item("q1", "Which city?", answers, fields={"give": value})
    return PythonScorer(f"{module}:give").score(text, item)


@pytest.mark.parametrize(
    ("value", "correct", "f1"),
    [
        (True, 1.0, math.nan),
        (0, 0.0, math.nan),
        (0.25, 0.25, math.nan),
        (Fraction(1, 2), 0.5, math.nan),
        ({"correct": 1, "f1": 0.5}, 1.0, 0.5),
        ({"f1": 0.5}, math.nan, 0.5),  # not said is not 0
        ({}, math.nan, math.nan),
    ],
)
def test_a_function_may_give_correct_or_any_metrics(
    module: str, value: object, correct: float, f1: float
) -> None:
    assert give(module, value) == Score(correct, f1, 0.0, math.nan, math.nan, 0.0, "Paris")


def test_a_score_is_taken_as_it_is(module: str) -> None:
    score = Score(True, math.nan, 1, math.nan, 0.5, 0.0, "par")
    assert give(module, score) == score
    assert give(module, Score(0.0)) == Score(0.0, unread=0.0, read="Paris")
    assert give(module, Score(math.nan, unread=1.0)) == UNREAD
    assert type(give(module, score).correct) is float


def test_abstention_is_filled_in_where_nothing_is_said_of_it(module: str) -> None:
    assert give(module, False, text="I don't know").abstained == 1.0
    assert give(module, {"abstained": 0}, text="I don't know").abstained == 0.0
    assert give(module, True, text="unknown", answers=()) == Score(
        1.0, math.nan, 1.0, 0.0, math.nan, 0.0, "unknown"
    )
    assert give(module, False, text="Rome", answers=()) == Score(
        0.0, math.nan, 0.0, 1.0, math.nan, 0.0, "Rome"
    )


def test_a_function_gets_thoughts_but_no_reply_that_is_nothing_else(module: str) -> None:
    reply = "<think>Rome?</think>I don't know"
    score = give(module, False, text=reply)
    assert (score.read, score.abstained) == (reply, 1.0)
    assert give(module, "not asked", text="<think>Rome?</think>") == NO_TEXT
    assert give(module, "not asked", text=" ") == NO_TEXT


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "gave None as correct, but it must be a bool or a number"),
        ("1", "gave '1' as correct"),
        (1.5, r"gave 1\.5 as correct, but it must be in \[0, 1\]"),
        (10**400, "gave 1000"),
        (math.nan, "gave nan as correct"),
        (math.inf, "gave inf as correct"),
        ({"f1": math.nan}, "gave nan as f1"),
        ({"accuracy": 1.0}, "gave 'accuracy'; the metrics are correct, f1, abstained"),
        ({"correct": "yes"}, "gave 'yes' as correct"),
        (Score(2.0), r"gave 2\.0 as correct"),
    ],
)
def test_what_is_no_score_is_reported(module: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=rf"scorer python:{module}:give, item 'q1': {message}"):
        give(module, value)


def test_the_working_directory_shadows_no_installed_module(module: str) -> None:
    PythonScorer(f"{module}:give")
    assert sys.path[-1] == ""
    assert PythonScorer("colorsys:rgb_to_hsv").function == "colorsys:rgb_to_hsv"


def test_the_path_stays_as_it_is_when_the_module_is_found_without() -> None:
    before = list(sys.path)
    PythonScorer("operator:is_")
    assert sys.path == before


@pytest.mark.parametrize(
    "function", ["", "module", "module:", ":function", "a b:c", "a:b.c", "a..b:c", "../a:b"]
)
def test_anything_but_a_module_and_a_function_is_reported(function: str) -> None:
    with pytest.raises(ValueError, match="write it as module:function"):
        PythonScorer(function)


def test_a_module_or_function_that_is_not_there_is_reported(module: str) -> None:
    with pytest.raises(ValueError, match=r"no module 'no_such_module\.at_all'"):
        PythonScorer("no_such_module.at_all:f")
    with pytest.raises(ValueError, match=r"has no function 'giv' \(did you mean 'give'\?\)"):
        PythonScorer(f"{module}:giv")
    with pytest.raises(ValueError, match="has no function 'NUMBER'"):
        PythonScorer(f"{module}:NUMBER")


def test_a_module_whose_own_imports_fail_keeps_its_traceback(module: str) -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        PythonScorer(f"{module}_broken:give")


@pytest.mark.parametrize(
    "form", ["python:{}", "python: {}", {"python": "{}"}, {"name": "python", "function": "{}"}]
)
def test_a_function_can_be_named_in_every_form(module: str, form: str | dict[str, str]) -> None:
    function = f"{module}:give"
    spec = (
        form.format(function)
        if isinstance(form, str)
        else {key: value.format(function) for key, value in form.items()}
    )
    assert build_scorer(spec) == PythonScorer(function)


WORDS = Metric("words", "Words", "Number of words.", Better.LOWER, range=(0.0, 100.0), margin=2.0)
DRIFT = Metric("drift", "Drift", "How far it drifts.", Better.NONE, range=None)
DECLARED = {"words": WORDS, "drift": DRIFT}


def give_declared(module: str, value: object) -> Score:
    item = Item("q1", "Which city?", ("Paris",), fields={"give": value})
    return PythonScorer(f"{module}:give", declared=DECLARED).score("Paris", item)


def test_a_function_may_give_metrics_that_are_declared(module: str) -> None:
    score = give_declared(module, {"correct": True, "words": 12, "drift": -0.5})
    assert (score.correct, dict(score.more)) == (1.0, {"words": 12.0, "drift": -0.5})
    assert dict(give_declared(module, True).more) == {}
    score = give_declared(module, Score(1.0, more={"words": 100}))
    assert (score.correct, dict(score.more)) == (1.0, {"words": 100.0})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"words": 101}, r"gave 101 as words, but it must be in \[0, 100\]"),
        ({"words": "many"}, r"gave 'many' as words, but it must be in \[0, 100\]"),
        ({"words": math.nan}, r"gave nan as words, but it must be in \[0, 100\]"),
        ({"drift": math.inf}, "gave inf as drift, but it must be a number"),
        ({"drift": None}, "gave None as drift, but it must be a number"),
        (
            {"letters": 3},
            "gave 'letters'; the metrics are correct, f1, .*, words, drift; declare others under `metr",
        ),
        (Score(1.0, more={"letters": 3}), "gave 'letters'; the metrics are correct"),
        (Score(1.0, more={"words": -1}), r"gave -1 as words, but it must be in \[0, 100\]"),
    ],
)
def test_a_declared_metric_is_checked(module: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=rf"scorer python:{module}:give, item 'q1': {message}"):
        give_declared(module, value)


def test_only_a_function_of_ones_own_is_told_what_is_declared(module: str) -> None:
    built = build_scorer(f"python: {module}:give", DECLARED)
    assert built == PythonScorer(f"{module}:give", declared=DECLARED)
    assert build_scorer("exact", DECLARED) == build_scorer("exact")
    with pytest.raises(ValueError, match="unknown option 'declared'"):
        build_scorer({"python": f"{module}:give", "declared": {}}, DECLARED)
