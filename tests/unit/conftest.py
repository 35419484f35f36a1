"""What holds for all unit tests."""

from __future__ import annotations

import pytest

from scripts.experiment.prompts import load_template, used_fields


@pytest.fixture(autouse=True)
def unread_templates() -> None:
    """A process reads a template once; tests write many under one name."""
    load_template.cache_clear()
    used_fields.cache_clear()
