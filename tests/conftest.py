"""What holds for all tests."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """Hide what is loaded from the garbage collector: statsmodels collects at each call of Holm's method."""
    gc.freeze()
