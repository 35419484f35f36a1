"""The house's promises: who may import whom, how large a room may be, what may be loaded when."""

from __future__ import annotations

import ast
import functools
import graphlib
import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "scripts"
MODULES = sorted(SCRIPTS.rglob("*.py"))

PHASES = {"prepare", "build", "submit", "poll", "parse", "score", "stats", "costs", "report"}
COMMANDS = {"run_all", "stop_run", "status", "list_runs", "plan", "reprice", "ledger", "mark"}
WORDS = {"records", "errors", "files", "clock"}
ROOM_FILES = {"phase": PHASES, "command": COMMANDS, "words": WORDS, "door": {"state_utils"}}

LEAVES = {"scripts.run.paths", "scripts.comparison.metrics"}
"""Facts that every room may read; they import nothing but words."""

ARROWS: dict[str, set[str]] = {
    "words": {"words"},
    "analysis": {"analysis"},
    "scorers": {"scorers", "words"},
    "reporting": {"reporting", "analysis", "words"},
    "experiment": {"experiment", "scorers", "words"},
    "money": {"money", "experiment", "words"},
    "providers": {"providers", "experiment", "words"},
    "launcher": {"launcher"},
    "run": {"run", "launcher", "providers", "money", "experiment", "reporting", "scorers", "words"},
    "dispatch": {"dispatch", "run", "providers", "money", "experiment", "words"},
    "comparison": {"comparison", "run", "money", "experiment", "reporting", "scorers", "analysis", "words"},
    "planning": {
        *("planning", "dispatch", "run", "providers", "money", "experiment", "reporting", "analysis"),
        "words",
    },
    "door": {"run"},
}
ARROWS["phase"] = {
    *("comparison", "dispatch", "run", "providers", "money", "experiment", "reporting", "scorers"),
    *("analysis", "words"),
}
ARROWS["command"] = ARROWS["phase"] | {"planning", "command"}
"""Which rooms a room may import from; what is not named here is refused."""

OUTSIDE: dict[str, set[str]] = {
    "snakemake": {"scripts.run.hooks", "scripts.run.reruns"},
    "snakemake_interface_common": {"scripts.run.hooks"},
    "psutil": {"scripts.run.supervisor", "scripts.run.helpers"},
}
"""Libraries that only these modules may import."""

NETWORK = {
    "openai",
    "anthropic",
    "mistralai",
    "fireworks",
    "httpx",
    "httpx2",
    "urllib.request",
    "http.client",
}
HEAVY = {
    *("pandas", "numpy", "pyarrow", "scipy", "statsmodels", "jinja2", "jsonschema", "genai_prices"),
    *("snakemake", "openai", "anthropic", "mistralai", "fireworks", "httpx", "httpx2", "rich"),
}
TOUCHES_THE_WORLD = {
    *("os", "pathlib", "io", "shutil", "time", "datetime", "random", "socket", "urllib", "subprocess"),
}


def module_name(path: Path) -> str:
    """Dotted name of a module of the package."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


NAMES = {module_name(path): path for path in MODULES}


def room(name: str) -> str:
    """Name of the room that a module is in."""
    parts = name.split(".")
    if len(parts) == 1:
        return "words"
    if (SCRIPTS / parts[1]).is_dir():
        return parts[1]
    return next(kind for kind, files in ROOM_FILES.items() if parts[1] in files)


@functools.cache
def imports(path: Path, *, everywhere: bool = True) -> tuple[str, ...]:
    """Modules that a file imports; with `everywhere` false only at its top, as done on import."""
    return tuple(_imports(ast.parse(path.read_text()), everywhere=everywhere))


def _imports(tree: ast.Module, *, everywhere: bool) -> Iterator[str]:
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
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in NAMES else node.module for name in names)


def own_imports(name: str, *, everywhere: bool = True) -> set[str]:
    """Modules of the package that one of them imports."""
    return {
        other for other in imports(NAMES[name], everywhere=everywhere) if other.split(".")[0] == "scripts"
    }


def top_level(name: str) -> set[str]:
    """Packages from outside that a module imports, wherever in it."""
    return {other.split(".")[0] for other in imports(NAMES[name])}


def test_every_module_has_a_room() -> None:
    assert len(MODULES) > 100
    homeless = [
        path.name
        for path in SCRIPTS.glob("*.py")
        if path.stem not in {"__init__"}.union(*ROOM_FILES.values())
    ]
    assert homeless == []
    assert {path.name for path in SCRIPTS.iterdir() if (path / "__init__.py").is_file()} <= ARROWS.keys()


def test_nothing_is_imported_that_the_whitelist_does_not_name() -> None:
    forbidden = [
        f"{name} -> {other}"
        for name in NAMES
        for other in sorted(own_imports(name) - LEAVES)
        if room(other) not in ARROWS[room(name)] and other != "scripts"
    ]
    assert forbidden == []


def test_what_every_room_may_read_imports_only_words() -> None:
    leaves = LEAVES & NAMES.keys()
    assert [name for name in leaves if {room(other) for other in own_imports(name)} - {"words"}] == []


def test_no_phase_imports_another_and_only_phases_and_commands_are_typed() -> None:
    sideways = [
        f"{name} -> {other}"
        for name in NAMES
        for other in own_imports(name)
        if room(other) == "phase" and name != other
    ]
    assert sideways == []


def test_no_imports_go_in_a_circle() -> None:
    graph = {name: own_imports(name) for name in NAMES}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) == len(NAMES)


def test_only_named_modules_know_snakemake_the_processes_and_the_network() -> None:
    strangers = [
        f"{name}: {library}"
        for name in NAMES
        for library in sorted(set(imports(NAMES[name])) | top_level(name))
        if (library in NETWORK and room(name) != "providers")
        or (library in OUTSIDE and name not in OUTSIDE[library])
    ]
    assert strangers == []


def test_analysis_and_scorers_touch_no_file_no_clock_and_no_network() -> None:
    touching = [
        f"{name}: {', '.join(sorted(touched))}"
        for name in NAMES
        if room(name) in {"analysis", "scorers"} and (touched := top_level(name) & TOUCHES_THE_WORLD)
    ]
    assert touching == []


def test_nothing_heavy_is_imported_at_the_top() -> None:
    heavy = [
        f"{name}: {library}"
        for name in NAMES
        for library in {other.split(".")[0] for other in imports(NAMES[name], everywhere=False)} & HEAVY
        if room(name) != "analysis" or library != "numpy"
    ]
    assert heavy == []


def test_no_name_at_the_root_hides_one_of_python_or_of_a_dependency() -> None:
    roots = {path.stem for path in SCRIPTS.iterdir()} - {"__init__"}
    assert roots & set(sys.stdlib_module_names) == set()
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
    endings = {".py", ".smk", ".html", ".css", ".js", ".j2"}
    paths = (ROOT / line for line in listed.stdout.splitlines())
    return [path for path in paths if path.suffix in endings and path.is_file()]


def test_no_source_file_is_longer_than_400_lines() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()}
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}


def test_no_function_of_the_package_is_longer_than_60_lines() -> None:
    long = {}
    for name, path in NAMES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                length = node.end_lineno - body[0].lineno + 1 if body and node.end_lineno else 0
                if length > 60:
                    long[f"{name}:{node.name}"] = length
    assert long == {}


def test_every_public_function_of_the_package_says_what_it_does() -> None:
    silent = [
        f"{name}:{node.name}"
        for name, path in NAMES.items()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_every_phase_has_its_rule_file_and_its_command() -> None:
    rules = {phase: (ROOT / "workflow" / "rules" / f"{phase}.smk").read_text() for phase in PHASES}
    assert {phase for phase, text in rules.items() if f"rule {phase}:" not in text} == set()
    assert {phase for phase, text in rules.items() if f"launch scripts.{phase} " not in text} == set()


def test_the_snakefile_is_a_table_of_contents() -> None:
    text = (ROOT / "Snakefile").read_text()
    assert "def " not in text
    assert "shell" not in text
    assert len(text.splitlines()) < 60
