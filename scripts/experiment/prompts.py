"""Prompts: sandboxed Jinja2 templates over an item's fields."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.errors import ConfigError, shorten
from scripts.experiment.schema import did_you_mean
from scripts.experiment.settings import Settings
from scripts.experiment.templates import environment
from scripts.records import Item

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATE_FIELDS = ("id", "question", "context", "choices")
"""Fields of every item that a template may use, besides the dataset's own; the answers are not among them."""


TEMPLATE_FAULTS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    RuntimeError,
)
"""What a template that compiles can still raise, being code: an error of the template, not of the project."""


_NO_CHARACTER = re.compile(r"\bstr object\b.* has no element (\d+)")


@dataclasses.dataclass(frozen=True)
class Prompt:
    """The texts of a prompt; a prompt without any is for recorded answers only."""

    name: str
    system: Path | None = None
    user: Path | None = None

    @property
    def texts(self) -> list[Path]:
        """The files with its texts."""
        return [path for path in (self.system, self.user) if path is not None]

    def messages(self, item: Item) -> list[dict[str, str]]:
        """
        Render the messages of a chat for one item.

        Raises
        ------
        ConfigError
            If a template names a field that the item lacks, or does something that templates may not do.
        """
        fields = template_fields(item)
        turns = (("system", self.system), ("user", self.user))
        messages = [
            {"role": role, "content": render(path, fields, item_id=item.id)}
            for role, path in turns
            if path is not None
        ]
        if self.user is not None and not messages[-1]["content"]:
            raise ConfigError(
                f"renders to an empty text for item {item.id!r}",
                where=str(self.user),
                fix="It must produce a text for every item; providers reject an empty turn.",
            )
        return messages


def find_prompt(settings: Settings, name: str) -> Prompt:
    """Find the texts of the prompt `name`."""
    texts = settings.config["prompts"][name]
    return Prompt(
        name, **{role: settings.find_file(path, "prompts", name, role) for role, path in texts.items()}
    )


def template_fields(item: Item) -> dict[str, Any]:
    """What a template may use of an item: never its answers."""
    return {
        **item.fields,
        "id": item.id,
        "question": item.question,
        "context": item.context,
        "choices": list(item.choices),
    }


def render(path: Path, fields: Mapping[str, Any], *, item_id: str) -> str:
    """Render one template over the fields of one item."""
    import jinja2

    try:
        return load_template(path).render(fields).strip()
    except jinja2.exceptions.SecurityError as error:
        raise ConfigError(
            f"does something that templates may not do ({error})",
            where=str(path),
            fix="Use only the item's fields and filters.",
        ) from None
    except jinja2.UndefinedError as error:
        raise ConfigError(
            f"{error} for item {item_id!r}",
            where=str(path),
            fix=_cure(str(error), fields),
        ) from None
    except TEMPLATE_FAULTS as error:
        raise ConfigError(
            f"fails for item {item_id!r} ({type(error).__name__}: {error!s:.200})",
            where=str(path),
            fix="Correct the template.",
        ) from None


def _cure(error: str, fields: Mapping[str, Any]) -> str:
    """Say what to do about a field that is missing, or about an option without a letter."""
    if found := _NO_CHARACTER.search(error):
        return (
            f"Option {int(found[1]) + 1} has no letter in a text of {found[1]}: write "
            "{{ loop.index0 | letter }}, which goes up to Z."
        )
    return f"Fields of this item: {shorten(fields, limit=12)}; test an optional one with `is defined`."


@functools.cache
def load_template(path: Path) -> Template:
    """Read and compile a template once."""
    import jinja2

    try:
        return environment().from_string(path.read_text(encoding="utf-8-sig"))
    except jinja2.TemplateSyntaxError as error:
        raise ConfigError(
            f"is not a valid template: {error.message}",
            where=f"{path}, line {error.lineno}",
            fix="Correct it; to send {{ or {% literally, write {% raw %}...{% endraw %}.",
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"is not UTF-8 ({error.reason})", where=str(path), fix="Save it again as UTF-8."
        ) from None
    except RecursionError:
        raise ConfigError("is nested too deeply", where=str(path), fix="Simplify the template.") from None


def check_fields(path: Path, available: Iterable[str]) -> None:
    """
    Refuse a template that names a field that no item has.

    Raises
    ------
    ConfigError
        With the field, and the fields that there are.
    """
    known = {*available, *TEMPLATE_FIELDS}
    for name in sorted(used_fields(path) - known):
        if name in {"answers", "is_unanswerable", "cluster"}:
            raise ConfigError(
                f"names {name!r}, which models must not see",
                where=str(path),
                fix=f"Fields: {shorten(known, limit=12)}.",
            )
        raise ConfigError(
            f"names the field {name!r}, which no item has{did_you_mean(name, sorted(known))}",
            where=str(path),
            fix=f"Fields: {shorten(known, limit=12)}.",
        )


def forget_templates() -> None:
    """Read every template anew from now on."""
    load_template.cache_clear()
    used_fields.cache_clear()


@functools.cache
def used_fields(path: Path) -> frozenset[str]:
    """Names that a template looks up, besides what every template knows."""
    import jinja2.meta

    load_template(path)
    tree = environment().parse(path.read_text(encoding="utf-8-sig"))
    return frozenset(jinja2.meta.find_undeclared_variables(tree)) - set(environment().globals)
