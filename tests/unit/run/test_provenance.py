"""The digest of an output changes with what it is made from, and with nothing else."""

import dataclasses
import datetime
import os
from pathlib import Path
from typing import Any

import pytest

from scripts.money import price_book
from scripts.money.price_book import listed_price
from scripts.records import PHASES
from scripts.run.provenance import made_from
from tests.fakes.small_experiments import SmallExperiment

UNITS = {"prepare": "quiz"}
TRIAL = "sim__plain__t0"


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallExperiment:
    monkeypatch.chdir(tmp_path)
    return SmallExperiment(tmp_path)


def digests(experiment: SmallExperiment, **changes: Any) -> dict[str, str]:
    loaded = experiment.load(**changes)
    return {phase: made_from(loaded, phase, UNITS.get(phase, TRIAL)) for phase in PHASES}


def changed(experiment: SmallExperiment, **changes: Any) -> set[str]:
    before, after = digests(experiment), digests(experiment, **changes)
    return {phase for phase in PHASES if before[phase] != after[phase]}


@pytest.mark.parametrize(
    ("changes", "phases"),
    [
        ({}, set()),
        ({"ignore_stop": True}, set()),
        ({"stop_stale_minutes": None}, set()),
        ({"max_error_rate": 0.5}, set()),
        ({"max_active_batches": 1}, set()),
        ({"budget_usd": 5}, set()),
        ({"providers": {"simulated": {"poll_seconds": 9}}}, set()),
        ({"limit_items": 1}, {"prepare"}),
        ({"score": {"refused": "missing"}}, {"score"}),
        ({"stats": {"confidence_level": 0.9}}, {"stats", "report"}),
        ({"stats": {"adjustment": "none"}}, {"report"}),
        ({"stats": {"equivalence_margin": 0.05}}, {"stats", "report"}),
        ({"stats": {"subgroups": ["topic"]}}, {"stats", "report"}),
        ({"seed": 5}, {"build", "stats", "report"}),  # a simulated respondent draws from it too
        ({"prices": {"sim": {"input": 1, "output": 2}}}, {"costs", "stats"}),
        ({"datasets": {"quiz": {"path": "quiz.jsonl", "scorer": "numeric"}}}, {"score"}),
        ({"sampling": {"max_tokens": 64}}, {"build", "report"}),
    ],
)
def test_a_changed_key_makes_only_its_own_phases_run_again(
    experiment: SmallExperiment, changes: dict[str, Any], phases: set[str]
) -> None:
    assert changed(experiment, **changes) == phases


def test_only_reports_hang_on_what_share_may_be_unpaired(experiment: SmallExperiment) -> None:
    assert changed(experiment, stats={"max_unpaired": 0.5}) == {"report"}


def test_the_same_rates_on_another_day_leave_costs_alone_and_other_rates_do_not(
    experiment: SmallExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment.config["models"] = {"sim": {"provider": "openai", "model": "gpt-4o-mini"}}
    price = listed_price("gpt-4o-mini", "openai", datetime.date(2026, 11, 23))
    assert price is not None
    seen = []
    for changes in ({}, {"as_of": "2026-11-24"}, {"output": price.output * 2}):
        again = dataclasses.replace(price, **changes)  # type: ignore[arg-type]
        monkeypatch.setattr(price_book, "listed_price", lambda *_, again=again: again)
        seen.append(made_from(experiment.load(), "costs", TRIAL))
    assert seen[0] == seen[1] != seen[2]


def test_another_trial_changes_nothing_of_this_one(experiment: SmallExperiment) -> None:
    sweep = {"model": ["sim", "twin"], "prompt": ["plain", "brief"], "temperature": [0.0, 0.5]}
    assert changed(experiment, trials={"sweep": sweep}) == set()


def test_a_page_hangs_on_its_share_of_the_bytes_for_the_questions_of_all_pages(
    experiment: SmallExperiment,
) -> None:
    base = {"model": ["sim"], "prompt": ["plain"]}

    def sweep(n_trials: int) -> dict[str, Any]:
        return {"trials": {"sweep": {**base, "temperature": [n / 100 for n in range(n_trials)]}}}

    experiment.config |= sweep(13)
    assert changed(experiment, **sweep(2)) == set()
    assert changed(experiment, **sweep(14)) == {"report"}


def test_an_edited_template_makes_its_own_trials_build_again(experiment: SmallExperiment) -> None:
    before = digests(experiment)
    experiment.write("brief.md", "Something else: {{ question }}")
    assert digests(experiment) == before
    experiment.write("plain.md", "Something else: {{ question }}")
    after = digests(experiment)
    assert {phase for phase in PHASES if before[phase] != after[phase]} == {"build"}


def test_an_edited_dataset_makes_prepare_run_again_and_a_touched_one_does_not(
    experiment: SmallExperiment,
) -> None:
    before = digests(experiment)
    os.utime("quiz.jsonl", (1, 1))
    assert digests(experiment) == before
    experiment.write_items({"id": "new", "question": "?", "answers": ["x"]})
    after = digests(experiment)
    assert {phase for phase in PHASES if before[phase] != after[phase]} == {"prepare"}


def test_an_edit_of_the_users_own_scorer_makes_score_run_again(
    experiment: SmallExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(experiment.folder)
    own = {"datasets": {"quiz": {"path": "quiz.jsonl", "scorer": "python: scorer_to_edit:score"}}}
    experiment.write("scorer_to_edit.py", "def score(text, item):\n    return 1\n")
    before = digests(experiment, **own)
    experiment.write("scorer_to_edit.py", "def score(text, item):\n    return 0.5\n")
    after = digests(experiment, **own)
    assert {phase for phase in PHASES if before[phase] != after[phase]} == {"score"}
