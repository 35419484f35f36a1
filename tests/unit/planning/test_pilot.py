"""What a plan learns from a finished run, and what it says where the run cannot tell."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from scripts.analysis.power import smallest_detectable_difference
from scripts.plan import main
from tests.fakes.planned_experiments import BRIEF, PLAIN, make_experiment, plan_of, text_of, write_pilot
from tests.fakes.small_experiments import SmallExperiment


@pytest.fixture
def experiment(tmp_path: Path) -> SmallExperiment:
    return make_experiment(tmp_path)


def test_a_pilot_with_replicates_gives_variances_and_lengths(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pilot(
        experiment,
        {PLAIN: [[0, 0], [1, 0], [1, 1]], BRIEF: [[1, 1], [1, 0], [1, 1]]},
        tokens=17,
    )
    plan = plan_of(experiment, capsys, "--pilot", "first")
    (comparison,) = plan["power"]["comparisons"]
    assert comparison["variance"] == {
        "item": pytest.approx(1 / 6),
        "trial": pytest.approx(1 / 6),
        "baseline": pytest.approx(1 / 6),
        "is_split": True,
        "from": "the same comparison in the pilot",
        "n_items": 3,
    }
    assert plan["trials"][0]["output_tokens"]["typical"] == 3 * 17
    own = plan_of(experiment, capsys, "--pilot", "first", "--answer_tokens", "30")
    assert own["trials"][0]["answer_tokens"]["from"] == "--answer_tokens"
    assert own["trials"][0]["output_tokens"]["typical"] == 3 * 30


def test_a_pilot_without_replicates_says_that_only_the_whole_variance_is_known(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pilot(experiment, {PLAIN: [[0], [1], [0]], BRIEF: [[1], [1], [0]]})
    experiment.config["sampling"]["replicates"] = 5
    experiment.config["trials"]["sweep"]["model"] = ["twin"]
    plan = plan_of(experiment, capsys, "--pilot", "first")
    (comparison,) = plan["power"]["comparisons"]
    variance = comparison["variance"]
    assert (variance["item"], variance["trial"], variance["is_split"]) == (pytest.approx(1 / 3), None, False)
    assert variance["from"] == "the mean of the pilot's comparisons (1)"
    expected = smallest_detectable_difference(3, item_variance=1 / 3, trial_variance=0)
    assert comparison["smallest"]["all"]["power_80"] == pytest.approx(expected)
    assert plan["trials"][0]["answer_tokens"]["from"] == "assumed"  # nobody counted the pilot's tokens
    assert "only the whole variance" in " ".join(text_of(experiment, capsys, "--pilot", "first").split())


@pytest.mark.parametrize(
    ("pilot", "message"),
    [
        ("nobody", "there is no run 'nobody'"),
        ("first", "scores.parquet: is not there"),
    ],
)
def test_a_pilot_that_cannot_be_read_ends_with_a_message(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str], pilot: str, message: str
) -> None:
    write_pilot(experiment, {PLAIN: [[0], [1]]})
    experiment.load()
    with pytest.raises(SystemExit) as ended:
        main(["--configfile", str(experiment.folder / "config.yaml"), "--pilot", pilot])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_pilot_that_compares_nothing_or_too_little_is_refused(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_pilot(experiment, {PLAIN: [[0]], BRIEF: [[1]]})
    arguments = ["--configfile", str(experiment.folder / "config.yaml"), "--pilot", "first"]
    experiment.load()
    with pytest.raises(SystemExit):
        main(arguments)
    assert "two or more items" in capsys.readouterr().err
    config = yaml.safe_load((root / "effective_config.yaml").read_text())
    del config["trials"]["baseline"]
    (root / "effective_config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(SystemExit):
        main(arguments)
    assert "no trial of the run has a baseline" in capsys.readouterr().err
