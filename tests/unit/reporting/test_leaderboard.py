"""The leaderboard: a row for each trial."""

from __future__ import annotations

import pytest

from scripts.reporting.leaderboard import leaderboard_columns, leaderboard_rows
from scripts.reporting.pages import render_run_page
from scripts.reporting.summary import Together, TrialResult, build_summary
from tests.fakes import synthetic_reports as synthetic
from tests.fakes.report_pages import Page


def _summary(results, **settings):
    return build_summary(results, run_id="r", confidence_level=0.95, **settings)


def _scored(trial, mean, cost=0.42, **changes):
    own = {**synthetic.stats(trial)["metrics"], "correct": synthetic.metric(mean)}
    return TrialResult(
        synthetic.factors(prompt=trial),
        synthetic.stats(trial, metrics=own, **changes),
        synthetic.costs(trial, cost),
    )


def test_the_leaderboard_starts_with_the_best_and_ends_with_the_unknown():
    results = [_scored("none", None), _scored("zero", 0.0), _scored("best", 0.9), _scored("mid", 0.4)]

    rows = leaderboard_rows(_summary(results))

    assert [row["trial"] for row in rows] == ["best", "mid", "zero", "none"]


def test_the_leaderboard_has_the_factors_that_are_set_and_counts_what_failed():
    outcomes = {"answered": 80, "truncated": 5, "refused": 4, "errored": 6, "expired": 3, "missing": 2}
    summary = _summary([_scored("t", 0.5, outcomes=outcomes)])

    columns, (row,) = leaderboard_columns(summary), leaderboard_rows(summary)

    assert columns[:6] == ["trial", "model", "prompt", "temperature", "replicates", "place"]
    assert (row["failed"], row["truncated"], row["refused"]) == (11, 5, 4)
    assert (row["correct"], row["f1"], row["false_answer"]) == (0.5, 0.6, None)


@pytest.mark.parametrize(
    ("mean", "cost", "n_requests", "expected"),
    [
        (0.5, 1.0, 100, 0.02),
        (0.5, 1.0, 300, 1 / 150),
        (0.0, 1.0, 100, None),
        (0.5, None, 100, None),
        (None, 1, 100, None),
    ],
)
def test_cost_per_correct_answer_counts_replicates_and_is_unknown_without_one(
    mean, cost, n_requests, expected
):
    (row,) = leaderboard_rows(_summary([_scored("t", mean, cost, n_requests=n_requests)]))

    assert expected == (row["cost_per_correct_usd"] and pytest.approx(row["cost_per_correct_usd"]))


def places(**by_trial):
    """By trial: place, best and worst one, mean over the common questions."""
    fields = ("place", "low", "high", "mean")
    listed = {
        name: {**dict(zip(fields, values, strict=True)), "n_items": 100, "reason": None}
        for name, values in by_trial.items()
    }
    return Together(leaderboard={"metric": "correct", "n_common": 90, "method": "m", "places": listed})


def test_the_order_is_that_of_the_places_and_ties_share_one():
    together = places(one=(1, 1, 2, 0.6), two=(1, 1, 2, 0.6), three=(3, 3, 3, 0.5))
    results = [_scored("three", 0.9), _scored("two", 0.55), _scored("one", 0.5)]

    summary = _summary(results, together=together)
    rows = leaderboard_rows(summary)

    assert [(row["trial"], row["place"], row["place_low"], row["place_high"]) for row in rows] == [
        ("two", 1, 1, 2),
        ("one", 1, 1, 2),
        ("three", 3, 3, 3),
    ]
    assert [row["mean_common"] for row in rows] == [0.6, 0.6, 0.5]


def test_the_page_shows_places_with_their_confidence_sets():
    together = places(one=(1, 1, 2, 0.6), two=(1, 1, 2, 0.6), three=(3, 3, 3, 0.5))
    results = [_scored(name, 0.5) for name in ("three", "two", "one")]

    text = Page(render_run_page(synthetic.run_page(results, together=together))).text

    assert "1 (1 to 2) one" in text
    assert "1 (1 to 2) two" in text
    assert "3 (3 to 3) three" in text
    assert "90 questions for which all trials have a score" in text
