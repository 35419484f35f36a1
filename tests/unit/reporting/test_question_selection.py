"""Which questions a page shows: every kind, bounded, and the same each time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scripts.files import PROJECT_ROOT
from scripts.reporting.question_selection import select_questions
from tests.fakes.trial_files import NAN, answered_rows


def _select(write, rows, others, limit):
    return select_questions(write("t", rows).scores, baseline=write("b", others).scores, limit=limit)


def test_every_question_is_of_the_kinds_that_its_scores_say(write):
    rows = [
        ("gained", 0, "answered", 1.0, "a"),
        ("lost", 0, "truncated", 0.0, "a"),
        ("right", 0, "answered", 1.0, "a"),
        ("wrong", 0, "answered", 0.0, "unknown"),
        ("failed", 0, "errored", NAN, None),
        ("alone", 0, "answered", 1.0, "a"),
    ]
    others = [(item, 0, "answered", float(item not in ("gained", "wrong")), "b") for item, *_ in rows[:-1]]

    selection = _select(write, rows, [*others, ("elsewhere", 0, "answered", 1.0, "b")], 100)

    assert dict(zip((item for _, item, _ in selection.keys), selection.kinds, strict=True)) == {
        "gained": ("gained",),
        "lost": ("lost", "failed"),
        "right": ("both_right",),
        "wrong": ("both_wrong", "abstained"),
        "failed": ("unscored", "failed"),
        "alone": ("unscored",),
    }
    assert selection.totals == {
        "gained": 1,
        "lost": 1,
        "both_right": 1,
        "both_wrong": 1,
        "unscored": 2,
        "failed": 2,
        "abstained": 1,
    }
    assert selection.n_items == 6


def test_a_selection_has_every_kind_and_most_of_what_differs(write):
    rows = answered_rows([1.0] * 40 + [0.0] * 30 + [1.0] * 1900 + [0.0] * 30)
    others = answered_rows([0.0] * 40 + [1.0] * 30 + [1.0] * 1900 + [0.0] * 30)

    selection = _select(write, rows, others, 100)

    n = {kind: sum(kind in kinds for kinds in selection.kinds) for kind in selection.totals}
    assert (selection.n_items, len(selection.keys)) == (2000, 100)
    assert n["gained"] == 40
    assert n["lost"] == 30
    assert n["both_right"] == n["both_wrong"] == 15


def test_no_dataset_is_crowded_out(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {
            "dataset": dataset,
            "item_id": str(n),
            "replicate": 0,
            "outcome": "answered",
            "correct": float(n % 2),
        }
        for dataset, size in (("large", 5000), ("small", 40))
        for n in range(size)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "scores.parquet")

    selection = select_questions(tmp_path / "scores.parquet", baseline=None, limit=100)

    assert sum(dataset == "small" for dataset, _, _ in selection.keys) == 40
    assert selection.totals["right"] + selection.totals["wrong"] == 5040


def test_a_trial_without_a_request_has_no_question(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = {"dataset": "string", "item_id": "string", "replicate": "int64", "outcome": "string"}
    schema = pa.schema([*names.items(), ("correct", "float64")])
    pq.write_table(schema.empty_table(), tmp_path / "scores.parquet")

    selection = select_questions(tmp_path / "scores.parquet", baseline=tmp_path / "scores.parquet", limit=9)

    assert (selection.keys, selection.n_items) == ((), 0)


FILES = """
from pathlib import Path
import sys
from scripts.reporting.question_selection import TrialFiles

folder, n = Path(sys.argv[1]), int(sys.argv[2])
arms = [TrialFiles(folder / f"{name}-scores.parquet", folder / f"{name}-outcomes.parquet") for name in "tb"]
"""


WRITE = """
import numpy as np, pyarrow as pa, pyarrow.parquet as pq

ids = pa.array([f"item-{number:07}" for number in range(n)])
keys = {"dataset": pa.array(["d"] * n), "item_id": ids, "replicate": np.zeros(n, int)}
keys["outcome"] = pa.array(["answered"] * n)
texts = {"text": pa.array(["word " * 60] * n), "finish_reason": pa.array(["stop"] * n)}
texts |= dict.fromkeys(("error_code", "error_message"), pa.nulls(n, pa.string()))
for place, arm in enumerate(arms, 2):
    scores = {"correct": (np.arange(n) % place == 0).astype(float), "abstained": np.zeros(n)}
    pq.write_table(pa.table({**keys, **scores}), arm.scores)
    pq.write_table(pa.table({**keys, **texts}), arm.outcomes, row_group_size=20_000)
pq.write_table(pa.table({"id": ids, "question": ids}), folder / "d.parquet", row_group_size=20_000)
"""


READ = """
import resource
import pandas, pyarrow.dataset
from scripts.reporting.examples import read_questions

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
questions = read_questions(arms[0], baseline=arms[1], datasets={"d": folder / "d.parquet"})
assert (len(questions.examples), questions.n_items) == (2000, n)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.slow
def test_half_a_million_questions_are_chosen_from_in_little_memory(tmp_path):
    for program in (WRITE, READ):
        command = [sys.executable, "-c", FILES + program, str(tmp_path), "500000"]
        done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    assert float(done.stdout) < 300, f"{done.stdout.strip()} MiB"
