"""The configuration is read strictly, and every mistake is named with its file, line, key and cure."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.errors import ConfigError
from scripts.experiment.settings import Settings, load_settings, read_run_settings
from scripts.experiment.strict_yaml import read_override, read_scalar, read_yaml
from tests.fakes.small_experiments import SmallExperiment

MINIMAL = """\
run_id: small
datasets: {quiz: {path: quiz.jsonl, scorer: short_answer}}
prompts: {plain: {user: plain.md}}
models: {sim: {provider: simulated}}
trials: {sweep: {prompt: [plain]}}
"""


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallExperiment:
    monkeypatch.chdir(tmp_path)
    return SmallExperiment(tmp_path)


def message(load: Callable[..., Settings], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(*args, **kwargs)
    return str(caught.value)


def test_defaults_are_filled_in_at_every_level(experiment: SmallExperiment) -> None:
    config = experiment.load(stats={"resamples": 500}).config
    assert config["max_error_rate"] == 0.05
    assert config["sampling"]["max_tokens"] == 512
    assert config["stats"] == {
        "resamples": 500,
        "confidence_level": 0.95,
        "adjustment": "holm",
        "equivalence_margin": 0.02,
        "subgroups": [],
        "family": ["correct"],
    }


TYPOS = {
    "dataset: {}": "dataset: unknown key 'dataset'; did you mean 'datasets'?",
    "stats: {resample: 5}": "stats.resample: unknown key 'resample'; did you mean 'resamples'?",
    "prompts: {plain: {usr: plain.md}}": "prompts.plain.usr: unknown key 'usr'; did you mean 'user'?",
    "trials: {swep: {prompt: [plain]}}": "trials.swep: unknown key 'swep'; did you mean 'sweep'?",
    "2024-01-01: 5": "2024-01-01: unknown key '2024-01-01'",
    "null: 5": "null: unknown key 'null'",
}


@pytest.mark.parametrize("line", TYPOS)
def test_an_unknown_key_is_named_with_its_line_and_the_keys_allowed(
    experiment: SmallExperiment, line: str
) -> None:
    text = "".join(kept + "\n" for kept in MINIMAL.splitlines() if kept.split(":")[0] != line.split(":")[0])
    said = message(experiment.load_text, text + line + "\n")
    n_lines = len(text.splitlines()) + 1
    assert said.startswith(f"{experiment.folder / 'config.yaml'}, line {n_lines}: {TYPOS[line]}")
    assert "Allowed here: " in said


WRONG_VALUES = {
    "run_id: [a]": "run_id: is ['a'], but must be a text",
    "run_id:": "run_id: is null, but must be a text",
    "sampling: {replicates: null}": "sampling.replicates: is null, but must be a whole number",
    "sampling: {replicates: 0}": "sampling.replicates: is 0\n  Allowed: at least 1.",
    "sampling: {temperature: 3}": "sampling.temperature: is 3\n  Allowed: at most 2.",
    "sampling: {temperature: .nan}": "sampling.temperature: is '.nan', but must be a number or null",
    "sampling: {temperature: 1e999}": "sampling.temperature: is '1e999', but must be a number or null",
    "sampling: {Loud: 1}": "sampling.Loud: 'Loud' is not a valid factor name",
    "sampling: {top__k: 1}": "sampling.top__k: 'top__k' is not a valid factor name",
    "sampling: {messages: 1}": "sampling.messages: the name 'messages' is reserved",
    "sampling:": "sampling: is null, but must be a mapping of keys",
    "datasets: {quiz: null}": "datasets.quiz: is null, but must be a mapping of keys",
    "datasets: {}": "datasets: is {}\n  Allowed: 1 or more keys.",
    "datasets: {quiz: {path: quiz.jsonl}}": "datasets.quiz: the key 'scorer' is missing",
    "datasets: {all: {path: quiz.jsonl, scorer: short_answer}}": "datasets.all: the name 'all' is reserved",
    "datasets: {quiz: {path: 'a{b}', scorer: short_answer}}": "'a{b}' is not a valid path",
    "models: [sim]": "models: is ['sim'], but must be a mapping of keys\n  Write keys below it",
    "trials: {sweep: {temperature: 0.5}}": "trials.sweep.temperature: is 0.5, but must be a list",
    "trials: {list: []}": "trials.list: is []\n  Allowed: 1 or more entries.",
    "max_error_rate: 1.5": "max_error_rate: is 1.5\n  Allowed: at most 1.",
    "max_error_rate: .nan": "max_error_rate: is '.nan', but must be a number",
    "ignore_stop: yes": "ignore_stop: is 'yes', but must be true or false\n  Write true or false.",
    "limit_items: '5'": "limit_items: is '5', but must be a whole number or null",
    "stats: {adjustment: hom}": "stats.adjustment: is 'hom'\n  Allowed: bonferroni, fdr_bh",
    "experiments_dir: ''": "experiments_dir: is ''\n  Allowed: 1 or more characters.",
}


@pytest.mark.parametrize("line", WRONG_VALUES)
def test_a_wrong_value_is_shown_with_what_is_allowed(experiment: SmallExperiment, line: str) -> None:
    key = line.split(":")[0]
    text = "".join(kept + "\n" for kept in MINIMAL.splitlines() if kept.split(":")[0] != key)
    said = message(experiment.load_text, text + line + "\n")
    assert WRONG_VALUES[line] in said
    assert f"config.yaml, line {len(text.splitlines()) + 1}: " in said


@pytest.mark.parametrize("name", ["a/b", "..", "a..b", "a b", "a__b", "😀", "é", "x" * 300, "a\n", ".a", ""])
@pytest.mark.parametrize("section", ["run_id", "datasets", "prompts", "models"])
def test_a_name_that_is_no_file_name_is_refused(experiment: SmallExperiment, section: str, name: str) -> None:
    entry = next(iter(experiment.config[section].values())) if section != "run_id" else None
    said = message(experiment.load, **{section: name if section == "run_id" else {name: entry}})
    assert "is not a valid name\n  Correct it: a name has 1 to 64 letters, digits" in said
    assert len(said) < 600


@pytest.mark.parametrize("name", ["007", "7", "2024-01-01", "1.10", "on", "true", "a.b-c_d", "x" * 64])
def test_a_run_id_is_the_text_that_was_written(experiment: SmallExperiment, name: str) -> None:
    text = MINIMAL.replace("run_id: small", f"run_id: {name}")
    assert experiment.load_text(text).run_root == Path(f"experiments/run_{name}")


YAML_FAULTS = {
    b"": "config.yaml: holds no configuration keys",
    b"# nothing yet\n": "config.yaml: holds no configuration keys",
    b"- a\n": "config.yaml: holds no configuration keys",
    b"run_id: a\nstats:\n\tresamples: 5\n": "config.yaml, line 3: is not valid YAML: found character",
    b"run_id: a\nrun_id: b\n": "config.yaml, line 2: the key 'run_id' stands twice (first in line 1)",
    b"stats: {a: 1, a: 2}\n": "config.yaml, line 1: the key 'a' stands twice",
    b"a: &x [*x]\n": "config.yaml: is nested too deeply\n  Does an anchor hold itself?",
    b"[a, b]: 1\n": "config.yaml, line 1: a key is not a text",
    b"a: !!python/name:os.system x\n": "config.yaml, line 1: the tag 'tag:yaml.org,2002:python/name",
    b"<<: 3\n": "config.yaml, line 1: << merges something that has no keys",
    b"a: 1\n---\nb: 2\n": "config.yaml, line 2: is not valid YAML",
    b"a: \x01\n": "config.yaml: is not valid YAML: control characters are not allowed",
    b"a: \xe9\n": "config.yaml: is not UTF-8",
}


@pytest.mark.parametrize("text", YAML_FAULTS)
def test_what_is_no_configuration_in_yaml_says_so(experiment: SmallExperiment, text: bytes) -> None:
    assert YAML_FAULTS[text] in message(experiment.load_text, text)


def test_a_configuration_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = message(load_settings, [tmp_path / "nope.yaml"])
    assert "nope.yaml: the configuration file cannot be read (No such file or directory)" in said
    assert "--configfile" in said


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(experiment: SmallExperiment) -> None:
    text = "\ufeff" + MINIMAL.replace("\n", "\r\n")
    assert experiment.load_text(text).config["run_id"] == "small"


def test_only_plain_words_are_special(tmp_path: Path) -> None:
    file = tmp_path / "words.yaml"
    file.write_text("a: [yes, on, 007, 1_000, 0x10, 12:30, 1e-3, .5, -0.0, ~, TRUE, '5', .inf]\n")
    data, _ = read_yaml(file)
    expected = ["yes", "on", "007", "1_000", "0x10", "12:30", 0.001, 0.5, -0.0, None, True, "5", ".inf"]
    assert data["a"] == expected
    assert [type(value) for value in data["a"]] == [type(value) for value in expected]


def test_merge_keys_and_anchors_work_and_own_keys_win(tmp_path: Path) -> None:
    file = tmp_path / "anchors.yaml"
    file.write_text("base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo:\n  <<: [*b, {z: 9, x: 8}]\nsame: *b\n")
    data, lines = read_yaml(file)
    assert data["one"] == {"x": 1, "y": 3}
    assert data["two"] == {"x": 1, "y": 2, "z": 9}
    assert data["same"] == data["base"]
    assert lines[("one", "y")] == 2


def test_names_stay_as_written_wherever_they_stand(experiment: SmallExperiment) -> None:
    text = """\
run_id: small
datasets: {quiz: {path: quiz.jsonl, scorer: short_answer}}
prompts: {on: {user: plain.md}, 1.10: {user: brief.md}}
models: {4: {provider: simulated, model: 4.10}}
trials: {sweep: {model: [4], prompt: [on, 1.10]}, baseline: {prompt: on}}
"""
    settings = experiment.load_text(text)
    assert [trial.name for trial in settings.trials] == ["4__on__t0", "4__1.10__t0"]
    assert settings.config["models"]["4"]["model"] == "4.10"


@pytest.mark.parametrize(
    ("text", "value"),
    [("null", None), ("true", True), ("5", 5), ("5.0", 5.0), ("no", "no"), ("1e999", "1e999"), ("", None)],
)
def test_a_word_is_read_alike_in_every_place(tmp_path: Path, text: str, value: object) -> None:
    assert read_scalar(text) == value == read_override(text)
    file = tmp_path / "one.yaml"
    file.write_text(f"key: {text}\n")
    assert read_yaml(file)[0]["key"] == value


OVERRIDES: list[tuple[dict[str, Any], Callable[[Settings], Any], Any]] = [
    ({"stop_stale_minutes": "null"}, lambda settings: settings.config["stop_stale_minutes"], None),
    ({"limit_items": 5}, lambda settings: settings.config["limit_items"], 5),
    ({"limit_items": 5.0}, lambda settings: settings.config["limit_items"], 5),
    ({"run_id": 7}, lambda settings: settings.run_id, "7"),
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
    assert said in message(experiment.load_text, MINIMAL, **given)


def test_a_later_file_wins_key_by_key(experiment: SmallExperiment) -> None:
    first = experiment.write("first.yaml", MINIMAL + "stats: {resamples: 500, adjustment: none}\n")
    second = experiment.write("second.yaml", "run_id: other\nstats: {resamples: 900}\n")
    settings = load_settings([first, second])
    assert settings.run_id == "other"
    assert (settings.config["stats"]["resamples"], settings.config["stats"]["adjustment"]) == (900, "none")
    wrong = experiment.write("third.yaml", "stats: {resamples: 1}\n")
    assert "third.yaml, line 1: stats.resamples: is 1" in message(load_settings, [first, wrong])


def test_files_are_found_beside_the_configuration_also_if_its_folder_has_a_comma(tmp_path: Path) -> None:
    folder = tmp_path / "a, b"
    folder.mkdir()
    settings = SmallExperiment(folder).load()
    assert settings.find_file("quiz.jsonl") == folder / "quiz.jsonl"


@pytest.mark.parametrize("name", ["nope.jsonl", "x" * 300, "a\0b", "."])
def test_a_file_that_is_not_there_is_named_with_its_key(experiment: SmallExperiment, name: str) -> None:
    said = message(experiment.load().find_file, name, "datasets", "quiz", "path")
    assert "config.yaml, line 4: datasets.quiz.path: the file '" in said
    assert "is not there\n  Create it, or correct the path" in said


def test_a_whole_number_with_a_point_is_a_whole_number(experiment: SmallExperiment) -> None:
    resamples = experiment.load(stats={"resamples": 1e4}).config["stats"]["resamples"]
    assert (resamples, type(resamples)) == (10_000, int)


def test_a_run_without_its_configuration_says_how_to_start_it(tmp_path: Path) -> None:
    assert "the run has no effective_config.yaml\n  Start the run" in message(read_run_settings, tmp_path)
