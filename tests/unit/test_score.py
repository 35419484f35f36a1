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
from scripts.records import Item
from scripts.score import MAX_READ, Policy, score_outcome, score_trial
from scripts.scorers import build_scorer
from scripts.scorers.base import NO_TEXT, UNREAD
from tests.fakes.sending_fakes import make_settings

SCORER = build_scorer("short_answer")
ROWS = {
    "right": ("answered", "Answer 0", 1.0),
    "wrong": ("answered", "Answer 1", 0.0),
    "empty": ("answered", "", None),
    "blank": ("answered", " \n", None),
    "only thoughts": ("answered", "<think>Answer 0</think>", None),
    "truncated but right": ("truncated", "answer 0", 1.0),
    "truncated": ("truncated", "it could be", 0.0),
    "truncated within its thoughts": ("truncated", "<think>Answer 0", None),
    "truncated and empty": ("truncated", "", None),
    "truncated without text": ("truncated", None, None),
    "no text": ("answered", None, None),
    "errored": ("errored", None, None),
    "errored with a text": ("errored", "Answer 0", None),
    "expired": ("expired", None, None),
    "missing": ("missing", None, None),
    "refused without text": ("refused", None, None),
}


def make_item(*answers):
    return Item("q0", "Question 0?", answers)


def outcome(text, outcome="answered", finish_reason=None):
    return {"outcome": outcome, "text": text, "finish_reason": finish_reason}


@pytest.mark.parametrize("case", ROWS)
@pytest.mark.parametrize("scores_refusals", [True, False])
def test_an_outcome_is_scored_only_if_it_carries_an_answer(case, scores_refusals):
    kind, text, correct = ROWS[case]
    score = score_outcome(outcome(text, kind), make_item("answer 0"), SCORER, Policy(scores_refusals))
    if correct is None:
        assert score == NO_TEXT
    else:
        assert (score.correct, score.unread, score.read) == (correct, 0.0, text)
        assert math.isnan(score.false_answer)


def test_a_refusal_is_scored_or_missing_as_configured():
    row = outcome("I cannot help with that.", "refused")
    assert score_outcome(row, make_item("answer 0"), SCORER, Policy(scores_refusals=True)).correct == 0.0
    assert score_outcome(row, make_item("answer 0"), SCORER, Policy(scores_refusals=False)) == NO_TEXT


ABSTAINING = {"name": "short_answer", "empty": "abstained"}
SQUAD = {"name": "short_answer", "squad": True}


@pytest.mark.parametrize(
    ("spec", "row", "abstains"),
    [
        ("short_answer", outcome(""), False),
        (ABSTAINING, outcome(""), True),
        (ABSTAINING, outcome(None), True),
        (ABSTAINING, outcome(" \n", finish_reason="stop"), True),
        (ABSTAINING, outcome("", finish_reason="end_turn"), True),
        (ABSTAINING, outcome("<think>Who could know?</think>", finish_reason="STOP"), True),
        (ABSTAINING, outcome("<think>Who could know?"), False),
        (ABSTAINING, outcome("", finish_reason="length"), False),
        (ABSTAINING, outcome("", finish_reason="tool_calls"), False),
        (ABSTAINING, outcome("", "truncated", "length"), False),
        (ABSTAINING, outcome("", "refused", "content_filter"), False),
        (ABSTAINING, outcome("", "missing"), False),
        (SQUAD, outcome(""), True),
        (SQUAD, outcome("", "truncated", "length"), False),
        ({**SQUAD, "empty": "missing"}, outcome(""), False),
        ({"name": "numeric", "empty": "abstained"}, outcome(""), True),
        ({"name": "regex", "pattern": "(x)", "empty": "abstained"}, outcome(""), True),
    ],
)
def test_an_empty_reply_abstains_only_if_it_ended_by_itself_and_its_scorer_says_so(spec, row, abstains):
    score = score_outcome(row, make_item(), build_scorer(spec))
    if abstains:
        assert (score.correct, score.abstained, score.false_answer, score.read) == (1.0, 1.0, 0.0, None)
        assert math.isnan(score.unread)
    else:
        assert score == NO_TEXT


@pytest.mark.parametrize(
    ("scorer", "text"), [("numeric", "Hm."), ("multiple_choice", "A city"), (SQUAD, "?")]
)
def test_what_cannot_be_read_has_no_score_unless_it_is_to_be_wrong(scorer, text):
    item = Item("q0", "How many?", ("1",), choices=("7", "1"))
    score = score_outcome(outcome(text), item, build_scorer(scorer))
    wrong = score_outcome(outcome(text), item, build_scorer(scorer), Policy(unread_is_wrong=True))
    assert wrong.correct == 0.0
    if scorer != SQUAD:  # which reads every text
        assert score == UNREAD
        assert (wrong.unread, wrong.read, wrong.abstained) == (1.0, None, 0.0)
        assert math.isnan(wrong.f1)


def test_an_unread_answer_that_is_wrong_has_no_f1_either():
    row, item = outcome("?!"), make_item("answer 0")
    assert score_outcome(row, item, SCORER) == UNREAD
    wrong = score_outcome(row, item, SCORER, Policy(unread_is_wrong=True))
    assert (wrong.correct, wrong.f1, wrong.unread) == (0.0, 0.0, 1.0)


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
    assert table.column_names == ["dataset", "item_id", "replicate", "outcome", "read", *NAMES, "request_key"]
    assert table["item_id"].to_pylist() == ["q1", "q0", "q0"]
    assert table["read"].to_pylist() == ["answer 1", None, "no" if refused == "scored" else None]
    assert table["correct"].null_count == 0, "NaN, which every reader knows, rather than null"
    assert table["correct"].to_pylist() == pytest.approx([1.0, math.nan, expected], nan_ok=True)


@pytest.mark.parametrize(("unread", "expected"), [("missing", math.nan), ("wrong", 0.0)])
def test_unread_answers_are_missing_or_wrong_as_configured(tmp_path, unread, expected):
    settings = make_settings(tmp_path, score={"unread": unread})
    prepare_dataset(tmp_path / "items.jsonl", limit=None, out=tmp_path / "d.parquet")
    rows = [{"item_id": "q0", "outcome": "answered", "text": text} for text in ("?!", "answer 0")]
    write_outcomes(tmp_path / "outcomes.parquet", rows)
    out = tmp_path / "scores.parquet"
    score_trial(settings, tmp_path / "outcomes.parquet", [tmp_path / "d.parquet"], out=out)
    table = pq.read_table(out)
    assert table["correct"].to_pylist() == pytest.approx([expected, 1.0], nan_ok=True)
    assert table["unread"].to_pylist() == [1.0, 0.0]
    assert table["read"].to_pylist() == [None, "answer 0"]


def test_what_is_kept_of_a_text_that_was_read_is_short_and_can_be_written(tmp_path):
    settings = make_settings(tmp_path)
    prepare_dataset(tmp_path / "items.jsonl", limit=None, out=tmp_path / "d.parquet")
    texts = ["long " * MAX_READ, '{"answer": "\\ud800!"}']
    rows = [{"item_id": "q0", "outcome": "answered", "text": text} for text in texts]
    write_outcomes(tmp_path / "outcomes.parquet", rows)
    out = tmp_path / "scores.parquet"
    score_trial(settings, tmp_path / "outcomes.parquet", [tmp_path / "d.parquet"], out=out)
    long, strange = pq.read_table(out)["read"].to_pylist()
    assert (len(long), long[-1], strange) == (MAX_READ, "\N{HORIZONTAL ELLIPSIS}", "\ufffd!")


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
