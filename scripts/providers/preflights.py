"""The answer to a request that was sent by itself, read as the rows of a batch are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.providers.base import Provider
from scripts.records import Reply, Request


def read_answer(provider: Provider, request: Request, answer: Any) -> Reply:
    """
    Read the answer of a chat endpoint.

    Raises
    ------
    ValueError
        If it is none.
    """
    response = {"status_code": 200, "body": need_object(answer)}
    return provider.decode({"custom_id": request.request_key, "response": response})[1]


def need_object(answer: Any) -> Mapping[str, Any]:
    """
    Refuse an answer that is no JSON object.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not isinstance(answer, Mapping):
        raise ValueError("the answer is no object")
    return answer
