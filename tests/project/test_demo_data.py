"""The demo datasets and prompts are what the default experiment expects of them."""

import json
import re
import string
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NotRequired, TypedDict

import pytest
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

CONFIG = Path(__file__).resolve().parents[2] / "config"
DATASETS = ("closed_book", "open_book")
SYSTEM_PROMPTS = ("control", "concise", "abstain")

CLOSED_BOOK_TOPICS = {
    "food",
    "geography",
    "history",
    "literature",
    "music",
    "science",
    "sport",
    "technology",
}
OPEN_BOOK_TOPICS = CLOSED_BOOK_TOPICS | {"nature", "services"}


class Item(TypedDict):
    """One line of a demo dataset."""

    id: str
    question: str
    answers: list[str]
    topic: str
    is_unanswerable: NotRequired[bool]
    context: NotRequired[str]
    cluster: NotRequired[str]


def read_items(dataset: str) -> list[Item]:
    """Return the items of a demo dataset, in the order of the file."""
    text = (CONFIG / "demo" / f"{dataset}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def normalise(answer: str) -> str:
    """Return *answer* as SQuAD's evaluation compares it."""
    bare = "".join(character for character in answer.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def repeated(values: Iterable[str]) -> list[str]:
    """Return the values that occur more than once."""
    return [value for value, count in Counter(values).items() if count > 1]


def render_user_prompt(*, question: str, context: str | None) -> str:
    """Return the user turn of one item, rendered as strictly as a run renders it."""
    environment = SandboxedEnvironment(undefined=StrictUndefined)
    template = environment.from_string((CONFIG / "prompts" / "user.md").read_text(encoding="utf-8"))
    return template.render(question=question, context=context)


@pytest.fixture(scope="module")
def closed_book() -> list[Item]:
    return read_items("closed_book")


@pytest.fixture(scope="module")
def open_book() -> list[Item]:
    return read_items("open_book")


@pytest.fixture(scope="module", params=DATASETS)
def items(request: pytest.FixtureRequest) -> list[Item]:
    return read_items(request.param)


def test_closed_book_has_150_items_with_four_fields_each(closed_book: list[Item]) -> None:
    assert len(closed_book) == 150
    assert {frozenset(item) for item in closed_book} == {frozenset({"id", "question", "answers", "topic"})}


def test_open_book_has_60_items_with_every_field(open_book: list[Item]) -> None:
    assert len(open_book) == 60
    assert {frozenset(item) for item in open_book} == {frozenset(Item.__annotations__)}


def test_ids_count_up_in_the_order_of_the_file(closed_book: list[Item], open_book: list[Item]) -> None:
    assert [item["id"] for item in closed_book] == [f"cb-{n:03d}" for n in range(1, 151)]
    assert [item["id"] for item in open_book] == [f"ob-{p:02d}-{q}" for p in range(1, 21) for q in (1, 2, 3)]


def test_no_id_or_question_occurs_twice(closed_book: list[Item], open_book: list[Item]) -> None:
    both = closed_book + open_book
    assert repeated(item["id"] for item in both) == []
    assert repeated(normalise(item["question"]) for item in both) == []


def test_every_topic_is_known_and_used(closed_book: list[Item], open_book: list[Item]) -> None:
    assert {item["topic"] for item in closed_book} == CLOSED_BOOK_TOPICS
    assert {item["topic"] for item in open_book} == OPEN_BOOK_TOPICS


def test_the_first_items_of_a_smoke_run_cover_every_topic(closed_book: list[Item]) -> None:
    n_topics = len(CLOSED_BOOK_TOPICS)
    assert {item["topic"] for item in closed_book[:n_topics]} == CLOSED_BOOK_TOPICS


def test_exactly_the_unanswerable_items_have_no_answers(items: list[Item]) -> None:
    mislabelled = [
        item["id"] for item in items if item.get("is_unanswerable", False) != (item["answers"] == [])
    ]
    assert mislabelled == []


def test_a_third_of_the_open_book_items_is_unanswerable(open_book: list[Item]) -> None:
    assert sum(item["is_unanswerable"] for item in open_book) == 20


def test_no_answer_list_repeats_itself(items: list[Item]) -> None:
    repeats = {item["id"]: repeated(map(normalise, item["answers"])) for item in items}
    assert {item_id: twice for item_id, twice in repeats.items() if twice} == {}


def test_no_answer_vanishes_when_normalised(items: list[Item]) -> None:
    assert [item["id"] for item in items if "" in map(normalise, item["answers"])] == []


def test_no_answer_has_white_space_around_it(items: list[Item]) -> None:
    assert [item["id"] for item in items if any(answer != answer.strip() for answer in item["answers"])] == []


def test_no_closed_book_answer_is_right_for_many_questions(closed_book: list[Item]) -> None:
    counts = Counter(normalise(item["answers"][0]) for item in closed_book)
    assert [answer for answer, count in counts.items() if count > 2] == []


def test_the_first_open_book_answer_stands_in_its_passage(open_book: list[Item]) -> None:
    absent = [
        item["id"]
        for item in open_book
        if item["answers"] and item["answers"][0].lower() not in item["context"].lower()
    ]
    assert absent == []


def test_each_passage_has_two_answerable_questions_and_one_unanswerable(open_book: list[Item]) -> None:
    kinds = Counter((item["cluster"], item["is_unanswerable"]) for item in open_book)
    clusters = [f"passage-{n:02d}" for n in range(1, 21)]
    assert kinds == Counter({(cluster, False): 2 for cluster in clusters} | {(c, True): 1 for c in clusters})


def test_items_share_a_cluster_if_and_only_if_they_share_a_passage(open_book: list[Item]) -> None:
    pairs = {(item["cluster"], item["context"]) for item in open_book}
    assert len(pairs) == len({cluster for cluster, _ in pairs}) == len({text for _, text in pairs}) == 20


def test_every_passage_has_60_to_110_words(open_book: list[Item]) -> None:
    assert [item["id"] for item in open_book if not 60 <= len(item["context"].split()) <= 110] == []


@pytest.mark.parametrize("name", SYSTEM_PROMPTS)
def test_a_system_prompt_renders_to_itself(name: str) -> None:
    text = (CONFIG / "prompts" / f"{name}.md").read_text(encoding="utf-8").strip()
    assert text != ""
    assert SandboxedEnvironment(undefined=StrictUndefined).from_string(text).render() == text


def test_the_system_prompts_differ() -> None:
    texts = {(CONFIG / "prompts" / f"{name}.md").read_text(encoding="utf-8") for name in SYSTEM_PROMPTS}
    assert len(texts) == len(SYSTEM_PROMPTS)


def test_only_the_abstain_prompt_names_the_words_of_an_abstention() -> None:
    naming = [
        name
        for name in SYSTEM_PROMPTS
        if "I don't know" in (CONFIG / "prompts" / f"{name}.md").read_text(encoding="utf-8")
    ]
    assert naming == ["abstain"]


def test_the_user_prompt_of_an_item_without_context_is_the_question_alone() -> None:
    assert render_user_prompt(question="Why is it so?", context=None) == "Question: Why is it so?"


def test_the_user_prompt_shows_the_passage_before_the_question() -> None:
    rendered = render_user_prompt(question="Who came?", context="Ada came.")
    assert rendered == "Passage:\nAda came.\n\nQuestion: Who came?"


def test_the_user_prompt_renders_every_item(items: list[Item]) -> None:
    for item in items:
        context = item.get("context")
        rendered = render_user_prompt(question=item["question"], context=context)
        assert rendered.endswith(f"Question: {item['question']}")
        assert ("Passage:" in rendered) == (context is not None)
