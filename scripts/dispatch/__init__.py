"""Sending: which requests are due, in which shards, when there is a slot, and what became of a lost call."""

from scripts.dispatch.claims import paid_keys
from scripts.dispatch.payloads import check_request
from scripts.dispatch.selection import live_shards, read_request_keys, read_requests, unsent_requests
from scripts.dispatch.sender import Sender, make_sender
from scripts.dispatch.slots import hours_since

__all__ = [
    "Sender",
    "check_request",
    "hours_since",
    "live_shards",
    "make_sender",
    "paid_keys",
    "read_request_keys",
    "read_requests",
    "unsent_requests",
]
