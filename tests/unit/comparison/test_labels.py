"""Figures of classifications."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.analysis.classification import classify, compare_macro_f1
from scripts.comparison.labels import compare_labels, describe_labels, labelled_datasets
from scripts.experiment.datasets import item_row, prepared_schema
from scripts.records import Item
from scripts.scorers import build_scorer
from scripts.scorers.several import build_several

GOLD = ["spam", "ham"] * 10
SCORER = build_scorer({"name": "label", "labels": ["spam", "ham"]})


@pytest.fixture
def dataset(tmp_path: Path):
    items = [Item(f"q{n}", "?", (label.upper(),)) for n, label in enumerate(GOLD)]
    path = tmp_path / "mail.parquet"
    pq.write_table(pa.Table.from_pylist([item_row(item) for item in items], schema=prepared_schema()), path)
    (found,) = labelled_datasets({"mail": SCORER}, [path])
    assert labelled_datasets({"mail": build_scorer("numeric")}, [path]) == []
    (several,) = labelled_datasets(
        {"mail": build_several([{"name": "label", "labels": ["spam", "ham"]}], {})}, [path]
    )
    assert several == found
    return found


def scores(predicted):
    rows = [
        ("mail", f"q{n}", 0, text, None if text is None else float(text == gold), 0.0)
        for n, (text, gold) in enumerate(zip(predicted, GOLD, strict=True))
    ]
    return pd.DataFrame(rows, columns=["dataset", "item_id", "replicate", "read", "correct", "unread"])


def test_a_trial_has_the_figures_of_its_predictions(dataset) -> None:
    predicted = ["spam"] * 12 + ["ham"] * 6 + ["junk", None]

    found = describe_labels(scores(predicted), dataset)

    expected = classify(GOLD, predicted, labels=["spam", "ham"])
    assert found is not None
    assert (found["macro_f1"], found["n_outside"], found["n_unread"]) == (expected.macro_f1, 1, 1)
    assert found["confusion"] == expected.confusion


def test_the_labels_are_written_as_the_configuration_writes_them(dataset) -> None:
    assert set(dataset.gold.values()) == {"spam", "ham"}


def test_two_trials_are_compared_by_their_macro_f1(dataset) -> None:
    trial, baseline = [*GOLD[:18], "spam", "spam"], ["spam"] * 14 + GOLD[14:]
    clusters = pd.Series(range(20), index=pd.MultiIndex.from_tuples([("mail", f"q{n}") for n in range(20)]))

    found = compare_labels(scores(trial), scores(baseline), dataset, clusters, confidence_level=0.95)

    expected = compare_macro_f1(GOLD, trial, baseline)
    assert found is not None
    assert (found["metric"], found["dataset"], found["n_pairs"]) == ("macro_f1", "mail", 20)
    assert (found["difference"], found["low"], found["p_value"]) == (
        expected.difference,
        expected.low,
        expected.p_value,
    )


def test_nothing_predicted_has_no_figures(dataset) -> None:
    nothing = scores([None] * 20)
    clusters = pd.Series(range(20), index=pd.MultiIndex.from_tuples([("mail", f"q{n}") for n in range(20)]))
    assert describe_labels(nothing, dataset) is None
    assert compare_labels(nothing, scores(GOLD), dataset, clusters, confidence_level=0.95) is None


def test_a_text_without_a_label_is_a_wrong_prediction_and_no_text_is_none(dataset) -> None:
    frame = scores([*GOLD[:18], None, None])
    frame.loc[18, "unread"] = 1.0
    frame.loc[19, "unread"] = float("nan")

    found = describe_labels(frame, dataset)

    assert found is not None
    assert (found["n"], found["n_outside"], found["n_unread"]) == (19, 1, 1)
    assert found["accuracy"] == 18 / 19
