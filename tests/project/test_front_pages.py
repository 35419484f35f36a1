"""What newcomers meet first: the README's experiment, the map of the code, the current release."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from scripts import __version__
from scripts.experiment.settings import load_settings
from scripts.run.checks import check_settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
MAX_WORDS = 900


def places() -> list[tuple[str, str, str]]:
    """Return the rows of CONTRIBUTING's map: question, file, and the function to look for there."""
    section = CONTRIBUTING.partition("## Where is ...?")[2].partition("\n## ")[0]
    return re.findall(r"^\| (Where .+\?) \| `([^`]+)` \| `(\w+)` \|$", section, re.MULTILINE)


def test_the_readme_is_short() -> None:
    assert len(README.split()) < MAX_WORDS


def test_the_experiment_of_the_readme_passes_every_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = dict(re.findall(r"`(study/[\w.]+)`[^\n]*\n\n```\w*\n(.*?)^```", README, re.DOTALL | re.MULTILINE))
    (tmp_path / "study").mkdir()
    for file, text in files.items():
        (tmp_path / file).write_text(text, "utf-8")
    settings = load_settings([Path("study/study.yaml")])
    check_settings(settings)
    assert [trial.prompt for trial in settings.trials] == ["plain", "brief"]


def test_the_map_answers_at_least_fifteen_questions() -> None:
    assert len({question for question, _, _ in places()}) >= 15


def test_every_place_on_the_map_exists() -> None:
    texts = {file: (ROOT / file).read_text("utf-8") for _, file, _ in places() if (ROOT / file).is_file()}
    assert [
        (question, file, function)
        for question, file, function in places()
        if re.search(rf"^ *(?:def|class) {function}\b", texts.get(file, ""), re.MULTILINE) is None
    ] == []


def test_every_room_of_the_code_is_in_contributing() -> None:
    rooms = [path.parent.name for path in (ROOT / "scripts").glob("*/__init__.py")]
    assert [room for room in rooms if f"| `scripts/{room}/` |" not in CONTRIBUTING] == []


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    newest = re.search(
        r"^## \[([\d.]+)\] - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert newest is not None
    assert project["version"] == citation["version"] == newest[1] == __version__
    assert citation["date-released"] == newest[2]


def test_the_forms_and_workflows_of_the_forge_are_yaml() -> None:
    files = [*(ROOT / ".github").rglob("*.yml"), ROOT / ".pre-commit-config.yaml"]
    assert [
        file.name for file in files if not isinstance(yaml.safe_load(file.read_text("utf-8")), dict)
    ] == []
    assert {"ci.yml", "bug.yml"} <= {file.name for file in files}
