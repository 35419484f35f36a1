from __future__ import annotations

import dataclasses
import json
import random

import pytest

from scripts.reporting import embed
from scripts.reporting.page_content import Questions
from scripts.reporting.pages import render_run_page, render_trial_page
from scripts.reporting.tables import excerpt
from tests.browser.headless_chromium import CHROMIUM
from tests.fakes import synthetic_reports as synthetic

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]

LIST = '[data-part="list"]'
DETAIL = '[data-part="detail"]'
WORDS = '[data-part="words"]'
SAID = "document.querySelector('[data-part=\"said\"]').textContent"


def _trial(questions: Questions) -> str:
    return render_trial_page(synthetic.trial_page(synthetic.realistic_results()[1], questions=questions))


def _entries(browser):
    return browser.run(f"[...document.querySelectorAll('{LIST} bdi')].map((node) => node.textContent)")


def test_questions_are_filtered_by_kind_dataset_and_words(show, browser):
    show(_trial(synthetic.many_questions(100)))
    assert browser.run(SAID) == "100 of the 100 questions on this page."
    assert _entries(browser)[0] == "Question 0? "
    assert browser.run("document.querySelector('[data-part=\"kind\"]').textContent").startswith(
        "All (100 of 107)Gained (20)Lost (20)"
    )

    browser.select('[data-part="kind"]', "failed")
    assert browser.run(SAID) == "20 of the 100 questions on this page."
    browser.select('[data-part="dataset"]', "sums")
    assert browser.run(SAID) == "10 of the 100 questions on this page."
    browser.type(WORDS, "THEIRS 29")
    assert _entries(browser) == ["Question 29? "]
    assert "No text came back." in browser.run(f"document.querySelector('{DETAIL}').textContent")
    browser.type(WORDS, "no such words")
    assert _entries(browser) == []
    assert browser.run(SAID) == "0 of the 100 questions on this page."
    assert browser.messages == []


def test_both_answers_stand_side_by_side_with_the_question_and_what_is_accepted(show, browser):
    show(_trial(synthetic.many_questions(6)))

    text = browser.run(f"document.querySelector('{DETAIL}').innerText")
    answers = f"[...document.querySelectorAll('{DETAIL} .answers > div')]"
    left, right = browser.run(f"{answers}.map((node) => node.getBoundingClientRect().x)")

    for words in ("Question 0?", "accepted 0", "mine 0", "theirs 0", "passage 0", "correct", "wrong"):
        assert words in text
    assert left < right


def test_the_list_is_walked_with_the_keys(show, browser):
    show(_trial(synthetic.many_questions(100)))
    browser.run(f"document.querySelector('{LIST} button').focus()")
    focus = "document.activeElement.dataset.row"
    heading = f"document.querySelector('{DETAIL} h3').textContent"

    for key, row in (
        ("ArrowDown", "5"),
        ("ArrowUp", "0"),
        ("PageDown", "75"),
        ("ArrowUp", "70"),
        ("End", "99"),
        ("Home", "0"),
    ):
        browser.press(key)
        assert browser.run(focus) == row, key
        assert browser.run(heading).endswith(f" q{row}")
    assert browser.run(f"document.querySelectorAll('{LIST} [aria-current=true]').length") == 1


def test_the_run_page_shows_the_questions_of_the_chosen_comparison(show, browser):
    page = synthetic.run_page(synthetic.realistic_results())
    values = [
        embed.columns(
            synthetic.many_questions(n),
            trial=f"t{n}",
            baseline="control",
        )
        for n in (10, 20)
    ]
    show(render_run_page(dataclasses.replace(page, questions=tuple(values))))
    assert browser.run(SAID) == "10 of the 10 questions on this page."

    browser.select('[data-part="block"]', "t20 against control")
    browser.wait_for(f"{SAID}.startsWith('20 of the 20')")

    assert browser.run("document.querySelector('[data-part=\"link\"]').getAttribute('href')") == (
        "../trials/t20/report/report.html#items"
    )
    assert browser.messages == []


def test_without_scripts_the_examples_are_there(show, browser):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        html = _trial(synthetic.many_questions(20))
        show(html.replace("data-browser", "data-none"))  # nothing to wait for
        document = browser.call("DOM.getDocument", depth=-1)
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)

    assert "mine 0" in json.dumps(document)
    assert browser.run("document.querySelector('[data-without-script]').offsetHeight > 500")


def test_thousands_of_questions_stay_fast(show, browser):
    show(_trial(synthetic.many_questions(5000, text="word " * 30)))

    n = browser.run("document.querySelectorAll('[data-part=\"list\"] li').length")
    spent = browser.run(
        """(() => {
          const started = performance.now();
          const field = document.querySelector('[data-part="words"]');
          field.value = "mine 4321";
          field.dispatchEvent(new Event("input"));
          return performance.now() - started;
        })()"""
    )

    assert n == 15
    assert _entries(browser)[0].startswith("Question 4321?")
    print(f"a search over 5,000 questions took {spent:.0f} ms")


@pytest.mark.slow
def test_a_run_of_a_hundred_trials_stays_small(show, browser, tmp_path):
    letters = random.Random(1)
    words = [
        "".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=letters.randint(2, 9))) for _ in range(4000)
    ]
    effects = [
        synthetic.effect(0.5, dataset=dataset, metric=metric)
        for dataset in ("all", "a", "b")
        for metric in ("correct", "f1")
    ]
    results, pages = [], []
    for number in range(100):
        result = synthetic.result(
            f"model__prompt-{number}__t0",
            baseline="control" if number else None,
            effects=effects if number else [],
        )
        results.append(result)
    for result in results[1:4]:  # a few stand for all: their texts are drawn alike
        examples = synthetic.many_questions(1000)
        examples = dataclasses.replace(
            examples,
            examples=tuple(
                dataclasses.replace(
                    example, question=_prose(letters, words, 40), context=_prose(letters, words, 150)
                )
                for example in examples.examples
            ),
        )
        page = synthetic.trial_page(result, questions=examples)
        pages.append(
            render_trial_page(dataclasses.replace(page, items_budget=embed.items_budget(len(results))))
        )
    values = [
        {**embed.unpack(pages[n % 3]), "trial": result.stats["trial"]} for n, result in enumerate(results)
    ]
    run = render_run_page(dataclasses.replace(synthetic.run_page(results), questions=tuple(values)))

    total = 100 * sum(len(page.encode()) for page in pages) / len(pages) + len(run.encode())

    for name, html in (("the run's page", run), ("a trial's page", pages[0])):
        print(f"{name}: {len(html) / 1e3:.0f} kB, opened in {show(html):.2f} s")
    print(f"all pages: {total / 1e6:.1f} MB")
    assert total < 20e6
    assert browser.run(SAID).startswith("1,000 of the 1,000")


def _prose(letters, words, n):
    return excerpt(" ".join(letters.choices(words, k=n)))
