"""How the batches of each service end: by which words, and with which rows."""

from __future__ import annotations

import functools

from tests.providers import fireworks_replies, mistral_server, openai_server, together_server

WORDS = {
    "openai": ("completed", "expired", "cancelled"),
    "together": ("COMPLETED", "EXPIRED", "CANCELLED"),
    "mistral": ("SUCCESS", "TIMEOUT_EXCEEDED", "CANCELLED"),
    "fireworks": ("JOB_STATE_COMPLETED", "JOB_STATE_EXPIRED", "JOB_STATE_CANCELLED"),
}
"""How a batch ends: all is done, its time was up, somebody cancelled it."""

ROWS = {
    "openai": (openai_server.answer, openai_server.expired),
    "together": (together_server.answer, functools.partial(together_server.failed, code="500")),
    "mistral": (mistral_server.answer, functools.partial(mistral_server.failed, status=500)),
    "fireworks": (fireworks_replies.answer, functools.partial(fireworks_replies.failed, code=503)),
}
"""A row with an answer, and one of a failure that may pass."""
