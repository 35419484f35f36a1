"""Files of trials and of a dataset, from which questions are chosen for a page."""

from __future__ import annotations

import pytest

from scripts.reporting.question_selection import TrialFiles


@pytest.fixture
def write(tmp_path):
    """Write a trial's two files from rows of (item, replicate, outcome, correct, text)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def write_trial(name, rows):
        scores = [
            {"dataset": "d", "item_id": item, "replicate": replicate, "outcome": outcome, "correct": correct}
            | {"abstained": 1.0 if text == "unknown" else 0.0}
            for item, replicate, outcome, correct, text in rows
        ]
        outcomes = [
            {"dataset": "d", "item_id": item, "replicate": replicate, "outcome": outcome, "text": text}
            | {"finish_reason": None, "error_code": "500" if text is None else None, "error_message": None}
            for item, replicate, outcome, _, text in rows
        ]
        files = TrialFiles(tmp_path / f"{name}-scores.parquet", tmp_path / f"{name}-outcomes.parquet")
        pq.write_table(pa.Table.from_pylist(scores), files.scores)
        schema = pa.schema(
            [("dataset", "string"), ("item_id", "string"), ("replicate", "int64"), ("outcome", "string")]
            + [(column, "string") for column in ("text", "finish_reason", "error_code", "error_message")]
        )
        pq.write_table(pa.Table.from_pylist(outcomes, schema=schema), files.outcomes)
        return files

    return write_trial


@pytest.fixture
def datasets(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    items = [
        {"id": f"q{number:04}", "question": f"Question {number}?", "answers": [f"answer {number}"]}
        | {"is_unanswerable": False, "context": "c" * 10_000 if number == 1 else None, "choices": ["a", "b"]}
        for number in range(2000)
    ]
    pq.write_table(pa.Table.from_pylist(items), tmp_path / "d.parquet")
    return {"d": tmp_path / "d.parquet"}
