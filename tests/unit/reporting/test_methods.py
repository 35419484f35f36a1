from __future__ import annotations

import dataclasses

from scripts.reporting.methods import methods_paragraph
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
        "a difference of 0.02",
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
