"""The plan as a text: it fits, and says what it leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.planned_experiments import (
    make_experiment,
    plan_of,
    text_of,
)
from tests.fakes.small_experiments import SmallExperiment


@pytest.fixture
def experiment(tmp_path: Path) -> SmallExperiment:
    return make_experiment(tmp_path)


def test_clusters_are_not_passed_over_in_silence(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    items = [{"id": f"{n}", "question": "?", "answers": ["x"], "cluster": "c"} for n in range(3)]
    experiment.write_items(*items)
    assert plan_of(experiment, capsys)["datasets"]["quiz"] == {"n_items": 3, "n_clusters": 1}
    assert "Items are in clusters" in text_of(experiment, capsys)


def test_the_text_fits_80_columns_also_with_many_trials_and_long_names(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    experiment.config["sampling"]["a_factor_with_a_long_name"] = 0
    experiment.config["models"]["sim"] = {"provider": "replay", "recorded": "r.jsonl"}
    rows = [{"model": "sim", "prompt": prompt, "item_id": "q1", "text": "4"} for prompt in ("plain", "brief")]
    experiment.write_items(*rows, name="r.jsonl")
    experiment.config["trials"]["sweep"] |= {"a_factor_with_a_long_name": list(range(30)), "model": ["sim"]}
    text = text_of(experiment, capsys)
    assert max(map(len, text.splitlines())) <= 80
    assert "and 20 more (--json)" in text
    assert "each of 30 comparisons" in text
    assert "none" in text  # three items detect no difference of 100 points or fewer


def test_without_baselines_nothing_is_said_about_power(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    del experiment.config["trials"]["baseline"]
    assert "No comparisons" in text_of(experiment, capsys)
    assert plan_of(experiment, capsys)["power"]["comparisons"] == []
