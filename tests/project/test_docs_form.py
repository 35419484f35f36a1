"""The form of the pages: whole tables, and nothing named that does not exist."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from snakemake.cli import get_argument_parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = sorted(
    path.stem for path in (ROOT / "scripts").glob("*.py") if "def main(" in path.read_text("utf-8")
)
"""What is run as ``python -m scripts.<name>``."""

FENCE = re.compile(r"^```.*?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
SEPARATOR = re.compile(r"\s*\|(\s*:?-+:?\s*\|)+\s*")
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")
CALL = re.compile(r"python -m ((?:scripts|benchmarks)\.\w+)([^|#]*)|(?:^|\s)(snakemake) ([^|#]*)")
MODULE = re.compile(r"(?<![\w./])(?:scripts|benchmarks)(?:\.[a-z_]+)+")
FOLDERS = ("scripts", "tests", "docs", "config", "workflow", "profiles", "benchmarks", ".github")
PATH = re.compile(rf"(?<![\w./<>-])(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./<>*-]*")
FILE_NAME = re.compile(r"(?!my_)[\w.-]+\.(?:py|smk|md|toml|lock|yml|cff)")
"""A file called by its name alone; pages call what their reader writes ``my_...`` or put it in a folder."""


def name(page: Path) -> str:
    """Return a page's path as messages show it."""
    return str(page.relative_to(ROOT))


def outside_fences(page: Path) -> str:
    """Return a page's text without its fenced blocks."""
    return FENCE.sub("\n", page.read_text("utf-8"))


def code(page: Path) -> list[str]:
    """Return what a page shows as code: its spans, and the lines of its fenced blocks."""
    fenced = [line for block in FENCE.findall(page.read_text("utf-8")) for line in block.splitlines()]
    return [*SPAN.findall(outside_fences(page)), *fenced]


def tables(page: Path) -> list[list[str]]:
    """Return every run of lines that begin with a pipe: a table, if it is whole."""
    found: list[list[str]] = [[]]
    for line in outside_fences(page).splitlines():
        if line.lstrip().startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [rows for rows in found if rows]


def cells(row: str) -> int:
    """Count the cells of a row."""
    return len(re.findall(r"(?<!\\)\|", row)) - 1


def what_is_wrong(rows: list[str]) -> str | None:
    """Say why a run of rows is no whole table, if it is none."""
    if len(rows) < 2 or not SEPARATOR.fullmatch(rows[1]):
        return f"rows outside a table: {rows[0]}"
    uneven = [row for row in rows if cells(row) != cells(rows[0])]
    return f"more or fewer cells than the header: {uneven[0]}" if uneven else None


@functools.cache
def help_of(command: str) -> str:
    """Return what ``python -m scripts.<command> --help`` prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as caught:
        importlib.import_module(f"scripts.{command}").main(["--help"])
    assert caught.value.code == 0
    return out.getvalue()


@functools.cache
def options_of(command: str) -> frozenset[str]:
    """Return the options of a command, ``snakemake`` or a module."""
    if command == "snakemake":
        return frozenset(get_argument_parser()._option_string_actions)
    package, _, module = command.partition(".")
    if package == "scripts":
        return frozenset(OPTION.findall(help_of(module)))
    return frozenset(OPTION.findall((ROOT / package / f"{module}.py").read_text("utf-8")))


def every_option() -> frozenset[str]:
    """Return the options of all commands that a page may speak of without naming the command."""
    benchmarks = [f"benchmarks.{path.stem}" for path in (ROOT / "benchmarks").glob("*.py")]
    ours = [*(f"scripts.{command}" for command in COMMANDS), *benchmarks, "docs.generate", "snakemake"]
    return frozenset().union(*map(options_of, ours))


def wrong_options(shown: str) -> Iterator[str]:
    """Yield the options in one piece of code that their command does not have."""
    if shown.startswith("--"):
        yield from set(OPTION.findall(shown)) - every_option()
    for module, arguments, snakemake, more in CALL.findall(shown):
        if module and importlib.util.find_spec(module) is None:
            continue  # another test tells
        yield from set(OPTION.findall(arguments + more)) - options_of(module or snakemake)


def exists(path: str) -> bool:
    """Whether a path of the repository exists; ``<name>`` stands for any name."""
    pattern = re.sub(r"<\w+>", "*", path.rstrip("./"))
    return any(ROOT.glob(pattern))


def names_no_file(shown: str) -> bool:
    """Whether one piece of code is a file's name that no file bears."""
    return FILE_NAME.fullmatch(shown) is not None and not any(
        path
        for folder in (".", *FOLDERS)
        for path in (ROOT / folder).glob(f"{'**/' * (folder != '.')}{shown}")
    )


def headings(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as a forge makes them."""
    titles = re.findall(r"^#+ (.+)$", outside_fences(page), re.MULTILINE)
    return {re.sub(r"[^\w\s-]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def leads_nowhere(page: Path, target: str) -> bool:
    """Whether a relative link has an anchor that is no heading of its page."""
    path, _, anchor = target.partition("#")
    linked = page.parent / path if path else page
    return bool(anchor) and linked.suffix == ".md" and linked.is_file() and anchor not in headings(linked)


def test_the_commands_are_found() -> None:
    assert {"run_all", "status", "prepare", "report", "mark"} <= set(COMMANDS)


def test_every_table_is_whole() -> None:
    wrong = ((name(page), what_is_wrong(rows)) for page in PAGES for rows in tables(page))
    assert [(page, problem) for page, problem in wrong if problem] == []


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (["| a | b |", "|---|---|", "| 1 | 2 |"], None),
        (["| a \\| b |", "|---|"], None),
        (["| 1 | 2 |"], "rows outside a table: | 1 | 2 |"),
        (["| 1 | 2 |", "| 3 | 4 |"], "rows outside a table: | 1 | 2 |"),
        (["| a | b |", "|---|---|", "| 1 |"], "more or fewer cells than the header: | 1 |"),
        (["| a | b |", "|---|"], "more or fewer cells than the header: |---|"),
    ],
)
def test_a_table_that_is_not_whole_is_found(rows: list[str], problem: str | None) -> None:
    assert what_is_wrong(rows) == problem


def test_no_table_has_a_link_twice() -> None:
    links = [
        (name(page), target, LINK.findall("\n".join(rows)).count(target))
        for page in PAGES
        for rows in tables(page)
        for target in dict.fromkeys(LINK.findall("\n".join(rows)))
    ]
    assert [(page, target) for page, target, count in links if count > 1] == []


def test_every_link_into_a_page_leads_to_a_heading() -> None:
    links = [(page, target) for page in PAGES for target in LINK.findall(outside_fences(page))]
    assert [(name(page), target) for page, target in links if leads_nowhere(page, target)] == []


def test_every_path_that_a_page_names_exists() -> None:
    paths = [(name(page), path) for page in PAGES for shown in code(page) for path in PATH.findall(shown)]
    assert [(page, path) for page, path in paths if not exists(path)] == []


def test_every_file_that_a_page_calls_by_its_name_exists() -> None:
    spans = [(name(page), span) for page in PAGES for span in SPAN.findall(outside_fences(page))]
    assert [(page, span) for page, span in spans if names_no_file(span)] == []


def test_every_command_that_a_page_gives_exists() -> None:
    modules = [
        (name(page), module) for page in PAGES for shown in code(page) for module in MODULE.findall(shown)
    ]
    assert [(page, module) for page, module in modules if importlib.util.find_spec(module) is None] == []


def test_every_target_that_a_page_gives_to_make_exists() -> None:
    known = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    targets = [
        (name(page), target)
        for page in PAGES
        for shown in code(page)
        for target in re.findall(r"^make (\w+)", shown)
    ]
    assert [(page, target) for page, target in targets if target not in known] == []


def test_every_option_that_a_page_gives_exists() -> None:
    wrong = [
        (name(page), option) for page in PAGES for shown in code(page) for option in wrong_options(shown)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("shown", "wrong"),
    [
        ("python -m scripts.status --run_id demo --watch", []),
        ("python -m scripts.status --run_id demo --wait", ["--wait"]),
        ("snakemake --configfile x.yaml --fast", ["--fast"]),
        ("--no-such-option", ["--no-such-option"]),
        ("vllm serve --api-key", []),
    ],
)
def test_an_option_that_does_not_exist_is_found(shown: str, wrong: list[str]) -> None:
    assert list(wrong_options(shown)) == wrong


def test_every_path_that_a_help_text_names_exists() -> None:
    paths = [(command, path) for command in COMMANDS for path in PATH.findall(help_of(command))]
    assert [(command, path) for command, path in paths if not exists(path)] == []
