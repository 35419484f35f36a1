"""What the factors of a sweep do, in words and pictures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from scripts.analysis.factorial import factorial_effects
from scripts.reporting.design import design_view
from scripts.reporting.pages import render_run_page
from scripts.reporting.summary import Together
from tests.fakes import synthetic_reports as synthetic
from tests.fakes.report_pages import Page, assert_runs_only_its_own_scripts


@pytest.fixture(scope="module")
def found():
    """The prompt matters, the temperature does not, and neither changes the other's effect."""
    rng = np.random.default_rng(2)
    cells = [(prompt, t) for prompt in ("plain", "steps") for t in (0.0, 0.5, 1.0)]
    easy = rng.random((300, 1)) + np.zeros((300, 6))
    rates = np.array([0.35 if prompt == "plain" else 0.6 for prompt, _ in cells])
    scores = (easy + 0.1 * rng.standard_normal((300, 6)) < rates).astype(float)
    levels = [{"prompt": prompt, "temperature": t} for prompt, t in cells]
    analysis = factorial_effects(
        scores, levels, confidence_level=0.95, resamples=999, rng=np.random.default_rng(1), bounds=(0.0, 1.0)
    )
    return {"metric": "correct", **dataclasses.asdict(analysis)}


def test_each_factor_and_each_pair_has_a_sentence(found):
    prompt, temperature, together = design_view(found, confidence_level=0.95).sentences

    assert prompt.startswith("Prompt makes a difference (p = 0.00")
    assert "steps against plain, an estimated +" in prompt
    assert temperature.startswith("Temperature changes nothing that 300 questions could show (p")
    assert together.startswith("No sign among 300 questions that the effect of prompt depends on temperature")


def test_every_level_and_every_contrast_is_drawn(found):
    view = design_view(found, confidence_level=0.95)

    assert [factor.name for factor in view.factors] == ["prompt", "temperature"]
    assert [level for level, _, _ in view.factors[1].rows] == ["0", "0.5", "1"]
    assert {group.name for group in view.forest.groups} == {"Main effects", "Trends", "Interactions"}
    assert sum(len(group.rows) for group in view.forest.groups) == len(found["contrasts"])


def test_the_page_has_the_design(found):
    results = [synthetic.result(name) for name in ("a", "b")]

    text = Page(render_run_page(synthetic.run_page(results, together=Together(design=found)))).text

    assert "Temperature changes nothing that 300 questions could show" in text
    assert "prompt: steps − plain" in text


def test_no_design_has_no_section(found):
    assert design_view(None, confidence_level=0.95) is None
    assert (
        design_view({**found, "reason": "no item has a value in every trial"}, confidence_level=0.95) is None
    )


def test_hostile_levels_stay_text(found):
    factors = [{**factor, "name": synthetic.HOSTILE} for factor in found["factors"]]
    hostile = {**found, "factors": factors, "left_out": [{"trial": synthetic.HOSTILE, "reason": "why"}]}

    page = Page(
        render_run_page(synthetic.run_page([synthetic.result("a")], together=Together(design=hostile)))
    )

    assert_runs_only_its_own_scripts(page)
