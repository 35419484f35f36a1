"""What holds for all tests."""

from __future__ import annotations

import gc

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest test, or one worker has it left when the others have nothing to do."""
    items.sort(key=lambda item: item.path.name != "test_storm.py")


def pytest_collection_finish() -> None:
    """Hide what is loaded from the garbage collector: statsmodels collects at each call of Holm's method."""
    gc.freeze()
