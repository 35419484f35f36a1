from __future__ import annotations

import pytest

from scripts.reporting import figures
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
