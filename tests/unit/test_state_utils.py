"""What code from outside finds behind the door."""

import json
from pathlib import Path

import pytest

from scripts.run.lock import RunLock
from scripts.run.paths import STATE_FILE
from scripts.state_utils import StopRequested, StopToken, sync_run_state
from tests.fakes.fake_runs import FakeRun


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRun:
    monkeypatch.chdir(tmp_path)
    return FakeRun(tmp_path).complete_all()


def test_a_stop_token_asks_and_is_heard(tmp_path: Path) -> None:
    token = StopToken(tmp_path)
    token.set("enough")
    with pytest.raises(StopRequested, match="enough"):
        token.check()


def test_the_state_is_written_anew_when_it_is_lost_or_wrong(finished: FakeRun) -> None:
    path = finished.root / STATE_FILE
    path.unlink(missing_ok=True)
    assert sync_run_state(finished.root)["status"] == "completed"
    path.write_text(json.dumps({**json.loads(path.read_text()), "status": "failed"}))
    assert sync_run_state(str(finished.root))["status"] == "completed"
    assert json.loads(path.read_text())["status"] == "completed"


def test_the_state_of_a_run_that_goes_on_is_left_to_its_process(finished: FakeRun) -> None:
    with RunLock(finished.root):
        assert sync_run_state(finished.root)["status"] == "running"
        assert not (finished.root / STATE_FILE).exists()
