r"""What a reply puts around its answer: ``\boxed{}``, a tag, a key of a JSON object."""

from __future__ import annotations

import functools
import json
import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

N_LAST = 8
"""How many boxes, tags or objects are looked at, from the end: a limit on the work for a hostile reply."""

# In a JSON text, "\boxed" begins with a backspace.
_BOX = re.compile(r"(?:\\(?:boxed|fbox|framebox)|\x08oxed)\s*+(?:\{|(?=[-\d]|[A-Z](?!\w)))|(?<!\w)boxed\{")
N_STYLES = 3
"""How many styles may stand in each other, as in ``\\textbf{\\text{B}}``."""

_WORD = re.compile(r"[-\w.,/]*+")
_BRACE = re.compile(r"(?<!\\)[{}]")
_STYLE = re.compile(
    r"\\{1,2}(?:text|textbf|textit|textrm|texttt|textsf|mathrm|mathbf|mathsf|mathit|mbox|hbox|emph|operatorname)"
    r"\s*+\{([^{}]*+)\}"
)
_FENCE = re.compile(r"(?m)^[ \t]*+(?:`{3,}+|~{3,}+)[ \t]*+[\w+.#-]{0,30}+[ \t]*+$\n?|`{3,}+")
_WRAPPING = re.compile(r"</?(?:output|response|result|solution)>", re.IGNORECASE)
_STYLED = re.compile(r"<(b|i|u|em|strong|code)>([^<>]*+)</\1>", re.IGNORECASE)
_STRING = r'"((?:[^"\\]++|\\.)*+)"?+' + r"|'((?:[^'\\\n]++|\\.)*+)'?+"
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, strict=False)


class Enclosed(NamedTuple):
    """An answer with something around it."""

    position: int
    """Where it ends."""
    text: str


def open_fences(text: str) -> str:
    r"""
    Take away the fences of code, tags of style and tags around all of an answer, but nothing that they hold.

    Examples
    --------
    >>> open_fences("```json\n{}\n```"), open_fences("<response>Paris</response>")
    ('{}', 'Paris')
    """
    if "```" in text or "~~~" in text:
        text = _FENCE.sub("", text)
    if "</" in text:
        text = _STYLED.sub(r"\2", text)
        text = _WRAPPING.sub("", text).strip() or text
    return text.strip()


def find_boxed(text: str) -> Iterator[Enclosed]:
    r"""
    Find what stands in ``\boxed{}``, the last box first; one that never ends goes to the end of its line.

    Examples
    --------
    >>> [box.text for box in find_boxed(r"\boxed{\frac{1}{2}} or rather \boxed{\text{(B) } 3}")]
    ['(B)  3', '\\frac{1}{2}']
    """
    if "box" not in text and "\x08" not in text:
        return
    for found in reversed(deque(_BOX.finditer(text), maxlen=N_LAST)):
        start = found.end()
        end = _closing_brace(text, start) if found[0].endswith("{") else _end_of_word(text, start)
        content = text[start:end]
        for _ in range(N_STYLES):
            content = _STYLE.sub(r"\1", content)
        if content.strip():
            yield Enclosed(end, content.strip())


def _closing_brace(text: str, start: int) -> int:
    depth = 1
    for brace in _BRACE.finditer(text, start):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.start()
    line_end = text.find("\n", start)
    return len(text) if line_end < 0 else line_end


def _end_of_word(text: str, start: int) -> int:
    word = _WORD.match(text, start)
    return word.end() if word else start


def find_tagged(text: str, tags: tuple[str, ...]) -> Iterator[Enclosed]:
    """
    Find what stands in a tag, the last one first; one that is never closed goes to the end of the text.

    Examples
    --------
    >>> [tag.text for tag in find_tagged("<answer>A</answer> No: <answer>B", ("answer",))]
    ['B', 'A']
    """
    if not tags or "<" not in text:
        return
    pattern = _tag_pattern(tags)
    end = len(text)
    for found in reversed(deque(pattern.finditer(text), maxlen=2 * N_LAST)):
        if found["slash"]:
            end = found.start()
            continue
        content = text[found.end() : end].strip()
        yield Enclosed(end, content)
        end = found.start()


@functools.lru_cache(maxsize=64)
def _tag_pattern(tags: tuple[str, ...]) -> re.Pattern[str]:
    names = "|".join(re.escape(tag) for tag in tags)
    return re.compile(rf"(?<!`)<\|?(?P<slash>/)?+\|?(?:{names})(?:\s[^<>]{{0,200}}+)?+\|?>", re.IGNORECASE)


def find_json(text: str, keys: tuple[str, ...]) -> Iterator[Enclosed]:
    """
    Find the value of the first of the `keys` that an object has, the last object first.

    Case, spaces and underscores in keys do not matter.  What is no valid JSON, such as an object that was
    cut or one in single quotes, is searched for a key and its text or number.

    Examples
    --------
    >>> [found.text for found in find_json('{"answer": [42], "confidence": 0.9}', ("answer",))]
    ['42']
    >>> [found.text for found in find_json('{"Final Answer": "B", "why": "The cap', ("final_answer",))]
    ['B']
    """
    if not keys or "{" not in text:
        return
    wanted = [_bare(key) for key in keys]
    found = deque(_objects(text, wanted), maxlen=N_LAST) or deque(_pairs(text, keys), maxlen=N_LAST)
    yield from reversed(found)


def _objects(text: str, wanted: list[str]) -> Iterator[Enclosed]:
    start, n_failed = text.find("{"), 0
    while start >= 0 and n_failed < N_LAST:
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            n_failed += 1
            start = text.find("{", start + 1)
            continue
        answer = _value_of(value, wanted)
        if answer is not None:
            yield Enclosed(end, answer)
        start = text.find("{", end)


def _value_of(found: object, wanted: list[str]) -> str | None:
    if not isinstance(found, dict):
        return None
    by_key = {_bare(str(key)): value for key, value in found.items()}
    for key in wanted:
        if key in by_key:
            return _as_text(by_key[key])
    return None


def _as_text(value: object) -> str:
    """Write a JSON value as an answer: a list by its elements; null is no answer."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(_as_text(part) for part in value)
    if isinstance(value, bool) or not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return value.strip()


def _pairs(text: str, keys: tuple[str, ...]) -> Iterator[Enclosed]:
    """Find keys with their texts or numbers in what is no JSON."""
    for found in _pair_pattern(keys).finditer(text):
        value = next((group for group in found.groups() if group is not None), "")
        yield Enclosed(found.end(), value.strip())


@functools.lru_cache(maxsize=64)
def _pair_pattern(keys: tuple[str, ...]) -> re.Pattern[str]:
    names = "|".join(re.sub(r"(?:\\[ -]|[_ -])+", r"[_ -]?", re.escape(key)) for key in keys)
    bare = r"(-?[\w.]++)"
    return re.compile(rf"[\"'](?:{names})[\"']\s*+:\s*+\[?+\s*+(?:{_STRING}|{bare})", re.IGNORECASE)


def _bare(key: str) -> str:
    return re.sub(r"[\W_]+", "", key).casefold()
