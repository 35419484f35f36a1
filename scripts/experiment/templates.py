"""
The language of templates: Jinja in a sandbox, in which nothing that is missing can be written out.

Jinja's own strictness ends at containers: a list of fields that are not there is written as "[Undefined]", a
null as "None".  Here both are errors wherever a value becomes text: in an expression, in a filter that makes
text, in ``~``, ``%`` and ``format``.
"""

from __future__ import annotations

import functools
import string
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

WRITTEN = (str, int, float, list, tuple, dict)
"""What an expression may come to."""

TEXT_FILTERS = (
    *("capitalize", "center", "e", "escape", "filesizeformat", "forceescape", "format", "indent", "lower"),
    *("pprint", "replace", "string", "striptags", "title", "tojson", "trim", "truncate", "upper"),
    *("urlencode", "urlize", "wordcount", "wordwrap"),
)
"""Filters that make a text of what they are given."""

WITH_ARGUMENTS = frozenset({"format", "replace"})
"""Filters that write their arguments, too."""

NULL = "a null field would be written out; test it with {% if ... %}"
INNER_NULL = (
    "a null inside a list or an object would be written out; leave it out, or test it with {% if ... %}"
)


def refuse_missing(value: Any) -> None:
    """
    Refuse to make a text of what is missing, at any depth.

    Raises
    ------
    ValueError
        For a null.
    jinja2.UndefinedError
        For a field that is not there, with its name.
    """
    if type(value) is not str:
        _refuse_at_depth(value, NULL)


def _refuse_at_depth(value: Any, reason: str) -> None:
    import jinja2

    if value is None:
        raise ValueError(reason)
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises what names it
    if isinstance(value, Mapping):
        for entry in value.values():
            _refuse_at_depth(entry, INNER_NULL)
    elif isinstance(value, list | tuple):
        for entry in value:
            _refuse_at_depth(entry, INNER_NULL)


def refuse_unwritable(value: Any) -> Any:
    """
    Give back what an expression came to, unless that is missing or no text at all, such as a function.

    Raises
    ------
    ValueError, jinja2.UndefinedError
        With the reason.
    """
    refuse_missing(value)
    if not isinstance(value, WRITTEN):
        raise ValueError(
            f"a {type(value).__name__} would be written out, not a text; is `| list` or `()` missing?"
        )
    return value


def letter(index: Any) -> str:
    """
    Give the letter of an option, counted from 0: the filter ``letter``.

    Raises
    ------
    ValueError
        It is no whole number from 0 to 25.

    Examples
    --------
    >>> letter(0), letter(25)
    ('A', 'Z')
    """
    if type(index) is not int or not 0 <= index < len(string.ascii_uppercase):
        raise ValueError(
            f"the filter letter gives A to Z for 0 to 25, and nothing for {index!r:.40}; "
            "{{ loop.index0 | letter }} counts from 0"
        )
    return string.ascii_uppercase[index]


@functools.cache
def environment() -> Environment:
    """Make the environment that all templates share."""
    import jinja2
    import jinja2.nodes
    import jinja2.sandbox
    from jinja2.compiler import CodeGenerator, Frame

    class Code(CodeGenerator):
        def visit_Concat(self, node: jinja2.nodes.Concat, frame: Frame) -> None:  # noqa: N802 - Jinja's name
            self.write("environment.join_texts((")
            for part in node.nodes:
                self.visit(part, frame)
                self.write(", ")
            self.write("))")

    class Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
        code_generator_class = Code
        intercepted_binops = frozenset({"%"})

        def join_texts(self, parts: Iterable[Any]) -> str:
            return "".join(str(refuse_unwritable(part)) for part in parts)

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if isinstance(left, str):
                refuse_missing(right)
            return super().call_binop(context, operator, left, right)

        def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
            write = super().wrap_str_format(value)
            return None if write is None else _checked(write, with_arguments=True)

    @jinja2.pass_context  # so that no constant is written before it is looked at
    def finalize(_context: Any, value: Any) -> Any:
        return refuse_unwritable(value)

    made = Sandbox(undefined=jinja2.StrictUndefined, finalize=finalize, optimized=False)
    for name in TEXT_FILTERS:
        made.filters[name] = _checked(made.filters[name], with_arguments=name in WITH_ARGUMENTS)
    made.filters["join"] = _checked_join(made.filters["join"])
    made.filters["letter"] = letter
    return made


def _checked(write: Callable[..., str], *, with_arguments: bool) -> Callable[..., str]:
    """Make `write` refuse what is missing; its first argument may be what Jinja passes by itself."""
    start = 1 if hasattr(write, "jinja_pass_arg") else 0

    @functools.wraps(write)
    def checked(*args: Any, **kwargs: Any) -> str:
        given = args[start:] if with_arguments else args[start : start + 1]
        for value in (*given, *(kwargs.values() if with_arguments else ())):
            refuse_missing(value)
        return write(*args, **kwargs)

    return checked


def _checked_join(join: Callable[..., str]) -> Callable[..., str]:
    from jinja2.filters import make_attrgetter

    @functools.wraps(join)
    def checked(eval_ctx: Any, value: Any, d: Any = "", attribute: Any = None) -> str:
        parts = list(value)
        if attribute is not None:
            parts = list(map(make_attrgetter(eval_ctx.environment, attribute), parts))
        refuse_missing([*parts, d])
        return join(eval_ctx, parts, d)

    return checked
