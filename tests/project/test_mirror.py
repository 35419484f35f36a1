"""The test of any module is found without searching: tests lie as the code does, under the same names."""

from __future__ import annotations

import ast
from pathlib import Path

from scripts.files import PROJECT_ROOT

SCRIPTS = PROJECT_ROOT / "scripts"
UNIT = PROJECT_ROOT / "tests" / "unit"
ADAPTERS = PROJECT_ROOT / "tests" / "providers"
"""Where the tests of a provider's module lie if they need a server."""

WITHOUT = {
    "analysis/clusters": "each of its totals is a number of few_clusters and bootstrap",
    "analysis/pairs": "paired and sensitivity are made of it",
    "clock": "the time",
    "costs": "the phase around money/billed; its command runs in tests/workflow and in test_reprice",
    "errors": "what is raised and said; each error is asserted where it arises",
    "mark": "markers are made and read in tests/workflow",
    "providers/providers": "each adapter is made by it in tests/providers/test_base",
    "providers/call_errors": "asked of every adapter alike in tests/providers/test_batch_adapters",
    "providers/downloads": "downloads are cut in tests/providers/test_batch_adapters",
    "records": "words of the project",
    "reporting/page_content": "records without code",
    "reporting/views": "seen on the pages of test_pages",
    "run/supervisor": "needs a run: tests/workflow/test_stop_and_resume and others",
    "scorers/reading/languages": "words; each language is announced in scorers/test_reading",
    "submit": "the phase around dispatch/sender: dispatch/test_store and tests/providers",
}
"""Modules without a test file of their name, and where their faults are caught."""


def modules_of_code() -> set[str]:
    """Modules by room and name; what a room's own ``__init__`` holds bears the name of the room."""
    names = set()
    for path in SCRIPTS.rglob("*.py"):
        place = path.relative_to(SCRIPTS).with_suffix("")
        if path.stem != "__init__":
            names.add(str(place))
        elif path.parent != SCRIPTS and defines_anything(path):
            names.add(str(place.with_name(place.parent.name)))
    return names


def defines_anything(path: Path) -> bool:
    """Tell whether a module is more than its docstring and imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(not isinstance(node, ast.Expr | ast.Import | ast.ImportFrom) for node in tree.body)


def files_of_tests(folder: Path) -> set[str]:
    """Test files by room and by what follows ``test_`` in their names."""
    paths = (path.relative_to(folder) for path in folder.rglob("test_*.py"))
    return {str(path.with_name(path.stem.removeprefix("test_"))) for path in paths}


def owner(test: str, modules: set[str]) -> str | None:
    """Return the module that a test is about: that of its name, or of its name's beginning."""
    parts = test.split("_")
    begun = ("_".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((name for name in begun if name in modules), None)


def test_every_unit_test_bears_the_name_of_its_module() -> None:
    modules = modules_of_code()
    assert {test for test in files_of_tests(UNIT) if owner(test, modules) is None} == set()


def test_a_second_test_file_of_a_module_lies_beside_the_first() -> None:
    modules, tests = modules_of_code(), files_of_tests(UNIT)
    assert {test for test in tests if owner(test, modules) not in tests} == set()


def test_every_module_has_its_test_or_a_reason() -> None:
    tests = files_of_tests(UNIT) | {f"providers/{name}" for name in files_of_tests(ADAPTERS)}
    assert modules_of_code() - tests - set(WITHOUT) == set()


def test_no_reason_is_out_of_date() -> None:
    tests = files_of_tests(UNIT) | {f"providers/{name}" for name in files_of_tests(ADAPTERS)}
    assert set(WITHOUT) - modules_of_code() == set()
    assert set(WITHOUT) & tests == set()


def test_only_tests_and_what_pytest_loads_lie_among_the_unit_tests() -> None:
    names = {str(path.relative_to(UNIT)) for path in UNIT.rglob("*.py") if path.name != "conftest.py"}
    assert {name for name in names if not Path(name).name.startswith("test_")} == set()
