"""What the tests of whole runs share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.workflow.harness import Experiment, simulated_config
from tests.workflow.slow_runs import slow_config


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    """A small simulated experiment that has not been run."""
    return Experiment(tmp_path).write(simulated_config())


@pytest.fixture
def slow(tmp_path: Path) -> Experiment:
    """An experiment of two trials whose batches take their time, that has not been run."""
    return Experiment(tmp_path).write(slow_config())


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """A small simulated experiment that was run to its end; tests only read it."""
    experiment = Experiment(tmp_path_factory.mktemp("finished")).write(simulated_config())
    done = experiment.run()
    assert done.returncode == 0, done.stderr
    return experiment


@pytest.fixture
def ended(finished: Experiment, tmp_path: Path) -> Experiment:
    """A copy of a finished run."""
    shutil.copytree(finished.folder, tmp_path / "copy", symlinks=True)
    return Experiment(tmp_path / "copy")
