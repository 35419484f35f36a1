"""A dataset as the phase prepare writes it."""

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.experiment.datasets import read_items, read_prepared
from scripts.prepare import prepare_dataset
from scripts.records import Item

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(lambda text: bool(text.strip()))


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def row(**fields: Any) -> str:
    return json.dumps({"id": "a", "question": "q", "answers": ["x"], **fields}) + "\n"


def test_limit_takes_the_first_items_and_reads_no_further(tmp_path: Path) -> None:
    path = write(tmp_path / "quiz.jsonl", row(id="a") + row(id="b") + row(id="c") + "{bad\n")
    assert [item.id for item in read_items(path, limit=2)] == ["a", "b"]
    assert prepare_dataset(path, limit=2, out=tmp_path / "out.parquet") == 2


@given(
    st.lists(
        st.builds(
            Item,
            id=TEXTS,
            question=TEXTS,
            answers=st.lists(TEXTS, min_size=1, max_size=3).map(tuple),
            context=st.none() | TEXTS,
            choices=st.lists(TEXTS, max_size=3).map(tuple),
            cluster=st.none() | TEXTS,
            fields=st.dictionaries(
                TEXTS.filter(lambda key: key not in {"id", "question", "answers", "context", "choices"}),
                st.none() | st.booleans() | st.integers() | TEXTS | st.lists(TEXTS, max_size=2),
                max_size=3,
            ),
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda item: item.id,
    )
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_items_survive_prepare_in_their_order(tmp_path: Path, items: list[Item]) -> None:
    own = [
        {**item.fields, **{k: getattr(item, k) for k in ("id", "question", "answers", "context")}}
        for item in items
    ]
    more = [{"choices": item.choices, "cluster": item.cluster} for item in items]
    lines = [json.dumps({**one, **two}) + "\n" for one, two in zip(own, more, strict=True)]
    path = write(tmp_path / "quiz.jsonl", "".join(lines))
    prepare_dataset(path, limit=None, out=tmp_path / "quiz.parquet")
    assert list(read_prepared(tmp_path / "quiz.parquet")) == items
