"""The chat-completions shape that many providers share: bodies out, batch output rows in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from scripts.records import Outcome, Reply, Request, Trial, Usage

MAX_COUNT = 10**12
"""A larger number of tokens is no count."""

SURROGATES = re.compile("[\ud800-\udfff]")
"""Halves of surrogate pairs, which JSON can carry but no file of text can hold."""

RETRYABLE_STATUS = frozenset({0, 408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Status codes after which the same request may succeed."""

RETRYABLE_CODES = frozenset({"server_error", "rate_limit_exceeded", *map(str, RETRYABLE_STATUS - {0})})
"""Codes of errors likewise; some providers write the status there."""

MAX_CODE, MAX_MESSAGE = 200, 1000


def chat_body(model: str, messages: Any, trial: Trial) -> dict[str, Any]:
    """Render a chat body: the model, the messages and every decoding setting that is not None."""
    sampling = {key: value for key, value in trial.sampling.items() if value is not None}
    return {"model": model, "messages": list(messages), **sampling}


def chat_row(request: Request) -> dict[str, Any]:
    """Make the line of a batch file for one request."""
    return {
        "custom_id": request.request_key,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": request.body,
    }


def decode_chat_row(row: Mapping[str, Any]) -> tuple[str, Reply]:
    """
    Read one row of a batch's output or error file.

    Raises
    ------
    ValueError
        If the row has no ``custom_id``.
    """
    key = row.get("custom_id")
    if not isinstance(key, str):
        raise ValueError("the row has no custom_id")
    response = row.get("response")
    if not isinstance(response, Mapping):
        return key, _error_reply(row.get("error"), status=None)
    body = _mapping(response.get("body"))
    status = response.get("status_code")
    if status != 200:
        return key, _error_reply(body.get("error") or row.get("error"), status=status)
    return key, _completion_reply(body)


def clean_text(value: Any) -> str | None:
    r"""
    Make model output storable: None stays None, half surrogate pairs become U+FFFD, parts are joined.

    Examples
    --------
    >>> clean_text([{"type": "text", "text": "Yes"}, {"type": "text", "text": "."}]), clean_text("\ud800!")
    ('Yes.', '\ufffd!')
    """
    if value is None:
        return None
    if isinstance(value, list):
        parts = [part.get("text") if isinstance(part, Mapping) else part for part in value]
        value = "".join(part for part in parts if isinstance(part, str))
    text = value if isinstance(value, str) else str(value)
    return SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _completion_reply(body: Mapping[str, Any]) -> Reply:
    choices = body.get("choices")
    choice = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
    message = _mapping(choice.get("message"))
    reason = clean_text(choice.get("finish_reason"))
    refusal = clean_text(message.get("refusal") or None)
    text = clean_text(message.get("content"))
    usage = read_usage(_mapping(body.get("usage")))
    if refusal or reason == "content_filter":
        return Reply(Outcome.REFUSED, refusal or text, reason, usage)
    if reason == "length":
        return Reply(Outcome.TRUNCATED, text, reason, usage)
    if text is None:
        return no_text_reply(reason, usage)
    return Reply(Outcome.ANSWERED, text, reason, usage)


def no_text_reply(reason: str | None, usage: Usage) -> Reply:
    """Make the reply of a model that ended its turn without a text."""
    return Reply(
        Outcome.ERRORED,
        None,
        reason,
        usage,
        error_code="no_text",
        error_message="the reply holds no text",
    )


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """
    Read token counts under either of their usual names.

    Examples
    --------
    >>> details = {"reasoning_tokens": 40}
    >>> read_usage({"prompt_tokens": 9, "completion_tokens": 50, "completion_tokens_details": details})
    Usage(input_tokens=9, output_tokens=50, cached_tokens=None, reasoning_tokens=40)
    """
    of_input = _mapping(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    of_output = _mapping(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    return Usage(
        input_tokens=_count(usage.get("prompt_tokens", usage.get("input_tokens"))),
        output_tokens=_count(usage.get("completion_tokens", usage.get("output_tokens"))),
        cached_tokens=_count(of_input.get("cached_tokens", usage.get("cached_tokens"))),
        cache_write_tokens=_count(of_input.get("cache_write_tokens", usage.get("cache_write_tokens"))),
        cache_write_1h_tokens=_count(usage.get("cache_write_1h_tokens")),
        reasoning_tokens=_count(of_output.get("reasoning_tokens", usage.get("reasoning_tokens"))),
    )


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_COUNT:
        return None
    return int(value)


def _error_reply(error: Any, *, status: Any) -> Reply:
    about = error if isinstance(error, Mapping) else {"message": error}
    code = clean_text(about.get("code") or about.get("type") or status or None) or "unknown"
    message = clean_text(about.get("message") or None) or "the provider gave no reason"
    code, message = code[:MAX_CODE], message[:MAX_MESSAGE]
    if code == "batch_expired":
        return Reply(Outcome.EXPIRED, error_code=code, error_message=message, is_retryable=True)
    retryable = (isinstance(status, int) and status in RETRYABLE_STATUS) or code in RETRYABLE_CODES
    return Reply(Outcome.ERRORED, error_code=code, error_message=message, is_retryable=retryable)
