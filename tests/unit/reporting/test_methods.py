from __future__ import annotations

import dataclasses

from scripts.analysis.paired import PairedEffect
from scripts.reporting.methods import methods_paragraph
from scripts.reporting.pages import render_run_page, render_trial_page
from scripts.reporting.sentences import comparison_gaps, gap_words
from scripts.reporting.stats_tables import EFFECT_FIELDS, MAX_ROWS, stats_tables
from tests.fakes import synthetic_reports as synthetic


def _paragraph(results, **changes):
    page = synthetic.run_page(results, **changes)
    return methods_paragraph(page.summary, page.methods, page.costs)


def test_the_paragraph_names_every_setting_of_the_run():
    text = _paragraph(synthetic.realistic_results(), providers={"gpt-4.1-mini": "openai"}, limit_items=600)

    for words in (
        "6 trials",
        "arithmetic (1,319 questions, scored by numeric) and trivia (600 questions, scored by short_answer)",
        "11,514 requests in all",
        "Only the first 600 questions of each dataset were used",
        "gpt-4.1-mini (openai, gpt-4.1-mini-2025-04-14) and llama-3.3-70b (llama-v3p3-70b)",
        "Prompts: control, stepwise and terse.",
        "max tokens 512",
        "gpt-4.1-mini-stepwise with gpt-4.1-mini-control",
        "24 errored",
        "Intervals are at 95\N{NO-BREAK SPACE}%: of means wilson, t, of differences tango score.",
        "Tests are two-sided: exact McNemar.",
        "Holm adjustment",
        "between -0.02 and +0.02",
        "10,000 resamples, seed 20250101",
        "packaged price table, as of 2025-01-01",
        "Run prompt-study, with trialmake 0.1.0, python 3.11.7, scipy 1.17.1",
    ):
        assert words in text


def test_a_run_that_compares_nothing_says_so():
    text = _paragraph([dataclasses.replace(synthetic.result("only"), costs=None)])

    assert "No trial was compared with another." in text
    assert "No price was used." in text
    assert "Tests" not in text


def test_what_could_not_be_paired_comes_with_the_requests_that_failed():
    effect = {**synthetic.effect(0.1), "n_unpaired": 2, "trial": "t", "baseline": "c"}

    (gap,) = comparison_gaps([effect], "correct", outcomes={"t": {"errored": 2, "answered": 9}})

    assert gap_words(gap).startswith("2 questions left out")
    assert (gap.n_pairs, gap.n_unpaired, gap.failed, gap.baseline_failed) == (100, 2, "2 errored", "")


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

    assert EFFECT_FIELDS - {"dataset", "metric"} <= fields


def test_what_the_phases_write_today_has_a_place_of_its_own():
    assert stats_tables([item.stats for item in synthetic.realistic_results()]) == ()
