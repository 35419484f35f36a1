"""A report's page as its reader gets it: elements, text, and scripts that are its own."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input"}
INLINE = {"a", "bdi", "tspan"}
SAVED = ("data:text/csv;base64,", "data:image/svg+xml;base64,")


class Page(HTMLParser):
    """Elements, attributes and text of a page; every element must be closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in INLINE:
            self.words.append(" ")
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "script":
            self.scripts.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert tag == self.open.pop()

    def handle_data(self, data):
        if "script" in self.open:
            self.scripts[-1] += data
        elif "style" not in self.open:
            self.words.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


def assert_runs_only_its_own_scripts(page: Page) -> None:
    assert not {"iframe", "object", "embed", "img", "base", "form"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "srcdoc"]
    for value in page.values("href"):
        assert (
            value == "data:," or value.startswith(("#", "../", *SAVED)) or value.endswith((".json", ".csv"))
        )
    policy = page.values("content")[0].split("; ")
    assert policy[0] == "default-src 'none'"
    assert policy[2:] == [
        "style-src 'unsafe-inline'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert "src" not in {name for tag, name, _ in page.attributes if tag == "script"}
    own = [script for script in page.scripts if not re.fullmatch("[A-Za-z0-9+/=]*", script)]
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in own]
    assert policy[1] == " ".join(["script-src", *(f"'sha256-{digest}'" for digest in digests)])
    assert len(own) == 3
