"""Templates see an item's fields and nothing else, and what they do wrong is said with file and item."""

import dataclasses
import string
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.errors import ConfigError
from scripts.experiment.prompts import Prompt, check_fields, load_template, template_fields, used_fields
from scripts.files import PROJECT_ROOT
from scripts.records import Item

ITEM = Item(
    "q1", "How many?", ("4",), context="Four.", choices=("3", "4"), fields={"topic": "sums", "hint": None}
)

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str | bytes) -> Path:
        path = tmp_path / "prompt.md"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        load_template.cache_clear()
        used_fields.cache_clear()
        return path

    return write


def rendered(path: Path, item: Item = ITEM) -> str:
    return Prompt("p", user=path).messages(item)[0]["content"]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Q: {{ question }}", "Q: How many?"),
        ("{% if context %}{{ context }} {% endif %}{{ question }}", "Four. How many?"),
        ("{% for choice in choices %}{{ loop.index }}) {{ choice }}\n{% endfor %}", "1) 3\n2) 4"),
        ("{{ topic | upper }} {{ id }}", "SUMS q1"),
        ("{% if hint %}{{ hint }}{% else %}none{% endif %}", "none"),
        ("{{ hint or 'no hint' }}", "no hint"),
        ("{% if extra is defined %}{{ extra }}{% endif %}{{ question }}", "How many?"),
        ("{% raw %}{{ not a field }}{% endraw %}", "{{ not a field }}"),
        ("\ufeffa\r\nb {{ question }}\r\n", "a\nb How many?"),
        ("{% for n in range(3) %}{{ n }}{% endfor %}", "012"),
        ("{% for _ in choices %}{{ loop.index0 | letter }}{% endfor %}", "AB"),
    ],
)
def test_a_template_writes_out_the_fields(write: Write, template: str, text: str) -> None:
    assert rendered(write(template)) == text


def test_a_system_text_comes_before_the_users(tmp_path: Path) -> None:
    (tmp_path / "system.md").write_text("Be brief.")
    (tmp_path / "user.md").write_text("{{ question }}")
    messages = Prompt("p", tmp_path / "system.md", tmp_path / "user.md").messages(ITEM)
    assert [message["role"] for message in messages] == ["system", "user"]


def test_a_prompt_without_texts_has_no_messages() -> None:
    assert Prompt("recorded").messages(ITEM) == []


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ ''.__class__ }}", "does something that templates may not do (access to attribute '__class__'"),
        ("{{ question.__init__.__globals__ }}", "does something that templates may not do"),
        ("{{ choices.append('x') }}", "does something that templates may not do"),
        (
            "{{ topik }}",
            "'topik' is undefined for item 'q1'\n  Fields of this item: choices, context, hint, id",
        ),
        ("{{ answers }}", "'answers' is undefined for item 'q1'"),
        ("{{ hint }}", "(ValueError: a null field would be written out; test it with {% if ... %})"),
        ("{{ 1 / 0 }}", "fails for item 'q1' (ZeroDivisionError"),
        ("{{ question + 1 }}", "fails for item 'q1' (TypeError"),
        ("{{ '%d' % question }}", "fails for item 'q1' (TypeError"),
        ("{{ '{x}'.format() }}", "fails for item 'q1' (KeyError"),
        ("{% for n in range(10 ** 9) %}{% endfor %}", "fails for item 'q1' (OverflowError"),
        ("{% include 'other.md' %}", "fails for item 'q1' (TypeError: no loader"),
        ("{% if false %}x{% endif %}", "renders to an empty text for item 'q1'"),
        ("{{ question | nope }}", "line 1: is not a valid template: No filter named 'nope'"),
        ("a\n{% if %}", "line 2: is not a valid template: Expected an expression"),
        ("{{ question", "line 1: is not a valid template"),
        (b"\xe9", "is not UTF-8"),
    ],
)
def test_what_a_template_does_wrong_is_said(write: Write, template: str | bytes, said: str) -> None:
    path = write(template)
    with pytest.raises(ConfigError) as caught:
        rendered(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (
            "{{ topik }}",
            "names the field 'topik', which no item has; did you mean 'topic'?\n  Fields: choices",
        ),
        ("{{ answers }}", "names 'answers', which models must not see"),
        ("{% if answers %}x{% endif %}", "names 'answers', which models must not see"),
        ("{{ cluster }}", "names 'cluster', which models must not see"),
        ("{% if extra is defined %}{{ extra }}{% endif %}", "names the field 'extra', which no item has"),
    ],
)
def test_a_field_that_no_item_has_is_named_before_anything_is_rendered(
    write: Write, template: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        check_fields(write(template), ITEM.fields)
    assert said in str(caught.value)


def test_what_every_template_knows_is_no_field(write: Write) -> None:
    path = write("{% set n = namespace(x=1) %}{{ range(3) }}{{ topic }}{{ n.x }}")
    assert used_fields(path) == {"topic"}
    check_fields(path, ["topic"])


def test_a_template_never_sees_the_answers() -> None:
    item = dataclasses.replace(ITEM, fields={"answers_seen": 1})
    assert set(template_fields(item)) == {"answers_seen", "id", "question", "context", "choices"}


OLD_LETTERS = "{% for choice in choices %}{{ 'ABCDEFGH'[loop.index0] }}) {{ choice }}\n{% endfor %}"


def test_an_option_without_a_letter_is_named_with_the_filter_that_has_more(write: Write) -> None:
    item = dataclasses.replace(ITEM, choices=tuple(map(str, range(9))))
    with pytest.raises(ConfigError) as raised:
        rendered(write(OLD_LETTERS), item)
    assert "has no element 8 for item 'q1'" in str(raised.value)
    assert "Option 9 has no letter" in raised.value.fix
    assert "{{ loop.index0 | letter }}" in raised.value.fix


def test_the_documented_template_has_letters_for_26_options(write: Write) -> None:
    page = (PROJECT_ROOT / "docs" / "prompts.md").read_text(encoding="utf-8")
    template = next(block for block in page.split("```") if "| letter }}" in block)
    item = dataclasses.replace(ITEM, choices=tuple(f"city {n}" for n in range(26)))
    text = rendered(write(template), item)
    assert text.splitlines()[1:] == [f"{letter}) city {n}" for n, letter in enumerate(string.ascii_uppercase)]
