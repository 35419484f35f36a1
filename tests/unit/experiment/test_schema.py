"""What the schema does not allow is named, shown and explained."""

from pathlib import Path

import pytest

from tests.fakes.small_experiments import MINIMAL, SmallExperiment, refusal


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallExperiment:
    monkeypatch.chdir(tmp_path)
    return SmallExperiment(tmp_path)


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
        "max_unpaired": 0.02,
        "monitoring": "single",
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
    said = refusal(experiment.load_text, text + line + "\n")
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
    "datasets: {quiz: {path: quiz.jsonl, scorer: numeric, scorers: [numeric]}}": (
        "datasets.quiz: has both 'scorer' and 'scorers'\n  Keep one of them."
    ),
    "datasets: {all: {path: quiz.jsonl, scorer: short_answer}}": "datasets.all: the name 'all' is reserved",
    "datasets: {quiz: {path: 'a{b}', scorer: short_answer}}": "'a{b}' is not a valid path",
    "models: [sim]": "models: is ['sim'], but must be a mapping of keys\n  Write keys under it",
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
    said = refusal(experiment.load_text, text + line + "\n")
    assert WRONG_VALUES[line] in said
    assert f"config.yaml, line {len(text.splitlines()) + 1}: " in said


BAD_NAMES = ["a/b", "..", "a..b", "a b", "a__b", "😀", "é", "x" * 300, "a\n", ".a", ""]
"""All of them as a value and as a key; the other sections refer to the same pattern."""

NAMED = [(section, name) for section in ("run_id", "datasets") for name in BAD_NAMES]


@pytest.mark.parametrize(("section", "name"), [*NAMED, ("prompts", "a/b"), ("models", "a/b")])
def test_a_name_that_is_no_file_name_is_refused(experiment: SmallExperiment, section: str, name: str) -> None:
    entry = next(iter(experiment.config[section].values())) if section != "run_id" else None
    said = refusal(experiment.load, **{section: name if section == "run_id" else {name: entry}})
    assert "is not a valid name\n  Correct it: a name has 1 to 64 letters, digits" in said
    assert len(said) < 600


def test_a_whole_number_with_a_point_is_a_whole_number(experiment: SmallExperiment) -> None:
    resamples = experiment.load(stats={"resamples": 1e4}).config["stats"]["resamples"]
    assert (resamples, type(resamples)) == (10_000, int)
