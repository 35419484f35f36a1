"""What a row of a Message Batch says, in the project's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.providers.chat import MAX_CODE, MAX_MESSAGE, clean_text, no_text_reply, read_usage
from scripts.records import Outcome, Reply, Usage

TRUNCATED = frozenset({"max_tokens", "model_context_window_exceeded"})
COMPLETE = frozenset({"end_turn", "stop_sequence"})
LOW_CREDIT = "credit balance is too low"
"""A request refused for this reason is right, and can be sent again after a top-up."""


def decode_message_row(row: Mapping[str, Any]) -> tuple[str, Reply]:
    """
    Read one row of a batch's results.

    Raises
    ------
    ValueError
        If the row has no ``custom_id``.
    """
    key = row.get("custom_id")
    if not isinstance(key, str):
        raise ValueError("the row has no custom_id")
    result = _mapping(row.get("result"))
    kind = result.get("type")
    if kind == "succeeded":
        return key, _message_reply(_mapping(result.get("message")))
    if kind == "expired":
        return key, _failed("batch_expired", "the batch's time was up", outcome=Outcome.EXPIRED)
    if kind == "canceled":
        return key, _failed("canceled", "the batch was canceled before this request was answered")
    if kind == "errored":
        return key, _error_reply(_mapping(result.get("error")))
    return key, _failed("unknown", f"the result is of an unknown type: {kind!r}", is_retryable=False)


def read_message_usage(usage: Mapping[str, Any]) -> Usage:
    """
    Read token counts; tokens read from the cache or written to it are counted among the input.

    Examples
    --------
    >>> read_message_usage({"input_tokens": 5, "cache_read_input_tokens": 20, "output_tokens": 3})
    Usage(input_tokens=25, output_tokens=3, cached_tokens=20)
    >>> written = {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40}
    >>> usage = read_message_usage({"input_tokens": 5, "cache_creation": written, "output_tokens": 3})
    >>> usage.input_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens
    (105, 100, 40)
    """
    by_age = _mapping(usage.get("cache_creation"))
    plain, output, read = (
        _count(usage.get(name)) for name in ("input_tokens", "output_tokens", "cache_read_input_tokens")
    )
    brief, long = (_count(by_age.get(f"ephemeral_{age}_input_tokens")) for age in ("5m", "1h"))
    written = _count(usage.get("cache_creation_input_tokens"))
    if written is None and (brief, long) != (None, None):
        written = (brief or 0) + (long or 0)
    return Usage(
        input_tokens=None if plain is None else plain + (read or 0) + (written or 0),
        output_tokens=output,
        cached_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=long,
        reasoning_tokens=_count(_mapping(usage.get("output_tokens_details")).get("thinking_tokens")),
    )


def _count(value: Any) -> int | None:
    return read_usage({"input_tokens": value}).input_tokens


def _message_reply(message: Mapping[str, Any]) -> Reply:
    reason = clean_text(message.get("stop_reason"))
    usage = read_message_usage(_mapping(message.get("usage")))
    text = _read_text(message.get("content"))
    if reason == "refusal":
        return Reply(Outcome.REFUSED, text, reason, usage)
    if reason in TRUNCATED:
        return Reply(Outcome.TRUNCATED, text, reason, usage)
    if text is None and reason in COMPLETE and message.get("content") == []:
        text = ""  # the model may end its turn without a word: an empty answer, which is paid
    if text is None:
        return no_text_reply(reason, usage)
    return Reply(Outcome.ANSWERED, text, reason, usage)


def _read_text(content: Any) -> str | None:
    """Join the text blocks, leaving out reasoning and the like; None if there is none."""
    blocks = [_mapping(block) for block in content] if isinstance(content, list) else []
    texts = [block for block in blocks if block.get("type") == "text" and block.get("text") is not None]
    return clean_text(texts) if texts else None


def _error_reply(error: Mapping[str, Any]) -> Reply:
    about = _mapping(error.get("error")) or error
    code = clean_text(about.get("type") or None) or "unknown"
    message = clean_text(about.get("message") or None) or "the provider gave no reason"
    is_retryable = code != "invalid_request_error" or LOW_CREDIT in message
    return _failed(code, message, is_retryable=is_retryable)


def _failed(
    code: str, message: str, *, outcome: Outcome = Outcome.ERRORED, is_retryable: bool = True
) -> Reply:
    return Reply(
        outcome,
        error_code=code[:MAX_CODE],
        error_message=message[:MAX_MESSAGE],
        is_retryable=is_retryable,
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
