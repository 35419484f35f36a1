"""Announcements: "Final answer: 42", "Die richtige Antwort ist B", "#### 18"."""

from __future__ import annotations

import functools
import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from scripts.scorers.reading.languages import (
    ADVERBS,
    CONTRAST,
    ENDINGS,
    FINAL,
    HYPOTHETICAL,
    LANGUAGES,
    NOT,
    Announcing,
)

BUILT_IN = "built-in"
"""In a list of markers: the announcements of all languages."""

N_LAST = 8
"""How many announcements of a kind are looked at, from the end: a limit on the work for a hostile reply."""

_COLON = r"[ \t\u00a0\u202f]*+(?:[:：]|=(?!=)|->|→|⇒)"
_EMPHASIS = r"[*_`\"'”»)\]}]*+"
_FINAL = re.compile(FINAL, re.IGNORECASE)
_HYPOTHETICAL = re.compile(HYPOTHETICAL, re.IGNORECASE)
_NOT = re.compile(NOT, re.IGNORECASE)
_CONTRAST = re.compile(CONTRAST, re.IGNORECASE)
_ENDING = re.compile(ENDINGS)
_LEAD = re.compile(rf"[\s*_:：]*+(?:{ADVERBS})*+", re.IGNORECASE)
_HASHES = re.compile(r"(?m)^[ \t]*+####(?!#)[ \t*]*+(?=[^\s*])")
_ONLY_NUMBER = re.compile(r"\W{0,6}\d")
_A = re.compile(r"(?m)^[ \t>*_#]*+A[*_]*+[:：]", re.IGNORECASE)
_HEADING = re.compile(r"[\W_]*+(?:\w{1,20}+[ \t]+){0,3}")
_DECORATION = re.compile(r"[\s*_$#>`|{}()\[\]\\~:：=-]*+")
_EMPHASIZED = re.compile(r"(?<![\w)])(?:\*\*|__)|(?:\*\*|__)(?![\w(+−-])")
_SENTENCE_END = re.compile(
    r"[。！？]|(?<=[^\W_]{4})[.!?][\"')\]*_]*+[ \t]+(?=[\"'(*]*[^\W\d_a-z])"
    r"|(?<=\d\d)[.!?]\**[ \t]+(?=[^\W\d_a-z])"
)
_ABBREVIATION = re.compile(r"\b(?:prof|capt|sept|assoc|dept|messrs)\.?\Z", re.IGNORECASE)


_SIGNS = tuple((sign, number) for number, language in enumerate(LANGUAGES) for sign in language.seen_by)
_ASCII_SIGNS = tuple((sign, number) for sign, number in _SIGNS if sign.isascii())


class Announced(NamedTuple):
    """What follows an announcement."""

    is_final: bool
    """Whether it is said to be the final answer."""
    position: int
    """Where the announcement ends."""
    text: str
    """The line that follows, as far as its first sentence."""
    rest: str
    """All that follows."""


def find_announced(text: str, markers: tuple[str, ...], *, reads_a: bool = True) -> Iterator[Announced]:
    r"""
    Find what is announced: by the markers of one's own first, then as the final answer, each from the end.

    Parameters
    ----------
    text : str
        A reply without its thoughts.
    markers : tuple of str
        Texts in any case, as whole words; `BUILT_IN` stands for the built-in ones.
    reads_a : bool
        Whether a line that begins with ``A:`` announces; in a list of options it does not.

    Examples
    --------
    >>> [found.text for found in find_announced("Answer: B\n\nThe answer is not A, I hope.", (BUILT_IN,))]
    ['B']
    """
    own = tuple(marker for marker in markers if marker != BUILT_IN)
    ends = _own(text, own) if own else []
    plain: list[tuple[int, bool]] = []
    if BUILT_IN in markers:
        for end, is_final in _built_in(text, reads_a=reads_a):
            (ends if is_final else plain).append((end, is_final))
    for end, is_final in (*sorted(ends, reverse=True), *sorted(plain, reverse=True)):
        rest = text[end:]
        yield Announced(is_final, end, first_line(rest), rest)


def first_line(rest: str) -> str:
    r"""
    Give the first line that shows something, as far as its first sentence.

    Examples
    --------
    >>> first_line("**\n**42 km** (about 26 miles)"), first_line(" St. Paul. It lies on a river.")
    ('42 km (about 26 miles)', 'St. Paul')
    """
    lead = _LEAD.match(rest)
    start = lead.end() if lead else 0
    line, _, following = rest[start:].partition("\n")
    while following and not any(map(str.isalnum, line)) and _DECORATION.fullmatch(line):
        line, _, following = following.partition("\n")
    line = _EMPHASIZED.sub("", line)
    for end in _SENTENCE_END.finditer(line):
        if not _ABBREVIATION.search(line[: end.start()]):
            line = line[: end.start()]
            break
    return _ENDING.sub("", line).strip(" \t\r*_")


def _own(text: str, markers: tuple[str, ...]) -> list[tuple[int, bool]]:
    found = deque(_own_pattern(markers).finditer(text), maxlen=N_LAST)
    return [(marker.end(), True) for marker in found]


@functools.lru_cache(maxsize=64)
def _own_pattern(markers: tuple[str, ...]) -> re.Pattern[str]:
    """Find markers as whole words: "A:" is not in "Area: 7", nor "answer is" in "answer isn't 7"."""
    whole = (
        ("(?<!\\w)" if marker[0].isalnum() else "")
        + re.escape(marker)
        + ("(?!\\w)" if marker[-1].isalnum() else "")
        for marker in markers
    )
    initials = "".join({re.escape(marker[0].swapcase() + marker[0]) for marker in markers})
    return re.compile(f"(?=[{initials}])(?:{'|'.join(whole)})", re.IGNORECASE)


def _built_in(text: str, *, reads_a: bool) -> Iterator[tuple[int, bool]]:
    """Give where each announcement ends, and whether it announces the final answer."""
    lowered = text.lower()
    signs = _ASCII_SIGNS if lowered.isascii() else _SIGNS
    for number in sorted({number for sign, number in signs if sign in lowered}):
        yield from _in_language(text, _pattern(number))
    if reads_a:
        yield from ((found.end(), False) for found in deque(_A.finditer(text), maxlen=N_LAST))
    if "####" in text:
        yield from _after_hashes(text)


def _in_language(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, bool]]:
    for found in deque(pattern.finditer(text), maxlen=N_LAST):
        start, end = found.span()
        line_start = text.rfind("\n", max(0, start - 200), start) + 1
        before = text[max(line_start, start - 40) : start]
        if _HYPOTHETICAL.search(before) or _is_key(before, found[0]):
            continue
        is_final = _FINAL.search(text[max(line_start, start - 16) : end]) is not None
        if found["heading"] is not None and not _HEADING.fullmatch(before):
            continue
        if found["bare"] is not None and not is_final:
            continue
        if found["verb"] is not None and _NOT.match(text, end):
            contrast = _CONTRAST.search(text, end, end + 300)
            if contrast is None:
                continue
            end = contrast.end()
        yield end, is_final


def _is_key(before: str, announcement: str) -> bool:
    """Say whether an announcement is a key of a JSON object, which is not prose."""
    return before.endswith(('"', "'")) and before[-1] in announcement


@functools.lru_cache(maxsize=64)
def _pattern(number: int) -> re.Pattern[str]:
    language: Announcing = LANGUAGES[number]
    before = r"(?<![^\W_])" if language.begins_word else ""
    after = rf"(?:\s*(?:{language.after}))?" if language.after else ""
    verb = rf"\s+(?:{language.verbs})(?!\w)" if language.is_spaced else rf"\s*(?:{language.verbs})"
    return re.compile(
        rf"{before}(?:{language.nouns}){after}{_EMPHASIS}"
        rf"(?:{_COLON}|(?P<verb>{verb}\s*+(?:{_COLON})?+\s*+)"
        rf"|(?P<heading>[*_#]*+[ \t]*+(?=\n))|(?P<bare>[ \t]+(?=(?-i:[$(]*(?:\d|[A-Z](?!\w))))))",
        re.IGNORECASE,
    )


def _after_hashes(text: str) -> Iterator[tuple[int, bool]]:
    """Take ``####`` before a number, or in the last line; it also begins a heading in Markdown."""
    last_line = text.rstrip().rfind("\n") + 1
    for found in deque(_HASHES.finditer(text), maxlen=N_LAST):
        if found.start() >= last_line or _ONLY_NUMBER.match(text, found.end()):
            yield found.end(), True
