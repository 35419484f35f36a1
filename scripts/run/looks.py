"""When the results of a run were seen, and with how many questions: the looks at a run that grows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from scripts.files import dump_line, read_jsonl, write_text
from scripts.run.paths import RunPaths


@dataclasses.dataclass(frozen=True)
class Look:
    """Results that were seen."""

    at: str
    """In UTC."""
    n_questions: int
    """Questions of all datasets."""
    n_requests: int
    """Requests of all trials."""


def read_looks(paths: RunPaths) -> list[Look]:
    """List the looks at a run, the first one first."""
    if not paths.looks.is_file():
        return []
    return [Look(**row) for _, row in read_jsonl(paths.looks)]


def record_look(paths: RunPaths, *, n_questions: int, n_requests: int, at: str) -> list[Look]:
    """
    Record that results were seen, unless they were seen with as many questions before.

    Returns
    -------
    list of Look
        All looks up to now.
    """
    looks = read_looks(paths)
    if n_questions in (look.n_questions for look in looks):
        return looks
    look = Look(at, n_questions, n_requests)
    paths.looks.parent.mkdir(parents=True, exist_ok=True)
    write_text(paths.looks, "".join(dump_line(dataclasses.asdict(one)) for one in (*looks, look)))
    return [*looks, look]


def looks_words(looks: Sequence[Look], *, is_anytime: bool) -> str:
    """
    Say how often a growing run was looked at, and what that does to its p-values; empty: there was one look.

    Examples
    --------
    >>> looks = [Look("2026-11-27T10:00:00", 200, 400), Look("2026-11-28T10:00:00", 400, 800)]
    >>> looks_words(looks, is_anytime=False)
    'Look 2 at a growing run (first seen 2026-11-27 with 200 questions): p-values and intervals hold for one.'
    """
    if len(looks) < 2:
        return ""
    first = looks[0]
    holds = "hold at every look" if is_anytime else "hold for one"
    return (
        f"Look {len(looks)} at a growing run (first seen {first.at[:10]} with {first.n_questions:,} "
        f"questions): p-values and intervals {holds}."
    )
