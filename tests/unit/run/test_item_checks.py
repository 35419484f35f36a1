"""Fields that are nearly those of a dataset are told, and a prompt that asks nothing never starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.errors import DataError, PipelineError
from scripts.run.checks import check_settings
from tests.fakes.small_experiments import ITEMS, SmallExperiment


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallExperiment:
    monkeypatch.chdir(tmp_path)
    return SmallExperiment(tmp_path)


def warnings(experiment: SmallExperiment) -> list[str]:
    return [str(warning) for warning in check_settings(experiment.load())]


def with_field(experiment: SmallExperiment, **fields: object) -> None:
    experiment.write_items(*({**item, **fields} for item in ITEMS))


@pytest.mark.parametrize(
    ("field", "own"),
    [
        ("Cluster", "cluster"),
        ("CONTEXT", "context"),
        ("Is Unanswerable", "is_unanswerable"),
        (" choices", "choices"),
    ],
)
def test_a_field_that_is_spelled_otherwise_is_refused(
    experiment: SmallExperiment, field: str, own: str
) -> None:
    with_field(experiment, **{field: "x"})
    with pytest.raises(
        DataError, match=f"the field '{field}' is none that a dataset has; did you mean '{own}'"
    ):
        experiment.check()


def test_a_field_that_a_template_names_is_meant(experiment: SmallExperiment) -> None:
    with_field(experiment, Context="x")
    experiment.write("brief.md", "{{ Context }} {{ question }}")
    assert warnings(experiment) == []


def test_a_field_that_is_nearly_one_of_a_datasets_own_is_a_warning(experiment: SmallExperiment) -> None:
    with_field(experiment, clusters="x", topic="y")
    (said,) = warnings(experiment)
    assert said.startswith(
        "quiz.jsonl: the field 'clusters' is none that a dataset has; did you mean 'cluster'?"
    )
    with_field(experiment, clusters="x", cluster="y")
    assert warnings(experiment) == []


def test_options_that_become_one_text_are_a_warning_once_for_a_dataset(experiment: SmallExperiment) -> None:
    with_field(experiment, choices=["Paris", "Rome", "ROME!"], answers=["Paris"])
    (said,) = warnings(experiment)
    assert said.startswith(f"quiz.jsonl, item {ITEMS[0]['id']!r}: 'Rome' and 'ROME!' become the same text")
    assert f"; {len(ITEMS)} items have such texts" in said
    with_field(experiment, choices=["C++", "C#", "C"], answers=["C"])
    assert warnings(experiment) == []


def test_accepted_answers_that_only_squad_takes_for_one_text_are_a_warning(
    experiment: SmallExperiment,
) -> None:
    with_field(experiment, answers=["-5", "5", "five", "Five."])
    assert warnings(experiment) == []
    scorer = {"name": "short_answer", "squad": True}
    settings = experiment.load(datasets={"quiz": {"path": "quiz.jsonl", "scorer": scorer}})
    (said,) = map(str, check_settings(settings))
    assert "'-5' and '5' become the same text when answers are compared" in said


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"id": "a", "question": "q", "Answer": ["x"]},
            "'answers' is missing or null; there is 'Answer': did you",
        ),
        ({"id": "a", "question": "q", "answer": ["x"]}, "there is 'answer': did you mean 'answers'?"),
        (
            {"ID": "a", "question": "q", "answers": ["x"]},
            "'id' is missing or empty; there is 'ID': did you mean 'id'?",
        ),
        ({"id": "a", "questoin": "q", "answers": ["x"]}, "there is 'questoin': did you mean 'question'?"),
    ],
)
def test_a_field_that_is_missing_is_found_under_another_name(
    experiment: SmallExperiment, row: dict[str, object], said: str
) -> None:
    experiment.write_items(row)
    with pytest.raises(PipelineError) as caught:
        experiment.check()
    assert said in str(caught.value)


def test_a_prompt_that_asks_nothing_is_refused_before_anything_is_sent(experiment: SmallExperiment) -> None:
    experiment.write("brief.md", "Answer: {question}")
    with pytest.raises(PipelineError, match=r"prompts.brief: sends \{question\} as it stands"):
        experiment.check()


def test_recorded_answers_need_no_prompt_that_asks(experiment: SmallExperiment) -> None:
    experiment.write("brief.md", "Answer: {question}")
    experiment.write("tape.jsonl", '{"model": "tape", "prompt": "brief", "item_id": "q1", "text": "4"}\n')
    experiment.check(
        models={"tape": {"provider": "replay", "recorded": "tape.jsonl"}},
        trials={"sweep": {"prompt": ["brief"]}},
    )


def test_questions_that_come_to_one_text_are_a_warning(experiment: SmallExperiment) -> None:
    experiment.write_items(*ITEMS, {"id": "q4", "question": "Is it?", "answers": ["so"]})
    experiment.write("brief.md", "{{ question[:2] }}")
    (said,) = warnings(experiment)
    assert "prompts.brief: says the same for 2 of 4" in said
