"""Rows of Anthropic's results: every one has an outcome, and what is not counted is not known."""

from __future__ import annotations

import pytest

from scripts.providers.anthropic_batch import AnthropicBatch
from scripts.records import Outcome, Usage
from tests.providers.anthropic_server import errored, message

A, T, R = Outcome.ANSWERED, Outcome.TRUNCATED, Outcome.REFUSED


E, X = Outcome.ERRORED, Outcome.EXPIRED


CREDIT = "Your credit balance is too low to access the Anthropic API."


ROWS = {
    "plain": (message(), A, False),
    "stopped": (message(stop_reason="stop_sequence"), A, False),
    "unknown reason": (message(stop_reason="tired"), A, False),
    "no words": (message(None), A, False),
    "cut off": (message(stop_reason="max_tokens"), T, False),
    "cut off without text": (message(None, stop_reason="max_tokens"), T, False),
    "full context": (message(stop_reason="model_context_window_exceeded"), T, False),
    "refused": (message(None, stop_reason="refusal"), R, False),
    "a tool": (message(None, stop_reason="tool_use"), E, False),
    "half a surrogate pair": (message("\ud83d yes"), A, False),
    "no message": ({"type": "succeeded"}, E, False),
    "odd content": (
        {"type": "succeeded", "message": {"content": "yes", "stop_reason": "end_turn"}},
        E,
        False,
    ),
    "odd blocks": ({"type": "succeeded", "message": {"content": [None, 3, {"type": "text"}]}}, E, False),
    "wrong request": (errored("invalid_request_error", "max_tokens: required"), E, False),
    "no credit": (errored("invalid_request_error", CREDIT), E, True),
    "fault": (errored("api_error", "Internal server error"), E, True),
    "overloaded": (errored("overloaded_error", "Overloaded"), E, True),
    "bare error": ({"type": "errored", "error": {"type": "api_error", "message": "x"}}, E, True),
    "no error": ({"type": "errored"}, E, True),
    "canceled": ({"type": "canceled"}, E, True),
    "expired": ({"type": "expired"}, X, True),
    "unknown type": ({"type": "vanished"}, E, False),
    "odd type": ({"type": ["a"]}, E, False),
    "nothing": (None, E, False),
}


@pytest.mark.parametrize("case", ROWS)
def test_every_row_has_an_outcome_and_nothing_that_cannot_be_stored(case):
    result, outcome, is_retryable = ROWS[case]
    key, reply = AnthropicBatch(model="claude").decode({"custom_id": "k", "result": result})
    assert (key, reply.outcome, reply.is_retryable) == ("k", outcome, is_retryable)
    for text in (reply.text, reply.finish_reason, reply.error_code, reply.error_message):
        assert text is None or text.encode("utf-8").decode() == text
    assert (reply.error_code is None) == (outcome not in {E, X})


def test_texts_are_joined_and_tokens_of_the_cache_count_as_input():
    result = message("Yes", input_tokens=5, cache_read_input_tokens=20, cache_creation_input_tokens=300)
    by_age = {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100}
    result["message"]["usage"] |= {
        "cache_creation": by_age,
        "output_tokens_details": {"thinking_tokens": 1},
    }
    thinking = {"type": "thinking", "thinking": "Hm."}
    result["message"]["content"] = [thinking, *result["message"]["content"], {"type": "text", "text": "."}]
    _, reply = AnthropicBatch(model="claude").decode({"custom_id": "k", "result": result})
    assert (reply.text, reply.finish_reason) == ("Yes.", "end_turn")
    assert reply.usage == Usage(325, 2, 20, 300, 100, 1)


@pytest.mark.parametrize("count", [None, -1, "7", True, 10**30, [1]])
def test_a_count_that_is_none_is_not_known_rather_than_zero(count):
    result = message("Yes", input_tokens=count, output_tokens=count, cache_read_input_tokens=count)
    _, reply = AnthropicBatch(model="claude").decode({"custom_id": "k", "result": result})
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.cached_tokens) == (None,) * 3
