from __future__ import annotations

import random
import subprocess
import sys

import pytest

from scripts.files import PROJECT_ROOT
from scripts.reporting import embed
from scripts.reporting.examples import EXAMPLE_CHARACTERS, group_examples, read_questions
from scripts.reporting.question_selection import TrialFiles, select_questions

NAN = float("nan")


def choose_examples(trial, **files):
    return group_examples(read_questions(trial, **files))


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


def _rows(scores, texts=None):
    return [
        (f"q{number:04}", 0, "answered", score, (texts or {}).get(number, f"text {number}"))
        for number, score in enumerate(scores)
    ]


def _ids(group):
    return [example.item_id for example in group.examples]


def test_gained_and_lost_items_are_shown_with_both_answers(write, datasets):
    trial = write("t", _rows([1.0, 0.0, 1.0, NAN], {0: "mine"}))
    baseline = write("b", _rows([0.0, 1.0, 1.0, 1.0], {0: "theirs"}))

    gained, lost = choose_examples(trial, baseline=baseline, datasets=datasets)

    assert [(group.kind, group.n_items, _ids(group)) for group in (gained, lost)] == [
        ("gained", 1, ["q0000"]),
        ("lost", 1, ["q0001"]),
    ]
    (example,) = gained.examples
    assert (example.trial.text.text, example.trial.correct) == ("mine", 1.0)
    assert (example.baseline.text.text, example.baseline.correct) == ("theirs", 0.0)
    assert (example.question.text, [text.text for text in example.accepted]) == ("Question 0?", ["answer 0"])


def test_long_texts_are_cut_and_say_how_long_they_were(write, datasets):
    trial = write("t", _rows([0.0, 1.0], {1: "x" * 1_000_000}))
    baseline = write("b", _rows([0.0, 0.0]))

    ((example,),) = (group.examples for group in choose_examples(trial, baseline=baseline, datasets=datasets))

    assert (len(example.trial.text.text), example.trial.text.n_characters) == (4000, 1_000_000)
    assert (len(example.context.text), example.context.n_characters) == (4000, 10_000)


def test_the_choice_is_bounded_spread_and_the_same_each_time(write, datasets):
    trial, baseline = write("t", _rows([1.0] * 2000)), write("b", _rows([0.0] * 2000))

    (gained,) = choose_examples(trial, baseline=baseline, datasets=datasets)
    (again,) = choose_examples(trial, baseline=baseline, datasets=datasets)

    assert (gained.n_items, len(gained.examples)) == (2000, 12)
    assert gained == again
    places = sorted(int(item[1:]) for item in _ids(gained))
    assert places[0] < 500
    assert places[-1] > 1500


def test_the_choice_does_not_hang_on_the_order_of_rows(write, datasets):
    rows, others = _rows([1.0] * 300), _rows([0.0] * 300)
    (first,) = choose_examples(write("t", rows), baseline=write("b", others), datasets=datasets)
    (second,) = choose_examples(
        write("t2", rows[::-1]), baseline=write("b2", others[100:] + others[:100]), datasets=datasets
    )

    assert first == second


def test_an_item_is_gained_by_its_mean_over_replicates_and_shown_once(write, datasets):
    trial = [
        ("q0001", replicate, "answered", score, f"r{replicate}")
        for replicate, score in enumerate([0.0, 1.0, 1.0])
    ]
    baseline = [
        ("q0001", replicate, "answered", score, "b") for replicate, score in enumerate([1.0, 0.0, 0.0])
    ]

    (gained,) = choose_examples(write("t", trial), baseline=write("b", baseline), datasets=datasets)

    assert (gained.kind, gained.n_items, gained.examples[0].replicate) == ("gained", 1, 1)


def test_failed_requests_are_shown_with_their_error(write, datasets):
    rows = [("q0001", 0, "errored", NAN, None), ("q0002", 0, "truncated", 0.0, "cut")]

    (failed,) = choose_examples(write("t", rows), baseline=write("b", rows), datasets=datasets)

    assert (failed.kind, failed.n_items) == ("failed", 2)
    errored = next(example.trial for example in failed.examples if example.item_id == "q0001")
    assert (errored.text, errored.correct) == (None, None)
    assert (errored.error.text, errored.error.is_cut) == ("500", False)


def test_a_trial_without_baseline_shows_some_of_each_kind(write, datasets):
    rows = [*_rows([1.0, 0.0, 0.0, 1.0], {2: "unknown"}), ("q0009", 0, "missing", NAN, None)]

    groups = choose_examples(write("t", rows), baseline=None, datasets=datasets)

    seen = {group.kind: (group.n_items, len(group.examples)) for group in groups}
    assert seen == {"right": (2, 2), "wrong": (2, 2), "abstained": (1, 1), "failed": (1, 1)}
    assert all(example.baseline is None for group in groups for example in group.examples)


def test_trials_that_agree_have_no_examples(write, datasets):
    rows = _rows([1.0, 0.0])

    assert choose_examples(write("t", rows), baseline=write("b", rows), datasets=datasets) == ()


def test_an_item_that_left_the_dataset_has_no_question(write, datasets):
    (gained,) = choose_examples(
        write("t", [("gone", 0, "answered", 1.0, "yes")]),
        baseline=write("b", [("gone", 0, "answered", 0.0, "no")]),
        datasets=datasets,
    )

    assert (gained.examples[0].question, gained.examples[0].accepted) == (None, ())


def test_files_of_other_writers_are_read_alike(write, datasets):
    import pandas as pd

    trial, baseline = write("t", _rows([1.0, 0.0])), write("b", _rows([0.0, 0.0]))
    plain = choose_examples(trial, baseline=baseline, datasets=datasets)
    for path in (trial.scores, trial.outcomes, datasets["d"]):
        table = pd.read_parquet(path)
        if "dataset" in table:
            table["dataset"] = table["dataset"].astype("category")
            table["outcome"] = table["outcome"].astype("category")
        table.to_parquet(path)

    assert choose_examples(trial, baseline=baseline, datasets=datasets) == plain


def _choose(write, rows, others, limit):
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

    choice = _choose(write, rows, [*others, ("elsewhere", 0, "answered", 1.0, "b")], 100)

    assert dict(zip((item for _, item, _ in choice.keys), choice.kinds, strict=True)) == {
        "gained": ("gained",),
        "lost": ("lost", "failed"),
        "right": ("both_right",),
        "wrong": ("both_wrong", "abstained"),
        "failed": ("unscored", "failed"),
        "alone": ("unscored",),
    }
    assert choice.totals == {
        "gained": 1,
        "lost": 1,
        "both_right": 1,
        "both_wrong": 1,
        "unscored": 2,
        "failed": 2,
        "abstained": 1,
    }
    assert choice.n_items == 6


def test_a_choice_has_every_kind_and_most_of_what_differs(write):
    rows = _rows([1.0] * 40 + [0.0] * 30 + [1.0] * 1900 + [0.0] * 30)
    others = _rows([0.0] * 40 + [1.0] * 30 + [1.0] * 1900 + [0.0] * 30)

    choice = _choose(write, rows, others, 100)

    n = {kind: sum(kind in kinds for kinds in choice.kinds) for kind in choice.totals}
    assert (choice.n_items, len(choice.keys)) == (2000, 100)
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

    choice = select_questions(tmp_path / "scores.parquet", baseline=None, limit=100)

    assert sum(dataset == "small" for dataset, _, _ in choice.keys) == 40
    assert choice.totals["right"] + choice.totals["wrong"] == 5040


def test_a_trial_without_a_request_has_no_question(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = {"dataset": "string", "item_id": "string", "replicate": "int64", "outcome": "string"}
    schema = pa.schema([*names.items(), ("correct", "float64")])
    pq.write_table(schema.empty_table(), tmp_path / "scores.parquet")

    choice = select_questions(tmp_path / "scores.parquet", baseline=tmp_path / "scores.parquet", limit=9)

    assert (choice.keys, choice.n_items) == ((), 0)


def test_examples_are_cut_until_all_of_them_are_short(write, datasets):
    trial = write("t", _rows([1.0] * 40, dict.fromkeys(range(40), "x" * 9000)))
    baseline = write("b", _rows([0.0] * 40))

    ((examples),) = (group.examples for group in choose_examples(trial, baseline=baseline, datasets=datasets))

    assert sum(len(example.trial.text.text) for example in examples) <= EXAMPLE_CHARACTERS
    assert {example.trial.text.n_characters for example in examples} == {9000}


def test_a_block_gives_back_what_was_put_in(write, datasets):
    trial = write("t", _rows([1.0, 0.0, NAN], {0: "mine </script>\x00", 1: "y" * 5000}))
    questions = read_questions(trial, baseline=write("b", _rows([0.0, 1.0, 1.0])), datasets=datasets)

    block = embed.fit(embed.columns(questions, trial="t", baseline="b"), budget=100_000)
    value = embed.unpack(f'<script type="application/octet-stream" class="items">{block.data}</script>')

    rows = dict(zip(value["columns"]["id"], value["columns"]["text"], strict=True))
    assert rows["q0000"] == "mine </script>\u27e8U+0000\u27e9"
    assert rows["q0001"] == ["y" * 4000, 5000]
    contexts = dict(zip(value["columns"]["id"], value["columns"]["context"], strict=True))
    assert contexts["q0001"] == ["c" * 4000, 10_000]
    assert contexts["q0000"] is None
    assert (value["trial"], value["baseline"], value["n_items"]) == ("t", "b", 3)


def _noise(n):
    letters = random.Random(1)
    return {number: "".join(letters.choices("abcdefghijklmnopqrstuvwxyz ", k=800)) for number in range(n)}


@pytest.mark.parametrize("budget", [3_000, 20_000, 60_000])
def test_a_block_keeps_to_its_budget(write, datasets, budget):
    trial, baseline = write("t", _rows([1.0] * 300, _noise(300))), write("b", _rows([0.0] * 300))
    questions = read_questions(trial, baseline=baseline, datasets=datasets)

    block = embed.fit(embed.columns(questions, trial="t", baseline="b"), budget=budget)

    assert 0.5 * budget < len(block.data) <= budget
    assert (block.n_shown == 300) == (budget == 60_000)
    assert block.text_limit < 800
    assert block.is_cut
    assert block.n_items == 300


def test_a_block_that_is_cut_again_knows_how_short_its_texts_are(write, datasets):
    trial, baseline = write("t", _rows([1.0] * 50, _noise(50))), write("b", _rows([0.0] * 50))
    questions = read_questions(trial, baseline=baseline, datasets=datasets)
    value = embed.columns(questions, trial="t", baseline="b")

    short = embed.fit(value, budget=10_000)
    found = embed.unpack(f'<script type="application/octet-stream" class="items">{short.data}</script>')
    again = embed.fit(found, budget=100_000, shortest=350)

    assert (again.text_limit, again.is_cut) == (short.text_limit, True)
    assert again.text_limit < 800


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
