from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from scripts.reporting.examples import EXAMPLE_CHARACTERS, group_examples, read_questions
from tests.fakes.trial_files import NAN, answered_rows


def choose_examples(trial, **files):
    return group_examples(read_questions(trial, **files))


def _ids(group):
    return [example.item_id for example in group.examples]


def test_gained_and_lost_items_are_shown_with_both_answers(write, datasets):
    trial = write("t", answered_rows([1.0, 0.0, 1.0, NAN], {0: "mine"}))
    baseline = write("b", answered_rows([0.0, 1.0, 1.0, 1.0], {0: "theirs"}))

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
    trial = write("t", answered_rows([0.0, 1.0], {1: "x" * 1_000_000}))
    baseline = write("b", answered_rows([0.0, 0.0]))

    ((example,),) = (group.examples for group in choose_examples(trial, baseline=baseline, datasets=datasets))

    assert (len(example.trial.text.text), example.trial.text.n_characters) == (4000, 1_000_000)
    assert (len(example.context.text), example.context.n_characters) == (4000, 10_000)


def test_the_selection_is_bounded_spread_and_the_same_each_time(write, datasets):
    trial, baseline = write("t", answered_rows([1.0] * 2000)), write("b", answered_rows([0.0] * 2000))

    (gained,) = choose_examples(trial, baseline=baseline, datasets=datasets)
    (again,) = choose_examples(trial, baseline=baseline, datasets=datasets)

    assert (gained.n_items, len(gained.examples)) == (2000, 12)
    assert gained == again
    places = sorted(int(item[1:]) for item in _ids(gained))
    assert places[0] < 500
    assert places[-1] > 1500


def test_the_selection_does_not_hang_on_the_order_of_rows(write, datasets):
    rows, others = answered_rows([1.0] * 300), answered_rows([0.0] * 300)
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
    rows = [*answered_rows([1.0, 0.0, 0.0, 1.0], {2: "unknown"}), ("q0009", 0, "missing", NAN, None)]

    groups = choose_examples(write("t", rows), baseline=None, datasets=datasets)

    seen = {group.kind: (group.n_items, len(group.examples)) for group in groups}
    assert seen == {"right": (2, 2), "wrong": (2, 2), "abstained": (1, 1), "failed": (1, 1)}
    assert all(example.baseline is None for group in groups for example in group.examples)


def test_trials_that_agree_have_no_examples(write, datasets):
    rows = answered_rows([1.0, 0.0])

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

    trial, baseline = write("t", answered_rows([1.0, 0.0])), write("b", answered_rows([0.0, 0.0]))
    plain = choose_examples(trial, baseline=baseline, datasets=datasets)
    for path in (trial.scores, trial.outcomes, datasets["d"]):
        table = pd.read_parquet(path)
        if "dataset" in table:
            table["dataset"] = table["dataset"].astype("category")
            table["outcome"] = table["outcome"].astype("category")
        table.to_parquet(path)

    assert choose_examples(trial, baseline=baseline, datasets=datasets) == plain


def test_examples_are_cut_until_all_of_them_are_short(write, datasets):
    trial = write("t", answered_rows([1.0] * 40, dict.fromkeys(range(40), "x" * 9000)))
    baseline = write("b", answered_rows([0.0] * 40))

    ((examples),) = (group.examples for group in choose_examples(trial, baseline=baseline, datasets=datasets))

    assert sum(len(example.trial.text.text) for example in examples) <= EXAMPLE_CHARACTERS
    assert {example.trial.text.n_characters for example in examples} == {9000}


def test_what_was_read_is_shown_where_it_is_not_the_whole_text(write, datasets):
    rows = answered_rows([1.0, 1.0, NAN], {0: "I think that the answer is 4.", 1: " 4 ", 2: "Hm."})
    files = write("t", rows)
    scores = pq.read_table(files.scores)
    scores = scores.append_column("read", pa.array(["4", "4", None]))
    pq.write_table(scores.append_column("unread", pa.array([0.0, 0.0, 1.0])), files.scores)

    questions = read_questions(files, baseline=None, datasets=datasets)

    answers = {example.item_id: example.trial for example in questions.examples}
    assert (answers["q0000"].read.text, answers["q0000"].is_unread) == ("4", False)
    assert (answers["q0001"].read, answers["q0001"].is_unread) == (None, False)
    assert (answers["q0002"].read, answers["q0002"].is_unread) == (None, True)
