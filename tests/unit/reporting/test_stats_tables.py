"""Statistics without a place of their own are tables."""

from __future__ import annotations

import dataclasses

from scripts.analysis.paired import PairedEffect
from scripts.reporting.pages import render_run_page, render_trial_page
from scripts.reporting.stats_tables import CHECK_FIELDS, EFFECT_FIELDS, MAX_ROWS, STATS_FIELDS, stats_tables
from scripts.reporting.summary import EFFECT_ANALYSES, TRIAL_ANALYSES
from tests.fakes import synthetic_reports as synthetic


def test_fields_that_nobody_knows_become_tables():
    stats = {
        "trial": "t",
        "sensitivity": [
            {"assumption": "all wrong", "difference": -0.01234567, "p_value": 0.00003, "holds": True}
        ],
        "subgroups": {"easy": {"n_pairs": 1200, "effect": {"low": None, "high": 0.5}}},
        "empty": [],
        "effects": [{**synthetic.effect(0.1), "novelty": {"items": 0.2, "replicates": float("nan")}}],
    }

    tables = {table.title: table for table in stats_tables([stats])}

    assert set(tables) == {"Sensitivity", "Subgroups", "Novelty"}
    assert tables["Sensitivity"].rows == (("all wrong", "\N{MINUS SIGN}0.01235", "< 0.0001", "yes"),)
    assert [column.label for column in tables["Subgroups"].columns] == [
        "Name",
        "N pairs",
        "Effect low",
        "Effect high",
    ]
    assert tables["Subgroups"].rows == (("easy", "1,200", "—", "0.5"),)
    assert tables["Novelty"].rows == (("all", "correct", "0.2", "—"),)


def test_the_same_field_of_several_trials_is_one_table():
    many = [{"trial": name, "groups": [{"n": n} for n in range(200)]} for name in "ab"]

    (table,) = stats_tables(many)

    assert (len(table.rows), table.n_rows) == (MAX_ROWS, 400)
    assert table.rows[0] == ("a", "0")
    assert table.rows[-1] == ("b", "99")


def test_hostile_fields_stay_text_on_both_pages():
    hostile = synthetic.HOSTILE
    result = synthetic.result("t", **{hostile: [{hostile: hostile}], "effects": []})
    further = stats_tables([result.stats])

    run = render_run_page(dataclasses.replace(synthetic.run_page([result]), stats_tables=further))
    trial = render_trial_page(synthetic.trial_page(result))

    for page in (run, trial):
        assert "Further analyses" in page
        assert "<img" not in page
        assert "&lt;script&gt;" in page


def test_the_fields_that_are_shown_elsewhere_are_those_of_an_effect():
    fields = {field.name for field in dataclasses.fields(PairedEffect)}

    assert (
        EFFECT_FIELDS
        - {"dataset", "metric", "better", "is_share", "unit", "margin", "n_questions", "requests"}
        <= fields
    )


def test_what_the_phases_write_today_has_a_place_of_its_own():
    assert stats_tables([item.stats for item in synthetic.realistic_results()]) == ()


def test_every_analysis_of_the_summary_is_shown_by_name():
    assert set(TRIAL_ANALYSES) <= STATS_FIELDS
    assert set(EFFECT_ANALYSES) <= CHECK_FIELDS
