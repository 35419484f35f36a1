"""Items are read from JSONL, CSV and Parquet alike, and a row that is wrong is named with its line."""

import datetime
import decimal
import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts.errors import DataError
from scripts.experiment.datasets import make_item, read_items, read_prepared
from scripts.prepare import prepare_dataset

GOOD = '{"id": "a", "question": "q", "answers": ["x"]}\n'


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def message(path: Path) -> str:
    """Say what prepare says of a dataset, and check that it leaves nothing behind."""
    out = path.parent / "out" / "quiz.parquet"
    with pytest.raises(DataError) as caught:
        prepare_dataset(path, limit=None, out=out)
    assert list(out.parent.iterdir()) == []
    return str(caught.value)


def row(**fields: Any) -> str:
    return json.dumps({"id": "a", "question": "q", "answers": ["x"], **fields}) + "\n"


WRONG_LINES = {
    "": "quiz.jsonl: holds no items",
    "\n \n": "quiz.jsonl: holds no items",
    GOOD + GOOD: "quiz.jsonl, line 2: duplicate id 'a' (first used in line 1)",
    GOOD + "\n{bad\n": "quiz.jsonl, line 3: is not valid JSON (Expecting property name",
    GOOD + "[1]\n": "quiz.jsonl, line 2: is not a JSON object but '[1]'",
    GOOD + "null\n": "quiz.jsonl, line 2: is not a JSON object but 'null'",
    '{"id": NaN}': "quiz.jsonl, line 1: is not valid JSON (NaN is not JSON; write null)",
    "{}": "the field 'id' is missing or empty\n  Fields seen: none.",
    row(id=""): "the field 'id' is missing or empty\n  Fields seen: answers, id, question.",
    row(id=1) + row(id="1"): "line 2: duplicate id '1'",
    row(id=True): "the id is true or false, not a text or whole number",
    row(id=1.5): "the id is a number, not a text or whole number",
    row(id="x" * 513): "the id has 513 characters\n  Use at most 512.",
    row(id="\ud800"): "the field 'id' holds half of a surrogate pair",
    row(question=" "): "the field 'question' is missing or empty",
    row(question=5): "the field 'question' is or holds a number, not a text",
    row(question="\ud800"): "the field 'question' holds half of a surrogate pair",
    row(answers="x"): "the field 'answers' is a text, not a list",
    row(answers=None): "the field 'answers' is missing or null\n  List the accepted answers; an empty list",
    row(answers=[None]): "the field 'answers' is or holds null, not a text",
    row(answers=[["x"]]): "the field 'answers' is or holds a list, not a text",
    row(answers=["x", " "]): "the field 'answers' holds an empty text",
    row(is_unanswerable="yes"): "is_unanswerable is 'yes'\n  Write true or false.",
    row(context=["x"]): "the field 'context' is or holds a list, not a text",
    row(choices={"A": 1}): "the field 'choices' is an object, not a list",
    row(cluster=["x"]): "the field 'cluster' is a list, not a text",
    row(topic="\ud800"): "the field 'topic' holds half of a surrogate pair",
    row(topic={"\ud800": 1}): "the field 'topic' holds half of a surrogate pair",
    '{"id": ' + "1" * 5000 + "}": "quiz.jsonl, line 1: is not valid JSON",
    row(topic=0).replace("0", "[" * 50_000 + "]" * 50_000): "quiz.jsonl, line 1: is not valid JSON",
}


@pytest.mark.parametrize("content", WRONG_LINES, ids=range(len(WRONG_LINES)))
def test_a_wrong_line_is_named(tmp_path: Path, content: str) -> None:
    said = message(write(tmp_path / "quiz.jsonl", content))
    assert WRONG_LINES[content] in said
    assert len(said) < 600


def test_bytes_that_are_no_utf8_are_named_with_their_place(tmp_path: Path) -> None:
    path = write(tmp_path / "quiz.jsonl", GOOD.encode() + b'{"id": "b\xe9"}\n')
    assert "quiz.jsonl, line 2: is not UTF-8 (byte 0xe9 at position 9)" in message(path)
    utf16 = write(tmp_path / "quiz.jsonl", b"\xff\xfe" + GOOD.encode("utf-16-le"))
    assert "quiz.jsonl, line 1: is not UTF-8 (byte 0xff at position 0)" in message(utf16)


def test_a_line_of_ten_megabytes_is_refused_and_one_of_one_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "quiz.jsonl", GOOD + row(id="b", context="x" * 10_000_000))
    assert "quiz.jsonl, line 2: is longer than 8 MB" in message(path)
    path = write(tmp_path / "quiz.jsonl", row(context="x" * 1_000_000))
    assert [len(item.context or "") for item in read_items(path)] == [1_000_000]


WRONG_CELLS: dict[str | bytes, str] = {
    "": "quiz.csv: holds no items",
    "id,question,answers\n": "quiz.csv: holds no items",
    "id,question,answers\n1,q\n": "quiz.csv, line 2: has more or fewer cells than the header",
    "id,question,answers\n1,q,x,y\n": "quiz.csv, line 2: has more or fewer cells than the header",
    "id,id,question,answers\n1,2,q,x\n": "quiz.csv, line 1: duplicate column 'id'",
    'id,question,answers\n1,q,"[x"\n': "quiz.csv, line 2: the cell 'answers' is not a JSON list",
    'id,question,answers\n1,q,"x\n': "quiz.csv: is not a CSV file in UTF-8 (unexpected end of data)",
    "id;question;answers\n1;q;x\n": "quiz.csv, line 1: the cells of the header are separated by semicolons",
    "id,question,answers,is_unanswerable\n1,q,,maybe\n": "quiz.csv, line 2: is_unanswerable is 'maybe'",
    b"id,question,answers\n1,\xe9,x\n": "quiz.csv: is not a CSV file in UTF-8",
}


@pytest.mark.parametrize("content", WRONG_CELLS, ids=range(len(WRONG_CELLS)))
def test_a_wrong_cell_is_named(tmp_path: Path, content: str | bytes) -> None:
    assert WRONG_CELLS[content] in message(write(tmp_path / "quiz.csv", content))


@pytest.mark.parametrize("name", ["quiz.txt", "quiz", "quiz.json"])
def test_a_file_of_another_kind_is_refused_with_the_kinds_there_are(tmp_path: Path, name: str) -> None:
    said = message(write(tmp_path / name, GOOD))
    assert "Save it as one of .jsonl, .ndjson, .csv, .parquet." in said


def parquet(path: Path, **columns: Any) -> Path:
    base = {"id": ["a"], "question": ["q"], "answers": [["x"]]}
    pq.write_table(pa.table({**base, **columns}), path)
    return path


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"answers": ["x"]}, "row 1: the field 'answers' is a text, not a list"),
        ({"answers": [5]}, "row 1: the field 'answers' is a number, not a list"),
        ({"answers": [[["x"]]]}, "row 1: the field 'answers' is or holds a list, not a text"),
        ({"answers": [None]}, "row 1: the field 'answers' is missing or null"),
        ({"id": [1.0]}, "row 1: the id is a number, not a text or whole number"),
        ({"question": [None]}, "row 1: the field 'question' is missing or empty"),
        ({"id": ["a", "a"], "question": ["q"] * 2, "answers": [[]] * 2}, "row 2: duplicate id 'a'"),
    ],
)
def test_a_wrong_row_of_parquet_is_named(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    assert f"quiz.parquet, {said}" in message(parquet(tmp_path / "quiz.parquet", **columns))


@pytest.mark.parametrize("content", [b"", b"PAR1xxxxPAR1", GOOD.encode()])
def test_a_broken_parquet_file_says_so(tmp_path: Path, content: bytes) -> None:
    assert "quiz.parquet: is not a Parquet file" in message(write(tmp_path / "quiz.parquet", content))


def test_the_three_formats_give_the_same_items(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "question": "q, one", "answers": ["x", "y"], "choices": ["x", "z"], "topic": "t"},
        {"id": "2", "question": "q\ntwo", "answers": [], "choices": [], "topic": "u"},
    ]
    jsonl = write(tmp_path / "a.jsonl", "\ufeff" + "".join(json.dumps(row) + "\r\n" for row in rows))
    table = (
        '\ufeffid,question,answers,choices,topic\r\n1,"q, one",x|y,"[""x"", ""z""]",t\r\n2,"q\ntwo",,,u\r\n'
    )
    csv = write(tmp_path / "a.csv", table)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    first, *others = (list(read_items(path)) for path in (jsonl, csv, tmp_path / "a.parquet"))
    assert [item.is_unanswerable for item in first] == [False, True]
    assert all(other == first for other in others)


@pytest.mark.parametrize(
    ("fields", "answers", "is_unanswerable"),
    [
        ({"answers": []}, (), True),
        ({"answers": ["x"], "is_unanswerable": True}, (), True),
        ({"is_unanswerable": True}, (), True),
        ({"answers": [4, 2.5], "is_unanswerable": None}, ("4", "2.5"), False),
    ],
)
def test_an_item_without_answers_is_unanswerable(
    fields: dict[str, Any], answers: tuple[str, ...], is_unanswerable: bool
) -> None:
    item = make_item({"id": 1, "question": "q", **fields}, "here")
    assert (item.id, item.answers, item.is_unanswerable) == ("1", answers, is_unanswerable)


def test_odd_types_of_parquet_become_what_json_can_hold(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "quiz.parquet",
        id=[7],
        answers=[[4]],
        when=[datetime.date(2025, 1, 2)],
        share=[decimal.Decimal("1.5")],
        gap=[math.nan],
        deep=[{"a": [1]}],
        blob=[b"\xff"],
    )
    (item,) = read_items(path)
    assert (item.id, item.answers) == ("7", ("4",))
    assert item.fields["when"] == "2025-01-02"
    assert item.fields["share"] == "1.5"
    assert item.fields["deep"] == {"a": [1]}
    assert math.isnan(item.fields["gap"])


def test_a_field_may_have_any_name(tmp_path: Path) -> None:
    path = write(tmp_path / "quiz.jsonl", row(**{"my field!": 1, "self": 2, "": 3, "class": "x"}))
    prepare_dataset(path, limit=None, out=tmp_path / "quiz.parquet")
    (item,) = read_prepared(tmp_path / "quiz.parquet")
    assert item.fields == {"my field!": 1, "self": 2, "": 3, "class": "x"}
