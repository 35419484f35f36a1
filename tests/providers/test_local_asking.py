"""One question to a server that fails in every way a server can."""

from __future__ import annotations

import pytest

from scripts.errors import BusyError
from scripts.records import Outcome
from tests.providers.chat_fixtures import (  # noqa: F401 - fixtures
    ask,
    make_provider,
    make_questions,
    provider_fixture,
    quick_fixture,
    send,
    server_fixture,
    wait,
)
from tests.providers.chat_server import Fault


def at_first(*faults):
    """Each question meets these faults, one after another, and is answered then."""
    return lambda _, n_asked: faults[n_asked - 1] if n_asked <= len(faults) else None


def always(fault):
    return lambda *_: fault


PASSING = {
    "one 500": [Fault(status=500)],
    "two different ones": [Fault(status=502), Fault()],
    "many 429": [Fault(status=429)] * 5,
    "still loading": [Fault(status=503, message="Loading model")] * 5,
    "asks to wait": [Fault(status=429, headers={"Retry-After": "0.02"})],
    "cut before a byte": [Fault()],
    "cut in the middle": [Fault(cut_after=20)],
    "not JSON": [Fault(raw=b"<html>")],
    "not UTF-8": [Fault(raw=b'{"choices": "\xff\xfe"}')],
    "a list": [Fault(raw=b"[]")],
    "nested without end": [Fault(raw=b"[" * 100_000)],
    "a number that is none": [Fault(raw=b'{"x": 1e999}')],
    "too long": [Fault(raw=b'{"x": "' + b"a" * 5_000_000 + b'"}')],
}


@pytest.mark.parametrize("case", PASSING)
def test_what_passes_is_asked_again(provider, server, tmp_path, monkeypatch, case):
    monkeypatch.setattr("scripts.providers.local_asking.MAX_REST_S", 0.05)
    faults = PASSING[case]
    server.fault = at_first(*faults)
    requests = make_questions(provider, 2)
    busy: list[BusyError] = []
    rows = wait(provider, send(provider, tmp_path, requests), busy=busy)
    replies = [provider.decode(row)[1] for row in rows.values()]
    assert [reply.outcome for reply in replies] == [Outcome.ANSWERED] * 2
    assert set(server.asked.values()) == {len(faults) + 1}
    assert {error.where for error in busy} <= {f"local, {server.url}"}
    assert all("the server asks to wait" in error.what for error in busy)


LASTING = {
    "always 500": (Fault(status=500, message="CUDA"), 3, "500", "status 500: CUDA", True),
    "always cut": (Fault(), 3, "server_error", "Connection error", True),
    "never JSON": (Fault(raw=b"<html>"), 3, "server_error", "Expecting value", True),
    "too long for the model": (Fault(status=400, message="too long"), 1, "400", "400: too long", False),
    "cannot be processed": (Fault(status=422), 1, "422", "no luck", False),
}


@pytest.mark.parametrize("case", LASTING)
def test_what_lasts_becomes_the_requests_own_failure_and_the_others_go_on(provider, server, tmp_path, case):
    fault, n_tries, code, words, is_retryable = LASTING[case]
    server.fault = lambda question, _: fault if question == "Question 1" else None
    replies = ask(provider, tmp_path, 6)
    assert [reply.outcome for reply in replies] == [
        Outcome.ERRORED if number == 1 else Outcome.ANSWERED for number in range(6)
    ]
    assert (replies[1].error_code or "") in {code, "server_error"}
    assert words in (replies[1].error_message or "")
    assert replies[1].is_retryable is is_retryable
    assert server.asked["Question 1"] == n_tries


def test_an_answer_that_takes_too_long_is_a_failure_that_may_be_asked_again(server, tmp_path):
    provider = make_provider(server, tmp_path, timeout_seconds=0.3)
    server.fault = lambda question, _: Fault(hangs=True) if question == "Question 0" else None
    hung, other = ask(provider, tmp_path, 2)
    assert (hung.error_code, hung.is_retryable) == ("timeout", True)
    assert "no answer in 0.3 seconds" in (hung.error_message or "")
    assert other.outcome is Outcome.ANSWERED
    assert server.asked["Question 0"] == 1


def test_numbers_that_json_does_not_know_are_null_and_odd_texts_are_kept(provider, server, tmp_path):
    raw = rb'{"choices": [{"message": {"content": "\ud83d \u00e9"}, "logprob": -Infinity}], "x": NaN}'
    server.fault = always(Fault(raw=raw))
    requests = make_questions(provider, 1)
    (row,) = wait(provider, send(provider, tmp_path, requests)).values()
    assert row["response"]["body"]["x"] is None
    assert provider.decode(row)[1].text == "\N{REPLACEMENT CHARACTER} \u00e9"
