"""What an edit makes run again, and what it leaves alone."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest

from scripts.records import PHASES
from tests.workflow.harness import ROOT, Experiment, simulated_config
from tests.workflow.truth import assert_state_is_true

pytestmark = pytest.mark.workflow

FREE = ("score", "stats", "report")
TRIAL = "sim__control__t0"


def planned(experiment: Experiment, *arguments: str) -> set[str]:
    """Phases of which a dry run says that jobs would run."""
    done = experiment.run("--dry-run", *arguments)
    assert done.returncode == 0, done.stderr
    words = {line.split()[0] for line in (done.stdout + done.stderr).splitlines() if line.strip()}
    return words & {*PHASES, "run_report"}


def test_nothing_changed_nothing_runs(ended: Experiment) -> None:
    assert planned(ended) == set()


@pytest.mark.parametrize(
    "override",
    [
        "ignore_stop=true",
        "stop_stale_minutes=5",
        "stop_stale_minutes=null",
        "max_active_batches=2",
    ],
)
def test_settings_that_change_no_result_make_nothing_run(ended: Experiment, override: str) -> None:
    assert planned(ended, "--config", override) == set()


def test_a_change_of_stats_runs_stats_and_reports_only(ended: Experiment) -> None:
    ended.reconfigure(stats={"resamples": 500})

    assert planned(ended) == {"stats", "report", "run_report"}


def test_another_adjustment_runs_reports_only(ended: Experiment) -> None:
    ended.reconfigure(stats={"adjustment": "fdr_bh"})

    assert planned(ended) == {"report", "run_report"}


def test_a_change_of_a_price_runs_what_counts_dollars_and_reports_only(ended: Experiment) -> None:
    ended.reconfigure(prices={"sim": {"input": 1, "output": 2}})

    assert planned(ended) == {"stats", "costs", "report", "run_report"}


def test_another_scorer_runs_score_and_what_follows(ended: Experiment) -> None:
    ended.reconfigure(datasets={"sums": {"path": "items.jsonl", "scorer": "numeric"}})

    assert planned(ended) == {"score", "stats", "report", "run_report"}


def test_a_new_trial_runs_that_trial_and_the_run_report(ended: Experiment) -> None:
    sweep = {"prompt": ["control", "treatment"], "temperature": [0.0, 0.7, 0.75]}
    ended.reconfigure(trials={"sweep": sweep, "baseline": {"prompt": "control"}})
    before = len(ended.billed())

    done = ended.run()

    assert done.returncode == 0, done.stderr
    assert len(ended.billed()) - before == 2 * 8
    assert len(ended.summary()["trials"]) == 6
    assert_state_is_true(ended)
    log = ended.folder / "logs" / "run_t" / "score"
    assert (log / "sim__control__t0.75.log").exists()
    assert (log / "sim__control__t0.log").stat().st_mtime < (
        log / "sim__control__t0.75.log"
    ).stat().st_mtime - 1


def test_a_removed_trial_leaves_the_others_as_they_are(ended: Experiment) -> None:
    sweep = {"prompt": ["control", "treatment"], "temperature": [0.0]}
    ended.reconfigure(trials={"sweep": sweep, "baseline": {"prompt": "control"}})
    before = ended.billed()

    done = ended.run()

    assert done.returncode == 0, done.stderr
    assert ended.billed() == before
    assert len(ended.summary()["trials"]) == 2
    assert ended.state()["status"] == "completed"
    assert ended.state()["phases"]["poll"]["total"] == 2


def test_an_edited_prompt_is_sent_anew_and_the_old_answers_stay(ended: Experiment) -> None:
    ledger = ended.root / "ledger" / "sim__treatment__t0"
    old = {path.name: path.read_bytes() for path in ledger.glob("*.replies.jsonl")}
    before = len(ended.billed())
    (ended.folder / "system.md").write_text("Think thrice.\n")

    done = ended.run()

    assert done.returncode == 0, done.stderr
    assert len(ended.billed()) - before == 2 * 8
    assert old
    assert {name: (ledger / name).read_bytes() for name in old} == old
    assert len(ended.table("sim__treatment__t0", "parse/outcomes.parquet")) == 8
    assert_state_is_true(ended)


def test_a_longer_dataset_sends_only_what_is_new(ended: Experiment) -> None:
    before = len(ended.billed())
    ended.write(simulated_config(), n_items=11)

    done = ended.run()

    assert done.returncode == 0, done.stderr
    assert len(ended.billed()) - before == 4 * 3
    assert ended.summary()["trials"][0]["n_items"] == 11


@pytest.mark.parametrize("phase", ["submit", "poll", "build", "prepare"])
def test_force_run_sends_nothing_again(ended: Experiment, phase: str) -> None:
    before = ended.billed()

    done = ended.run("--forcerun", phase)

    assert done.returncode == 0, done.stderr
    assert ended.billed() == before
    assert ended.state()["status"] == "completed"


def test_outputs_deleted_by_hand_are_made_again_without_sending(ended: Experiment) -> None:
    before = ended.billed()
    for file in ("build/requests.jsonl", "submit/batches.json", "poll/replies.jsonl", "score/scores.parquet"):
        (ended.root / "trials" / "sim__control__t0" / file).unlink()
    assert_state_is_true(ended)

    done = ended.run()

    assert done.returncode == 0, done.stderr
    assert ended.billed() == before
    assert ended.state()["status"] == "completed"


def test_a_stale_marker_does_not_make_a_phase_complete(ended: Experiment) -> None:
    (ended.root / "trials" / "sim__control__t0" / "parse" / "outcomes.parquet").unlink()
    (ended.root / "STOP_REQUESTED").touch()

    assert ended.run().returncode != 0

    assert (ended.root / "phases" / "parse.done.json").exists()
    state = ended.state()
    assert (state["status"], state["phases"]["parse"]["status"]) == ("stopped", "stopped")
    assert (state["phases"]["parse"]["done"], state["phases"]["poll"]["done"]) == (3, 4)


def copy_of_the_project(folder: Path) -> Path:
    """The checkout's code, to be edited."""
    for name in ("scripts", "workflow", "profiles", "config", "Snakefile", "environment.yml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    return folder


def test_an_edit_of_code_runs_the_free_phases_never_the_paid_ones(tmp_path: Path) -> None:
    project = copy_of_the_project(tmp_path / "project")
    folder = tmp_path / "work"
    folder.mkdir()
    experiment = Experiment(folder, project=project).write(simulated_config())
    assert experiment.run().returncode == 0

    for phase in ("prepare", "build", "submit", "poll"):
        path = project / "scripts" / f"{phase}.py"
        path.write_text(path.read_text() + "\n# A remark.\n")
    assert planned(experiment) == set()

    scorer = project / "scripts" / "scorers" / "short_answer.py"
    scorer.write_text(scorer.read_text() + "\n# A remark.\n")
    assert planned(experiment) == {"score", "stats", "report", "run_report"}


def test_until_leaves_the_phases_after_it_not_started(experiment: Experiment) -> None:
    done = experiment.run("--until", "parse")

    assert done.returncode == 0, done.stderr
    phases = experiment.state()["phases"]
    assert {phases[name]["status"] for name in ("build", "submit", "poll", "parse")} == {"completed"}
    assert phases["score"]["done"] == 0
    assert phases["score"]["status"] != "completed"


def test_an_output_edited_by_hand_is_remade_from_what_was_paid(ended: Experiment) -> None:
    replies = ended.root / "trials" / TRIAL / "poll" / "replies.jsonl"
    whole = replies.read_text()
    replies.write_text("".join(whole.splitlines(keepends=True)[:-2]))
    before, ledgers = ended.billed(), ended.ledgers()
    assert "poll" in planned(ended)

    assert ended.run().returncode == 0

    assert replies.read_text() == whole
    assert (ended.billed(), ended.ledgers()) == (before, ledgers)
    assert ended.state()["status"] == "completed"


def test_an_edit_of_what_all_import_makes_the_free_phases_anew(ended: Experiment, tmp_path: Path) -> None:
    project = copy_of_the_project(tmp_path)
    ended.project = project
    assert ended.run().returncode == 0
    sent = ended.ledgers()
    tokens = ended.table(TRIAL, "parse/outcomes.parquet")[0]["input_tokens"]
    records = project / "scripts" / "records.py"
    records.write_text(records.read_text().replace("(sum(counts) if counts", "(2 * sum(counts) if counts"))

    assert planned(ended) == {"parse", "score", "stats", "costs", "report", "run_report"}
    assert ended.run().returncode == 0

    assert ended.table(TRIAL, "parse/outcomes.parquet")[0]["input_tokens"] == 2 * tokens
    assert_state_is_true(ended)
    assert ended.ledgers() == sent


def test_a_run_that_the_first_release_finished_sends_nothing(tmp_path: Path) -> None:
    with tarfile.open(Path(__file__).parent / "data" / "run_of_0.1.0.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    earlier = Experiment(tmp_path)
    sent, billed = earlier.ledgers(), earlier.billed()

    done = earlier.run()

    assert done.returncode == 0, done.stderr
    assert earlier.state()["status"] == "completed"
    assert len(billed) == 12
    assert (earlier.ledgers(), earlier.billed()) == (sent, billed)
