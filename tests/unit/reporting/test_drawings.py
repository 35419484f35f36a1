"""Drawings as files of their own: their numbers, names and colours."""

from __future__ import annotations

import csv
import re
from xml.etree import ElementTree

import pytest

from scripts.records import FIGURES
from scripts.reporting.drawings import palette
from scripts.reporting.pages import render_drawing
from scripts.reporting.summary import TrialResult
from scripts.reporting.tables import csv_text
from scripts.reporting.views import run_drawings
from tests.fakes import synthetic_reports as synthetic


@pytest.fixture(scope="module")
def page():
    page = synthetic.run_page(synthetic.realistic_results())
    for trial in page.summary["trials"]:
        trial["metrics"]["false_answer"] = synthetic.metric(0.3)
    return page


def test_there_is_a_drawing_for_every_file_that_the_run_promises(page):
    assert tuple(run_drawings(page)) == FIGURES


@pytest.mark.parametrize("name", FIGURES)
def test_a_drawing_is_a_file_of_its_own(page, name):
    drawing = run_drawings(page)[name]

    root = ElementTree.fromstring(render_drawing(drawing))

    text = "".join(root.itertext())
    assert root.attrib["aria-label"] == drawing.title
    assert "var(" not in text
    assert "gpt-4.1-mini-stepwise" in text
    assert not [key for node in root.iter() for key in node.attrib if key.endswith(("href", "src"))]


@pytest.mark.parametrize("name", FIGURES)
def test_a_drawing_of_nothing_says_so(name):
    nothing = run_drawings(synthetic.run_page([]))[name]

    assert "There is nothing to draw" in render_drawing(nothing)


@pytest.mark.parametrize("name", FIGURES)
def test_hostile_names_stay_text_in_a_drawing(name):
    results = synthetic.realistic_results()
    hostile = {item.stats["trial"]: f"{synthetic.HOSTILE}{n}" for n, item in enumerate(results)}
    renamed = [
        TrialResult(
            item.factors,
            {
                **item.stats,
                "trial": hostile[item.stats["trial"]],
                "baseline": hostile.get(item.stats["baseline"]),
            },
            item.costs,
        )
        for item in results
    ]

    drawing = render_drawing(run_drawings(synthetic.run_page(renamed))[name])

    names = {node.tag.rpartition("}")[2] for node in ElementTree.fromstring(drawing).iter()}
    assert names <= {"svg", "style", "rect", "text", "tspan", "line", "circle", "title"}


def test_the_numbers_of_a_drawing_are_those_of_the_summary(page):
    drawings = run_drawings(page)

    rows = list(
        csv.DictReader(
            csv_text(drawings["leaderboard"].numbers, drawings["leaderboard"].columns).splitlines()
        )
    )
    means = {trial["trial"]: trial["metrics"]["correct"]["mean"] for trial in page.summary["trials"]}
    assert {row["trial"]: float(row["mean"]) for row in rows} == means
    rows = list(csv.DictReader(csv_text(drawings["forest"].numbers, drawings["forest"].columns).splitlines()))
    effects = [
        row for row in page.summary["effects"] if (row["dataset"], row["metric"]) == ("all", "correct")
    ]
    assert {row["trial"]: float(row["low"]) for row in rows} == {row["trial"]: row["low"] for row in effects}


def _luminance(colour):
    parts = re.findall(
        "..", colour.removeprefix("#") if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    )
    values = [int(part, 16) / 255 for part in parts]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("name", "needed"),
    # WCAG 2.2: 4.5 for text, 3 for what has to be seen in a picture.
    [(name, 4.5) for name in ("ink", "soft", "link", "better", "worse", "equivalent", "inconclusive")]
    + [(name, 3.0) for name in ("mark", "zero", "refused", "errored", "expired", "missing")],
)
def test_the_colours_can_be_told_from_the_paper(scheme, name, needed):
    colours = palette(scheme)
    for ground in ("--paper", "--wash") if needed == 4.5 else ("--paper",):
        light, dark = sorted((_luminance(colours[key]) for key in (f"--{name}", ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= needed
