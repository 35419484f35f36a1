from __future__ import annotations

import dataclasses

import pytest

from scripts.reporting import embed
from scripts.reporting.pages import render_run_page, render_trial_page
from tests.browser.headless_chromium import CHROMIUM
from tests.fakes import synthetic_reports as synthetic

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]

LIST = '[data-part="list"]'
DETAIL = '[data-part="detail"]'


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
    html = _trial_page(synthetic.many_questions(3)).replace(
        "</footer>", "</footer><script>document.title = 'owned'</script>"
    )

    show(html)

    assert browser.run("document.title") != "owned"
    assert any("Content Security Policy" in message for message in browser.messages)


def test_a_long_answer_is_cut_and_says_how_long_it_was(show, browser):
    show(_hostile_trial())

    text = browser.run(f"document.querySelector('{DETAIL}').textContent")

    assert "Cut off here: the whole text has 1,000," in text
    assert browser.run("document.querySelector('[data-without-script]').offsetHeight") == 0


def test_a_page_can_be_drawn_in_the_light_and_in_the_dark(show, browser, tmp_path):
    pictures = []
    for scheme in ("light", "dark"):
        show(_hostile_run(), scheme=scheme)
        pictures.append(browser.screenshot(tmp_path / "page.png"))

    assert all(picture.startswith(b"\x89PNG") and len(picture) > 20_000 for picture in pictures)
    assert pictures[0] != pictures[1]


def test_a_page_is_printed_with_its_examples_and_without_its_controls(show, browser):
    show(_hostile_trial())

    assert browser.print().startswith(b"%PDF")
    browser.call("Emulation.setEmulatedMedia", media="print")
    heights = [
        browser.run(f"document.querySelector('{part}').offsetHeight")
        for part in ("[data-browser]", "[data-without-script]")
    ]
    assert heights[0] == 0 < heights[1]


def test_folded_parts_are_open_on_paper_only(show, browser):
    show(_hostile_trial())
    count = "document.querySelectorAll('details{}').length"
    n_all, n_open = browser.run(count.format("")), browser.run(count.format("[open]"))
    browser.run(f"addEventListener('beforeprint', () => {{ window.seen = {count.format('[open]')} }})")

    browser.print()

    assert browser.run("window.seen") == n_all > n_open
    assert browser.run(count.format("[open]")) == n_open


def test_every_figure_and_control_has_a_name(show, browser):
    page = synthetic.run_page(synthetic.realistic_results())
    value = embed.columns(synthetic.many_questions(40), trial="t", baseline="control")
    for html in (
        render_run_page(dataclasses.replace(page, questions=(value,))),
        _trial_page(synthetic.many_questions(40)),
    ):
        show(html)
        nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
        wanted = {
            "image",
            "img",
            "graphics-document",
            "button",
            "link",
            "combobox",
            "searchbox",
            "textbox",
            "region",
        }
        named = [
            node for node in nodes if node.get("role", {}).get("value") in wanted and not node["ignored"]
        ]
        nameless = [node for node in named if not node.get("name", {}).get("value")]
        assert len(named) > 20
        assert nameless == []
        drawn = (
            "[...document.querySelectorAll('main svg')].filter((node) => !node.parentElement.closest('svg'))"
        )
        assert browser.run(f"{drawn}.every((node) => node.ariaHidden || node.ariaLabel)")


def _trial_page(questions):
    return render_trial_page(synthetic.trial_page(synthetic.realistic_results()[1], questions=questions))
