"""
The code of a phase: every module that its command imports, directly or indirectly.

Editing it makes the outputs of a free phase out of date.  Phases that spend money, and those that make
what is sent, have none: an edit must never send anything again.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from scripts.files import PROJECT_ROOT

FREE_PHASES = ("parse", "score", "stats", "costs", "report")
"""Phases that cost nothing and make nothing that is sent."""

NOT_COUNTED = {
    "scripts": "holds the version only; the report, which prints it, imports it by name",
    "scripts.clock": "records when something was done",
    "scripts.run.lock": "keeps two processes apart, and computes nothing",
    "scripts.run.stop": "ends a job early, and computes nothing",
}
"""Modules that change no output although every phase imports them, and why."""

_IMPORT = re.compile(r"^[ \t]*from (scripts(?:\.\w+)*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)
_PLAIN_IMPORT = re.compile(r"^[ \t]*import (scripts(?:\.\w+)*)", re.MULTILINE)
_PLACE = re.compile(r"[\"'](scripts(?:\.\w+)+):\w+[\"']")
"""A class that is imported on demand, as the registries of providers and scorers name it."""


@functools.cache
def phase_code_digest(phase: str) -> str:
    """
    Digest of a free phase's code; of nothing for any other phase.

    Examples
    --------
    >>> phase_code_digest("submit") == phase_code_digest("poll") == phase_code_digest("build")
    True
    """
    code = hashlib.sha256()
    for path in phase_code(phase):
        code.update(str(path.relative_to(PROJECT_ROOT)).encode())
        code.update(path.read_bytes())
    return code.hexdigest()


def phase_code(phase: str) -> list[Path]:
    """List the files that are a phase's code: its modules, and the templates that lie beside them."""
    if phase not in FREE_PHASES:
        return []
    names = import_closure(f"scripts.{phase}") - NOT_COUNTED.keys()
    files = {module_file(name) for name in names}
    return sorted(
        files | {data for file in files if file.name == "__init__.py" for data in _data_files(file)}
    )


def import_closure(module: str) -> set[str]:
    """List the project's modules that are loaded with `module`, itself included."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += imported_modules(module_file(name))
            waiting += [name.rpartition(".")[0]] if "." in name else []
    return seen


@functools.cache
def imported_modules(path: Path) -> tuple[str, ...]:
    """
    List the project's modules that a file imports, anywhere in it.

    Found by a pattern in the text: twenty times faster than a parser, and done whenever a run is examined.
    """
    return tuple(sorted(set(_named_modules(path.read_text(encoding="utf-8")))))


def _named_modules(text: str) -> Iterator[str]:
    for package, names in _IMPORT.findall(text):
        yield package
        for name in re.findall(r"\w+", names):
            if module_file(f"{package}.{name}").is_file():
                yield f"{package}.{name}"
    yield from _PLAIN_IMPORT.findall(text)
    yield from _PLACE.findall(text)


def module_file(name: str) -> Path:
    """Find the file of one of the project's modules; it may not be there."""
    path = PROJECT_ROOT.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _data_files(package: Path) -> Iterator[Path]:
    """Yield the files in a package's folder that are not modules: templates, styles, scripts."""
    for path in package.parent.rglob("*"):
        if path.is_file() and path.suffix not in {".py", ".pyc"}:
            yield path
