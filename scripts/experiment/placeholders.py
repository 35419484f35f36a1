"""Prompts that do not ask the question: placeholders of other languages, and texts that never differ."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from scripts.experiment.prompts import Prompt, load_template, used_fields
from scripts.experiment.settings import Settings
from scripts.experiment.templates import environment
from scripts.records import Item, digest

BRACES = re.compile(r"\$\{\s*(\w+)\s*\}|\{{1,2}\s*(\w+)\s*\}{1,2}|%\((\w+)\)s|\[\[\s*(\w+)\s*\]\]")
"""Placeholders of other languages: ``${x}``, ``{x}`` (in two pairs, too), ``%(x)s``, ``[[x]]``."""

MARKUP = re.compile(r"<(\w+)>|\[(\w+)\]|\$(\w+)")
"""What may be a placeholder, or mean something else."""

MOST = 0.5
"""A prompt that gives more of the questions than this the text of another one does not ask them."""


def check_asks(settings: Settings, prompt: Prompt, dataset: str, items: Sequence[Item]) -> str | None:
    """
    Refuse a prompt that does not tell questions apart.

    Parameters
    ----------
    settings, prompt, dataset
        The configuration, one of its prompts, and the name of a dataset.
    items : sequence of Item
        Items of the dataset whose questions all differ.

    Returns
    -------
    str or None
        What to warn of: a few questions come to the same text.

    Raises
    ------
    ConfigError
        If the prompt holds the question as a placeholder of another language, or says the same for most
        questions; with the likely cure.
    """
    fields = {"question", *(key for item in items for key in item.fields)}
    unfilled = find_unfilled(prompt, fields)
    alike = find_alike(prompt, items)
    if "question" in unfilled.values() or (unfilled and alike):
        literal, name = next(pair for pair in unfilled.items() if alike or pair[1] == "question")
        what = f"sends {literal} as it stands; did you mean {{{{ {name} }}}}?"
        raise settings.error(
            what, "prompts", prompt.name, fix="Templates are Jinja: fields stand in two braces."
        )
    if len(alike) <= MOST * len(items):
        return _describe(alike, items, dataset) if alike else None
    cure = _find_cure(prompt, fields)
    what = f"{_describe(alike, items, dataset)}; did you mean {{{{ question }}}}?"
    raise settings.error(what, "prompts", prompt.name, fix=cure)


def _describe(alike: Sequence[Item], items: Sequence[Item], dataset: str) -> str:
    n_alike = "all" if len(alike) == len(items) else f"{len(alike)} of"
    return (
        f"says the same for {n_alike} {len(items)} questions of {dataset} that were compared, such as "
        f"{alike[0].id!r} and {alike[1].id!r}"
    )


def find_alike(prompt: Prompt, items: Iterable[Item]) -> list[Item]:
    """List the items, of different questions, whose texts are those of another one; such are side by side."""
    by_text: dict[str, list[Item]] = {}
    for item in items:
        by_text.setdefault(digest(prompt.messages(item)), []).append(item)
    return [item for group in by_text.values() if len(group) > 1 for item in group]


def find_unfilled(prompt: Prompt, fields: Collection[str]) -> dict[str, str]:
    """Find placeholders for fields which the prompt does not use: the literals and their fields."""
    used = frozenset().union(*(used_fields(path) for path in prompt.texts))
    known = {name.casefold(): name for name in fields if name not in used}
    found = (match for path in prompt.texts for match in BRACES.finditer(_literal_text(path)))
    pairs = ((match[0], known.get(_name(match).casefold())) for match in found)
    return {literal: name for literal, name in pairs if name is not None}


def _find_cure(prompt: Prompt, fields: Collection[str]) -> str:
    for path in prompt.texts:
        if any(re.search(rf"\b{re.escape(name)}\b", text) for text in _comments(path) for name in fields):
            return f"{path} has a field in a comment ({{# #}}), which sends nothing."
        for pattern in (BRACES, MARKUP):
            if match := pattern.search(_literal_text(path)):
                return f"{match[0]} in {path} is sent as it stands; fields stand in two braces."
    return "Write {{ question }} where the question belongs."


def _name(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None)


def _literal_text(path: Path) -> str:
    """Give what a template sends as it stands."""
    import jinja2.nodes

    load_template(path)
    tree = environment().parse(path.read_text(encoding="utf-8-sig"))
    return "\n".join(node.data for node in tree.find_all(jinja2.nodes.TemplateData))


def _comments(path: Path) -> Iterator[str]:
    tokens = environment().lex(path.read_text(encoding="utf-8-sig"))
    return (text for _, kind, text in tokens if kind == "comment")
