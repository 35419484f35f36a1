"""The plan of a run: true counts and dollars, honest gaps, and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.errors import ConfigError
from scripts.experiment.settings import load_settings
from scripts.files import PROJECT_ROOT
from scripts.plan import main
from scripts.run.checks import check_settings
from tests.fakes.planned_experiments import (
    BRIEF,
    PLAIN,
    make_experiment,
    plan_of,
    text_of,
    tree,
)
from tests.fakes.small_experiments import SmallExperiment


@pytest.fixture
def experiment(tmp_path: Path) -> SmallExperiment:
    return make_experiment(tmp_path)


def test_the_plan_says_what_each_trial_sends_and_costs(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_of(experiment, capsys)
    plain, brief = plan["trials"]
    assert (brief["trial"], brief["model"], brief["prompt"], brief["n_requests"]) == (
        BRIEF,
        "sim",
        "brief",
        3,
    )
    assert brief["baseline"] == plain["trial"] == PLAIN
    assert brief["output_tokens"] == {"typical": 3 * 64, "upper": 3 * 100}
    assert brief["input_tokens"]["upper"] > plain["input_tokens"]["upper"]
    assert brief["input_tokens"]["typical"] == brief["input_tokens"]["upper"] * 3 // 4
    tokens = brief["input_tokens"]["upper"]
    assert brief["cost_usd"]["upper"] == pytest.approx((tokens * 0.15 + 300 * 0.6) / 2e6)
    assert brief["price"]["source"].startswith("rehearsal rates")
    total = plan["totals"]
    assert (total["n_requests"], total["n_to_send"], total["n_without_price"]) == (6, 6, 0)
    assert total["cost_usd"]["upper"] == pytest.approx(sum(t["cost_usd"]["upper"] for t in plan["trials"]))
    assert plan["budget"] == {"budget_usd": None, "spent_usd": 0, "left_usd": None, "verdict": "none"}


def test_a_plan_writes_nothing(experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]) -> None:
    experiment.load()
    before = tree(experiment.folder)
    arguments = ["--configfile", str(experiment.folder / "config.yaml")]
    assert main(arguments) == main([*arguments, "--json", "--run_id", "other"]) == 0
    assert json.loads("{" + capsys.readouterr().out.partition("\n{")[2])["run_id"] == "other"
    assert tree(experiment.folder) == before


def test_a_model_without_a_price_costs_null_and_never_zero(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"model": "old", "prompt": prompt, "item_id": "q1", "text": "4"} for prompt in ("plain", "brief")]
    experiment.write_items(*rows, name="recorded.jsonl")
    experiment.config["models"] = {"old": {"provider": "replay", "recorded": "recorded.jsonl"}}
    experiment.config["trials"]["sweep"]["model"] = ["old"]
    plan = plan_of(experiment, capsys)
    assert [trial["cost_usd"] for trial in plan["trials"]] == [None, None]
    assert (plan["totals"]["cost_usd"], plan["totals"]["n_without_price"]) == (None, 2)
    text = text_of(experiment, capsys)
    assert "no price" in text
    assert "$0" not in text
    experiment.config["budget_usd"] = 5
    assert plan_of(experiment, capsys)["budget"]["verdict"] == "unpriced"


@pytest.mark.parametrize(
    ("budget", "verdict"), [(1.0, "enough"), (0.0002, "maybe"), (0.00002, "short"), (None, "none")]
)
def test_the_budget_is_held_against_the_range(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str], budget: float | None, verdict: str
) -> None:
    experiment.config |= {"budget_usd": budget}
    experiment.config["sampling"] = {"max_tokens": 200}
    assert plan_of(experiment, capsys)["budget"]["verdict"] == verdict


def test_a_wrong_configuration_ends_with_code_2_and_its_message(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment.write("config.yaml", "run_id: x\ncolour: blue\n")
    with pytest.raises(SystemExit) as ended:
        main(["--configfile", str(experiment.folder / "config.yaml")])
    assert ended.value.code == 2
    assert "unknown key 'colour'" in capsys.readouterr().err
    experiment.write("plain.md", "{{ colour }}")
    experiment.load()
    with pytest.raises(SystemExit) as ended:
        main(["--configfile", str(experiment.folder / "config.yaml")])
    assert ended.value.code == 2


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "many"])
def test_a_length_that_is_no_number_above_zero_is_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([f"--answer_tokens={text}"])
    assert ended.value.code == 2
    assert "must be a number of tokens above 0" in capsys.readouterr().err


@pytest.mark.parametrize("key", [None, "sk two words"])
def test_a_plan_needs_no_key_and_says_that_it_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str | None
) -> None:
    monkeypatch.chdir(tmp_path)  # where no .env lies
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    file = str(PROJECT_ROOT / "config" / "examples" / "openai.yaml")
    assert main(["--configfile", file]) == 0
    said = capsys.readouterr().out
    assert "Warning: provider openai: the" in said
    assert "OPENAI_API_KEY" in said
    assert "two words" not in said
    assert main(["--configfile", file, "--json"]) == 0
    (warning,) = json.loads(capsys.readouterr().out)["warnings"]
    assert warning.startswith("provider openai: ")
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        check_settings(load_settings([Path(file)]))
