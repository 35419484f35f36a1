"""
Reading: where in a reply the answer is, found before any scorer judges it.

Thoughts and end tokens are dropped and fences opened; then what is said to be the answer is looked for.
The stronger says so first: a box, a tag, a JSON key, "Final answer", ``####`` or a marker of one's own; of
these the last.  Then "Answer:", "The answer is" and their like, the last first.  Else the whole counts.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import ClassVar

from scripts.scorers.reading.announced import BUILT_IN, find_announced
from scripts.scorers.reading.enclosed import find_boxed, find_json, find_tagged, open_fences
from scripts.scorers.reading.trimming import END_TOKENS, THOUGHT_TAGS, Trimmed, Trimming

__all__ = [
    "ANSWER_KEYS",
    "ANSWER_TAGS",
    "BUILT_IN",
    "END_TOKENS",
    "THOUGHT_TAGS",
    "Answer",
    "Reading",
    "Trimmed",
    "Trimming",
    "find_answer",
    "find_answers",
]

ANSWER_TAGS = ("answer", "final_answer", "final-answer", "finalanswer", "final", "ans", "answer_choice")
"""Tags around the answer."""

ANSWER_KEYS = ("final_answer", "answer", "correct_answer", "answer_choice", "ans", "choice")
"""Keys of a JSON object that hold the answer, in the order in which they are looked for."""

_MAX_DEPTH = 3
"""How often an answer is looked for within an answer, as in ``<answer>The answer is B</answer>``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading(Trimming):
    """The options of every scorer that looks for the answer within a reply."""

    markers: tuple[str, ...] = (BUILT_IN,)
    """What announces the answer, in any case; ``built-in`` stands for the built-in announcements."""
    read_boxed: bool = True
    r"""Whether the last ``\boxed{...}`` is the answer."""
    open_fences: bool = True
    """Whether the fences of code blocks are taken away."""
    answer_tags: tuple[str, ...] = ANSWER_TAGS
    """Tags around the answer, without brackets."""
    answer_keys: tuple[str, ...] = ANSWER_KEYS
    """Keys of a JSON object that hold the answer."""
    _reads_a: ClassVar[bool] = True
    """Whether "A:" at the beginning of a line announces the answer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for option in ("markers", "answer_tags", "answer_keys"):
            if not all(text.strip() for text in getattr(self, option)):
                raise ValueError(f"{option} contains a blank text, but each must be visible")


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """Where an answer was found."""

    text: str
    """What the scorer judges: what was announced, or the whole; empty for an announced nothing."""
    is_announced: bool
    """Whether a marker, box, tag or key says that this is the answer."""
    whole: str
    """The reply without thoughts, end tokens and fences."""
    rest: str
    """All that follows the announcement, `text` included; the whole if there is none."""


def find_answer(text: str, reading: Reading) -> Answer | None:
    r"""
    Find the answer in a reply; None if it holds none: it is blank, or nothing but thoughts.

    Examples
    --------
    >>> find_answer("<think>41? No.</think>It is \\boxed{42}.", Reading()).text
    '42'
    >>> find_answer(" Paris ", Reading())
    Answer(text='Paris', is_announced=False, whole='Paris', rest='Paris')
    >>> find_answer(" ", Reading()) is None, find_answer("<think>The answer is 42", Reading()) is None
    (True, True)
    """
    return next(find_answers(text, reading), None)


def find_answers(text: str, reading: Reading) -> Iterator[Answer]:
    """
    Find all that may be the answer, the likeliest first and the whole last.

    Where nothing is announced as the answer (``{"answer": null}``), the whole is none.

    Examples
    --------
    >>> [answer.text for answer in find_answers("Answer: B. I hope that answers it.", Reading())]
    ['B. I hope that answers it.', 'Answer: B. I hope that answers it.']
    """
    whole = reading.trim(text).text
    if whole and reading.open_fences:
        whole = open_fences(whole)
    if not whole:
        return
    announced = list(_announced(whole, reading))
    for found, rest in announced:
        if found.strip():
            yield Answer(_innermost(found, reading), is_announced=True, whole=whole, rest=rest)
    if announced and not any(found.strip() for found, _ in announced):
        yield Answer("", is_announced=True, whole=whole, rest="")
    else:
        yield Answer(whole, is_announced=False, whole=whole, rest=whole)


def _announced(text: str, reading: Reading) -> Iterator[tuple[str, str]]:
    enclosed = [
        *(find_boxed(text) if reading.read_boxed else ()),
        *find_tagged(text, reading.answer_tags),
        *find_json(text, reading.answer_keys),
    ]
    plain = itertools.groupby(
        find_announced(text, reading.markers, reads_a=reading._reads_a) if reading.markers else (),
        key=lambda found: found.is_final,
    )
    strong = [(found.position, found.text, found.text) for found in enclosed]
    for is_final, group in plain:
        texts = [(found.position, found.text, found.rest) for found in group]
        if is_final:
            strong.extend(texts)
            continue
        yield from _last_first(strong)
        strong = []
        yield from _last_first(texts)
    yield from _last_first(strong)


def _last_first(found: list[tuple[int, str, str]]) -> Iterator[tuple[str, str]]:
    for _, text, rest in sorted(found, key=lambda one: one[0], reverse=True):
        yield text, rest


def _innermost(text: str, reading: Reading) -> str:
    """Look within what was announced for what it announces itself."""
    for _ in range(_MAX_DEPTH):
        inner = next((found for found, _ in _announced(text, reading) if found), text)
        if inner == text:
            break
        text = inner
    return text
