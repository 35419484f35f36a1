"""Announcements, one's own and the built-in ones."""

from __future__ import annotations

import pytest

from scripts.scorers.reading.announced import BUILT_IN, N_LAST, find_announced, first_line


def texts(text: str, *markers: str, reads_a: bool = True) -> list[str]:
    return [found.text for found in find_announced(text, markers or (BUILT_IN,), reads_a=reads_a)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Answer: a\nThe answer is b", ["b", "a"]),
        ("Final answer: a\nAnswer: b\nanswer: c", ["a", "c", "b"]),
        ("Answer:a", ["a"]),
        ("answer = 42", ["42"]),
        ("Answer -> 42", ["42"]),
        ("Answer – 42", ["42"]),
        ("The answers are 3 and 4", ["3 and 4"]),
        ("The correct choice is b", ["b"]),
        ("The most plausible option is b", ["b"]),
        ("final answer 42", ["42"]),
        ("answer 42", []),  # not said to be final
        ("the final answer may vary", []),
        ("Answers vary", []),
        ("question-answering: hard", []),
        ("the answer isn't a", []),
        ("The answer is not a", []),
        ("Die Antwort ist nicht a, sondern b", ["b"]),
        ("If the answer is a, then b", []),
        ("I hope that my final answer is right", []),
        ("No. If you ask me, the answer is b", ["b"]),
        ("x #### 42", []),  # not at the beginning of a line
        ("#### 42\n#### Note\nthanks", ["42"]),
        ("A: a", ["a"]),
        ("> **A:** a", ["a"]),
        ("Area: a", []),
        ("Final Answer\n", [""]),
    ],
)
def test_what_is_announced_is_found(text: str, expected: list[str]) -> None:
    assert texts(text)[: len(expected) or None] == expected


def test_a_in_a_list_of_options_announces_nothing() -> None:
    assert texts("A: Rome\nB: Paris", reads_a=False) == []


@pytest.mark.parametrize("marker", ["Result", "&&", "[", "^", "\\", "答"])
def test_a_marker_of_ones_own_is_a_whole_word_and_no_pattern(marker: str) -> None:
    assert texts(f"x {marker} y\nAnswer: z", marker) == ["y"]
    assert texts(f"x {marker} y\nAnswer: z", marker, BUILT_IN) == ["y", "z"]
    assert texts("Results in Resulting", "result") == []


def test_only_the_last_few_are_looked_at() -> None:
    assert len(texts("Answer: a\n" * 100)) == N_LAST


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (" Paris\nmore", "Paris"),
        ("**\n\n**Paris**\n", "Paris"),
        ("\n\\[\nx = 42\n\\]", "x = 42"),
        ("\n---\n$$\n42\n$$", "42"),
        (" Paris. It is big.", "Paris"),
        (" Dr. Who. It is he.", "Dr. Who. It is he."),  # too short to end a sentence
        (" Prof. Higgins. It is he.", "Prof. Higgins"),
        (" 1945. It ended then.", "1945"),
        (" 2**3", "2**3"),
        (" **-5**", "-5"),
        (" 巴黎。因为", "巴黎"),
        (" パリです。", "パリ"),
        (" +", "+"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_the_first_line_ends_with_its_first_sentence(rest: str, expected: str) -> None:
    assert first_line(rest).rstrip("。") == expected
