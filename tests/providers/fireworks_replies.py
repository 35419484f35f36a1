"""Rows as Fireworks' output datasets hold them, and how to fetch them."""

from __future__ import annotations

from typing import Any

Rows = list[dict[str, Any]]


def answer(row: dict[str, Any], text: str | None = "answer") -> dict[str, Any]:
    """Answer one request, as a row of the output has it: a completion without a wrapper."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}
    done = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "choices": [choice]}
    return {"custom_id": row["custom_id"], "response": {**done, "model": "accounts/x", "usage": usage}}


def failed(row: dict[str, Any], code: Any = 500) -> dict[str, Any]:
    """Say of one request that it failed, as a row of the error file."""
    return {"custom_id": row["custom_id"], "error": {"code": code, "message": "no luck"}}


def answer_all(rows: Rows) -> tuple[Rows, Rows]:
    return [answer(row) for row in rows], []
