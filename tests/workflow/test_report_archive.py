"""The report as Snakemake binds it, and what a missing part of it brings about."""

from __future__ import annotations

import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.records import FIGURES, RUN_OUTPUTS
from tests.workflow.harness import Experiment

pytestmark = pytest.mark.workflow

NOWHERE = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
"""Whoever asks for something from the network gets nothing."""


def test_a_finished_run_is_bound_into_one_archive_without_a_network(finished: Experiment) -> None:
    done = finished.run("--report", "bound.zip", **NOWHERE)

    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(finished.folder / "bound.zip") as archive:
        names = sorted(Path(name).name for name in archive.namelist())
        page = archive.read("bound/report.html").decode()
    n_trials = len(finished.summary()["trials"])
    expected = [*(Path(name).name for name in RUN_OUTPUTS), "report.html"]
    assert names == sorted(expected + ["report.html"] * n_trials)
    for words in ("Figures", "Tables", "Trials", "Leaderboard", "Every number (JSON)"):
        assert words in page
    assert finished.state()["status"] == "completed"


def test_every_figure_is_a_picture_that_stands_alone(finished: Experiment) -> None:
    for name in FIGURES:
        root = ElementTree.fromstring((finished.root / "report" / "figures" / f"{name}.svg").read_text())

        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.attrib["aria-label"]


@pytest.mark.parametrize("name", ["summary.json", "figures/forest.svg"])
def test_a_part_of_the_report_that_was_deleted_is_made_anew(ended: Experiment, name: str) -> None:
    (ended.root / "report" / name).unlink()

    again = ended.run()

    assert again.returncode == 0
    assert (ended.root / "report" / name).is_file()
    assert "rule run_report" in again.stdout + again.stderr
    assert ended.state()["status"] == "completed"
