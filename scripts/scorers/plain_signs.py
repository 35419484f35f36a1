"""Lines rewritten in plain signs: one way to write a digit, a power or a fraction, where texts have many."""

from __future__ import annotations

import re
import unicodedata

_SUPERSCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+")
_SUBSCRIPT = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
_VULGAR = re.compile("[¼-¾⅐-⅞↉]")
_DIGIT = re.compile(r"(?![0-9])\d")
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff\u20e3]"
)
_SIGNS = str.maketrans(
    {"‐": "-", "‒": "-", "⁄": "/", "∕": "/", "⋅": "·", "∙": "·", "•": "·", "✕": "×", "✖": "×", "⨯": "×"}
    | {
        "٬": ",",
        "٫": ".",
        "٪": "%",
        "～": "~",
        "〜": "~",
        "≃": "≈",
        "≅": "≈",
        "∼": "~",
        "´": "'",
        "‘": "'",
        "’": "'",
    }
)

_COMMANDS = {
    ",": " ",
    ";": " ",
    ":": " ",
    " ": " ",
    "!": "",
    "%": "%",
    "$": "$",
    "{": " ",
    "}": " ",
    "(": " ",
    ")": " ",
    "[": " ",
    "]": " ",
    "times": "×",
    "cdot": "·",
    "ast": "*",
    "div": "÷",
    "approx": "≈",
    "simeq": "≈",
    "sim": "~",
    "pm": "±",
    "pi": "π",
    "sqrt": "√",
    "circ": "°",
    "degree": "°",
    "dfrac": r"\frac",
    "tfrac": r"\frac",
    "cfrac": r"\frac",
    "dots": "...",
    "ldots": "...",
    "quad": " ",
    "qquad": " ",
    "left": "",
    "right": "",
    "big": "",
    "Big": "",
    "text": "",
    "textbf": "",
    "textit": "",
    "mathrm": "",
    "mathbf": "",
    "mathit": "",
    "mathsf": "",
    "operatorname": "",
    "displaystyle": "",
    "bf": "",
    "rm": "",
    "boldsymbol": "",
    "bm": "",
    "pounds": "£",
    "euro": "€",
}
"""What stands for a command of LaTeX; any other is left as it is."""

_COMMAND = re.compile(r"\\([a-zA-Z]++|[^a-zA-Z\n])")
_PART = r"(?:\{[ ]*+([-+−–]?[ ]?\d[\d.,]*+)[ ]*+\}|[ ]*+(\d))"
_FRACTION = re.compile(rf"(?P<before>\d[ ]*+)?\\frac[ ]*+{_PART}[ ]*+{_PART}(?P<after>(?=[\w(]))?")
_FUNCTION = re.compile(
    r"(?i)(?<![^\W\d_\\])(?<!\\)(?:(?P<root>sqrt)(?=[ ]?[({\d])|(?P<pi>pi)(?![^\W_])"
    r"|(?P<of>ln|log|sin|cos|tan|exp)(?=[_\d]{0,4}+(?:[ ]?\(|[ ]\d)))"
)
_POWER_WORDS = re.compile(r"(?<=\d)[ ](?:raised[ ])?to the power(?:[ ]of)?[ ](?=[-−–]?\d)")
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DATE = re.compile(
    rf"(?i)\b{_MONTH}[ ]\d{{1,2}}(?:st|nd|rd|th)?,?[ ]\d{{4}}\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th|\.)?[ ](?:of[ ])?{_MONTH},?[ ]\d{{4}}\b"
)
_HAS_DIGIT = re.compile(r"\d[ ]|[ ]\d")
DATE = "⌚"
"""What stands for a date with the name of its month."""

_STARS_POWER = re.compile(r"(?<=[\d)}])(?:\*\*|[ ]\*\*[ ])(?=[({]?[-+−–]?\d)")
_BOLD = re.compile(r"\*\*|__(?=\d)|(?<=\d)__")


def plain_signs(line: str) -> str:
    r"""
    Rewrite one line so that numbers in it are written in one way.

    Digits become ASCII, all but dashes between words become hyphens, raised digits become ``^{2}``,
    fractions ``3/4``, commands of LaTeX the signs that they stand for, and a date one sign; emphasis is
    dropped.

    Examples
    --------
    >>> plain_signs(r"**$-\dfrac{1}{3}$**"), plain_signs("2·10⁵ m²"), plain_signs("1½ or １２")
    ('$-1/3$', '2·10^{5} m^{2}', '1 1/2 or 12')
    """
    if not line.isascii():
        line = ascii_signs(line)
    if "<su" in line:
        line = (
            line.replace("<sup>", "^{").replace("</sup>", "}").replace("<sub>", "_{").replace("</sub>", "}")
        )
    if "{,}" in line:
        line = line.replace("{,}", ",")
    if "\\" in line:
        line = _without_latex(line)
    if _HAS_DIGIT.search(line):
        line = _DATE.sub(DATE, _POWER_WORDS.sub("^", line))
    line = _FUNCTION.sub(_function, line)
    if "**" in line or "__" in line:
        line = _BOLD.sub("", _STARS_POWER.sub("^", line))
    return line


def ascii_signs(text: str) -> str:
    """
    Rewrite a text in NFKC with ASCII digits: raised digits as ``^{2}``, ½ as 1/2, invisible marks dropped.

    Examples
    --------
    >>> ascii_signs("１½ m² ٣"), ascii_signs("Cafe\u0301\u200b")
    ('1 1/2 m^{2} 3', 'Café')
    """
    text = _SUPERSCRIPT.sub(lambda run: f"^{{{unicodedata.normalize('NFKC', run[0])}}}", text)
    text = _SUBSCRIPT.sub(lambda run: f"_{{{unicodedata.normalize('NFKC', run[0])}}}", text)
    text = _VULGAR.sub(_vulgar, text)
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).translate(_SIGNS)
    return _DIGIT.sub(lambda one: str(unicodedata.digit(one[0], one[0])), text)


def _vulgar(found: re.Match[str]) -> str:
    before = found.string[max(0, found.start() - 1) : found.start()]
    return (" " if before.isdecimal() else "") + unicodedata.normalize("NFKC", found[0])


def _without_latex(line: str) -> str:
    line = _COMMAND.sub(lambda command: _COMMANDS.get(command[1], command[0]), line)
    return _FRACTION.sub(_fraction, line) if r"\frac" in line else line


def _fraction(found: re.Match[str]) -> str:
    """Write a fraction with a slash, apart from a whole number before it and from letters after it."""
    before = found["before"]
    numerator, denominator = found[2] or found[3], found[4] or found[5]
    text = f"{numerator}/{denominator}".replace(" ", "")
    return (f"{before.rstrip()} " if before else "") + text + (" " if found["after"] is not None else "")


def _function(found: re.Match[str]) -> str:
    if found["root"]:
        return "√"
    return "π" if found["pi"] else f"\\{found['of'].lower()}"
