"""Boxes, tags, keys and fences."""

from __future__ import annotations

import pytest

from scripts.scorers.reading.enclosed import N_LAST, find_boxed, find_json, find_tagged, open_fences

KEYS = ("final_answer", "answer")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\boxed{42}", ["42"]),
        (r"$\boxed{ \dfrac{1}{2} }$", [r"\dfrac{1}{2}"]),
        (r"\fbox{42} and \framebox{43}", ["43", "42"]),
        (r"\boxed{\text{B}}", ["B"]),
        (r"\boxed{\textbf{\text{(B)}} 5 \text{ m}}", ["(B) 5  m"]),
        (r"\boxed{\{1, 2\}}", [r"\{1, 2\}"]),
        (r"\\boxed{42}", ["42"]),
        ("\boxed{42}", ["42"]),  # a JSON text in which the backslash was not doubled
        ("boxed{42}", ["42"]),
        (r"\boxed 42 is it", ["42"]),
        (r"\boxed{42" + "\nmore", ["42"]),
        (r"\boxed{}", []),
        ("a sandbox{42} and in box 4", []),
        ("no box", []),
    ],
)
def test_what_is_in_a_box_is_found_the_last_first(text: str, expected: list[str]) -> None:
    assert [box.text for box in find_boxed(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<answer>B</answer>", ["B"]),
        ("<answer>A</answer> or <ANSWER type='final'>B</ANSWER> end", ["B", "A"]),
        ("<answer>B", ["B"]),
        ("<answer>\n\nB\n</answer>\n<answer></answer>", ["", "B"]),
        ("</answer>", []),
        ("put it in `<answer>` tags", []),
        ("<answering>B</answering>", []),
    ],
)
def test_what_is_in_a_tag_is_found_the_last_first(text: str, expected: list[str]) -> None:
    assert [tag.text for tag in find_tagged(text, ("answer",))] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"answer": "B"}', ["B"]),
        ('{"Final Answer": "B", "answer": "A"}', ["B"]),
        ('{"finalAnswer": 42.50}', ["42.50"]),
        ('{"answer": 12345678901234567890123}', ["12345678901234567890123"]),
        ('{"answer": true}', ["true"]),
        ('{"answer": null}', [""]),
        ('{"answer": ["A", "C"]}', ["A, C"]),
        ('{"answer": {"letter": "B"}}', ['{"letter": "B"}']),
        ('{"answer": "line\nbreak"}', ["line\nbreak"]),
        ('{"a": 1} and {"answer": "A"} or rather {"answer": "B"}', ["B", "A"]),
        (r"$\frac{1}{2}$ so {" + '"answer": "B"}', ["B"]),
        ('{"answer": "B", "why": "it is', ["B"]),
        ('{"answer": 42, "why": "it is', ["42"]),
        ("{'answer': 'B'}", ["B"]),
        ("{'answer': 42}", ["42"]),
        ('{answer: "B"}', []),
        ('{"question": "B"}', []),
        ('"answer": "B"', []),
    ],
)
def test_what_a_key_holds_is_found_the_last_object_first(text: str, expected: list[str]) -> None:
    assert [found.text for found in find_json(text, KEYS)] == expected


def test_only_the_last_few_are_looked_at() -> None:
    assert len(list(find_boxed(r"\boxed{1}" * 100))) == N_LAST
    assert len(list(find_tagged("<answer>1</answer>" * 100, ("answer",)))) == N_LAST
    assert len(list(find_json('{"answer": 1}' * 100, KEYS))) == N_LAST


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```json\n{}\n```", "{}"),
        ("Here:\n```\n42\n```\nThere.", "Here:\n42\nThere."),
        ("~~~ text\n42\n~~~", "42"),
        ("```42```", "42"),
        ("```python\nprint(1)", "print(1)"),
        ("<result>42</result>", "42"),
        ("`42`", "`42`"),
        ("It is <strong>42</strong>.", "It is 42."),
        ("<p></p>", "<p></p>"),
        ("</response>", "</response>"),
        ("no fence", "no fence"),
    ],
)
def test_fences_are_taken_away_and_nothing_that_they_hold(text: str, expected: str) -> None:
    assert open_fences(text) == expected
