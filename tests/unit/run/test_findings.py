"""A look at a run's folder finds what is so, wherever the folder lies."""

from pathlib import Path

import pytest

from scripts.run.findings import RunView
from scripts.run.folder import present_run
from tests.fakes.fake_runs import PLAIN, FakeRun


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    monkeypatch.chdir(tmp_path)
    return FakeRun(tmp_path).complete_all()


def undone(view: RunView) -> set[tuple[str, str]]:
    return {key for key, finding in view.look().items() if not finding.is_done}


def test_everything_of_a_finished_run_is_done(finished: FakeRun) -> None:
    assert undone(RunView(finished.settings)) == set()


def test_an_output_that_was_only_touched_is_done(finished: FakeRun) -> None:
    for path in finished.root.rglob("*"):
        path.touch()
    assert undone(RunView(finished.settings)) == set()


def test_a_run_whose_folder_was_moved_is_done(finished: FakeRun) -> None:
    elsewhere = finished.root.parent.parent / "archive" / finished.root.name
    elsewhere.parent.mkdir()
    finished.root.rename(elsewhere)
    with present_run(elsewhere) as settings:
        assert undone(RunView(settings)) == set()


def test_a_deleted_marker_undoes_itself_and_the_runs_report(finished: FakeRun) -> None:
    finished.settings.paths.marker("score").unlink()
    assert undone(RunView(finished.settings)) == {("mark", "score"), ("report", "")}


def test_a_reason_that_could_not_be_written_down_is_known_all_the_same(finished: FakeRun) -> None:
    finished.settings.paths.output("score", PLAIN).unlink()
    view = RunView(finished.settings)
    view.reasons[str(finished.settings.paths.error("score", PLAIN))] = "no room"
    assert view.look()["score", PLAIN].error == "no room"
