from __future__ import annotations

import dataclasses
import re

import pytest

from scripts.reporting.pages import SCRIPTS, page_scripts, render_run_page, render_trial_page
from scripts.reporting.summary import TrialResult
from tests.fakes import synthetic_reports as synthetic
from tests.fakes.report_pages import Page, assert_runs_only_its_own_scripts


@pytest.fixture(scope="module")
def results():
    return synthetic.realistic_results()


def test_a_run_page_says_in_words_what_was_found(results):
    page = Page(render_run_page(synthetic.run_page(results)))

    assert_runs_only_its_own_scripts(page)
    assert (
        "gpt-4.1-mini-stepwise scores an estimated 8.9 points higher than gpt-4.1-mini-control" in page.text
    )
    assert "95 % CI 6.9 to 10.8, Holm p < 0.0001, 1,919 paired questions" in page.text
    assert "../trials/gpt-4.1-mini-stepwise/report/report.html" in page.values("href")


def test_a_run_page_names_every_setting(results):
    text = Page(render_run_page(synthetic.run_page(results))).text

    for words in (
        "arithmetic: numeric",
        "every item counts once",
        "10,000 resamples, seed 20250101",
        "Holm adjustment within a family: all effects on Correct",
        "exact McNemar",
        "tango score",
        "against a difference of 0.02",
        "scipy 1.17.1",
        "packaged price table, as of 2025-01-01",
    ):
        assert words in text


def test_a_trial_page_is_small_and_leads_back_to_the_run(results):
    html = render_trial_page(synthetic.trial_page(results[1]))
    page = Page(html)

    assert_runs_only_its_own_scripts(page)
    assert len(html.encode()) < 80_000
    assert "../../../report/report.html" in page.values("href")
    assert "p-values are not adjusted" in page.text
    assert "exact McNemar" in page.text


def test_hostile_text_is_shown_and_stays_text(results):
    hostile = synthetic.HOSTILE
    page = synthetic.trial_page(results[1], questions=synthetic.hostile_questions(), text=hostile)
    page = dataclasses.replace(page, run_id=hostile, factors={"model": hostile, hostile: hostile})

    html = render_trial_page(page)

    parsed = Page(html)
    assert_runs_only_its_own_scripts(parsed)
    assert "<script>document.title='owned'</script>" in parsed.text
    assert "{{ 7*7 }}" in parsed.text
    assert not {"\x00", "\x1b", "\u202e", "\u2067"} & set(html)
    assert html.encode("utf-8")
    assert "1,000," in parsed.text
    assert len(html) < 200_000


def test_hostile_names_stay_text_and_stay_in_their_folder():
    hostile = "../..//<script>alert(1)</script>\"' onclick=alert(1) javascript:alert(1)\x00"
    result = TrialResult(
        synthetic.factors(model=hostile, prompt=hostile),
        synthetic.stats(
            hostile,
            baseline=hostile,
            effects=[{**synthetic.effect(0.5, metric=hostile), "test": hostile, "interval_method": hostile}],
            by_dataset={hostile: {"n_items": 3, "metrics": {hostile: synthetic.metric(0.1)}}},
        ),
        {**synthetic.costs(hostile, None, reason=hostile), "provider_model": hostile},
    )
    # A dataset's scores must have `correct` in the summary, whatever else there is.
    page = synthetic.run_page([result], run_id=hostile, family=(hostile,), versions={hostile: hostile})

    parsed = Page(render_run_page(page))

    assert_runs_only_its_own_scripts(parsed)
    links = [value for value in parsed.values("href") if value.startswith("../trials/")]
    assert links
    assert all(value.count("/") == 4 for value in links)
    assert_runs_only_its_own_scripts(Page(render_trial_page(synthetic.trial_page(result))))


def test_what_is_not_there_is_a_dash_and_never_zero():
    nothing = {name: synthetic.metric(None) for name in ("correct", "f1", "abstained", "false_answer")}
    results = [
        TrialResult(
            synthetic.factors(prompt=name),
            synthetic.stats(
                name,
                baseline="control" if name == "treatment" else None,
                effects=[synthetic.effect(None, difference=None)] if name == "treatment" else [],
                outcomes={**dict.fromkeys(synthetic.OUTCOMES, 0), "missing": 100},
                metrics=nothing,
                by_dataset={"trivia": {"n_items": 100, "metrics": nothing}},
            ),
            synthetic.costs(name, None, reason="no price for small-2025"),
        )
        for name in ("control", "treatment")
    ]

    run = Page(render_run_page(synthetic.run_page(results)))
    trial = Page(render_trial_page(synthetic.trial_page(results[1])))

    for page in (run, trial):
        assert not re.search(r"(?<![\d.])0(\.0)?( %| points)|(?<![\d.])0\.0\b", page.text)
        assert "$0.00" not in page.text
        assert "—" in page.text
        assert "no price for small-2025" in page.text
    assert "treatment could not be compared with control" in run.text
    assert "treatment control not compared: no pairs 100 100 of 100 requests 100 of 100 requests" in run.text


def test_nan_in_a_file_is_a_dash_too():
    nan = float("nan")
    broken = {**synthetic.metric(0.5), "mean": None, "low": nan, "high": nan, "method": "none: no values"}
    result = synthetic.result("t", metrics={"correct": broken, "f1": {**synthetic.metric(0.5), "low": nan}})

    text = Page(render_trial_page(synthetic.trial_page(result))).text.lower()

    assert " nan" not in text


def test_questions_without_a_score_are_bounded(results):
    text = Page(render_run_page(synthetic.run_page(results))).text

    assert "If all of them had been wrong, or all right" in text
    assert "(12 questions)" in text


def test_a_run_without_a_baseline_has_a_page():
    text = Page(render_run_page(synthetic.run_page([synthetic.result("only")]))).text

    assert "No trial of this run is compared with a baseline." in text


def test_a_trial_without_baseline_and_cost_has_a_page():
    result = dataclasses.replace(synthetic.result("only"), costs=None)

    assert "The trial has no costs." in Page(render_trial_page(synthetic.trial_page(result))).text


def test_pairs_that_fell_out_are_counted_with_the_reason():
    row = {**synthetic.effect(0.02), "n_unpaired": 7, "requests": synthetic.requests(7)}
    result = synthetic.result("t", baseline="c", effects=[row])
    run = Page(render_run_page(synthetic.run_page([result]))).text
    trial = Page(render_trial_page(synthetic.trial_page(result))).text

    assert "if one of the two trials has no score for any of its replicates" in run
    assert "t c 100 7 7 of 100 requests none" in run
    assert "7 questions left out, because at least one of the two trials has no score for them" in trial


def test_a_cost_that_is_partly_unknown_is_not_called_the_total():
    results = [
        synthetic.result("a"),
        dataclasses.replace(synthetic.result("b"), costs=synthetic.costs("b", None, reason="no price")),
    ]

    text = Page(render_run_page(synthetic.run_page(results))).text

    assert "1 trial without a known cost" in text
    assert "Total of the known costs" in text


def test_tables_and_pictures_can_be_read_without_seeing_them(results):
    for html in (
        render_run_page(synthetic.run_page(results)),
        render_trial_page(synthetic.trial_page(results[1], questions=synthetic.hostile_questions("plain"))),
    ):
        page = Page(html)
        assert {"header", "nav", "main", "footer"} <= set(page.tags)
        assert page.tags.count("h1") == 1
        ids = page.values("id")
        assert len(ids) == len(set(ids))
        assert {value[1:] for value in page.values("href") if value.startswith("#")} <= set(ids)
        assert set(page.values("aria-labelledby")) <= set(ids)
        headers = page.tags.count("th")
        assert headers == len([1 for tag, name, _ in page.attributes if (tag, name) == ("th", "scope")])


@pytest.mark.parametrize("script", page_scripts(), ids=SCRIPTS)
def test_scripts_show_text_as_text_and_ask_for_nothing(script):
    assert script.text.startswith('"use strict";')
    assert len(script.text.splitlines()) < 400
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function("):
        assert word not in script.text
    for word in ("fetch(", "XMLHttp", "WebSocket", "import(", "localStorage", "cookie", "</script"):
        assert word not in script.text
