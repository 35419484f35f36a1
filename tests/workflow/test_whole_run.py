"""A whole run, as a user starts it, and what it leaves behind."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
import yaml

from scripts.records import PHASES
from tests.workflow.harness import ROOT, SHARED, Experiment, simulated_config

pytestmark = pytest.mark.workflow

TRIALS = [f"sim__{prompt}__t{t}" for prompt in ("control", "treatment") for t in ("0", "0.7")]


def test_every_phase_of_every_trial_is_completed(finished: Experiment) -> None:
    state = finished.state()

    assert state["schema_version"] == 2
    assert state["status"] == "completed"
    assert list(state["phases"]) == list(PHASES)
    assert {phase["status"] for phase in state["phases"].values()} == {"completed"}
    assert all(phase["done"] == phase["total"] > 0 == phase["failed"] for phase in state["phases"].values())
    assert sorted(state["trials"]) == sorted(TRIALS)
    assert {trial["status"] for trial in state["trials"].values()} == {"completed"}


def test_every_phase_has_its_marker_that_covers_all_trials(finished: Experiment) -> None:
    for phase in PHASES:
        marker = json.loads((finished.root / "phases" / f"{phase}.done.json").read_text())

        assert sorted(marker["trials"]) == sorted(TRIALS)
        assert len(marker["digest"]) == 64


def test_every_request_was_sent_once_and_has_one_outcome(finished: Experiment) -> None:
    billed = finished.billed()
    keys = [row["request_key"] for trial in TRIALS for row in finished.table(trial, "parse/outcomes.parquet")]

    assert len(billed) == 4 * 8
    assert sorted(billed) == sorted(set(billed)) == sorted(keys)


def test_the_summary_has_the_fields_of_the_contract(finished: Experiment) -> None:
    summary = finished.summary()

    assert {"schema_version", "run_id", "confidence_level", "trials", "effects"} <= set(summary)
    trial = summary["trials"][0]
    assert {"trial", "model", "prompt", "temperature", "baseline", "n_items", "n_requests"} <= set(trial)
    assert sum(trial["outcomes"].values()) == trial["n_requests"] == 8
    assert set(trial["metrics"]) >= {"correct", "f1", "abstained", "false_answer"}
    assert set(trial["metrics"]["correct"]) >= {"mean", "low", "high", "method", "n"}
    assert set(trial["by_dataset"]) == {"sums"}
    assert trial["cost_usd"] > 0
    effect = summary["effects"][0]
    assert set(effect) >= {
        "trial",
        "baseline",
        "dataset",
        "metric",
        "n_pairs",
        "n_gained",
        "n_lost",
        "difference",
    }
    assert set(effect) >= {"low", "high", "interval_method", "test", "p_value", "p_adjusted", "adjustment"}
    assert set(effect["odds_ratio"]) == {"estimate", "low", "high", "method"}
    assert effect["verdict"] in {"better", "worse", "equivalent", "inconclusive"}


def test_the_tables_say_what_the_summary_says(finished: Experiment) -> None:
    summary = finished.summary()
    with (finished.root / "report" / "leaderboard.csv").open(newline="") as handle:
        leaders = list(csv.DictReader(handle))
    with (finished.root / "report" / "effects.csv").open(newline="") as handle:
        effects = list(csv.DictReader(handle))

    means = {trial["trial"]: trial["metrics"]["correct"]["mean"] for trial in summary["trials"]}
    assert {row["trial"]: float(row["correct"]) for row in leaders} == means
    assert len(effects) == len(summary["effects"])


def test_every_trial_and_the_run_have_a_page(finished: Experiment) -> None:
    pages = [finished.root / "report/report.html"]
    pages += [finished.root / "trials" / trial / "report/report.html" for trial in TRIALS]

    assert all("</html>" in page.read_text() for page in pages)


def test_the_effective_configuration_is_a_configuration(finished: Experiment) -> None:
    config = yaml.safe_load((finished.root / "effective_config.yaml").read_text())

    assert config["stats"]["adjustment"] == "holm"
    assert config["sampling"]["max_tokens"] == 512
    assert (finished.root / "trials.tsv").read_text().startswith("trial\tmodel\tprompt\ttemperature")


def test_a_second_run_has_nothing_to_do(ended: Experiment) -> None:
    (ended.root / "run_state.json").unlink()

    again = ended.run()

    assert again.returncode == 0
    assert "Nothing to be done" in again.stderr + again.stdout
    assert ended.state()["status"] == "completed"


def test_a_dry_run_writes_nothing(experiment: Experiment) -> None:
    done = experiment.run("--dry-run")

    assert done.returncode == 0, done.stderr
    assert not (experiment.folder / "experiments").exists()


def test_the_numbers_are_the_same_without_the_warm_process(finished: Experiment, tmp_path: Path) -> None:
    plain = Experiment(tmp_path).write(simulated_config())

    done = plain.run(TRIALMAKE_WARM="off")

    assert done.returncode == 0, done.stderr
    assert not (plain.folder / "logs" / "run_t" / "warm.log").exists()
    report = "report/summary.json"
    assert (plain.root / report).read_bytes() == (finished.root / report).read_bytes()


def test_a_shared_control_is_sent_once(tmp_path: Path) -> None:
    config = simulated_config()
    config["prompts"]["third"] = {"user": "user.md", "system": "user.md"}
    config["trials"]["sweep"] = {"prompt": ["control", "treatment", "third"], "temperature": [0, 0.0]}
    shared = Experiment(tmp_path).write(config)

    assert shared.run("submit_done").returncode == 0

    assert len(shared.billed()) == 3 * 8


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recorded answers are not here")
def test_recorded_answers_to_gsm8k_give_the_published_counts(tmp_path: Path) -> None:
    recorded = str(SHARED / "gsm8k_recorded" / "recorded.jsonl")
    config = {
        "run_id": "t",
        "datasets": {"gsm8k": {"path": str(SHARED / "gsm8k_recorded" / "items.jsonl"), "scorer": "numeric"}},
        "prompts": {"finetuning": {}, "verification": {}},
        "models": {name: {"provider": "replay", "recorded": recorded} for name in ("gpt3-6b", "gpt3-175b")},
        "trials": {
            "sweep": {"model": ["gpt3-6b", "gpt3-175b"], "prompt": ["finetuning", "verification"]},
            "baseline": {"prompt": "finetuning"},
        },
    }
    experiment = Experiment(tmp_path).write(config)

    done = experiment.run()

    assert done.returncode == 0, done.stderr
    summary = experiment.summary()
    correct = {
        (trial["model"], trial["prompt"]): round(trial["metrics"]["correct"]["mean"] * trial["n_items"])
        for trial in summary["trials"]
    }
    assert correct == {
        ("gpt3-6b", "finetuning"): 286,
        ("gpt3-6b", "verification"): 515,
        ("gpt3-175b", "finetuning"): 458,
        ("gpt3-175b", "verification"): 742,
    }
    paired = {
        effect["trial"].split("__")[0]: (
            effect["n_pairs"],
            effect["n_gained"],
            effect["n_lost"],
            effect["verdict"],
        )
        for effect in summary["effects"]
        if effect["dataset"] == "all" and effect["metric"] == "correct"
    }
    assert paired == {"gpt3-6b": (1319, 293, 64, "better"), "gpt3-175b": (1319, 360, 76, "better")}
    assert {trial["cost_usd"] for trial in summary["trials"]} == {None}
    assert "Nothing to be done" in experiment.run().stderr


def test_the_default_experiment_finds_what_was_put_into_it(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    experiment = Experiment(tmp_path)

    command = [*experiment.command()[:3], "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
    experiment.command = lambda *arguments: [*command, *arguments]  # type: ignore[method-assign]
    done = experiment.run()

    assert done.returncode == 0, done.stderr
    report = tmp_path / "experiments" / "run_demo" / "report"
    assert f"Report: {report.relative_to(tmp_path) / 'report.html'}" in done.stdout
    effects = {
        (effect["trial"], effect["metric"]): effect["verdict"]
        for effect in json.loads((report / "summary.json").read_text())["effects"]
        if effect["dataset"] == "all"
    }
    assert effects["sim-small__concise__t0", "correct"] == "better"
    assert effects["sim-large__concise__t0", "correct"] == "inconclusive"
    assert effects["sim-small__abstain__t0", "false_answer"] == "better"
