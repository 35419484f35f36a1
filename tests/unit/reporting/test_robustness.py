from __future__ import annotations

import copy
import dataclasses

import pytest

from scripts.reporting.pages import render_run_page, render_trial_page
from scripts.reporting.robustness import checks, headline_note
from scripts.reporting.summary import Together, build_summary
from scripts.reporting.tables import interval, p_words, percent, points
from tests.fakes import synthetic_reports as synthetic
from tests.fakes.report_pages import Page, assert_runs_only_its_own_scripts
from tests.fakes.synthetic_checks import examined_effect


def _answers(effect):
    found = checks(effect, confidence_level=0.95)
    return {row.question: row.answer for row in found.rows}, found.absent


def test_every_number_of_the_table_is_that_of_the_statistics():
    effect = examined_effect(n_missing=4)
    found = effect["sensitivity"]
    worst = found["worst_case"]

    answers, absent = _answers(effect)

    own = answers["What does this report say?"]
    assert f"{points(effect['difference'])} points ({interval(effect['low'], effect['high'])})" in own
    assert p_words(effect["p_value"]) in own
    for name, question in (("bootstrap", "bootstrap"), ("newcombe", "Newcombe")):
        (answer,) = (text for asked, text in answers.items() if question in asked)
        assert interval(found[name]["low"], found[name]["high"]) in answer
    assert answers["With the less conservative mid-p test?"] == p_words(found["mid_p"]["p_value"])
    assert answers["With a rank test?"] == p_words(found["wilcoxon"]["p_value"])
    assert percent(found["posterior"]["p_better"]) in answers["How probable is it?"]
    assert percent(found["posterior"]["p_equivalent"]) in answers["How probable is it?"]
    missing = answers["Whatever the missing answers were (4 questions of 60)?"]
    assert missing.startswith(f"{points(worst['lowest'])} to {points(worst['highest'])} points")
    margin = answers["Is it as good within 2.0 points, or at least not worse?"]
    assert p_words(found["non_inferiority"]["p_non_inferiority"]) in margin
    assert p_words(found["non_inferiority"]["p_equivalence"]) in margin
    shown = answers["What could a run of this size have detected?"]
    assert points(found["detectable_difference"]["power_80"])[1:] in shown
    assert points(found["detectable_difference"]["power_90"])[1:] in shown
    assert absent == "Does not apply: Hodges–Lehmann interval (values are 0 or 1)."


def test_what_does_not_apply_is_one_line_and_no_row():
    answers, absent = _answers(examined_effect(clusters=True))

    assert not any("Newcombe" in question or "probable" in question for question in answers)
    assert "Newcombe's interval, mid-p test, posterior (clustered pairs)" in absent
    assert "worst case for missing answers (none is missing)" in absent


@pytest.mark.parametrize(
    ("survives", "said"), [(True, "the sign is the same throughout"), (False, "the sign may change")]
)
def test_the_worst_case_says_whether_the_sign_survives(survives, said):
    effect = examined_effect(n_missing=4)
    effect["sensitivity"]["worst_case"] |= {"sign_survives": survives, "p_lowest": 0.2, "p_highest": 0.01}

    answers, _ = _answers(effect)

    answer = answers["Whatever the missing answers were (4 questions of 60)?"]
    assert answer.endswith(f"{said}; p = 0.200 at the lowest, p = 0.010 at the highest")


def test_an_effect_without_other_methods_has_no_table():
    assert checks(synthetic.effect(0.1), confidence_level=0.95) is None
    assert checks({**synthetic.effect(0.1), "sensitivity": None}, confidence_level=0.95) is None


def _run(effect):
    results = [synthetic.result("c"), synthetic.result("t", baseline="c", effects=[effect])]
    return synthetic.run_page(results)


def test_an_unbalanced_finding_says_what_the_missing_answers_could_have_been():
    effect = examined_effect(n_missing=12)
    worst = effect["sensitivity"]["worst_case"]

    text = Page(render_run_page(_run(effect))).text

    assert "Unbalanced: 12 of 60 requests of the trial have no score" in text
    assert f"is between {points(worst['lowest'])} and {points(worst['highest'])} points" in text


def test_an_inconclusive_finding_says_what_the_run_could_have_shown():
    (row,) = _run({**examined_effect(), "difference": 0.01, "p_value": 0.7}).summary["effects"]
    size = row["sensitivity"]["detectable_difference"]["power_80"]

    assert row["verdict"] == "inconclusive"
    assert f"could have detected {points(size)[1:]} points or more" in headline_note(row)
    assert headline_note({**row, "verdict": "better"}) == ""
    assert headline_note({**row, "difference": None}) == ""
    assert headline_note({**row, "sensitivity": None}) == ""


def test_no_page_speaks_of_observed_power():
    effect = {**examined_effect(n_missing=12), "p_value": 0.7}

    for html in (render_run_page(_run(effect)), render_trial_page(_trial(effect))):
        assert "observed power" not in html.lower()
        assert "post hoc" not in html.lower()


def _trial(*effects):
    return synthetic.trial_page(synthetic.result("t", baseline="c", effects=list(effects)))


def test_the_headline_stands_open_and_all_other_effects_are_folded():
    effects = [examined_effect(metric=name) for name in ("f1", "correct")]

    html = render_trial_page(_trial(*effects))

    Page(html)
    section = html[html.index('<section id="checks"') :]
    assert section.index("Correct, all datasets") < section.index("<details>") < section.index("F1, all")
    assert "1 other effect" in section


def test_hostile_reasons_and_methods_stay_text():
    effect = copy.deepcopy(examined_effect(n_missing=4))
    for part in effect["sensitivity"].values():
        part |= {name: synthetic.HOSTILE for name in ("method", "reason") if name in part}
    effect["sensitivity"]["mid_p"] = {"p_value": None, "method": f"none: {synthetic.HOSTILE}"}

    page = Page(render_trial_page(_trial({**effect, "dataset": synthetic.HOSTILE})))

    assert_runs_only_its_own_scripts(page)
    assert "<script>document.title='owned'</script>" in page.text


def test_all_trials_at_once_are_one_sentence():
    test = {"dataset": "all", "metric": "correct", "n_trials": 3, "n_items": 90, "n_incomplete": 2}
    test |= {"n_clusters": 90, "statistic": 9.5, "df": 2, "p_value": 0.0087, "method": "cochran's q"}
    results = [synthetic.result(name) for name in "abc"]
    summary = build_summary(results, run_id="r", confidence_level=0.95, together=Together(omnibus=[test]))

    def said(**changes):
        page = dataclasses.replace(
            synthetic.run_page(results), summary={**summary, "omnibus": [{**test, **changes}]}
        )
        return Page(render_run_page(page)).text

    assert "All 3 trials together differ from one another (Cochran's q: χ² = 9.50, df 2, p = 0.009" in said()
    assert "90 questions for which all have a score, 2 left out" in said()
    nothing = {"statistic": None, "df": None, "p_value": None, "method": "none: no item"}
    assert "All 3 trials together could not be tested: no item." in said(**nothing)
