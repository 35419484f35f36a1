"""The documents and example configurations keep up with the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from scripts.experiment.datasets import read_items
from scripts.experiment.settings import load_settings
from scripts.parse import outcomes_schema
from scripts.providers import PROVIDERS
from scripts.records import PHASES
from scripts.run.checks import check_settings
from scripts.score import scores_schema
from scripts.scorers import scorer_names

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = sorted((ROOT / "config" / "examples").glob("*.yaml"))


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def documented_columns(table: str) -> list[str]:
    """Return the columns that docs/run-folder.md lists under the mark of a table."""
    text = (ROOT / "docs" / "run-folder.md").read_text("utf-8")
    part = text.partition(f"<!-- columns of {table} -->")[2].lstrip()
    return re.findall(r"^\| `(\w+)` \|", part.partition("\n\n")[0], re.MULTILINE)


def providers_of(example: Path) -> set[str]:
    """Return the providers that an example's models name."""
    config = yaml.safe_load(example.read_text("utf-8"))
    return {model["provider"] for model in config["models"].values()}


def name(path: Path) -> str:
    """Return a path as test ids and messages show it."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8"))
    relative = [target.partition("#")[0] for target in targets if not re.match(r"https?:|mailto:|#", target)]
    assert [target for target in relative if not (page.parent / target).exists()] == []


def test_every_page_is_reached_from_the_readme() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert [name(page) for page in PAGES[1:] if f"({name(page)})" not in text] == []


def test_every_provider_has_an_example() -> None:
    assert set().union(*map(providers_of, EXAMPLES)) == set(PROVIDERS)


@pytest.mark.parametrize("example", EXAMPLES, ids=name)
def test_an_example_passes_every_check(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for provider in providers_of(example):
        monkeypatch.setenv(f"{provider.upper()}_API_KEY", "sk-none")
    settings = load_settings([example])
    check_settings(settings)
    assert settings.run_id == example.stem


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_yaml_block_is_yaml_and_a_whole_configuration_loads(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(page, "yaml")):
        if "run_id" in yaml.safe_load(block):
            file = tmp_path / f"{number}.yaml"
            file.write_text(block, "utf-8")
            assert load_settings([file]).trials


@pytest.mark.parametrize(("page", "n_items"), [("README.md", 6), ("docs/datasets.md", 3)])
def test_the_questions_of_a_page_can_be_read(page: str, n_items: int, tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(blocks(ROOT / page, "json")[0], "utf-8")
    assert len(list(read_items(file))) == n_items


@pytest.mark.parametrize(
    ("table", "columns"),
    [("outcomes.parquet", outcomes_schema().names), ("scores.parquet", scores_schema().names)],
)
def test_the_columns_of_a_table_are_all_documented(table: str, columns: list[str]) -> None:
    assert documented_columns(table) == columns


def test_every_scorer_provider_and_phase_has_its_place_in_the_pages() -> None:
    scorers = (ROOT / "docs" / "scorers.md").read_text("utf-8")
    providers = (ROOT / "docs" / "providers.md").read_text("utf-8")
    run_folder = (ROOT / "docs" / "run-folder.md").read_text("utf-8")
    assert [scorer for scorer in scorer_names() if f"| `{scorer}` |" not in scorers] == []
    assert [provider for provider in PROVIDERS if f"`{provider}`" not in providers] == []
    assert [phase for phase in PHASES[1:] if f"**`{phase}/" not in run_folder] == []
