from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from scripts.dispatch.replies import Settled
from scripts.parse import parse_trial
from tests.fakes.sending_fakes import FakeProvider, answer_row, error_row, make_requests, write_requests


def parse(tmp_path, requests, settled):
    replies, out = tmp_path / "replies.jsonl", tmp_path / "outcomes.parquet"
    replies.write_text("".join(each.to_line() for each in settled), encoding="utf-8")
    parse_trial(write_requests(tmp_path / "requests.jsonl", requests), replies, FakeProvider(), out=out)
    return pq.read_table(out).to_pylist()


def test_every_request_has_one_row_in_order_whatever_came_back(tmp_path):
    requests = make_requests(6)
    keys = [request.request_key for request in requests]
    settled = [
        Settled(keys[3], "b1", 1, answer_row(keys[3], "cut", finish_reason="length")),
        Settled(keys[0], "b1", 1, answer_row(keys[0])),
        Settled(keys[1], "b1", 1, error_row(keys[1])),
        Settled(keys[2], "b1", 1, None, "expired"),
        Settled(keys[4], "b1", 1, answer_row(keys[4], None, message={"refusal": "no"})),
    ]
    rows = parse(tmp_path, requests, settled)
    assert [row["item_id"] for row in rows] == [f"q{n}" for n in range(6)]
    assert [row["outcome"] for row in rows] == [
        "answered",
        "errored",
        "expired",
        "truncated",
        "refused",
        "missing",
    ]
    assert rows[1]["error_code"] == "server_error"
    assert (rows[4]["text"], rows[5]["batch_id"], rows[5]["attempts"]) == ("no", None, 0)


def test_tokens_are_summed_over_attempts_and_the_last_decides(tmp_path):
    (request,) = make_requests(1)
    key = request.request_key
    billed_error = error_row(key)
    billed_error["response"]["body"] |= {"choices": [], "usage": None}
    attempts = [
        Settled(key, "b1", 1, answer_row(key, None)),  # billed, but without a text
        Settled(key, "b2", 2, billed_error),
        Settled(key, "b3", 3, answer_row(key, "at last")),
    ]
    (row,) = parse(tmp_path, [request], attempts)
    assert (row["outcome"], row["text"], row["batch_id"], row["attempts"]) == ("answered", "at last", "b3", 3)
    assert (row["input_tokens"], row["output_tokens"], row["cached_tokens"]) == (20, 4, None)
    assert [each["output_tokens"] for each in row["usage_by_attempt"]] == [2, None, 2]


def test_tokens_of_reasoning_and_caches_have_columns_of_their_own(tmp_path):
    (request,) = make_requests(1)
    row = answer_row(request.request_key)
    row["response"]["body"]["usage"] = {
        "prompt_tokens": 50,
        "completion_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 40},
        "completion_tokens_details": {"reasoning_tokens": 25},
    }
    (row,) = parse(tmp_path, [request], [Settled(request.request_key, "b1", 1, row)])
    assert (row["input_tokens"], row["output_tokens"], row["cached_tokens"]) == (50, 30, 5)
    assert (row["cache_write_tokens"], row["cache_write_1h_tokens"], row["reasoning_tokens"]) == (
        40,
        None,
        25,
    )
    assert row["usage_by_attempt"] is None


def test_tokens_of_items_with_one_text_are_counted_once(tmp_path):
    requests = make_requests(1) * 3
    key = requests[0].request_key
    rows = parse(tmp_path, requests, [Settled(key, "b1", 1, answer_row(key))])
    assert [row["outcome"] for row in rows] == ["answered"] * 3
    assert [row["input_tokens"] for row in rows] == [10, None, None]


ODD_TEXTS = ["", "\0", "\ud800", "a\u2028b\r\nc", "x" * 1_000_000, "\N{PILE OF POO}"]


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_any_text_of_a_model_can_be_stored(tmp_path, text):
    (request,) = make_requests(1)
    (row,) = parse(
        tmp_path,
        [request],
        [Settled(request.request_key, "b1", 1, answer_row(request.request_key, text))],
    )
    assert row["text"] == text.replace("\ud800", "\N{REPLACEMENT CHARACTER}")


def test_more_rows_than_a_chunk_holds(tmp_path, monkeypatch):
    monkeypatch.setattr("scripts.parse.CHUNK_ROWS", 3)
    requests = make_requests(7)
    settled = [Settled(r.request_key, "b", 1, answer_row(r.request_key, r.item_id)) for r in requests]
    assert [row["text"] for row in parse(tmp_path, requests, settled)] == [f"q{n}" for n in range(7)]
