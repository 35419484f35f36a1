from __future__ import annotations

import csv
import re
from xml.etree import ElementTree

import pytest

from scripts.records import FIGURES
from scripts.reporting import figures
from scripts.reporting.drawings import palette
from scripts.reporting.pages import render_drawing
from scripts.reporting.scatter import abstention_scatter, cost_scatter
from scripts.reporting.summary import TrialResult
from scripts.reporting.tables import csv_text
from scripts.reporting.views import run_drawings
from tests.fakes import synthetic_reports as synthetic


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 100, (0, 20, 40, 60, 80, 100)),
        (-0.7, 1.9, (-1, -0.5, 0, 0.5, 1, 1.5, 2)),
        (0.3, 0.3, (-0.2, 0.0, 0.2, 0.4, 0.6, 0.8)),
        (0, 7, (0, 2, 4, 6, 8)),
    ],
)
def test_ticks_are_round_and_cover_the_data(low, high, expected):
    assert pytest.approx(expected) == figures.nice_ticks(low, high)


@pytest.mark.parametrize("span", [1e-9, 0.003, 1, 37, 4e8])
def test_a_step_makes_about_five_parts(span):
    assert 2 <= span / figures.nice_step(span) <= 6.26


def _effects(*rows):
    return [{**row, "baseline": baseline} for baseline, row in rows]


def test_a_forest_holds_zero_the_band_and_every_interval():
    rows = _effects(("a", synthetic.effect(0.1)), ("b", synthetic.effect(0.1, difference=-0.2)))

    forest = figures.forest(rows, group="baseline", margin=0.02)

    assert [group.name for group in forest.groups] == ["a", "b"]
    for group in forest.groups:
        span = group.rows[0].span
        assert 0 < span.low < span.at < span.high < 100
    left, width = forest.band
    assert left + width / 2 == pytest.approx(forest.zero, abs=0.01)
    assert "0" in [tick.label for tick in forest.ticks if tick.at == forest.zero]


def test_an_effect_that_is_not_there_has_no_mark():
    forest = figures.forest(
        _effects(("a", synthetic.effect(None, difference=None))), group="baseline", margin=None
    )

    assert figures.Span(None, None, None) == forest.groups[0].rows[0].span
    assert forest.band is None


def test_bars_start_at_zero_and_a_missing_mean_has_none():
    drawn = figures.bars([synthetic.metric(0.5), synthetic.metric(None)])

    assert (drawn.ticks[0].label, drawn.ticks[0].at) == ("0", 0.0)
    assert figures.Span(None, None, None) == drawn.spans[1]


def test_a_stack_fills_the_bar():
    parts = figures.stack({"answered": 97, "errored": 2, "missing": 1})

    assert [part.outcome for part in parts] == ["answered", "errored", "missing"]
    assert pytest.approx(100) == sum(part.width for part in parts)


def test_no_request_gives_an_empty_stack():
    assert figures.stack(dict.fromkeys(synthetic.OUTCOMES, 0)) == ()


def _trial(name, cost, correct, *, abstained=None, false_answer=None):
    shares = {"correct": correct, "abstained": abstained, "false_answer": false_answer}
    metrics = {key: {"mean": mean, "low": None, "high": None} for key, mean in shares.items()}
    return {"trial": name, "cost_usd": cost, "metrics": metrics}


def test_the_frontier_joins_trials_that_none_beats():
    drawn = cost_scatter([_trial("best", 4, 0.9), _trial("beaten", 3, 0.5), _trial("cheap", 1, 0.6)])

    assert {"best", "cheap"} == {point.trial for point in drawn.points if point.is_efficient}
    assert len(drawn.frontier) == 2
    assert not drawn.is_log


def test_costs_far_apart_get_a_logarithmic_axis():
    drawn = cost_scatter([_trial("a", 0.01, 0.5), _trial("b", 30, 0.9)])

    assert drawn.is_log
    assert [tick.label for tick in drawn.x_ticks] == ["$0.01", "$0.1", "$1", "$10", "$100"]


@pytest.mark.parametrize(
    "trials",
    [
        [],
        [_trial("a", 0.0, 0.5), _trial("b", 0.0, 0.9)],
        [_trial("a", None, 0.5), _trial("b", 1, 0.9)],
        [_trial("a", 2, None), _trial("b", 1, 0.9)],
    ],
)
def test_without_two_costs_there_is_no_scatter(trials):
    assert cost_scatter(trials) is None


def test_abstentions_stand_against_false_answers():
    drawn = abstention_scatter(
        [
            _trial("bold", 1, 0.5, abstained=0.0, false_answer=0.8),
            _trial("shy", 1, 0.5, abstained=0.4, false_answer=0.1),
            _trial("no such questions", 1, 0.5, abstained=0.4),
        ]
    )

    places = {point.trial: (point.x, point.y) for point in drawn.points}
    assert set(places) == {"bold", "shy"}
    assert places["bold"][0] == 0 < places["shy"][0]
    assert places["bold"][1] < places["shy"][1]  # upwards is more
    assert drawn.frontier == ()


def test_labels_of_points_that_are_close_do_not_cover_each_other():
    drawn = cost_scatter(
        [_trial(f"trial number {n}", 3 + n / 100, 0.5 + n / 1000) for n in range(6)] + [_trial("z", 9, 0.9)]
    )

    places = {(point.label_dx, point.label_dy) for point in drawn.points if point.trial != "z"}
    assert len(places) == 6


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
