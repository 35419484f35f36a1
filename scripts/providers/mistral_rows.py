"""What a row of a batch of Mistral's says: the chat-completions shape with words of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from scripts.providers.chat import decode_chat_row
from scripts.records import Outcome, Reply


def decode_mistral_row(row: Mapping[str, Any]) -> tuple[str, Reply]:
    """
    Read one row of a batch's output or error file.

    Raises
    ------
    ValueError
        If the row has no ``custom_id``.

    Examples
    --------
    >>> choice = {"message": {"content": "It is"}, "finish_reason": "model_length"}
    >>> response = {"status_code": 200, "body": {"choices": [choice]}}
    >>> decode_mistral_row({"custom_id": "k", "response": response})[1].outcome
    <Outcome.TRUNCATED: 'truncated'>
    """
    key, reply = decode_chat_row(row)
    if reply.finish_reason == "model_length":
        return key, Reply(Outcome.TRUNCATED, reply.text, reply.finish_reason, reply.usage)
    if reply.finish_reason == "error":
        reply = dataclasses.replace(
            reply,
            outcome=Outcome.ERRORED,
            error_code="finish_reason_error",
            error_message="the model's turn ended with an error",
            is_retryable=True,
        )
    return key, reply
