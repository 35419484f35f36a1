"""What a scorer refers to beside the configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.errors import ConfigError
from scripts.experiment import scorer_sources
from scripts.experiment.dataset_scorer import make_scorer, resolved_specs
from scripts.experiment.settings import Settings
from scripts.scorers.json_schema import JsonSchema
from scripts.scorers.label import Label
from tests.fakes.small_experiments import ITEMS, SmallExperiment


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallExperiment:
    monkeypatch.chdir(tmp_path)
    return SmallExperiment(tmp_path)


def with_scorer(experiment: SmallExperiment, scorer: Any) -> Settings:
    return experiment.load(datasets={"quiz": {"path": "quiz.jsonl", "scorer": scorer}})


def test_a_schema_may_be_in_a_file(experiment: SmallExperiment) -> None:
    schema = {"type": "object", "required": ["name"]}
    experiment.write("answer.json", json.dumps(schema))
    settings = with_scorer(
        experiment, {"name": "json_schema", "schema_file": "answer.json", "compares": "nothing"}
    )
    scorer = make_scorer(settings, "quiz")
    assert isinstance(scorer, JsonSchema)
    assert (scorer.schema, scorer.compares) == (schema, "nothing")
    (spec,) = resolved_specs(settings, "quiz")
    assert "schema_file" not in spec


def test_each_of_several_scorers_may_refer_to_a_file(experiment: SmallExperiment) -> None:
    spec = {"name": "json_schema", "schema_file": "none.json"}
    settings = experiment.load(datasets={"quiz": {"path": "quiz.jsonl", "scorers": ["exact", spec]}})
    with pytest.raises(ConfigError, match=r"scorers\[1\]\.schema_file: the file 'none\.json' does not exist"):
        make_scorer(settings, "quiz")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schema_file": "none.json"}, r"schema_file: the file 'none\.json' does not exist"),
        ({"schema_file": 3}, "schema_file: is 3, which names no file"),
        ({"schema_file": "broken.json"}, r"broken\.json is not valid JSON"),
        ({"schema_file": "list.json"}, "the option 'schema' must be a mapping"),
        ({"schema_file": "broken.json", "schema": {}}, "there is a `schema`, too"),
    ],
)
def test_a_schema_that_cannot_be_read_is_reported(
    experiment: SmallExperiment, options: dict[str, Any], message: str
) -> None:
    experiment.write("broken.json", "{")
    experiment.write("list.json", "[]")
    with pytest.raises(ConfigError, match=message):
        make_scorer(with_scorer(experiment, {"name": "json_schema", **options}), "quiz")


@pytest.mark.parametrize("scorer", ["label", {"name": "label"}, {"name": "label", "labels": []}])
def test_labels_are_those_of_the_dataset_unless_they_are_listed(
    experiment: SmallExperiment, scorer: Any
) -> None:
    gold = ["Spam", "ham", "SPAM", "ham"]
    experiment.write_items(
        *({**ITEMS[0], "id": str(place), "answers": [label]} for place, label in enumerate(gold)),
        {**ITEMS[0], "id": "x", "answers": []},
    )
    found = make_scorer(with_scorer(experiment, scorer), "quiz")
    assert isinstance(found, Label)
    assert found.labels == ("Spam", "ham")
    listed = make_scorer(with_scorer(experiment, {"name": "label", "labels": ["a", "b"]}), "quiz")
    assert isinstance(listed, Label)
    assert listed.labels == ("a", "b")


def test_what_has_too_many_answers_has_no_labels(
    experiment: SmallExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorer_sources, "MAX_LABELS", 2)
    experiment.write_items(*({**ITEMS[0], "id": label, "answers": [label]} for label in "abc"))
    with pytest.raises(ConfigError, match="the dataset has more than 2 different answers: are they labels"):
        make_scorer(with_scorer(experiment, "label"), "quiz")


def test_an_edited_schema_is_another_scorer(experiment: SmallExperiment) -> None:
    spec = {"name": "json_schema", "schema_file": "answer.json"}
    experiment.write("answer.json", "{}")
    before = resolved_specs(with_scorer(experiment, spec), "quiz")
    experiment.write("answer.json", '{"type": "object"}')
    assert resolved_specs(with_scorer(experiment, spec), "quiz") != before
