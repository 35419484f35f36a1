"""Answers made comparable: what changes no answer is dropped, in any script; what does is kept."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable

from scripts.scorers.plain_signs import ascii_signs

Normalize = Callable[[str], str]
Tokenize = Callable[[str], list[str]]

_ARTICLES = frozenset({"a", "an", "the"})
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)

_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U000323af"
)
_TOKEN = re.compile(rf"[{_SPACELESS}]|[^\s{_SPACELESS}]+")

_NO_PLAIN_PUNCTUATION = str.maketrans("", "", "!\"&'(),-./:;?@[\\]_`{}")
_IS_SUBTLE = re.compile(r"[\d#*^+%]|-(?!\w)")
"""Whether there is a mark that may be more than punctuation."""

_WRAPPED = re.compile(r"\s*\$([^$]*)\$[\s.]*")
_SPACED_MINUS = re.compile(r"−\s+(?=\d)")
_SPACED_PERCENT = re.compile(r"(?<=\d)\s+(?=[%‰])")
_SPACED_RANGE = re.compile(r"(?<=\d)\s+-\s+(?=\d)")
_THOUSANDS = re.compile(r"(?<![\d.,'])(?!0)\d{1,3}(?:(?:,\d{3})++|(?:'\d{3})++)(?![\d,'])")
_SEPARATOR = re.compile("[,']")
_POINT_FIRST = re.compile(r"(?<![\w.])\.(?=\d)")
_PUNCTUATION = re.compile(
    rf"""
    [!"&();?@\\_`{{}}\[\]]
    | [,:/'] (?! (?<=\d.)\d )                              # not in 1,5 and 10:30 and 1/2
    | \.     (?! (?<=\d.)\d | (?<![\w.].)\d )              # not in 3.14 and .5
    | %      (?<! \d. ) | ‰ (?<! \d. )
    | \#     (?<! \w. )                                    # not in C#
    | \*     (?! (?<=\d.)\d | (?<=(?<![*\w])[^\W\d_].)(?![\w*]) )    # not in 2*3 and A*
    | \^     (?: (?<! [\w)}}]. ) | (?! [\w({{-] ) )
    | \+     (?= \.?\d ) (?<! \w. )                        # the sign that changes nothing
    | -      (?! (?<![^\W\d{_SPACELESS}].) \.?\d           # not in -5 and 1914-1918
               | (?: (?<=(?<![\w-])[^\W\d_].) | (?<=(?<![\w-])[^\W\d_]{{2}}.) | (?<=[^\W_]\d.) )
                 (?![\w-]) )                               # not in A- and AB-
    """,
    re.VERBOSE,
)


class _Marks(dict[int, int | str | None]):
    """What becomes of each character that is not ASCII; filled as characters are met."""

    def __missing__(self, code: int) -> int | str | None:
        category = unicodedata.category(chr(code))
        found: int | str | None = code
        if code in _NAMED:
            found = _NAMED[code]
        elif category == "Pd":
            found = "-"
        elif category[0] == "P" or category in {"Cf", "Sk", "So"}:
            found = None
        self[code] = found
        return found


_NAMED = {ord(one): mark for one, mark in zip("−—―′ʼ♯♭°‰", "-  ''#♭°‰", strict=True)}
_MARKS = _Marks({code: code for code in range(128)})


def normalize_answer(text: str) -> str:
    """
    Make answers comparable that differ in case, width, punctuation, quotes, articles or white space only.

    What makes another answer of it is kept: signs, decimal points, and slashes and colons between digits;
    symbols (``$``, ``+``, ``°``), percent signs after digits, and the ends of C#, A- and A*.

    Notes
    -----
    In this order: NFKC, with raised digits as powers and ½ as 1/2; case folding; of the hyphens and
    dashes one, of the apostrophes one; commas and apostrophes that set off thousands dropped, and all
    other punctuation (Unicode's P*, Sk, So) where it does not belong to a number; the words a, an and
    the before another word; white space collapsed.

    Examples
    --------
    >>> [normalize_answer(text) for text in (" The  Eiffel-Tower, a tower! ", "“Zoë’s” …", "−3.14.", "C#")]
    ['eiffeltower tower', 'zoës', '-3.14', 'c#']
    """
    return normalize_words(text, drop_articles=True)


def normalize_words(text: str, *, drop_articles: bool) -> str:
    """
    Normalise a text, and leave its articles if need be.

    Examples
    --------
    >>> normalize_words("The Beatles!", drop_articles=False)
    'the beatles'
    """
    words = _fold(text).split()
    if not drop_articles or _ARTICLES.isdisjoint(words):
        return " ".join(words)
    last = len(words) - 1
    return " ".join(word for place, word in enumerate(words) if place == last or word not in _ARTICLES)


def squad_normalize(text: str) -> str:
    """
    Normalise as SQuAD's official evaluation does.

    Notes
    -----
    In this order [1]_: lower case; drop ASCII punctuation; blank the whole words a, an and the; collapse
    white space. An answer such as "A" or "+" normalises to nothing.

    References
    ----------
    .. [1] SQuAD 2.0, evaluate-v2.0.py, https://rajpurkar.github.io/SQuAD-explorer/

    Examples
    --------
    >>> squad_normalize(" The  Eiffel-Tower, a tower! "), squad_normalize("3.14")
    ('eiffeltower tower', '314')
    """
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def tokenize(normalized: str) -> list[str]:
    """
    Part a normalised answer into words, and into characters where a script sets no spaces.

    Those are Chinese characters, kana, Thai, Lao, Khmer and Burmese.

    Examples
    --------
    >>> tokenize("new york"), tokenize("iphone 红楼梦")
    (['new', 'york'], ['iphone', '红', '楼', '梦'])
    """
    return normalized.split() if normalized.isascii() else _TOKEN.findall(normalized)


def _fold(text: str) -> str:
    if text.isascii():
        text = text.lower()
    else:
        text = unicodedata.normalize("NFKC", ascii_signs(text).casefold())
        text = _SPACED_MINUS.sub("-", text).translate(_MARKS)
    if "$" in text and (wrapped := _WRAPPED.fullmatch(text)):
        text = wrapped[1]
    if _IS_SUBTLE.search(text) is None:
        return text.translate(_NO_PLAIN_PUNCTUATION)
    text = _SPACED_RANGE.sub("-", _SPACED_PERCENT.sub("", text))
    text = _THOUSANDS.sub(lambda number: _SEPARATOR.sub("", number[0]), text)
    return _POINT_FIRST.sub("0.", _PUNCTUATION.sub("", text))
