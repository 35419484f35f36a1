"""The provider's own time, as its last answer gave it."""

from __future__ import annotations

import datetime
from types import SimpleNamespace

import pytest

from scripts.providers import provider_clocks
from scripts.providers.provider_clocks import note_date, provider_time, read_date

DATE = "Fri, 20 Nov 2026 10:00:00 GMT"
AT = datetime.datetime(2026, 11, 20, 10, tzinfo=datetime.UTC)


def answer(url, date):
    headers = {} if date is None else {"date": date}
    return SimpleNamespace(headers=headers, request=SimpleNamespace(url=url))


@pytest.fixture
def watch(monkeypatch):
    """A clock of this machine that a test can turn."""
    watch = SimpleNamespace(now=100.0)
    monkeypatch.setattr(provider_clocks, "_seen", {})
    monkeypatch.setattr(provider_clocks.time, "monotonic", lambda: watch.now)
    return watch


def test_the_time_goes_on_from_the_last_answer_of_that_server(watch):
    note_date(answer("https://api.example:8443/v1/batches?limit=1", DATE))
    watch.now += 90
    assert provider_time("https://api.example:8443/v1") == AT + datetime.timedelta(seconds=90)
    assert provider_time("https://api.example/v1") is None
    note_date(answer("https://api.example:8443/v1/files", DATE))
    assert provider_time("https://api.example:8443") == AT


@pytest.mark.parametrize("date", [None, "", "yesterday", "Fri, 99 Nov 2026 10:00:00 GMT"])
def test_an_answer_without_a_date_says_nothing(watch, date):
    note_date(answer("https://api.example/v1", DATE))
    note_date(answer("https://api.example/v1", date))
    assert provider_time("https://api.example") == AT


@pytest.mark.parametrize("text", [DATE, "Fri, 20 Nov 2026 12:00:00 +0200", "Fri, 20 Nov 2026 10:00:00 -0000"])
def test_a_date_is_read_as_utc_whatever_its_zone(text):
    assert read_date(text) == AT
    assert read_date(text).tzinfo is datetime.UTC
