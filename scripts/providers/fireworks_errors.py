"""What an error of Fireworks' client tells: was the call carried out, why not, how long to wait."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import fireworks

NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol"})
"""Causes of a connection error that come before the first byte is sent."""

UNSURE_STATUS = frozenset({408, 499})
"""Refusals that gateways send also for a call that has been passed on."""

ALREADY_EXISTS = frozenset({6, "6", "ALREADY_EXISTS"})
"""gRPC's code, if the status is not 409."""


def was_surely_refused(error: Exception) -> bool:
    """Whether the call was surely not carried out."""
    status = getattr(error, "status_code", None)
    if status is not None:
        return 400 <= status < 500 and status not in UNSURE_STATUS
    return type(error.__cause__).__name__ in NEVER_SENT


def says_already_there(error: fireworks.APIStatusError) -> bool:
    """Whether the call was refused as something of that id is there."""
    code = error.body.get("code") if isinstance(error.body, Mapping) else None
    is_code = isinstance(code, int | str) and code in ALREADY_EXISTS
    return error.status_code == 409 or (error.status_code < 500 and is_code)


def describe(error: Exception) -> str:
    """Say in one line what went wrong; the provider's words may hold a key."""
    status = getattr(error, "status_code", None)
    if status is not None:
        return f"status {status}: {_words(getattr(error, 'body', None))}"
    cause = f" ({type(error.__cause__).__name__})" if error.__cause__ is not None else ""
    return f"{error}{cause}"


def retry_after_s(error: Exception) -> float | None:
    """Seconds that the provider asks to wait; None if it does not say."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    with contextlib.suppress(ValueError):
        seconds = float(headers.get("retry-after", ""))
        return seconds if 0 <= seconds < float("inf") else None
    return None


def _words(body: Any) -> str:
    """Find the reason in the body of an error, which has one of two shapes."""
    about = body.get("error", body) if isinstance(body, Mapping) else body
    words = about.get("message") if isinstance(about, Mapping) else about
    return str(words or "no reason given")
