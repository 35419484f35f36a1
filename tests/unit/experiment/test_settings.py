"""The configuration is read strictly, and every mistake is named with its file, line, key and cure."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.experiment.settings import Settings, load_settings, read_run_settings
from tests.fakes.small_experiments import MINIMAL, SmallExperiment, refusal


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallExperiment:
    monkeypatch.chdir(tmp_path)
    return SmallExperiment(tmp_path)


@pytest.mark.parametrize("name", ["007", "7", "2024-01-01", "1.10", "on", "true", "a.b-c_d", "x" * 64])
def test_a_run_id_is_the_text_that_was_written(experiment: SmallExperiment, name: str) -> None:
    text = MINIMAL.replace("run_id: small", f"run_id: {name}")
    assert experiment.load_text(text).run_root == Path(f"experiments/run_{name}")


def test_a_configuration_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = refusal(load_settings, [tmp_path / "nope.yaml"])
    assert "nope.yaml: the configuration file cannot be read (No such file or directory)" in said
    assert "--configfile" in said


OVERRIDES: list[tuple[dict[str, Any], Callable[[Settings], Any], Any]] = [
    ({"stop_stale_minutes": "null"}, lambda settings: settings.config["stop_stale_minutes"], None),
    ({"limit_items": 5}, lambda settings: settings.config["limit_items"], 5),
    ({"limit_items": 5.0}, lambda settings: settings.config["limit_items"], 5),
    ({"run_id": "007"}, lambda settings: settings.run_id, "007"),
    ({"run_id": "2024-01-01"}, lambda settings: settings.run_id, "2024-01-01"),
    ({"ignore_stop": True}, lambda settings: settings.config["ignore_stop"], True),
    ({"ignore_stop": "true"}, lambda settings: settings.config["ignore_stop"], True),
    ({"stats": {"resamples": "200"}}, lambda settings: settings.config["stats"]["resamples"], 200),
    ({"stats": {"resamples": "200"}}, lambda settings: settings.config["stats"]["adjustment"], "none"),
]


@pytest.mark.parametrize(("given", "look", "expected"), OVERRIDES)
def test_keys_of_the_command_line_win_over_the_file(
    experiment: SmallExperiment, given: dict[str, Any], look: Callable[[Settings], Any], expected: object
) -> None:
    text = MINIMAL + "limit_items: 2\nstop_stale_minutes: 5\nstats: {adjustment: none}\n"
    value = look(experiment.load_text(text, **given))
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"limit_items": 0}, "--config: limit_items: is 0\n  Allowed: at least 1."),
        ({"run_id": "../x"}, "--config: run_id: '../x' is not a valid name"),
        ({"limit_itms": 5}, "--config: limit_itms: unknown key 'limit_itms'; did you mean 'limit_items'?"),
        ({"max_error_rate": float("nan")}, "--config: max_error_rate: is 'nan', but must be a number"),
        ({"models": {"sim": "3"}}, "--config: models.sim: is 3, but must be a mapping of keys"),
        ({"models": None}, "--config: models: is null, but must be a mapping of keys"),
    ],
)
def test_a_mistake_on_the_command_line_says_that_it_is_there(
    experiment: SmallExperiment, given: dict[str, Any], said: str
) -> None:
    assert said in refusal(experiment.load_text, MINIMAL, **given)


def test_a_later_file_wins_key_by_key(experiment: SmallExperiment) -> None:
    first = experiment.write("first.yaml", MINIMAL + "stats: {resamples: 500, adjustment: none}\n")
    second = experiment.write("second.yaml", "run_id: other\nstats: {resamples: 900}\n")
    settings = load_settings([first, second])
    assert settings.run_id == "other"
    assert (settings.config["stats"]["resamples"], settings.config["stats"]["adjustment"]) == (900, "none")
    wrong = experiment.write("third.yaml", "stats: {resamples: 1}\n")
    assert "third.yaml, line 1: stats.resamples: is 1" in refusal(load_settings, [first, wrong])


def test_files_are_found_beside_the_configuration_also_if_its_folder_has_a_comma(tmp_path: Path) -> None:
    folder = tmp_path / "a, b"
    folder.mkdir()
    settings = SmallExperiment(folder).load()
    assert settings.find_file("quiz.jsonl") == folder / "quiz.jsonl"


@pytest.mark.parametrize(
    ("name", "kind"),
    [(".", "a folder"), ("pipe", "a pipe (FIFO)"), ("socket", "a socket"), ("/dev/zero", "a device")],
)
def test_what_is_no_file_is_called_what_it_is_and_never_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
        experiment = SmallExperiment(tmp_path)
        said = refusal(experiment.load().find_file, name, "datasets", "quiz", "path")
        assert f"datasets.quiz.path: {name!r} is {kind}, not a file" in said
        assert f"{name}: is {kind}, not a file" in refusal(load_settings, [Path(name)])


@pytest.mark.parametrize("name", ["nope.jsonl", "x" * 300, "a\0b"])
def test_a_file_that_is_not_there_is_named_with_its_key(experiment: SmallExperiment, name: str) -> None:
    said = refusal(experiment.load().find_file, name, "datasets", "quiz", "path")
    assert "config.yaml, line 4: datasets.quiz.path: the file '" in said
    assert "does not exist\n  Create it, or correct the path" in said


def test_a_run_without_its_configuration_says_how_to_start_it(tmp_path: Path) -> None:
    assert "the run has no effective_config.yaml\n  Start the run" in refusal(read_run_settings, tmp_path)
