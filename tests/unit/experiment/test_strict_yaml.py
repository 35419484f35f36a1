"""YAML in which words mean what they look like."""

from pathlib import Path

import pytest

from scripts.experiment.strict_yaml import read_override, read_scalar, read_yaml
from tests.fakes.small_experiments import MINIMAL, SmallExperiment, refusal


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallExperiment:
    monkeypatch.chdir(tmp_path)
    return SmallExperiment(tmp_path)


YAML_FAULTS = {
    b"": "config.yaml: contains no configuration keys",
    b"# nothing yet\n": "config.yaml: contains no configuration keys",
    b"- a\n": "config.yaml: contains no configuration keys",
    b"run_id: a\nstats:\n\tresamples: 5\n": "line 3: is not valid YAML: a tab stands in the indentation",
    b"run_id: a\nrun_id: b\n": "config.yaml, line 2: duplicate key 'run_id' (first in line 1)",
    b"stats: {a: 1, a: 2}\n": "config.yaml, line 1: duplicate key 'a'",
    b"a: &x [*x]\n": "config.yaml: is nested too deeply\n  Does an anchor contain itself?",
    b"[a, b]: 1\n": "config.yaml, line 1: a key is not a text",
    b"a: !!python/name:os.system x\n": "config.yaml, line 1: the tag 'tag:yaml.org,2002:python/name",
    b"<<: 3\n": "config.yaml, line 1: << merges something without keys",
    b"a: 1\n---\nb: 2\n": "config.yaml, line 2: is not valid YAML",
    b"a: \x01\n": "config.yaml: is not valid YAML: control characters are not allowed",
    b"a: \xe9\n": "config.yaml: is not UTF-8 (invalid continuation byte)\n  Save it again as UTF-8.",
    b"\xff\xfea\x00": "config.yaml: is not UTF-8",
    b"a: b: c\n": "config.yaml, line 1: is not valid YAML: a colon is missing, or stands within a text",
    b"a: b\n  c: d\n": "config.yaml, line 2: is not valid YAML: a colon is missing, or stands within a text",
}


@pytest.mark.parametrize("text", YAML_FAULTS)
def test_what_is_no_configuration_in_yaml_says_so(experiment: SmallExperiment, text: bytes) -> None:
    assert YAML_FAULTS[text] in refusal(experiment.load_text, text)


WHOLE = """\
run_id: small
datasets:
  quiz: {path: quiz.jsonl, scorer: short_answer}

prompts:
  # of the trials
  plain:
    user: plain.md
  brief:
    user: brief.md
models:
  sim:
    provider: simulated
trials:
  sweep:
    prompt: [plain, brief]
budget_usd: 5
"""
COLONS = [number for number, line in enumerate(WHOLE.splitlines(), 1) if ":" in line]


@pytest.mark.parametrize("number", COLONS)
def test_a_missing_colon_is_told_at_its_own_line(experiment: SmallExperiment, number: int) -> None:
    experiment.load_text(WHOLE)
    lines = WHOLE.splitlines(keepends=True)
    lines[number - 1] = lines[number - 1].replace(":", "", 1)
    said = refusal(experiment.load_text, "".join(lines))
    assert f"config.yaml, line {number}: " in said
    assert "colon is missing" in said or "Is a colon missing" in said


@pytest.mark.parametrize("number", [number for number in COLONS if ": " in WHOLE.splitlines()[number - 1]])
def test_a_colon_without_a_space_is_told_at_its_own_line(experiment: SmallExperiment, number: int) -> None:
    lines = WHOLE.splitlines(keepends=True)
    lines[number - 1] = lines[number - 1].replace(": ", ":", 1)
    assert f"config.yaml, line {number}: " in refusal(experiment.load_text, "".join(lines))


TRAPS = {
    "aliases of aliases": "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)),
    "merges of merges": "a0: &a0 {x: 1}\n"
    + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 9)),
    "brackets": "a: " + "[" * 100_000,
    "closed brackets": "a: " + "[" * 100_000 + "]" * 100_000,
    "braces": "a: " + "{a: " * 100_000,
    "dashes": "a:\n " + "- " * 100_000,
    "question marks": "? " * 100_000,
    "indentation": "".join(" " * n + "a:\n" for n in range(500)),
    "values": "a: {" + "x," * 200_000,
    "length": "a: " + "x" * (9 * 1024**2),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_file_that_would_fill_the_memory_or_end_the_process_is_refused(
    experiment: SmallExperiment, trap: str
) -> None:
    said = refusal(experiment.load_text, TRAPS[trap])
    assert "is nested too deeply" in said or "holds more than" in said or "is larger than 8 MB" in said


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
    assert read_scalar(text) == value
    assert text == "" or read_override(text) == value
    file = tmp_path / "one.yaml"
    file.write_text(f"key: {text}\n")
    assert read_yaml(file)[0]["key"] == value
