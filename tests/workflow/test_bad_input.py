"""Bad input ends in one clear message of a real `snakemake`: nothing is half-written, nothing is sent."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SNAKEMAKE = [Path(sys.executable).with_name("snakemake"), "-s", ROOT / "Snakefile", "--cores", "2"]
CONFIG = """\
run_id: small
datasets: {quiz: {path: quiz.jsonl, scorer: short_answer}}
prompts: {plain: {user: plain.md}}
models: {sim: {provider: simulated}}
trials: {sweep: {prompt: [plain]}}
"""
TAPE = CONFIG.replace("provider: simulated", "provider: replay, recorded: tape.jsonl")
ITEM = {"id": "q1", "question": "How many sides has a square?", "answers": ["4"]}
RECORDED = {"model": "sim", "prompt": "plain", "item_id": "q1", "text": "4"}

pytestmark = pytest.mark.workflow


class Folder:
    """A folder with a small experiment, and the `snakemake` that runs it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("config.yaml", CONFIG)
        self.write("plain.md", "{{ question }}")
        self.write("quiz.jsonl", lines(ITEM))

    def write(self, name: str, content: str | bytes) -> None:
        (self.path / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    def run(self, *options: str, configfile: str = "config.yaml") -> subprocess.CompletedProcess[str]:
        call = [*SNAKEMAKE, "--directory", self.path, "--configfile", self.path / configfile, *options]
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.path / ".cache"), "NO_COLOR": "1"}
        return subprocess.run(
            call, cwd=self.path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    def refusal(self, *options: str, configfile: str = "config.yaml") -> str:
        """Run into an error and give its message, after checking that nothing else has happened."""
        before = sorted(self.path.iterdir())
        ended = self.run(*options, configfile=configfile)
        said = ended.stderr + ended.stdout  # a dry run logs to stdout
        assert ended.returncode == 1
        assert "Traceback" not in said
        assert said.count("Error") == 1
        assert "scripts/" not in said
        left = {path for path in self.path.iterdir() if path.name not in {".snakemake", ".cache"}}
        assert left <= set(before)
        return said


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def config(old: str, new: str) -> Callable[[Folder], None]:
    return lambda folder: folder.write("config.yaml", CONFIG.replace(old, new))


def file(name: str, content: str | bytes, *, text: str = CONFIG) -> Callable[[Folder], None]:
    def spoil(folder: Folder) -> None:
        folder.write("config.yaml", text)
        folder.write(name, content)

    return spoil


MISTAKES: dict[str, tuple[Callable[[Folder], None], str]] = {
    "an unknown key": (
        config("datasets:", "dataset:"),
        "Error: config.yaml, line 2: dataset: unknown key 'dataset'; did you mean 'datasets'?\n",
    ),
    "a wrong value": (
        lambda folder: folder.write("config.yaml", CONFIG + "max_error_rate: 1.5\n"),
        "Error: config.yaml, line 6: max_error_rate: is 1.5\n  Allowed: at most 1.\n",
    ),
    "a key twice": (
        lambda folder: folder.write("config.yaml", CONFIG + "run_id: other\n"),
        "Error: config.yaml, line 6: duplicate key 'run_id' (first in line 1)",
    ),
    "a name with a slash": (
        config("sim:", "s/m:"),
        "config.yaml, line 4: models.s/m: 's/m' is not a valid name",
    ),
    "the dataset all": (
        config("quiz:", "all:"),
        "config.yaml, line 2: datasets.all: the name 'all' is reserved",
    ),
    "an unknown scorer": (
        config("short_answer", "shrt_answer"),
        "config.yaml, line 2: datasets.quiz.scorer: unknown scorer 'shrt_answer' (did you mean",
    ),
    "a scorer without its module": (
        config("scorer: short_answer", "scorer: 'python: nowhere:score'"),
        "datasets.quiz.scorer: scorer 'python': python scorer: no module 'nowhere'",
    ),
    "an unknown provider": (
        config("simulated", "simulatd"),
        "config.yaml, line 4: models.sim.provider: unknown provider 'simulatd'; did you mean 'simulated'?",
    ),
    "a baseline that is not there": (
        config("{prompt: [plain]}}", "{prompt: [plain]}, baseline: {prompt: brief}}"),
        "config.yaml, line 5: trials.baseline: no trial is the baseline (prompt=brief) of sim__plain__t0",
    ),
    "a file that is not there": (
        config("plain.md", "nope.md"),
        "config.yaml, line 3: prompts.plain.user: the file 'nope.md' does not exist",
    ),
    "an empty dataset": (file("quiz.jsonl", ""), "Error: quiz.jsonl: holds no items"),
    "a malformed line": (
        file("quiz.jsonl", lines(ITEM) + "{bad\n"),
        "Error: quiz.jsonl, line 2: is not valid JSON",
    ),
    "bytes that are no UTF-8": (
        file("quiz.jsonl", lines(ITEM).encode() + b'{"id": "\xff"}\n'),
        "quiz.jsonl, line 2: is not UTF-8 (byte 0xff",
    ),
    "a line of 10 MB": (
        file("quiz.jsonl", lines({**ITEM, "context": "x" * 10_000_000})),
        "quiz.jsonl, line 1: is longer than 8 MB",
    ),
    "a template that breaks out": (
        file("plain.md", "{{ ''.__class__ }}"),
        "Error: plain.md: does something that templates may not do (access to attribute '__class__'",
    ),
    "a template that wants the answers": (
        file("plain.md", "{{ question }}: {{ answers }}"),
        "Error: plain.md: names 'answers', which models must not see",
    ),
    "a recording of unknown items": (
        file("tape.jsonl", lines({**RECORDED, "item_id": "q9"}), text=TAPE),
        "Error: tape.jsonl, line 1: answers the item 'q9', which is in no dataset",
    ),
    "a recording with a row twice": (
        file("tape.jsonl", lines(RECORDED, RECORDED), text=TAPE),
        "Error: tape.jsonl, line 2: answers item 'q1' of sim, plain again (first in line 1)",
    ),
    "a recording with NaN": (
        file("tape.jsonl", '{"model": "sim", "prompt": "plain", "item_id": "q1", "text": NaN}\n', text=TAPE),
        "Error: tape.jsonl, line 1: is not valid JSON (NaN is not JSON; write null)",
    ),
    "an empty configuration": (
        file("config.yaml", ""),
        "Config file must be given as JSON or YAML with keys",
    ),
    "tabs in the configuration": (
        file("config.yaml", CONFIG + "stats:\n\tresamples: 500\n"),
        "Config file is not valid JSON or YAML",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_in_one_clear_message(folder: Folder, mistake: str) -> None:
    spoil, said = MISTAKES[mistake]
    spoil(folder)
    assert said in folder.refusal()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("limit_items=0", "Error: --config: limit_items: is 0\n  Allowed: at least 1."),
        ("run_id=../x", "Error: --config: run_id: '../x' is not a valid name"),
        (f"run_id={'x' * 300}", "xxx... is not a valid name"),
        (
            "limit_itms=5",
            "Error: --config: limit_itms: unknown key 'limit_itms'; did you mean 'limit_items'?",
        ),
    ],
)
def test_a_mistake_on_the_command_line_is_said_to_be_there(folder: Folder, given: str, said: str) -> None:
    assert said in folder.refusal("-n", "--config", given)


@pytest.mark.parametrize("given", [["stop_stale_minutes=null"], ["limit_items=5", "run_id=007"]])
def test_keys_on_the_command_line_are_read_as_in_the_file(folder: Folder, given: list[str]) -> None:
    ended = folder.run("-n", "--config", *given)
    assert ended.returncode == 0, ended.stderr
    assert not (folder.path / "experiments").exists()


def test_a_configuration_file_that_is_not_there_is_named(folder: Folder) -> None:
    # Snakemake itself opens the file before it reads the Snakefile, so the words are its own.
    ended = folder.run(configfile="nope.yaml")
    assert ended.returncode == 1
    assert "nope.yaml" in ended.stderr
    assert not (folder.path / "experiments").exists()


def test_wild_model_output_goes_through_to_the_report(folder: Folder) -> None:
    texts = {
        "script": "<script>alert(1)</script>",
        "nan": "NaN",
        "control": "a\x00b\x1b[31m\x07",
        "surrogate": "x\ud800y",
        "null": None,
        "empty": "",
        "large": "word " * 50_000,
        "bidi": "\u202eevil\u202c 😀",
    }
    rows = [{**RECORDED, "item_id": key, "text": text} for key, text in texts.items()]
    folder.write("quiz.jsonl", lines(*({**ITEM, "id": key} for key in texts)))
    folder.write("tape.jsonl", lines(*rows))
    folder.write("config.yaml", TAPE + "max_error_rate: 1\n")
    ended = folder.run()
    assert ended.returncode == 0, ended.stderr

    run = folder.path / "experiments" / "run_small"
    for page in (
        run / "report" / "report.html",
        run / "trials" / "sim__plain__t0" / "report" / "report.html",
    ):
        html = page.read_text(encoding="utf-8")
        assert "<script>alert(1)" not in html
        assert "\x00" not in html
        assert "\x1b" not in html
    assert "&lt;script&gt;alert(1)" in html
    summary = json.loads(
        (run / "report" / "summary.json").read_text(encoding="utf-8"), parse_constant=pytest.fail
    )
    (trial,) = summary["trials"]
    assert trial["n_requests"] == len(texts)
    assert sum(trial["outcomes"].values()) == len(texts)
    assert trial["outcomes"]["errored"] == 1  # the reply without a text
