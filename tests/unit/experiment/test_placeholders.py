"""A prompt that does not ask the question is refused with the likely cure; one that asks passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.errors import ConfigError
from scripts.experiment.placeholders import check_asks
from scripts.experiment.prompts import find_prompt
from scripts.experiment.settings import Settings
from scripts.records import Item
from tests.fakes.small_experiments import SmallExperiment

ITEMS = [
    Item(
        f"q{number}",
        f"What is {number} + {number}?",
        ("2",),
        fields={"topic": "sums", "of": str(number // 4)},
    )
    for number in range(8)
]


def check(folder: Path, text: str, items: list[Item] = ITEMS, *, system: str | None = None) -> str | None:
    made = SmallExperiment(folder)
    made.write("plain.md", text)
    if system is not None:
        made.write("system.md", system)
        made.config["prompts"]["plain"]["system"] = "system.md"
    settings: Settings = made.load()
    return check_asks(settings, find_prompt(settings, "plain"), "quiz", items)


def refusal(folder: Path, text: str, items: list[Item] = ITEMS) -> str:
    with pytest.raises(ConfigError) as caught:
        check(folder, text, items)
    assert "prompts.plain" in caught.value.where
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("Answer: {question}", "{question}"),
        ("Answer: ${question}", "${question}"),
        ("Answer: %(question)s", "%(question)s"),
        ("Answer: [[question]]", "[[question]]"),
        ("Answer: { Question }", "{ Question }"),
        ("{% raw %}{{ question }}{% endraw %}", "{{ question }}"),
        ("Item {{ id }}: {question}", "{question}"),  # each text differs, and none asks anything
    ],
)
def test_a_question_in_another_languages_braces_is_refused(tmp_path: Path, text: str, literal: str) -> None:
    assert f"sends {literal} as it stands; did you mean {{{{ question }}}}?" in refusal(tmp_path, text)


def test_one_question_is_enough_to_refuse_a_placeholder(tmp_path: Path) -> None:
    assert "sends {question} as it stands" in refusal(tmp_path, "{question}", ITEMS[:1])


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("<question>", "<question> in "),
        ("Q: {input}", "{input} in "),
        ("Answer with a number only.", "Write {{ question }} where the question belongs."),
        (
            "{# {{ question }} #}Answer with a number.",
            "has a field in a comment ({# #}), which sends nothing.",
        ),
        ("{{ choices }}", "Write {{ question }} where"),
        ("{{ topic }}", "Write {{ question }} where"),
    ],
)
def test_a_prompt_that_says_the_same_for_all_questions_is_refused(
    tmp_path: Path, text: str, cure: str
) -> None:
    said = refusal(tmp_path, text)
    assert "says the same for all 8 questions of quiz that were compared, such as 'q0' and 'q1'" in said
    assert "did you mean {{ question }}?" in said
    assert cure in said


def test_a_prompt_that_hardly_tells_questions_apart_is_refused(tmp_path: Path) -> None:
    assert "says the same for all 8 questions" in refusal(
        tmp_path, "{{ of }}"
    )  # two texts for eight questions
    six = [
        *ITEMS[:5],
        Item("r", "Why?", ("x",), fields={"of": "1"}),
        Item("s", "Who?", ("x",), fields={"of": "2"}),
    ]
    assert "says the same for 6 of 7 questions" in refusal(tmp_path, "{{ of }}", six)


def test_a_few_questions_that_come_to_one_text_are_a_warning(tmp_path: Path) -> None:
    few = [Item(f"r{n}", f"Why {n}?", ("x",), fields={"of": str(max(n, 1))}) for n in range(8)]
    told = check(tmp_path, "{{ of }}", few)
    assert told is not None
    assert told.startswith(
        "says the same for 2 of 8 questions of quiz that were compared, such as 'r0' and 'r1'"
    )


@pytest.mark.parametrize(
    "text",
    [
        "<question>{{ question }}</question>",
        '{{ question }} Reply as {"answer": ...} or {topic}.',
        "{{ question }}: {question}",
        "{{ id }}",
        "{% for word in question.split() %}{{ word }} {% endfor %}",
    ],
)
def test_a_prompt_that_asks_passes(tmp_path: Path, text: str) -> None:
    assert check(tmp_path, text) is None


def test_the_question_may_stand_in_the_system_text(tmp_path: Path) -> None:
    assert check(tmp_path, "Go.", system="{{ question }}") is None


def test_items_that_are_truly_equal_may_have_one_text(tmp_path: Path) -> None:
    assert check(tmp_path, "Q", ITEMS[:1]) is None
