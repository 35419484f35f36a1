"""The parts of a run, in the order of the pipeline, with what each of them reads."""

from pathlib import Path

import pytest

from scripts.records import PHASES
from scripts.run.units import MARK, needed_phases, run_units
from tests.fakes.fake_runs import BRIEF, PLAIN, FakeRun


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    monkeypatch.chdir(tmp_path)
    return FakeRun(tmp_path)


def test_whatever_a_unit_reads_comes_before_it(run: FakeRun) -> None:
    units = run_units(run.settings)
    order = {key: place for place, key in enumerate(units)}
    late = [key for key, unit in units.items() for other in unit.upstream if order[other] >= order[key]]
    assert late == []


def test_every_phase_of_every_trial_is_there_with_the_markers_and_the_runs_report(run: FakeRun) -> None:
    units = run_units(run.settings)
    assert [name for phase, name in units if phase == "score"] == [PLAIN, BRIEF]
    assert [name for phase, name in units if phase == MARK] == list(PHASES)
    assert units["report", ""].upstream == (
        *(("report", trial) for trial in (PLAIN, BRIEF)),
        *((MARK, phase) for phase in PHASES),
    )


def test_statistics_read_the_scores_of_the_baseline_too(run: FakeRun) -> None:
    units = run_units(run.settings)
    assert units["stats", BRIEF].upstream == (("score", BRIEF), ("score", PLAIN))
    assert units["stats", PLAIN].upstream == (("score", PLAIN),)
    assert needed_phases("stats") == {"prepare", "build", "submit", "poll", "parse", "score"}
