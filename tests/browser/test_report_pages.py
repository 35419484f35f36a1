from __future__ import annotations

import dataclasses
import json

import pytest
from headless_chromium import CHROMIUM, Browser

from scripts.reporting import embed
from scripts.reporting.context import Answer, Example, Questions
from scripts.reporting.pages import render_run_page, render_trial_page
from scripts.reporting.tables import excerpt
from tests.unit.reporting import synthetic_reports as synthetic

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]

LIST = '[data-part="list"]'
DETAIL = '[data-part="detail"]'
WORDS = '[data-part="words"]'
READY = "!document.querySelector('[data-browser]').hidden"
SAID = "document.querySelector('[data-part=\"said\"]').textContent"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def show(browser, tmp_path):
    """Open a page and wait until its scripts are done."""

    def show_page(html, **options):
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        seconds = browser.open(path, **options)
        if "data-browser" in html:
            browser.wait_for(READY)
        return seconds

    return show_page


def many_questions(n: int, *, text: str = "") -> Questions:
    """Questions of every kind, named after it."""
    kinds = ("gained", "lost", "both_right", "both_wrong", "unscored")
    scores = {"gained": (1.0, 0.0), "lost": (0.0, 1.0), "both_right": (1.0, 1.0), "both_wrong": (0.0, 0.0)}
    examples = []
    for number in range(n):
        kind = kinds[number % len(kinds)]
        own, other = scores.get(kind, (None, 1.0))
        outcome = "answered" if own is not None else "errored"
        examples.append(
            Example(
                dataset=("trivia", "sums")[number % 2],
                item_id=f"q{number}",
                replicate=0,
                question=excerpt(f"Question {number}? {text}"),
                accepted=(excerpt(f"accepted {number}"),),
                n_accepted=1,
                is_unanswerable=False,
                choices=(),
                context=excerpt(f"passage {number % 3}"),
                trial=Answer(outcome, None if own is None else excerpt(f"mine {number} {text}"), own),
                baseline=Answer("answered", excerpt(f"theirs {number}"), other),
                kinds=(kind,) if own is not None else (kind, "failed"),
            )
        )
    totals = {kind: sum(kind in example.kinds for example in examples) for kind in (*kinds, "failed")}
    return Questions(tuple(examples), {**totals, "abstained": 0}, n_items=n + 7, is_paired=True)


def _hostile_run():
    hostile = synthetic.HOSTILE
    results = synthetic.realistic_results()
    page = synthetic.run_page(results, run_id=hostile, versions={hostile: hostile})
    value = embed.columns(synthetic.hostile_questions(), trial=hostile, baseline=hostile)
    return render_run_page(dataclasses.replace(page, questions=(value,)))


def _hostile_trial():
    result = synthetic.realistic_results()[1]
    return render_trial_page(
        synthetic.trial_page(result, questions=synthetic.hostile_questions(), text=synthetic.HOSTILE)
    )


def _trial(questions: Questions) -> str:
    return render_trial_page(synthetic.trial_page(synthetic.realistic_results()[1], questions=questions))


def _entries(browser):
    return browser.run(f"[...document.querySelectorAll('{LIST} bdi')].map((node) => node.textContent)")


@pytest.mark.parametrize("render", [_hostile_run, _hostile_trial])
@pytest.mark.parametrize("width", [390, 1200])
def test_hostile_output_does_not_run_and_the_page_stays_whole(render, width, show, browser):
    show(render(), width=width)

    browser.run(f"document.querySelectorAll('{LIST} button')[1].click()")
    browser.run(f"document.querySelectorAll('{LIST} button')[0].click()")
    text = browser.run(f"document.querySelector('{DETAIL}').textContent")

    assert "<script>document.title='owned'</script>" in text
    assert "⟨U+202E⟩" in text
    assert browser.run("document.title") != "owned"
    assert browser.run("document.scripts.length") == 4  # three of its own and the data
    assert browser.run("document.querySelectorAll('img, iframe, main script:not(.items)').length") == 0
    assert browser.run("document.querySelectorAll('footer').length") == 1
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.messages == []
    assert len(browser.requests) == 1 + sum(url == "data:," for url in browser.requests)


def test_a_script_that_is_not_the_pages_own_is_refused(show, browser):
    html = _trial(many_questions(3)).replace(
        "</footer>", "</footer><script>document.title = 'owned'</script>"
    )

    show(html)

    assert browser.run("document.title") != "owned"
    assert any("Content Security Policy" in message for message in browser.messages)


def test_a_long_answer_is_cut_and_says_how_long_it_was(show, browser):
    show(_hostile_trial())

    text = browser.run(f"document.querySelector('{DETAIL}').textContent")

    assert "Cut here: the whole text has 1,000," in text
    assert browser.run("document.querySelector('[data-without-script]').offsetHeight") == 0


def test_questions_are_filtered_by_kind_dataset_and_words(show, browser):
    show(_trial(many_questions(100)))
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
    show(_trial(many_questions(6)))

    text = browser.run(f"document.querySelector('{DETAIL}').innerText")
    answers = f"[...document.querySelectorAll('{DETAIL} .answers > div')]"
    left, right = browser.run(f"{answers}.map((node) => node.getBoundingClientRect().x)")

    for words in ("Question 0?", "accepted 0", "mine 0", "theirs 0", "passage 0", "correct", "wrong"):
        assert words in text
    assert left < right


def test_the_list_is_walked_with_the_keys(show, browser):
    show(_trial(many_questions(100)))
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
            many_questions(n),
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
        html = _trial(many_questions(20))
        show(html.replace("data-browser", "data-none"))  # nothing to wait for
        document = browser.call("DOM.getDocument", depth=-1)
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)

    assert "mine 0" in json.dumps(document)
    assert browser.run("document.querySelector('[data-without-script]').offsetHeight > 500")


def test_thousands_of_questions_stay_fast(show, browser):
    show(_trial(many_questions(5000, text="word " * 30)))

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


def test_a_page_can_be_drawn_in_the_light_and_in_the_dark(show, browser, tmp_path):
    pictures = []
    for scheme in ("light", "dark"):
        show(_hostile_run(), scheme=scheme)
        pictures.append(browser.screenshot(tmp_path / "page.png"))

    assert all(picture.startswith(b"\x89PNG") and len(picture) > 20_000 for picture in pictures)
    assert pictures[0] != pictures[1]


def test_a_page_can_be_printed(show, browser):
    show(_hostile_trial())

    assert browser.print().startswith(b"%PDF")
