"""Sending: which requests are due, in which shards, when there is a slot, and what became of a lost call."""

from scripts.dispatch.payloads import check_request
from scripts.dispatch.selection import live_shards, read_request_keys, read_requests, unsent_requests
from scripts.dispatch.sender import Sender, make_sender
from scripts.dispatch.slots import hours_since
from scripts.dispatch.store import find_sources, read_answers, take_from_store

__all__ = [
    "Sender",
    "check_request",
    "find_sources",
    "hours_since",
    "live_shards",
    "make_sender",
    "read_answers",
    "read_request_keys",
    "read_requests",
    "take_from_store",
    "unsent_requests",
]
