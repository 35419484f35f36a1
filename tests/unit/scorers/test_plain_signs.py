"""Lines in plain signs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.scorers.plain_signs import ascii_signs, plain_signs


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nothing to do", "nothing to do"),
        (r"\dfrac{3}{4}", "3/4"),
        (r"2\tfrac{3}{4}", "2 3/4"),
        (r"\frac12x", "1/2 x"),
        (r"\frac{\pi}{4}", r"\frac{π}{4}"),  # no number: left for the reader to refuse
        (r"3 \times 10^{2} \approx 300\%", "3 × 10^{2} ≈ 300%"),
        (r"\textbf{5}\,\mathrm{m}", "{5} {m}"),
        (r"10\,000 and 1{,}000", "10 000 and 1,000"),
        ("**5** of __7__", "5 of 7"),
        ("10**3 = 10 ** 3", "10^3 = 10^3"),
        ("**Step 10** 3 apples", "Step 10 3 apples"),
        ("sqrt(2), 2 pi, ln(3), sin 30", r"√(2), 2 π, \ln(3), \sin 30"),
        ("using pine, a single login", "using pine, a single login"),
        ("x<sub>1</sub> = 10<sup>3</sup>", "x_{1} = 10^{3}"),
        ("２½ m² at −５ °C", "2 1/2 m^{2} at −5 °C"),
        ("10⁻³ H₂O", "10^{-3} H_{2}O"),
        ("5\u2009000\u00a0€", "5 000 €"),
        ("٣٫٥", "3.5"),
    ],
)
def test_a_line_is_rewritten(line: str, expected: str) -> None:
    assert plain_signs(line).replace("−", "-") == expected.replace("−", "-")


@settings(deadline=None)
@given(st.text())
def test_digits_become_ascii_and_invisible_marks_go(text: str) -> None:
    plain = ascii_signs(text)
    assert not [one for one in plain if one.isdecimal() and not one.isascii()]
    assert "\u200b" not in plain
    assert ascii_signs(plain) == plain
