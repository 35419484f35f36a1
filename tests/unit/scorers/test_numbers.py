"""The number that a text gives as its answer."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.scorers.numbers import Number, check_accepted, read_number


def value_of(text: str, *, is_announced: bool, decimal: str = ".") -> float | None:
    found = read_number(text, is_announced=is_announced, decimal=decimal)
    return None if found is None else found.value


@pytest.mark.parametrize(
    ("text", "announced", "last"),
    [
        ("42 km (about 26 miles)", 42, 26),
        ("42\nThis took 3 steps.", 42, 3),
        ("18 dollars for 7 days", 18, 7),
        ("5, 7", 5, 7),
        ("10+John's age", 10, 10),
        ("3, 4 = 4", 3, 4),
        ("3\n+ 4 = 7", 3, 7),  # not over the end of the line
        ("- 5\n- 7", 5, 7),  # items of a list
        ("1. 5\n2. 7", 1, 7),
        ("Total - 5", 5, 5),  # a dash between words
        ("the answer – 5", 5, 5),
        ("10 minus 5 is 5", 10, 5),
        ("16 - 3 = <<16-3=13>>13 eggs", 13, 13),
        ("36 / 2 = $18.", 18, 18),
        ("50 * 25 = 1250\n#### 1,250", 1250, 1250),
        ("5 or 7", math.nan, math.nan),  # an answer, but none that can be right
        ("x = 2 or x = 3", math.nan, math.nan),
        (r"\(x = 5\) or \(x = -2\)", math.nan, math.nan),
        ("$x = 5$ or $x = -2$", math.nan, math.nan),
        ("3/4 or 0.75", 0.75, 0.75),
        ("1/2 or 50%", 0.5, 0.5),
        ("1/2, or 50%", 0.5, 50),
        ("3 + 4", None, 4),
        ("so 5 * 2 = $<<5*2=10>>10 and then 5 * 1", 10, 1),
        ("\x00 4\ud800 \u202e5", 4, 5),
        ("5 km or 3 miles", 5, 3),
        ("between 5 and 7, so 6", None, 6),
        ("covid-19", 19, 19),
        ("5 (7)", 5, 7),
        ("**5** **7**", 5, 7),
        ("42 — 7 more than 35", 42, 35),
        ("7 of the 5-7 year olds", 7, None),
        ("It takes 3 × 10^2 s, i.e. 5 min", 300, 5),
        ("", None, None),
    ],
)
def test_the_first_number_counts_after_an_announcement_and_else_the_last(
    text: str, announced: float | None, last: float | None
) -> None:
    seen = value_of(text, is_announced=True), value_of(text, is_announced=False)
    assert seen == (pytest.approx(announced, nan_ok=True), pytest.approx(last, nan_ok=True))


@pytest.mark.parametrize(
    "text",
    [
        "So it is 42.\n\nConfidence: 95%",
        "42\n**Confidence:** 0.9",
        "42\n- Confidence level: 9/10",
        "42\nCertainty: 80 percent",
        "42\nProbability of being correct: 0.9",
        "42 (confidence: 95%)",
        "42. I am 95% confident.",
        "42. I am 95 % sure.",
        "Confidence: 95%\n42",
    ],
)
@pytest.mark.parametrize("is_announced", [True, False])
def test_the_confidence_in_an_answer_is_no_answer(text: str, is_announced: bool) -> None:
    assert value_of(text, is_announced=is_announced) == 42


def test_a_confidence_may_be_all_that_is_asked_for() -> None:
    assert value_of("Confidence: 95%", is_announced=False) == 95
    assert value_of("4 outcomes.\nProbability: 3/4", is_announced=False) == 0.75


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3,14", 3.14),
        ("Die Antwort ist 3,14.", 3.14),
        ("1.234,50 €", 1234.5),
        ("1.234.567", 1_234_567),
        ("1.234", 1234),
        ("1 234,5", 1234.5),
        ("1’234,5", 1234.5),
        ("-0,5", -0.5),
        ("0,500", 0.5),
        (",5", 0.5),
        ("2,5e3", 2500),
        ("2,5 · 10³", 2500),
        ("1,5/2", 0.75),
        ("3.14", 3.14),  # can be nothing else
        ("0.500", 0.5),
        ("42", 42),
        ("50 %", 50),
        ("1,2,3", None),
        ("1,234.50", None),
        ("1,234,567", None),
        ("5,5-7,5", None),
    ],
)
def test_a_comma_may_be_the_decimal_sign(text: str, expected: float | None) -> None:
    assert value_of(text, is_announced=True, decimal=",") == pytest.approx(expected)
    assert value_of(text, is_announced=False, decimal=",") == pytest.approx(expected)


def test_an_accepted_answer_may_be_written_either_way_unless_it_could_be_both() -> None:
    for answer in ("3,5", "2.5", "1.234,5", "1234", "0.123", "1.2345", "many"):
        check_accepted(answer, decimal=",")
    check_accepted("1.234", decimal=".")
    with pytest.raises(ValueError, match=r"with a decimal comma '-1\.234' may be 1234 or 1,234"):
        check_accepted("-1.234", decimal=",")


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("about $1,250.00 in all", "$1,250.00"),
        (r"\boxed{\frac{3}{4}}", "3/4"),
        ("it is minus 5 °C", "minus 5"),
        ("2·10⁵ m", "2·10^{5}"),
        ("5 or 7", "5 or 7"),
    ],
)
def test_the_piece_that_was_read_is_given(text: str, piece: str) -> None:
    found = read_number(text, is_announced=True)
    assert found is not None
    assert found.text == piece.removeprefix("$")


@settings(deadline=None)
@given(st.integers(-(10**12), 10**12))
def test_thousands_separators_change_nothing(number: int) -> None:
    for text in (f"{number:,}", str(number), f"{number:,}".replace(",", " "), f"{number:_}"):
        assert value_of(text, is_announced=False) == number
    assert value_of(f"{number:,}".replace(",", "."), is_announced=True, decimal=",") == number


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_as_it_is_printed(number: float) -> None:
    assert value_of(repr(number), is_announced=True) == number
    assert value_of(repr(number).replace(".", ","), is_announced=False, decimal=",") == number


@settings(deadline=None)
@given(st.integers(-99, 99), st.integers(1, 99), st.sampled_from(["frac", "dfrac", "tfrac"]))
def test_a_fraction_is_its_value(numerator: int, denominator: int, command: str) -> None:
    sign = "-" if numerator < 0 else ""
    text = f"{sign}\\{command}{{{abs(numerator)}}}{{{denominator}}}"
    assert value_of(text, is_announced=True) == pytest.approx(numerator / denominator)


@settings(deadline=None)
@given(
    st.text(alphabet="0123456789.,-−+/$%eEx×^{}()=<> \nA:#√π±½²orto_*\\"),
    st.booleans(),
    st.sampled_from([".", ","]),
)
def test_no_text_makes_it_fail(text: str, is_announced: bool, decimal: str) -> None:
    found = read_number(text, is_announced=is_announced, decimal=decimal)
    assert found is None or (isinstance(found, Number) and not math.isinf(found.value) and found.text)


HOSTILE = [
    "1" * 10**5,
    ",234" * 25_000,
    "1 " * 50_000,
    "1/" * 50_000,
    "1-" * 50_000,
    "1 or " * 20_000,
    "^" * 10**5,
    "2^" * 50_000,
    "\\frac{" * 16_000,
    "\\frac{1}{" * 10_000,
    "√{" * 50_000,
    "√(" * 50_000,
    "√[" * 50_000,
    "confidence " * 10_000,
    "confidence" * 10_000,
    "95% " * 25_000,
    "- " * 50_000,
    "±" * 10**5,
    "**" * 50_000,
    "²" * 10**5,
    "½" * 10**5,
    "\n" * 10**5,
    "1\n" * 50_000,
    "not " * 25_000,
    "{" * 10**5,
    " " * 10**5 + "5",
    "sqrt" * 25_000,
    "1_" * 50_000,
    "1 000" * 20_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_takes_no_time(text: str) -> None:
    # A pattern that steps back over a megabyte would take hours here, not seconds.
    for is_announced in (True, False):
        for decimal in (".", ","):
            found = read_number(text, is_announced=is_announced, decimal=decimal)
            assert found is None or not math.isinf(found.value)
