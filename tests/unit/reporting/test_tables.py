from __future__ import annotations

import csv
import io

import pytest

from scripts.reporting import tables

NAN = float("nan")


@pytest.mark.parametrize(
    ("function", "value", "expected"),
    [
        (tables.points, 0.0612, "+6.1"),
        (tables.points, -0.0612, "−6.1"),
        (tables.points, -0.0001, "0.0"),
        (tables.percent, 1.0, "100.0\u00a0%"),
        (tables.level, 0.95, "95\u00a0%"),
        (tables.p_value, 1.0, "> 0.999"),
        (tables.p_value, 0.0, "< 0.0001"),
        (tables.p_value, 0.001, "0.001"),
        (tables.p_words, 2e-115, "p < 0.0001"),
        (tables.dollars, 0.42, "$0.42"),
        (tables.dollars, 0.000012, "$0.000012"),
        (tables.dollars, -3, "−$3.00"),
        (tables.count, 25404, "25,404"),
        (tables.compact, 0.0123, "0.012"),
        (tables.compact, -2.5, "−2.50"),
    ],
)
def test_numbers_are_written_as_a_reader_expects(function, value, expected):
    assert expected == function(value)


@pytest.mark.parametrize("missing", [None, NAN, float("inf")])
@pytest.mark.parametrize(
    "function",
    [
        tables.share,
        tables.percent,
        tables.points,
        tables.p_value,
        tables.dollars,
        tables.count,
        tables.compact,
        tables.level,
    ],
)
def test_a_number_that_is_not_there_is_a_dash(function, missing):
    assert function(missing) == "—"


@pytest.mark.parametrize(("low", "high"), [(None, 0.1), (0.1, NAN), (None, None)])
def test_an_interval_with_an_end_missing_is_a_dash(low, high):
    assert tables.interval(low, high) == "—"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("-2.5", "-2.5"),
        ("+1e-3", "+1e-3"),
        (-0.25, "-0.25"),
        ("plain, with comma", "plain, with comma"),
        (None, ""),
        (NAN, ""),
        (float("-inf"), ""),
        (True, "true"),
        (0, "0"),
        ("nul\0", "nul"),
        ("lone \ud800", "lone \N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_csv_cell_is_data_and_never_a_formula(cell, expected):
    text = tables.csv_text([{"cell": cell, "end": 1}], ["cell", "end"])

    assert [["cell", "end"], [expected, "1"]] == list(csv.reader(io.StringIO(text)))
    assert text.encode("utf-8")


def test_control_characters_are_shown_and_no_text_leaves_its_isolate():
    shown = tables.visible("a\x00\x1b[0m\x85\x7f\u202eb\u2069\ud800\ufffe\tc\r\nd\re")

    assert shown == "a⟨U+0000⟩⟨U+001B⟩[0m⟨U+0085⟩⟨U+007F⟩⟨U+202E⟩b⟨U+2069⟩\ufffd⟨U+FFFE⟩\tc\nd⟨U+000D⟩e"


def test_an_excerpt_knows_how_long_the_text_was():
    cut = tables.excerpt("x" * 1_000_000)

    assert (len(cut.text), cut.n_characters, cut.is_cut) == (4000, 1_000_000, True)
    assert not tables.excerpt("short").is_cut
