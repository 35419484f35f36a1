"""
The pages: one file each, that asks for nothing from the network and can be read without scripts.

A page runs its own three scripts, which its content security policy names by their digests, and nothing else.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.comparison.metrics import heading
from scripts.reporting import drawings, gaps, quantities, sentences, tables, views
from scripts.reporting.page_content import RunPage, TrialPage

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"

SCRIPTS = ("page.js", "tables.js", "items.js")
"""Scripts of every page, in the order in which they run."""


@dataclasses.dataclass(frozen=True)
class Script:
    """A script as it stands in a page."""

    text: str
    digest: str
    """SHA-256 in base64, as a content security policy has it."""


@functools.cache
def page_scripts() -> tuple[Script, ...]:
    """Read the scripts of a page."""
    texts = [(TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
    return tuple(Script(text, digest) for text, digest in zip(texts, digests, strict=True))


def render_run_page(page: RunPage) -> str:
    """
    Write the run's page as HTML.

    Every text in `page` may hold anything: it is shown as it is and never becomes markup.
    """
    return _environment().get_template("run.html").render(views.run_view(page))


def render_trial_page(page: TrialPage) -> str:
    """
    Write a trial's page as HTML.

    Every text in `page` may hold anything: it is shown as it is and never becomes markup.
    """
    return _environment().get_template("trial.html").render(views.trial_view(page))


def render_drawing(drawing: drawings.Drawing) -> str:
    """Write a figure as an SVG file that needs no other file, in the colours of the light pages."""
    from markupsafe import Markup

    colours = drawings.palette()
    style = (TEMPLATES / "drawing.css").read_text(encoding="utf-8")
    style = re.sub(r"var\((--[a-z]+)\)", lambda name: colours[name[1]], style)
    template = _environment().get_template("drawing.svg")
    return template.render(drawing=drawing, style=Markup(style)).lstrip()


def svg_link(drawing: drawings.Drawing) -> str:
    """A figure as an address that holds it: saving it needs no script and no other file."""
    return f"data:image/svg+xml;base64,{_base64(render_drawing(drawing))}"


def csv_link(drawing: drawings.Drawing) -> str:
    """A figure's numbers as an address that holds them."""
    return f"data:text/csv;base64,{_base64(tables.csv_text(drawing.numbers, drawing.columns))}"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def warm_up() -> None:
    """Compile every template: three quarters of what a page costs when it is the first."""
    environment = _environment()
    for name in environment.list_templates(extensions=["html", "css", "svg"]):
        environment.get_template(name)


@functools.cache
def _environment() -> Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["page_scripts"] = page_scripts
    for function in (
        tables.brief,
        tables.compact,
        tables.count,
        tables.dollars,
        tables.interval,
        tables.level,
        tables.p_value,
        tables.percent,
        tables.plural,
        tables.points,
        tables.rate,
        tables.share,
        tables.visible,
        tables.excerpt,
        quantities.change,
        quantities.limits,
        quantities.size,
        quantities.unit_words,
        quantities.quantity,
        quantities.quantity_interval,
        quantities.usage_words,
        sentences.adjustment_name,
        gaps.gap_words,
        heading,
        sentences.reason,
        drawings.effect_words,
        svg_link,
        csv_link,
        views.factor_text,
        views.trial_url,
    ):
        environment.filters[function.__name__] = function
    return environment
