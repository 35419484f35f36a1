"""Several scorers of the same answers."""

from __future__ import annotations

import math

import pytest

from scripts.records import Item
from scripts.scorers import build_scorer
from scripts.scorers.several import build_several, each_scorer, value_of

ITEM = Item("q1", "Which city?", ("Paris",), choices=("Rome", "Paris"))


def test_the_first_scorer_gives_the_plain_metrics_and_the_others_their_own_names() -> None:
    several = build_several(["short_answer", {"name": "regex", "pattern": r"(?i)city: (\w+)"}], {})
    score = several.score("City: Paris", ITEM)

    assert score.correct == 0.0
    assert value_of(score, "regex_correct") == 1.0
    assert [metric.name for metric in several.METRICS] == ["regex_correct", "regex_unread"]
    assert [metric.heading for metric in several.METRICS] == ["Correct (regex)", "Unread (regex)"]


def test_a_further_short_answer_scorer_has_its_f1_too() -> None:
    several = build_several(["multiple_choice", "short_answer"], {})

    assert value_of(several.score("the city of Paris", ITEM), "short_answer_f1") == 0.5
    assert "short_answer_f1" in [metric.name for metric in several.METRICS]


def test_two_of_one_kind_need_names() -> None:
    specs = ["short_answer", {"name": "regex", "pattern": "a"}, {"name": "regex", "pattern": "b"}]
    with pytest.raises(ValueError, match="two scorers are called 'regex'"):
        build_several(specs, {})
    named = build_several([*specs[:2], {**specs[2], "as": "second"}], {})
    assert [metric.name for metric in named.METRICS if "correct" in metric.name] == [
        "regex_correct",
        "second_correct",
    ]


@pytest.mark.parametrize("name", ["a b", "1a", "a-b"])
def test_a_name_that_cannot_begin_a_column_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="option 'as'"):
        build_several(["short_answer", {"name": "numeric", "as": name}], {})


def test_a_mistake_in_any_of_them_is_found() -> None:
    with pytest.raises(ValueError, match="unknown option 'tolerence'"):
        build_several(["short_answer", {"name": "numeric", "tolerence": 1}], {})


def test_an_unread_answer_is_unread_by_each_scorer_that_cannot_read_it() -> None:
    score = build_several(["short_answer", "multiple_choice"], {}).score("Hard to say.", ITEM)

    assert (score.unread, value_of(score, "multiple_choice_unread")) == (0.0, 1.0)
    assert math.isnan(value_of(score, "multiple_choice_correct"))


def test_one_scorer_is_each_of_itself() -> None:
    plain = build_scorer("numeric")
    assert each_scorer(plain) == (plain,)
    assert len(each_scorer(build_several(["numeric", "short_answer"], {}))) == 2


def test_scorers_with_metrics_of_their_own_keep_them_apart() -> None:
    schema = {"name": "json_schema", "schema": {}, "compares": "nothing"}
    several = build_several(["exact", schema, {**schema, "as": "other"}, "contains"], {})
    score = several.score("{}", ITEM)
    assert (value_of(score, "valid"), value_of(score, "other_valid")) == (1.0, 1.0)
    assert value_of(score, "contains_correct") == 0.0
    assert {"valid", "fields", "other_valid", "other_fields"} <= {metric.name for metric in several.METRICS}
