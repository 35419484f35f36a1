"""The error messages that pages show are those of the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.errors import PipelineError
from scripts.experiment.datasets import read_items
from scripts.experiment.prompts import check_fields, load_template, render, used_fields
from scripts.experiment.settings import load_settings
from scripts.run.checks import check_settings

DOCS = Path(__file__).resolve().parents[2] / "docs"
RIGHT = '{"id": "q1", "question": "Why?", "answers": []}\n'
DATASETS = {
    "an id twice": ("questions.jsonl", RIGHT * 2),
    "no answers": ("questions.jsonl", '{"id": "q1", "question": "Why?"}'),
    "a text for a list": ("questions.jsonl", '{"id": "q1", "question": "Why?", "answers": "8"}'),
    "a cell too many": ("questions.csv", "id,question,answers\nq1,Why,is,it\n"),
    "another format": ("questions.tsv", "id\tquestion\n"),
}
TEMPLATES = {
    "an unknown field": "{{ questoin }}",
    "a brace too many": "{{ question }",
    "a forbidden attribute": "{{ question.__class__ }}",
}


def shown(page: str) -> set[str]:
    """Return the messages of a page: lines with a place, each with an indented remedy."""
    return set(
        re.findall(r"^\S+\.\w+(?:, line \d+)?: .+\n  .+$", (DOCS / page).read_text("utf-8"), re.MULTILINE)
    )


@pytest.fixture(autouse=True)
def _forget_templates() -> Iterator[None]:
    """Forget what was read of a file: here several have the same name."""
    for cached in (load_template, used_fields):
        cached.cache_clear()
    yield
    for cached in (load_template, used_fields):
        cached.cache_clear()


def read_template(file: Path) -> None:
    """Do with a template what a start does."""
    load_template(file)
    check_fields(file, ["topic"])
    render(file, {"question": "Why?"}, item_id="q1")


@pytest.mark.parametrize(("name", "text"), DATASETS.values(), ids=DATASETS)
def test_the_page_on_datasets_shows_the_real_message(
    name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(text, "utf-8")
    with pytest.raises(PipelineError) as caught:
        list(read_items(Path(name)))
    assert str(caught.value) in shown("datasets.md")


@pytest.mark.parametrize("text", TEMPLATES.values(), ids=TEMPLATES)
def test_the_page_on_prompts_shows_the_real_message(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("user.md").write_text(text, "utf-8")
    with pytest.raises(PipelineError) as caught:
        read_template(Path("user.md"))
    assert str(caught.value) in shown("prompts.md")


def test_the_page_on_prompts_shows_the_real_message_of_a_prompt_that_asks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("questions.jsonl").write_text(RIGHT, "utf-8")
    Path("user.md").write_text("{question}", "utf-8")
    Path("study.yaml").write_text(
        "run_id: study\n"
        "datasets: {quiz: {path: questions.jsonl, scorer: short_answer}}\n"
        "prompts: {braces: {user: user.md}}\n"
        "models: {sim: {provider: simulated}}\n"
        "trials: {sweep: {prompt: [braces]}}\n",
        "utf-8",
    )
    with pytest.raises(PipelineError) as caught:
        check_settings(load_settings([Path("study.yaml")]))
    assert str(caught.value) in shown("prompts.md")


def test_every_message_of_these_pages_is_tried() -> None:
    assert len(shown("datasets.md")) == len(DATASETS)
    assert len(shown("prompts.md")) == len(TEMPLATES) + 1
