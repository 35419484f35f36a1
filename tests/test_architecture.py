"""The house's promises: who may import whom, how large a room may be, what may be loaded when."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "scripts"
PHASES = {"prepare", "build", "submit", "poll", "parse", "score", "stats", "costs", "report"}
LIBRARIES = {"providers", "scorers", "analysis", "reporting"}
COMMANDS = {"run_all", "stop_run", "status", "list_runs", "show_ledger", "plan", "reprice"}
ABOVE = {"hooks", "supervisor", "mark", "run_state", "checks", "launcher", "runs"} | PHASES | COMMANDS
"""What no library may import: the phases, and what stands above them."""

ALLOWED = {
    "analysis": {"analysis"},
    "scorers": {"scorers", "records"},
    "providers": {"providers", "records", "errors", "files", "settings"},
    "reporting": {"reporting", "analysis", "records", "errors", "files"},
}
HEAVY = {
    "pandas",
    "numpy",
    "pyarrow",
    "scipy",
    "statsmodels",
    "jinja2",
    "mistralai",
    "jsonschema",
    "snakemake",
    "genai_prices",
    "openai",
    "httpx2",
    "fireworks",
    "httpx",
}
TOUCHES_THE_WORLD = {
    "os",
    "pathlib",
    "io",
    "shutil",
    "time",
    "datetime",
    "random",
    "socket",
    "urllib",
    "subprocess",
}
MODULES = sorted(SCRIPTS.rglob("*.py"))


def room(path: Path) -> str:
    """First part of a module's path under ``scripts/``."""
    return path.relative_to(SCRIPTS).parts[0].removesuffix(".py")


def imports(path: Path, *, everywhere: bool = True) -> Iterator[str]:
    """Modules that a file imports; with `everywhere` false only at its top, as done on import."""
    tree = ast.parse(path.read_text())
    typing_only = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree) if everywhere else tree.body:
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def own_imports(path: Path) -> set[str]:
    """Rooms of the project that a file imports from."""
    names = (name.split(".") for name in imports(path))
    return {parts[1] for parts in names if parts[0] == "scripts" and len(parts) > 1}


def test_there_are_modules_to_check() -> None:
    assert len(MODULES) > 30
    assert {path.stem for path in MODULES} >= PHASES


@pytest.mark.parametrize("phase", sorted(PHASES))
def test_no_phase_imports_another(phase: str) -> None:
    assert own_imports(SCRIPTS / f"{phase}.py") & PHASES == set()


@pytest.mark.parametrize("path", [path for path in MODULES if room(path) != "hooks"], ids=str)
def test_only_the_hooks_know_snakemake(path: Path) -> None:
    assert "snakemake" not in {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", [path for path in MODULES if room(path) in LIBRARIES], ids=str)
def test_a_library_imports_only_what_lies_below_it(path: Path) -> None:
    assert own_imports(path) <= ALLOWED[room(path)]


@pytest.mark.parametrize("path", [path for path in MODULES if room(path) not in ABOVE | LIBRARIES], ids=str)
def test_nothing_below_the_phases_imports_a_phase(path: Path) -> None:
    assert own_imports(path) & (PHASES | {"hooks", "supervisor", "mark", "run_state"}) == set()


@pytest.mark.parametrize("path", [path for path in MODULES if room(path) in {"analysis", "scorers"}], ids=str)
def test_analysis_and_scorers_touch_no_file_no_clock_and_no_network(path: Path) -> None:
    assert {name.split(".")[0] for name in imports(path)} & TOUCHES_THE_WORLD == set()


@pytest.mark.parametrize("path", [path for path in MODULES if room(path) != "launcher"], ids=str)
def test_nothing_heavy_is_imported_at_the_top(path: Path) -> None:
    allowed = {"numpy"} if room(path) == "analysis" else set()
    seen = {name.split(".")[0] for name in imports(path, everywhere=False)}
    assert seen & HEAVY <= allowed


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_module_has_the_name_of_one_of_the_standard_library(path: Path) -> None:
    assert (
        path.stem == "__init__"
        or path.relative_to(SCRIPTS).with_suffix("").parts[0] not in sys.stdlib_module_names
    )


def test_no_dependency_ships_a_package_called_scripts() -> None:
    assert "scripts" not in importlib.metadata.packages_distributions()


def sources() -> list[Path]:
    """Every source file that git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    endings = {".py", ".smk", ".html", ".css", ".j2"}
    paths = (ROOT / line for line in listed.stdout.splitlines())
    return [path for path in paths if path.suffix in endings and path.is_file()]


def test_no_source_file_is_longer_than_400_lines() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()}
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}


def test_no_function_of_the_package_is_longer_than_60_lines() -> None:
    long = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                length = node.end_lineno - body[0].lineno + 1 if body and node.end_lineno else 0
                if length > 60:
                    long[f"{path.relative_to(ROOT)}:{node.name}"] = length
    assert long == {}


def test_every_public_function_of_the_package_says_what_it_does() -> None:
    silent = [
        f"{path.relative_to(ROOT)}:{node.name}"
        for path in MODULES
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_every_phase_has_its_rule_file_and_its_command() -> None:
    for phase in PHASES:
        rule = (ROOT / "workflow" / "rules" / f"{phase}.smk").read_text()
        assert f"rule {phase}:" in rule
        assert f"launch scripts.{phase} " in rule


def test_the_snakefile_is_a_table_of_contents() -> None:
    text = (ROOT / "Snakefile").read_text()
    assert "def " not in text
    assert "shell" not in text
    assert len(text.splitlines()) < 60
