"""What a phase's code is follows from what its command imports, and from nothing that is kept by hand."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.files import PROJECT_ROOT
from scripts.records import PHASES
from scripts.run import phase_code
from scripts.run.phase_code import (
    FREE_PHASES,
    NOT_COUNTED,
    import_closure,
    imported_modules,
    module_file,
    phase_code_digest,
)

MODULES = sorted((PROJECT_ROOT / "scripts").rglob("*.py"))


def loaded_with(module: str) -> set[str]:
    """Modules of the project that are there once `module` is imported in a process of its own."""
    program = f"import sys, {module}; print(*[m for m in sys.modules if m.split('.')[0] == 'scripts'])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def parsed_imports(path: Path) -> set[str]:
    """Modules of the project in the imports of a file, by Python's own parser."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.split(".")[0] == "scripts" and module_file(name).is_file()}


@pytest.fixture
def copied_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the code that may be edited, in the place of the project."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT_ROOT / "scripts", tmp_path / "scripts", ignore=ignored)
    monkeypatch.setattr(phase_code, "PROJECT_ROOT", tmp_path)
    return tmp_path


def digest_after(edited: Path, phase: str) -> str:
    """Digest of a phase's code with one file edited, which is put back."""
    before = edited.read_bytes()
    edited.write_bytes(before + b"\n# edited\n")
    imported_modules.cache_clear()
    phase_code_digest.cache_clear()
    try:
        return phase_code_digest(phase)
    finally:
        edited.write_bytes(before)
        phase_code_digest.cache_clear()


def test_the_imports_of_every_module_are_found() -> None:
    missed = {
        str(path): lost for path in MODULES if (lost := parsed_imports(path) - {*imported_modules(path)})
    }
    assert missed == {}


@pytest.mark.parametrize("phase", FREE_PHASES)
def test_what_a_command_loads_is_its_code(phase: str) -> None:
    assert loaded_with(f"scripts.{phase}") - import_closure(f"scripts.{phase}") == set()


def test_adapters_and_scorers_are_code_although_they_are_loaded_by_name() -> None:
    assert {"scripts.providers.openai_batch", "scripts.providers.replay"} <= import_closure("scripts.parse")
    assert "scripts.scorers.numeric" in import_closure("scripts.score")


@pytest.mark.parametrize("phase", FREE_PHASES)
def test_an_edit_of_any_module_of_a_free_phase_counts(phase: str, copied_scripts: Path) -> None:
    before = phase_code_digest(phase)
    names = import_closure(f"scripts.{phase}") - NOT_COUNTED.keys()
    unnoticed = {name for name in names if digest_after(module_file(name), phase) == before}
    assert unnoticed == set()


def test_an_edit_of_a_template_counts_for_the_report_alone(copied_scripts: Path) -> None:
    template = copied_scripts / "scripts" / "reporting" / "templates" / "run.html"
    changed = {phase for phase in PHASES if phase_code_digest(phase) != digest_after(template, phase)}
    assert changed == {"report"}


def test_what_is_not_counted_has_a_reason_and_is_there() -> None:
    assert [
        name for name, reason in NOT_COUNTED.items() if not reason or not module_file(name).is_file()
    ] == []


def test_no_edit_ever_sends_again(copied_scripts: Path) -> None:
    unfree = [phase for phase in PHASES if phase not in FREE_PHASES]
    assert unfree == ["prepare", "build", "submit", "poll"]
    edited = copied_scripts / "scripts" / "records.py"
    before = {phase: phase_code_digest(phase) for phase in unfree}
    assert {phase: digest_after(edited, phase) for phase in unfree} == before
