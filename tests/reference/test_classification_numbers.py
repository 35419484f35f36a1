"""
Figures of classifications against scikit-learn's.

The answers of two prompts to eight tasks of BIG-Bench Hard, and the verdicts of two judges on PandaLM's
pairs; the reference figures were made with scikit-learn 1.9.1 over the gold labels.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.analysis.classification import Classification, classify, compare_macro_f1

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
BBH, PANDALM = DATA / "classification-bbh", DATA / "pairwise-pandalm"
pytestmark = pytest.mark.skipif(
    not (BBH.is_dir() and PANDALM.is_dir()), reason="the recorded answers are not there"
)

TASKS = (
    "boolean_expressions",
    "causal_judgement",
    "disambiguation_qa",
    "formal_fallacies",
    "navigate",
    "salient_translation_error_detection",
    "sports_understanding",
    "web_of_lies",
)


def read(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / "items.jsonl").read_text("utf-8").splitlines()]
    return rows, json.loads((folder / "reference.json").read_text("utf-8"))


def assert_equal(figures: Classification, expected: dict[str, Any]) -> None:
    assert figures.n == expected["n"]
    assert figures.n_outside == expected["outside_label_set"]
    for name, value in (
        ("accuracy", figures.accuracy),
        ("balanced_accuracy", figures.balanced_accuracy),
        ("kappa", figures.kappa),
        ("mcc", figures.mcc),
        ("macro_f1_over_gold_labels", figures.macro_f1),
        ("macro_precision", figures.macro_precision),
        ("macro_recall", figures.balanced_accuracy),
        ("weighted_f1", figures.weighted_f1),
    ):
        assert value == pytest.approx(expected[name], abs=1e-6), name
    for label, of_label in expected["per_class"].items():
        found = figures.per_class[label]
        for name in ("precision", "recall", "f1", "support"):
            assert getattr(found, name) == pytest.approx(of_label[name], abs=1e-6), (label, name)
    assert_same_confusion(figures, expected["confusion"])


def assert_same_confusion(figures: Classification, expected: dict[str, Any]) -> None:
    labels, rows = expected["labels"], expected["rows_gold_cols_predicted"]
    for label, ours in zip(figures.labels, figures.confusion, strict=True):
        theirs = dict(zip(labels, rows[labels.index(label)], strict=True))
        assert [theirs.pop(one) for one in figures.labels] == list(ours[:-1])
        assert sum(theirs.values()) == ours[-1]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("system", ["direct", "cot"])
def test_the_figures_of_big_bench_hard(task: str, system: str) -> None:
    rows, reference = read(BBH)
    rows = [row for row in rows if row["task"] == task]
    figures = classify([row["gold"] for row in rows], [row[system] for row in rows])
    assert_equal(figures, reference[task][system])
    assert 100 * figures.accuracy == pytest.approx(reference[task]["published_accuracy"][system], abs=1e-5)


@pytest.mark.parametrize(("judge", "macro_f1"), [("gpt35", 0.527419), ("pandalm7b", 0.574305)])
def test_the_figures_of_pandalm(judge: str, macro_f1: float) -> None:
    rows, reference = read(PANDALM)
    figures = classify([row["human"] for row in rows], [row[judge] for row in rows], labels=("A", "B", "tie"))
    assert_equal(figures, reference["systems"][judge])
    assert figures.macro_f1 == pytest.approx(macro_f1, abs=1e-6)  # not 0.3956, with "unparsed" as a label


def test_two_judges_are_compared_by_the_clusters_of_their_tasks() -> None:
    rows, reference = read(PANDALM)
    gold, one, other = ([row[name] for row in rows] for name in ("human", "pandalm7b", "gpt35"))
    found = compare_macro_f1(gold, one, other, clusters=[row["cluster"] for row in rows])
    systems = reference["systems"]
    expected = tuple(systems[name]["macro_f1_over_gold_labels"] for name in ("pandalm7b", "gpt35"))
    assert (found.trial, found.baseline) == pytest.approx(expected, abs=1e-6)
    assert found.n_clusters == len({row["cluster"] for row in rows})
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.difference < found.high
