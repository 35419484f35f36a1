"""
What time it is at the providers: the ``Date`` of their last answers, as the clock of this machine may be off.

Lists of batches are searched by the provider's times, also after this machine's clock was set.
"""

from __future__ import annotations

import datetime
import email.utils
import time
from typing import Any
from urllib.parse import urlsplit

_seen: dict[str, tuple[datetime.datetime, float]] = {}


def note_date(response: Any) -> None:
    """Take note of an answer's ``Date``: a hook for the HTTP clients of the adapters."""
    date = read_date(response.headers.get("date"))
    if date is not None:
        _seen[_server(str(response.request.url))] = date, time.monotonic()


def read_date(text: str | None) -> datetime.datetime | None:
    """
    Read a ``Date`` header; None if it is none.

    Examples
    --------
    >>> read_date("Fri, 20 Nov 2026 10:00:00 GMT"), read_date("yesterday")
    (datetime.datetime(2026, 11, 20, 10, 0, tzinfo=datetime.timezone.utc), None)
    """
    try:
        date = email.utils.parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return date.replace(tzinfo=date.tzinfo or datetime.UTC).astimezone(datetime.UTC)


def provider_time(base_url: str) -> datetime.datetime | None:
    """Say what time it is at a provider, by its last answer in this process; None if there was none."""
    if (found := _seen.get(_server(base_url))) is None:
        return None
    date, at = found
    return date + datetime.timedelta(seconds=time.monotonic() - at)


def _server(url: str) -> str:
    return urlsplit(url).netloc
