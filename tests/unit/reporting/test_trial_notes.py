from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest

from scripts.analysis.bounds import mean_bounds
from scripts.analysis.gee import gee_effect
from scripts.analysis.intervals import MeanInterval
from scripts.analysis.meta import combine_datasets
from scripts.analysis.risk_coverage import risk_coverage
from scripts.analysis.selective import selective_accuracy
from scripts.analysis.subgroups import subgroup_effects
from scripts.analysis.variance import design_effect, split_difference, split_variance
from scripts.reporting.pages import render_drawing, render_run_page, render_trial_page
from scripts.reporting.stats_tables import stats_tables
from scripts.reporting.tables import compact, interval, p_words, percent, points
from scripts.reporting.trial_notes import risk_drawing
from tests.fakes import synthetic_reports as synthetic
from tests.fakes.report_pages import Page, assert_runs_only_its_own_scripts
from tests.fakes.synthetic_checks import examined_effect

N = 180


def noted_stats() -> dict[str, Any]:
    """Statistics of a trial with two replicates, with everything that there is to say about it."""
    rng = np.random.default_rng(5)
    trial, baseline = ((rng.random((N, 2)) < share).astype(float) for share in (0.7, 0.5))
    abstained = (rng.random((N, 2)) < 0.2).astype(float)
    missing = trial.copy()
    missing[:3] = np.nan
    level: dict[str, Any] = {"confidence_level": 0.95}
    clusters = np.arange(N) // 2
    selective = dataclasses.asdict(selective_accuracy(trial, abstained, **level))
    curve = risk_coverage(trial[:, 0], rng.random(N))
    values = ["easy", "hard"] * (N // 2 - 2) + ["rare"] * 4
    groups = subgroup_effects(
        trial.mean(1), baseline.mean(1), values, **level, resamples=200, seed=1, names=("t",)
    )
    more = {
        "variance": split_difference(trial, baseline),
        "selective": MeanInterval(0.1, 0.02, 0.18, "linearised t", N, N),
        "gee": gee_effect(trial, baseline, **level),
        "meta": combine_datasets(trial.mean(1), baseline.mean(1), ["a", "b", "c"] * (N // 3), **level),
    }
    effect = examined_effect(n_missing=3) | {name: dataclasses.asdict(part) for name, part in more.items()}
    effect["subgroups"] = [{"field": "difficulty", **dataclasses.asdict(groups)}]
    split = {"metric": "correct", **dataclasses.asdict(split_variance(trial))}
    return {
        "bounds": {"correct": dataclasses.asdict(mean_bounds(missing, **level))},
        "variance": {**split, "design_effect": dataclasses.asdict(design_effect(trial[:, 0], clusters))},
        "selective": {
            "n_left_out": 4,
            "reason": None,
            **selective,
            "risk_coverage": dataclasses.asdict(curve),
        },
        "effects": [effect],
    }


@pytest.fixture(scope="module")
def stats():
    return noted_stats()


def _percent(value):
    """As it stands in the text of a page, where every space is alike."""
    return " ".join(percent(value).split())


def _page(stats):
    return Page(render_trial_page(synthetic.trial_page(synthetic.result("t", baseline="c", **stats))))


def test_everything_has_a_place_and_no_table_is_left_over(stats):
    assert stats_tables([synthetic.stats("t", baseline="c", **stats)]) == ()
    assert "Further analyses" not in _page(stats).text


def test_the_other_sides_of_a_trial_are_told_with_the_numbers_of_the_statistics(stats):
    text = _page(stats).text

    bounds = stats["bounds"]["correct"]
    assert "3 of 180 questions lack an answer" in text
    assert f"{_percent(bounds['highest'])} would be correct" in text
    assert f"({interval(bounds['low'], bounds['high'])} with their intervals)" in text
    share = _percent(stats["variance"]["replicate_share"])
    assert f"replicates cause {share} of the variance" in text
    assert f"design effect {compact(stats['variance']['design_effect']['design_effect'])}" in text
    selective = stats["selective"]
    assert f"It answers {_percent(selective['coverage']['mean'])}" in text
    assert f"and {_percent(selective['accuracy']['mean'])}" in text
    assert _percent(selective["risk_coverage"]["aurc"]) in text
    assert "4 questions whose scorer does not identify abstentions" in text


def test_further_analyses_of_an_effect_are_rows_of_its_checks(stats):
    (effect,) = stats["effects"]
    text = _page(stats).text

    for name, value in (("gee", "difference"), ("meta", "effect"), ("selective", "mean")):
        part = effect[name]
        assert f"{points(part[value])} points ({interval(part['low'], part['high'])})" in text
    assert p_words(effect["gee"]["p_value"]) in text
    assert _percent(effect["meta"]["i_squared"]) in text
    assert "More questions or more replicates?" in text


def test_what_an_effect_lacks_is_in_the_one_line(stats):
    changed = copy.deepcopy(stats)
    (effect,) = changed["effects"]
    effect["gee"] |= {"difference": None, "reason": "one arm is always right"}
    effect["meta"] |= {"effect": None, "reason": "one dataset"}

    text = _page(changed).text

    assert "regression over all answers (one arm is always right)" in text
    assert "mean over datasets (one dataset)" in text


def test_groups_of_questions_are_a_picture_with_the_test_whether_they_differ(stats):
    (analysis,) = stats["effects"][0]["subgroups"]
    text = _page(stats).text

    assert "By difficulty" in text
    for group in analysis["groups"]:
        effect = group["effect"]
        assert f"{points(effect['difference'])} ({interval(effect['low'], effect['high'])})" in text
    assert f"interaction {p_words(analysis['interaction']['p_value'])}" in text
    assert "left out: 1 group with 4 pairs (rare: too small)" in text


def test_the_curve_is_drawn_with_its_numbers_and_only_where_there_is_one(stats):
    drawing = risk_drawing(stats)

    assert drawing is not None
    curve = stats["selective"]["risk_coverage"]["curve"]
    assert [(row["coverage"], row["risk"]) for row in drawing.numbers] == list(curve)
    assert len(drawing.scatter.frontier) == len(curve) - 1
    assert "Wrong answers" in render_drawing(drawing)
    assert risk_drawing({}) is None
    assert risk_drawing({"selective": {"coverage": None}}) is None


def test_hostile_groups_and_reasons_stay_text(stats):
    hostile = synthetic.HOSTILE
    changed = copy.deepcopy(stats)
    (analysis,) = changed["effects"][0]["subgroups"]
    analysis["field"] = hostile
    for group in (*analysis["groups"], *analysis["left_out"]):
        group["label"] = hostile
    analysis["interaction"] |= {"p_value": None, "reason": hostile}
    changed["selective"] |= {"coverage": None, "reason": hostile}
    changed["variance"] |= {"more_of": None, "reason": hostile}
    result = synthetic.result("t", baseline="c", **changed)

    for html in (
        render_trial_page(synthetic.trial_page(result)),
        render_run_page(synthetic.run_page([result])),
    ):
        assert_runs_only_its_own_scripts(Page(html))
    assert "<script>document.title='owned'</script>" in _page(changed).text
