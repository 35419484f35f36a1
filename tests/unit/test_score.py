from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.comparison.metrics import NAMES
from scripts.errors import DataError
from scripts.experiment.datasets import PreparedItems
from scripts.parse import outcomes_schema
from scripts.prepare import prepare_dataset
from scripts.score import score_outcome, score_trial
from scripts.scorers import build_scorer
from tests.fakes.sending_fakes import make_settings

SCORER = build_scorer("short_answer")
ROWS = {
    "right": ("answered", "Answer 0", 1.0),
    "wrong": ("answered", "Answer 1", 0.0),
    "empty": ("answered", "", 0.0),
    "truncated but right": ("truncated", "answer 0", 1.0),
    "truncated": ("truncated", "it could be", 0.0),
    "truncated without text": ("truncated", None, None),
    "no text": ("answered", None, None),
    "errored": ("errored", None, None),
    "errored with a text": ("errored", "Answer 0", None),
    "expired": ("expired", None, None),
    "missing": ("missing", None, None),
    "refused without text": ("refused", None, None),
}


def item():
    from scripts.records import Item

    return Item("q0", "Question 0?", ("answer 0",))


@pytest.mark.parametrize("case", ROWS)
@pytest.mark.parametrize("scores_refusals", [True, False])
def test_an_outcome_is_scored_only_if_it_carries_an_answer(case, scores_refusals):
    outcome, text, correct = ROWS[case]
    score = score_outcome({"outcome": outcome, "text": text}, item(), SCORER, scores_refusals=scores_refusals)
    if correct is None:
        assert all(math.isnan(getattr(score, name)) for name in NAMES)
    else:
        assert score.correct == correct
        assert math.isnan(score.false_answer)


def test_a_refusal_is_scored_or_missing_as_configured():
    row = {"outcome": "refused", "text": "I cannot help with that."}
    assert score_outcome(row, item(), SCORER, scores_refusals=True).correct == 0.0
    assert math.isnan(score_outcome(row, item(), SCORER, scores_refusals=False).correct)


def write_outcomes(path: Path, rows):
    empty = dict.fromkeys(outcomes_schema().names)
    full = [{**empty, "dataset": "d", "replicate": 0, **row} for row in rows]
    pq.write_table(pa.Table.from_pylist(full, schema=outcomes_schema()), path)


@pytest.mark.parametrize(("refused", "expected"), [("scored", 0.0), ("missing", math.nan)])
def test_a_score_for_every_outcome_in_order(tmp_path, refused, expected):
    settings = make_settings(tmp_path, score={"refused": refused})
    prepare_dataset(tmp_path / "items.jsonl", limit=None, out=tmp_path / "d.parquet")
    rows = [
        {"item_id": "q1", "outcome": "answered", "text": "answer 1"},
        {"item_id": "q0", "outcome": "missing"},
        {"item_id": "q0", "outcome": "refused", "text": "no", "replicate": 1},
    ]
    write_outcomes(tmp_path / "outcomes.parquet", rows)
    out = tmp_path / "scores.parquet"
    score_trial(settings, tmp_path / "outcomes.parquet", [tmp_path / "d.parquet"], out=out)
    table = pq.read_table(out)
    assert table.column_names == ["dataset", "item_id", "replicate", "outcome", *NAMES, "request_key"]
    assert table["item_id"].to_pylist() == ["q1", "q0", "q0"]
    assert table["correct"].null_count == 0, "NaN, which every reader knows, rather than null"
    assert table["correct"].to_pylist() == pytest.approx([1.0, math.nan, expected], nan_ok=True)


def write_items(folder, n_items):
    make_settings(folder, n_items=n_items)
    prepare_dataset(folder / "items.jsonl", limit=None, out=folder / "d.parquet")
    return PreparedItems(folder / "d.parquet")


def test_items_are_found_in_any_order_and_again(tmp_path):
    items = write_items(tmp_path, 10)
    for ids in ({"q0", "q1"}, {"q1", "q2"}, {"q2"}, set(), {"q9"}, {"q8", "q0"}, {"q5"}):
        found = items.find(ids)
        assert {key: item.id for key, item in found.items()} == {key: key for key in ids}
        assert all(item.answers == (f"answer {key[1:]}",) for key, item in found.items())


def test_an_item_that_is_not_there_is_named_with_its_dataset(tmp_path):
    items = write_items(tmp_path, 3)
    with pytest.raises(DataError, match=r"no item 'q7'") as raised:
        items.find({"q1", "q7"})
    assert str(tmp_path / "d.parquet") in str(raised.value)
