"""Rows and states of Fireworks' jobs, in whichever spelling."""

from __future__ import annotations

import pytest

from scripts.providers import BatchStatus
from scripts.providers.fireworks_rows import decode_row, read_problem, read_state
from scripts.records import Outcome

CHOICE = {"message": {"content": "yes"}, "finish_reason": "stop"}


ODD_ROWS = [
    ({"response": {"choices": [CHOICE]}}, Outcome.ANSWERED, False),
    (
        {"response": {"choices": [{"message": {"content": "y"}, "finishReason": "length"}]}},
        Outcome.TRUNCATED,
        False,
    ),
    ({"response": {"choices": []}}, Outcome.ERRORED, False),
    ({"response": {}}, Outcome.ERRORED, False),
    ({"response": {"error": {"code": 503, "message": "x"}}}, Outcome.ERRORED, True),
    ({"response": {"error": "boom"}}, Outcome.ERRORED, False),
    ({"error": {"code": 400, "message": "x"}}, Outcome.ERRORED, False),
    ({"error": {"code": "UNAVAILABLE", "message": "x"}}, Outcome.ERRORED, True),
    ({"error": {"code": 14, "message": "x"}}, Outcome.ERRORED, True),
    ({"error": {"code": 3, "message": "x"}}, Outcome.ERRORED, False),
    ({"error": None}, Outcome.ERRORED, False),
    ({"response": "text"}, Outcome.ERRORED, False),
]


@pytest.mark.parametrize(("row", "outcome", "is_retryable"), ODD_ROWS, ids=repr)
def test_every_row_has_an_outcome(row, outcome, is_retryable):
    key, reply = decode_row({"customId": "k", **row})
    assert (key, reply.outcome, reply.is_retryable) == ("k", outcome, is_retryable)


def test_a_reply_nested_without_end_is_read_as_far_as_it_matters():
    deep: object = "x"
    for _ in range(5000):
        deep = [deep]
    assert decode_row({"custom_id": "k", "response": {"choices": [CHOICE], "extra": deep}})[1].text == "yes"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ({"code": "OK"}, None),
        (None, None),
        ([3], None),
        ({"code": 0, "message": ""}, None),
        ({"message": "late"}, "late"),
        ({"code": ["x"]}, "['x']"),
    ],
    ids=repr,
)
def test_a_status_of_any_shape_is_read(status, error):
    assert read_problem({"status": status}) == error
    assert read_state({"state": "JOB_STATE_FAILED", "status": status}).error == error
    assert read_state({"state": {"odd": 1}, "job_progress": [1]}).status is BatchStatus.UNKNOWN
