"""Who is asked at another place than a shard was sent to proves nothing by not knowing it."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from scripts.dispatch.places import find_change, place_of
from scripts.money.ledger import ShardEntry
from tests.fakes.sending_fakes import FakeProvider


class Elsewhere(FakeProvider):
    """A provider in the network."""

    address = "https://here"
    account = "0123"

    def clock(self):
        return datetime.datetime(2026, 11, 27, 10, 0, 0, 999, tzinfo=datetime.UTC)


SENT = dataclasses.replace(
    ShardEntry("s0001", 1, 4, "intent", "2026-11-27T10:00:00+00:00"),
    service="digest",
    provider="simulated",
    address="https://here",
    account="0123",
)


def test_the_ledger_keeps_who_was_asked_where_and_when_by_its_clock():
    assert place_of(Elsewhere()) == {
        "provider": "simulated",
        "address": "https://here",
        "account": "0123",
        "provider_at": "2026-11-27T10:00:00+00:00",
    }
    assert place_of(FakeProvider())["provider_at"] is None


def test_the_same_place_has_not_changed_also_under_other_settings():
    assert find_change(SENT, Elsewhere(), "digest") is None
    assert find_change(SENT, Elsewhere(), "another digest") is None


@pytest.mark.parametrize(
    ("then", "what", "fix"),
    [
        ({"provider": "openai"}, "to the provider openai", "provider to openai"),
        ({"address": "https://there"}, "to https://there, not to https://here", "to https://there"),
        ({"account": "4567"}, r"with another key \(4567, now 0123\)", "Use that key again"),
    ],
)
def test_what_has_changed_is_said_with_how_to_restore_it(then, what, fix):
    change = find_change(dataclasses.replace(SENT, **then), Elsewhere(), "digest")
    assert change is not None
    assert change.what == what.replace("\\", "")
    assert fix in change.fix


def test_an_entry_of_an_earlier_version_is_told_by_the_digest_of_its_service():
    old = dataclasses.replace(SENT, provider=None, address=None, account=None)
    assert find_change(old, Elsewhere(), "digest") is None
    assert find_change(old, Elsewhere(), "another").what == "with other settings of the model or its provider"
    assert find_change(dataclasses.replace(old, service=None), Elsewhere(), "another") is None
