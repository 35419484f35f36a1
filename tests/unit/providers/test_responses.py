"""Responses of OpenAI's other endpoint: every one has an outcome."""

from __future__ import annotations

import pytest

from scripts.providers.openai_batch import OpenAIBatch
from scripts.records import Outcome

TEXT = {"type": "message", "content": [{"type": "output_text", "text": "yes"}]}


NO = {"type": "message", "content": [{"type": "refusal", "refusal": "I cannot"}]}


INCOMPLETE = {"status": "incomplete", "output": [TEXT]}


ODD_RESPONSES = [
    ({"status": "completed", "output": [TEXT]}, Outcome.ANSWERED, "yes"),
    ({"status": "completed", "output": [NO]}, Outcome.REFUSED, "I cannot"),
    ({**INCOMPLETE, "incomplete_details": {"reason": "max_output_tokens"}}, Outcome.TRUNCATED, "yes"),
    ({**INCOMPLETE, "incomplete_details": {"reason": "content_filter"}}, Outcome.REFUSED, "yes"),
    (
        {"status": "incomplete", "output": None, "incomplete_details": {"reason": "max_output_tokens"}},
        Outcome.TRUNCATED,
        None,
    ),
    (
        {"status": "failed", "output": [], "error": {"code": "server_error", "message": "x"}},
        Outcome.ERRORED,
        None,
    ),
    ({"status": "completed", "output": []}, Outcome.ERRORED, None),
    ({"output": [None, {"type": "message", "content": [None]}, 3]}, Outcome.ERRORED, None),
]


@pytest.mark.parametrize(("body", "outcome", "text"), ODD_RESPONSES)
def test_every_response_has_an_outcome(body, outcome, text):
    row = {"custom_id": "k", "response": {"status_code": 200, "body": {"object": "response", **body}}}
    _, reply = OpenAIBatch("m", "http://127.0.0.1").decode(row)
    assert (reply.outcome, reply.text) == (outcome, text)
