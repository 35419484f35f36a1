"""Means and differences with their units."""

from __future__ import annotations

import pytest

from scripts.reporting.pages import render_run_page
from scripts.reporting.quantities import change, quantity, quantity_interval, usage_rows, usage_words
from tests.fakes import synthetic_reports as synthetic
from tests.fakes.report_pages import Page

TOKENS = {"better": "none", "is_share": False, "unit": "tokens"}
DOLLARS = {"better": "lower", "is_share": False, "unit": "USD"}


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        ({"difference": -31.0, "low": -34.0, "high": -28.0, **TOKENS}, "31.0 tokens shorter (28.0 to 34.0)"),
        ({"difference": 310.4, "low": 280.0, "high": 340.0, **TOKENS}, "310 tokens longer (280 to 340)"),
        ({"difference": -2.0, "low": -5.0, "high": 1.0, **TOKENS}, "2.0 tokens shorter (−1.0 to 5.0)"),
        ({"difference": 0.0, "low": None, "high": None, **TOKENS}, "no different (—)"),
        ({"difference": 1.0, "low": None, "high": None, **TOKENS}, "1.0 tokens longer"),
        ({"difference": None, "low": None, "high": None, **TOKENS}, "—"),
        (
            {"difference": 0.002, "low": 0.001, "high": 0.003, **DOLLARS},
            "$0.0020 dearer ($0.0010 to $0.0030)",
        ),
    ],
)
def test_how_much_longer_or_dearer(effect, said):
    assert usage_words(effect) == said


def test_a_share_is_in_per_cent_and_anything_else_is_a_number():
    assert (quantity(0.5, {}), quantity(0.5, TOKENS), quantity(None, TOKENS)) == ("50.0", "0.5", "—")
    assert change({"difference": 0.5}) == "+50.0"
    assert change({"difference": -0.5, **TOKENS}) == "−0.5"
    assert quantity_interval({"low": None, "high": 2.0, **TOKENS}) == "—"


def test_a_trial_without_counts_has_no_row():
    assert usage_rows([synthetic.stats("t")], []) == []


def test_the_page_says_what_answers_took():
    mean = {**synthetic.metric(0.5), "mean": 120.0, "low": 110.0, "high": 131.0, **TOKENS}
    row = {**synthetic.effect(0.001, metric="output_tokens", difference=-31.0), **TOKENS}
    row |= {"low": -34.0, "high": -28.0, "sensitivity": None}
    metrics = {**synthetic.stats("t")["metrics"], "output_tokens": mean}
    results = [
        synthetic.result("c", metrics=metrics),
        synthetic.result("t", baseline="c", effects=[row], metrics=metrics),
    ]

    text = Page(render_run_page(synthetic.run_page(results))).text

    assert "120 (110 to 131)" in text
    assert "31.0 tokens shorter (28.0 to 34.0)" in text
