"""Which option a line of a reply names, by its letter or by its text."""

from __future__ import annotations

import dataclasses
import re

from scripts.scorers.text import normalize_answer

SEVERAL = ""
"""Chosen where more than one option is named."""

N_CHARACTERS = 2_000
"""How much of one line is read: longer than any option, and a limit on the work for a hostile reply."""

_NOUN = (
    r"(?:option|choice|letter|answer|alternative|statement|antwort(?:option|möglichkeit)?|buchstabe|opci[óo]n"
    r"|letra|lettre|lettera|r[ée]ponse|respuesta|alternativa|opção|opzione|optie|odpowied[źz]|вариант|буква|ответ"
    r"|选项|選項|選択肢|seçenek|pilihan)"
)
# Brackets, Markdown and LaTeX around the letter; possessive, so that none of it is tried twice.
_OPENING = (
    rf"[\W_]*+(?:(?i:(?:(?:the|die|la|el|de|het|il|o|a)\s+|l['’])?+{_NOUN})(?![^\W\d_A-Z])[\W_]*+)?+"
    r"(?:(?:boxed|text|textbf|mathrm|mathbf)\{[\W_]*+)*+"
)
_END = r"(?!['’]?[^\W\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])"
"""The end of a letter that is a word of its own; scripts without spaces may go on."""

_ONLY_LETTER = re.compile(_OPENING + r"([A-Za-z])[\W_]*+")
_LABELLED = re.compile(
    _OPENING + r"(?:([A-Z])[*_]*+(?:[])}.:,;*]|\s++[-–—](?=\s))|([a-z])[*_]*+[])}.:])[])}.:*_]*+(?:\s(.*+)|$)"
)
_BEGINS = re.compile(_OPENING + rf"([A-Z]){_END}[])}}*_]*+(.*+)")
_SEVERAL = re.compile(
    _OPENING + r"[A-Z][])}*_]*+\s*+"
    r"(?:,(?!\s*[A-Z]\s+is\b)|/|&|[+]|\b(?:and|or|und|oder|y|o|et|ou|e|и|или)\b|或|和|と|か)"
    rf"(?:\s*+(?:and|or)\b)?+[\W_]*+(?!I\s+[a-z])([A-Z]){_END}"
)
_GOES_ON = re.compile(
    r"(?:because|since|as|and|or|but|which|is|for|due|given|so|by|from|with|in|not|would|seems|was|weil|da|denn|ist"
    r"|porque|ya|parce|car|perché|pois|want|omdat)\b"
)
"""Words before which an "A" is a letter, not an article."""

_SURE = re.compile(r"\s*+,?\s*+(?:(?:and|but)\s+)?(?:not|because|since)\b")
"""Words after a letter that is chosen, even where nothing announces it."""

_LISTED = re.compile(r"[\W_]*+([A-Z])[*_]*+[])}.:][])}.:*_]*+\s")
_LISTED_WITHIN = re.compile(r"(?<!\w)\(?([A-Z])[).]\s")
_RIGHT = (
    r"(?:(?:the|clearly|definitely|thus|therefore|indeed|probably|die|la|le|el|de|het|also|donc)\s+){0,3}"
    r"(?:(?:most|only|single|best)\s+)?(?:correct|right|best|true|answer|accurate|appropriate|plausible|likely|richtig"
    r"|korrekt|zutreffend|bonne|esatta|juist|poprawn|prawidłow|верн|правильн|正确|正確|对的|對的|正解|정답|맞)"
)
_SAYS_RIGHT = re.compile(
    rf"(?<![^\W_])(?:{_NOUN}[\W_]{{1,4}})?(?-i:([A-Z])){_END}[\W_]{{0,3}}\s?"
    rf"(?:is|was|would\s+be|must\s+be|should\s+be|has\s+to\s+be|ist|es|est|è|é|jest|to|—|是|は|번?(?:가|이))\s*{_RIGHT}",
    re.IGNORECASE,
)
_SAY_SEVERAL = re.compile(
    r"(?<![^\W_])[A-Z]\s+(?:and|or|&)\s+(?i:option\s+)?[A-Z]\s+(?i:are|is|could\s+be|may\s+be)\s+(?i:both\s+)?"
    rf"(?i:{_RIGHT})"
)
_TEXT_IS_RIGHT = re.compile(
    r"(.{1,300}?)\s+(?:is|are|ist|es|est|è|é)\s+(?:the\s+)?(?:correct|right|best|answer)\b", re.IGNORECASE
)
_TEXT_AND_LETTER = re.compile(r"(.{1,300}?)\s*+\(([A-Z])\)[\W_]*+")
_SAYS_CHOSEN = re.compile(
    r"(?:(?<![^\W_])(?:i(?:['’](?:d|ll|m)|\s+would|\s+will|\s+am)?\s+(?:then\s+|therefore\s+|thus\s+)?"
    r"(?:choose|chose|pick|select|go(?:ing)?\s+(?:with|for)|say|opt\s+for|vote\s+for|answer)"
    r"|(?:choice|pick|guess|selection|vote|option|alternative|letter|conclusion|solution|response|verdict|prediction)"
    r"(?:\s+(?:is|would\s+be|must\s+be)|\s*:)|final\s*:|(?:this|that|which)\s+leaves(?:\s+us\s+with)?(?:\s+only)?"
    r"|(?:so|thus|hence|therefore),?(?:\s+(?:it|that|this)(?:['’]s|\s+is|\s+would\s+be|\s+must\s+be))?"
    r"|(?:it|that|this)(?:['’]s|\s+is|\s+would\s+be|\s+must\s+be|\s+should\s+be)"
    r"|ich\s+(?:wähle|nehme)|elijo|escojo|je\s+choisis|scelgo|escolho|ik\s+kies|wybieram|выбираю)"
    r"|选择|选|選択|選)"
    rf"\s*:?[\W_]{{0,4}}(?:{_NOUN}[\W_]{{1,4}})?(?:(?:boxed|text|textbf)\{{)*(?-i:([A-Z])){_END}"
    r"(?!\s+(?:is|are|was|were|has|have|can|cannot|does|do|and|or|seems)\b)",
    re.IGNORECASE,
)


def key(text: str) -> str:
    """Normalise an option, except one such as "+" of which nothing would be left."""
    return normalize_answer(text) or text.strip().casefold()


def only_letter(text: str) -> str | None:
    """
    Give the letter that a text is, in upper case, if it is one.

    Examples
    --------
    >>> only_letter("(b)"), only_letter("Option C."), only_letter("Bravo")
    ('B', 'C', None)
    """
    only = _ONLY_LETTER.fullmatch(text)
    return only[1].upper() if only else None


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of one item, as a reply may name them."""

    letters: frozenset[str]
    by_text: dict[str, str]
    """Letter by normalised text; `SEVERAL` for a text that two options share."""
    accepted: frozenset[str]

    def read(self, text: str, *, announced: bool) -> str | None:
        """
        Read the letter chosen in an answer; None where none can be read.

        It stands in the first or the last line, but not in a list of the options; where they name different
        letters, neither counts.  Else a sentence says so: "So it is B", "B is correct".
        """
        named = [self.read_line(line[:N_CHARACTERS], announced=announced) for line in _outer_lines(text)]
        chosen = {letter for letter in named if letter is not None}
        if chosen:
            return chosen.pop() if len(chosen) == 1 else None
        return self._stated(text)

    def read_line(self, line: str, *, announced: bool = False) -> str | None:
        """Read the letter chosen in a line; `announced` says that it is known to be the answer."""
        if letter := only_letter(line):
            return letter
        normalized = key(line)
        if normalized in self.by_text:
            return self.by_text[normalized]
        if (both := _TEXT_AND_LETTER.fullmatch(line)) and key(both[1]) in self.by_text:
            return self._agreed(both[2], both[1], announced=announced)
        if (several := _SEVERAL.match(line)) and several[1] in self.letters:
            return SEVERAL
        if labelled := _LABELLED.match(line):
            return self._agreed((labelled[1] or labelled[2]).upper(), labelled[3] or "", announced=announced)
        begins = _BEGINS.match(line)
        if begins and self._is_chosen(begins[1], begins[2], announced=announced):
            return begins[1]
        if (right := _SAYS_RIGHT.match(line)) and right[1] in self.letters:
            return right[1]
        if right := _TEXT_IS_RIGHT.match(line):
            return self.by_text.get(key(right[1]))
        return self._begun_with(normalized) if announced else None

    def _agreed(self, letter: str, text: str, *, announced: bool) -> str | None:
        """Take a letter with a text, unless the text is another option's, or lists the others."""
        named = self.by_text.get(key(text), letter)
        if named != letter:
            return SEVERAL
        if letter not in self.letters:
            return None
        others = {found[1] for found in _LISTED_WITHIN.finditer(text)} & self.letters - {letter}
        return letter if announced or not others else None

    def _is_chosen(self, letter: str, text: str, *, announced: bool) -> bool:
        """Tell a letter before some text from an article, an initial or a pronoun."""
        if letter not in self.letters:
            return False
        if self.by_text.get(key(text)) == letter:
            return True
        return bool(_SURE.match(text)) or (announced and not _is_word(letter, text))

    def _stated(self, text: str) -> str | None:
        """Read the last sentence that chooses, or the only letter of which is said that it is right."""
        if _SAY_SEVERAL.search(text):
            return SEVERAL
        says = [found for found in _SAYS_CHOSEN.finditer(text) if found[1] in self.letters]
        for found in reversed(says):
            if not _is_word(found[1], text[found.end() : found.end() + 40]):
                return found[1]
        right = {found[1] for found in _SAYS_RIGHT.finditer(text)} & self.letters
        return right.pop() if len(right) == 1 else None

    def _begun_with(self, normalized: str) -> str | None:
        """Find the longest option that an announced answer begins with: "Paris, since ..."."""
        begun = [text for text in self.by_text if normalized.startswith(f"{text} ")]
        return self.by_text[max(begun, key=len)] if begun else None


def _is_word(letter: str, following: str) -> bool:
    """Say whether an "A" or "I" is no letter of an option: "A city", "I think"."""
    rest = following.lstrip()
    goes_on_with_word = following[:1].isspace() and rest[:1].isascii() and rest[:1].islower()
    return letter in "AI" and goes_on_with_word and not _GOES_ON.match(rest)


def _outer_lines(text: str) -> list[str]:
    """Give the first and the last line, as far as they do not belong to a list of options."""
    lines = [(number, line) for number, line in enumerate(text.splitlines()) if line.strip()]
    if len(lines) < 2:
        return [line for _, line in lines]
    listed = [(number, found[1]) for number, line in lines if (found := _LISTED.match(line))]
    ends = ((lines[0], listed[:3]), (lines[-1], listed[:-4:-1]))
    return [line for (number, line), nearest in ends if not _is_in_list(number, nearest)]


def _is_in_list(number: int, nearest: list[tuple[int, str]]) -> bool:
    """
    Say whether a line belongs to a list: the next labelled line has a later letter, and no greater distance.

    Parameters
    ----------
    number : int
        The line's number; the first or the last.
    nearest : list of tuple
        Number and letter of the three labelled lines that are the nearest to that end, from there.
    """
    if len(nearest) < 2 or nearest[0][0] != number:
        return False
    (_, own), (second, other) = nearest[:2]
    is_ascending = own < other if second > number else own > other
    is_apart = len(nearest) > 2 and abs(second - number) > abs(nearest[2][0] - second)
    return is_ascending and not is_apart
