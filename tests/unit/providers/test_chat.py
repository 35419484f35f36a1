"""Rows of chat completions, as every decoder of them reads them."""

from __future__ import annotations

import functools

import pytest

from scripts.providers import PROVIDERS, provider_class
from scripts.records import Outcome, Reply

OWN_ROWS = {"anthropic"}
"""Adapters whose rows have a shape of their own; their tests are beside this file."""

DECODERS = {provider_class(name).decode: name for name in sorted(PROVIDERS)}
"""Each decoder once, however many adapters share it, with the name of one of them."""


@pytest.fixture(params=[code for code, name in DECODERS.items() if name not in OWN_ROWS], ids=DECODERS.get)
def decode(request):
    return functools.partial(request.param, None)


USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}


def completion(*, status=200, **choice):
    choice = {"message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop", **choice}
    return {"response": {"status_code": status, "body": {"choices": [choice], "usage": USAGE}}}


def failure(status, **error):
    return {"response": {"status_code": status, "body": {"error": error}}}


A, T, R = Outcome.ANSWERED, Outcome.TRUNCATED, Outcome.REFUSED
E, X = Outcome.ERRORED, Outcome.EXPIRED
ODD_ROWS = {
    "plain": (completion(), A, False),
    "unknown fields": (completion(logprobs={"a": [1]}) | {"new": {"x": 1}}, A, False),
    "empty text": (completion(message={"content": ""}), A, False),
    "text in parts": (completion(message={"content": [{"type": "text", "text": "yes"}]}), A, False),
    "empty refusal": (completion(message={"content": "yes", "refusal": ""}), A, False),
    "unknown finish reason": (completion(finish_reason="tired"), A, False),
    "no finish reason": (completion(finish_reason=None), A, False),
    "half a surrogate pair": (completion(message={"content": "\ud83d yes"}), A, False),
    "cut off": (completion(finish_reason="length"), T, False),
    "cut off without text": (completion(finish_reason="length", message={"content": None}), T, False),
    "refused": (completion(message={"content": None, "refusal": "I cannot"}), R, False),
    "filtered": (completion(finish_reason="content_filter", message={"content": None}), R, False),
    "null text": (completion(message={"content": None}), E, False),
    "null message": (completion(message=None), E, False),
    "status 0 in the output file": (failure(0), E, True),
    "status 500 in the output file": (failure(500, code="server_error", message="x"), E, True),
    "status 429": (failure(429, type="rate_limit_exceeded"), E, True),
    "status 400": (failure(400, code="invalid_request", message="x"), E, False),
    "status as text": (completion(status="200"), E, False),
    "status as list": (completion(status=[200]), E, False),
    "null status": (completion(status=None), E, False),
    "null body": ({"response": {"status_code": 200, "body": None}}, E, False),
    "no body": ({"response": {"status_code": 200}}, E, False),
    "null choices": ({"response": {"status_code": 200, "body": {"choices": None}}}, E, False),
    "no choices": ({"response": {"status_code": 200, "body": {"choices": []}}}, E, False),
    "null choice": ({"response": {"status_code": 200, "body": {"choices": [None]}}}, E, False),
    "error row": ({"response": None, "error": {"code": "x", "message": "y"}}, E, False),
    "error as text": ({"response": None, "error": "boom"}, E, False),
    "error with odd fields": ({"response": None, "error": {"code": {"a": 1}, "message": ["b"]}}, E, False),
    "no error either": ({"response": None, "error": None}, E, False),
    "nothing at all": ({}, E, False),
    "expired": ({"response": None, "error": {"code": "batch_expired", "message": "late"}}, X, True),
}


@pytest.mark.parametrize("case", ODD_ROWS)
def test_every_row_has_an_outcome_and_nothing_that_cannot_be_stored(decode, case):
    row, outcome, is_retryable = ODD_ROWS[case]
    key, reply = decode({"custom_id": "k", **row})
    assert (key, reply.outcome, reply.is_retryable) == ("k", outcome, is_retryable)
    for text in (reply.text, reply.finish_reason, reply.error_code, reply.error_message):
        assert text is None or text.encode("utf-8").decode() == text
    assert (reply.error_code is None) == (outcome not in {E, X})
    assert reply.error_message is None or len(reply.error_message) <= 1000


def test_texts_and_tokens_are_read(decode):
    _, reply = decode({"custom_id": "k", **completion()})
    assert reply == Reply(Outcome.ANSWERED, "yes", "stop", reply.usage)
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.cached_tokens) == (10, 5, 4)
    assert decode({"custom_id": "k", "error": "boom"})[1].error_message == "boom"


@pytest.mark.parametrize("count", [None, -1, "7", True, 10**30, float("inf"), [1]])
def test_a_count_that_is_none_is_not_known_rather_than_zero(decode, count):
    row = completion()
    row["response"]["body"]["usage"] = {"prompt_tokens": count, "prompt_tokens_details": count}
    _, reply = decode({"custom_id": "k", **row})
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.cached_tokens) == (None,) * 3


@pytest.mark.parametrize("code", DECODERS, ids=DECODERS.get)
@pytest.mark.parametrize("row", [{}, {"custom_id": None}, {"custom_id": 3}, {"response": {}}])
def test_a_row_of_nobody_is_an_error(code, row):
    with pytest.raises(ValueError, match="custom_id"):
        code(None, row)
