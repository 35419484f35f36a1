from __future__ import annotations

import dataclasses
import time

import pytest

from scripts.reporting.methods import methods_paragraph
from scripts.reporting.pages import render_drawing, render_run_page
from scripts.reporting.tables import csv_text
from scripts.reporting.views import run_drawings
from tests.browser.headless_chromium import CHROMIUM
from tests.fakes import synthetic_reports as synthetic

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]


def _column(browser, table, place):
    cells = f"document.querySelectorAll('{table} tbody tr:not([hidden]) > :nth-child({place})')"
    return browser.run(f"[...{cells}].map((cell) => cell.textContent.trim())")


def _click_head(browser, table, place):
    browser.run(f"document.querySelector('{table} thead th:nth-child({place}) button').focus()")
    browser.press("Enter")
    return browser.run(
        f"document.querySelector('{table} thead th:nth-child({place})').getAttribute('aria-sort')"
    )


def test_a_table_is_sorted_by_its_numbers_and_its_names(show, browser):
    show(render_run_page(synthetic.run_page(synthetic.realistic_results())))
    table = "#costs table.sortable"

    assert _click_head(browser, table, 7) == "descending"
    costs = [float(text.strip("$")) for text in _column(browser, table, 7)]
    assert costs == sorted(costs, reverse=True)
    assert _click_head(browser, table, 7) == "ascending"
    costs = [float(text.strip("$")) for text in _column(browser, table, 7)]
    assert costs == sorted(costs)
    assert _click_head(browser, table, 2) == "ascending"
    names = _column(browser, table, 2)
    assert names == sorted(names)
    assert browser.run(f"document.querySelectorAll('{table} [aria-sort]').length") == 1


def test_numbers_that_are_not_there_come_last_however_a_table_is_sorted(show, browser):
    results = [
        dataclasses.replace(synthetic.result(name), costs=synthetic.costs(name, cost, reason="no price"))
        for name, cost in (("a", 0.5), ("b", None), ("c", 1200.0))
    ]
    show(render_run_page(synthetic.run_page(results)))

    _click_head(browser, "#costs table.sortable", 7)
    assert [text[:2] for text in _column(browser, "#costs table.sortable", 7)] == ["$1", "$0", "—n"]
    _click_head(browser, "#costs table.sortable", 7)
    assert [text[:2] for text in _column(browser, "#costs table.sortable", 7)] == ["$0", "$1", "—n"]


def test_a_long_table_is_filtered(show, browser):
    results = [synthetic.result(f"trial-{number}") for number in range(12)]
    show(render_run_page(synthetic.run_page(results)))

    browser.type("#leaderboard .filter input", "trial-1")

    assert set(_column(browser, "#leaderboard table", 2)) == {"trial-1", "trial-10", "trial-11"}
    assert (
        browser.run("document.querySelector('#leaderboard .filter [role=status]').textContent")
        == "3 of 12 rows"
    )


def test_the_numbers_of_the_page_are_those_of_the_summary(show, browser):
    page = synthetic.run_page(synthetic.realistic_results())
    show(render_run_page(page))
    trials = {trial["trial"]: trial for trial in page.summary["trials"]}

    shown = zip(
        _column(browser, "#leaderboard table", 2), _column(browser, "#leaderboard table", 3), strict=True
    )

    for name, text in shown:
        metric = trials[name]["metrics"]["correct"]
        mean, low, high = (f"{100 * metric[key]:.1f}" for key in ("mean", "low", "high"))
        assert text == f"{mean} ({low} to {high})"
    for effect in page.summary["effects"]:
        if (effect["dataset"], effect["metric"]) == ("all", "correct"):
            size = f"{100 * abs(effect['difference']):.1f}"
            assert size in browser.run("document.querySelector('#findings').textContent")


def test_a_figure_is_saved_as_it_stands_beside_the_page(show, browser, tmp_path):
    page = synthetic.run_page(synthetic.realistic_results())
    show(render_run_page(page))
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))

    for kind in ("svg", "csv"):
        browser.run(f"document.querySelector('#leaderboard a[download=\"leaderboard.{kind}\"]').click()")
        deadline = time.monotonic() + 30
        while not (tmp_path / f"leaderboard.{kind}").exists():
            assert time.monotonic() < deadline
            browser.run("1")

    drawing = run_drawings(page)["leaderboard"]
    assert (tmp_path / "leaderboard.svg").read_text() == render_drawing(drawing)
    assert (tmp_path / "leaderboard.csv").read_text() == csv_text(drawing.numbers, drawing.columns)


def test_the_methods_are_copied(show, browser):
    page = synthetic.run_page(synthetic.realistic_results())
    show(render_run_page(page))
    browser.run("document.querySelector('[data-copy]').scrollIntoView()")

    browser.run("document.querySelector('[data-copy]').click()")
    browser.wait_for("document.querySelector('.copy [role=status]').textContent")

    copied = browser.run("getSelection().toString() || document.querySelector('#paragraph').textContent")
    assert copied.strip() == methods_paragraph(page.summary, page.methods, page.costs)
