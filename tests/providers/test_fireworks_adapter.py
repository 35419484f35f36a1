"""The adapter `fireworks` through the real client, against a server that fails in every way we know of."""

from __future__ import annotations

import dataclasses
import datetime
from typing import get_args

import pytest
from fireworks.types.batch_inference_job import BatchInferenceJob
from fireworks_fixtures import MODEL, provider_fixture, server_fixture  # noqa: F401 - fixtures
from fireworks_replies import fetched
from fireworks_server import ACCOUNT, Fault
from openai_requests import LABELS, make_requests, start

from scripts.errors import BusyError, LimitError, NoBatchError, ProviderError, UnknownOutcomeError
from scripts.providers import BatchStatus, Limits, LostCall
from scripts.providers.fireworks_batch import FireworksBatch
from scripts.providers.fireworks_rows import STATES, read_problem, read_state
from scripts.records import Outcome

KEY = "a" * 64
NAME = "trialmake-" + "a" * 40
CALL = LostCall(datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC), 1)
"""A lost call; the key alone is enough here."""


@pytest.mark.parametrize("is_snake", [False, True])
def test_a_whole_life_of_a_batch_in_either_spelling(provider, server, tmp_path, is_snake):
    server.is_snake = is_snake
    words = ["VALIDATING", "PENDING", "RUNNING", "WRITING_RESULTS", "COMPLETED"]
    server.states = [f"JOB_STATE_{word}" for word in words]
    batch_id = start(provider, tmp_path)
    assert batch_id == NAME
    states = [provider.status(batch_id) for _ in words]
    assert [state.status for state in states] == [
        BatchStatus.QUEUED,
        BatchStatus.QUEUED,
        BatchStatus.RUNNING,
        BatchStatus.FINALIZING,
        BatchStatus.DONE,
    ]
    assert [state.n_done for state in states] == [None] * 4 + [4]
    assert states[-1].error is None
    replies = fetched(provider, batch_id, tmp_path)
    assert {reply.outcome for _, reply in replies} == {Outcome.ANSWERED}
    usage = replies[0][1].usage
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens) == (10, 2, 4)


def test_the_job_names_model_dataset_and_run_and_the_lines_name_no_model(provider, server, tmp_path):
    start(provider, tmp_path)
    job = server.jobs[NAME]
    assert (job["model"], job["displayName"]) == (MODEL, " ".join(LABELS.values()))
    assert job["inputDatasetId"] == f"accounts/{ACCOUNT}/datasets/{NAME}"
    assert server.datasets[NAME]["exampleCount"] == "4"
    request = make_requests(provider, 1)[0]
    assert request.body["model"] == MODEL
    assert '"model"' not in provider.encode(request)


def test_a_long_name_of_a_trial_is_no_reason_to_be_refused(provider, server, tmp_path):
    (tmp_path / "payload").write_text(provider.encode(make_requests(provider, 1)[0]))
    provider.create(tmp_path / "payload", key=KEY, metadata={**LABELS, "trial": "t" * 300})
    assert len(server.jobs[NAME]["displayName"]) == 63


# What comes before the job costs nothing, and is taken up where it was left.


@pytest.mark.parametrize("call", ["dataset", "look_dataset", "upload"])
@pytest.mark.parametrize(
    "fault",
    [Fault(), Fault(is_done=True), Fault(status=500), Fault(status=503, is_done=True), Fault(cut_after=5)],
    ids=repr,
)
def test_a_step_before_the_job_that_breaks_off_is_busy_and_can_be_repeated(
    provider, server, tmp_path, call, fault
):
    server.faults[call] = [dataclasses.replace(fault)]
    with pytest.raises(BusyError):
        start(provider, tmp_path, n=500)
    assert server.calls["create"] == 0
    assert start(provider, tmp_path, n=500) == NAME
    assert (server.calls["create"], len(server.billed)) == (1, 500)


def test_a_dataset_that_is_ready_is_not_sent_again(provider, server, tmp_path):
    server.faults["create"] = [Fault(status=429)]
    with pytest.raises(BusyError):
        start(provider, tmp_path)
    again = FireworksBatch(MODEL, server.url, ACCOUNT)  # another process
    start(again, tmp_path)
    assert (server.calls["dataset"], server.calls["upload"], len(server.billed)) == (1, 1, 4)


def test_a_dataset_that_somebody_else_makes_meanwhile_is_used(provider, server, tmp_path):
    server.faults["look_dataset"] = [Fault(status=404)]
    server.datasets[NAME] = {"name": NAME, "state": "UPLOADING", "exampleCount": "4", "status": {}}
    server.files[NAME] = {}
    start(provider, tmp_path)
    assert (server.calls["dataset"], len(server.billed)) == (1, 4)


def test_a_dataset_that_is_slow_to_be_ready_is_waited_for_and_not_sent_again(provider, server, tmp_path):
    server.looks_until_ready = 12
    with pytest.raises(BusyError, match="is not ready yet") as caught:
        start(provider, tmp_path)
    assert caught.value.retry_after_s is None
    for _ in range(9):
        try:
            start(provider, tmp_path)
            break
        except BusyError:
            assert server.calls["create"] == 0
    assert (server.calls["upload"], len(server.billed)) == (1, 4)


def test_a_dataset_that_is_refused_says_why(provider, server, tmp_path):
    server.looks_until_ready = 99
    with pytest.raises(BusyError):
        start(provider, tmp_path)
    server.datasets[NAME]["status"] = {"code": "INVALID_ARGUMENT", "message": f"bad {server.key}"}
    with pytest.raises(ProviderError, match=r"was refused: INVALID_ARGUMENT: bad \*\*\*") as caught:
        start(provider, tmp_path)
    assert not isinstance(caught.value, BusyError)


def test_a_shard_over_the_limit_is_not_sent(provider, server, tmp_path):
    small = dataclasses.replace(provider, limits=Limits(10, 100))
    with pytest.raises(LimitError, match="an upload takes 100"):
        start(small, tmp_path)
    assert server.calls == {}


# The job costs money.


def test_a_refused_create_starts_nothing_and_names_the_providers_words(provider, server, tmp_path):
    server.faults["create"] = [Fault(status=400)]
    with pytest.raises(ProviderError, match="status 400: a dial says so") as caught:
        start(provider, tmp_path)
    assert not isinstance(caught.value, UnknownOutcomeError | BusyError)
    assert server.calls["create"] == 1


def test_too_many_requests_is_a_refusal_that_says_how_long_to_wait(provider, server, tmp_path):
    server.faults["create"] = [Fault(status=429, headers={"Retry-After": "7"})]
    with pytest.raises(BusyError) as caught:
        start(provider, tmp_path)
    assert caught.value.retry_after_s == 7
    assert server.calls["create"] == 1


LOST = [
    Fault(),
    Fault(is_done=True),
    Fault(status=500),
    Fault(status=502, is_done=True),
    Fault(status=408),
    Fault(status=499, is_done=True),
    Fault(cut_after=9),
]


@pytest.mark.parametrize("fault", LOST, ids=repr)
def test_a_lost_answer_to_create_is_never_repeated(provider, server, tmp_path, fault):
    server.faults["create"] = [dataclasses.replace(fault)]
    with pytest.raises(UnknownOutcomeError, match="a paid batch may exist"):
        start(provider, tmp_path)
    assert server.calls["create"] == 1
    is_there = provider.find_existing(KEY, CALL)
    assert is_there == (NAME if fault.is_done or fault.cut_after else None)


def test_a_slow_answer_to_create_is_a_lost_one(provider, server, tmp_path):
    server.delays_s = {"create": 2.5}
    with pytest.raises(UnknownOutcomeError):
        start(dataclasses.replace(provider, timeout_seconds=1.5), tmp_path)


def test_a_server_that_is_not_there_started_nothing(server, tmp_path):
    with pytest.raises(BusyError, match="ConnectError"):
        start(FireworksBatch(MODEL, "http://127.0.0.1:1", ACCOUNT, timeout_seconds=2.0), tmp_path)


def test_a_job_that_is_there_already_is_adopted(provider, server, tmp_path):
    server.faults["create"] = [Fault(is_done=True)]
    with pytest.raises(UnknownOutcomeError):
        start(provider, tmp_path)
    assert start(provider, tmp_path) == NAME
    assert (server.calls["create"], len(server.billed)) == (2, 4)


def test_a_conflict_without_a_job_leaves_doubt(provider, server, tmp_path):
    server.faults["create"] = [Fault(status=409)]
    with pytest.raises(UnknownOutcomeError, match="status 409"):
        start(provider, tmp_path)
    assert server.calls["create"] == 1


def test_a_job_is_found_by_its_key_and_none_only_if_there_is_none(provider, server, tmp_path):
    assert provider.find_existing(KEY, CALL) is None
    start(provider, tmp_path)
    assert provider.find_existing(KEY, CALL) == NAME
    assert provider.find_existing("b" * 64, CALL) is None


@pytest.mark.parametrize("fault", [Fault(times=99), Fault(status=500, times=99), Fault(status=403)], ids=repr)
def test_a_job_that_cannot_be_asked_for_tells_nothing(provider, server, monkeypatch, fault):
    monkeypatch.setattr("scripts.providers.fireworks_batch.FIND_RETRIES", 1)
    server.faults["look"] = [dataclasses.replace(fault)]
    with pytest.raises(UnknownOutcomeError, match="a paid one may exist"):
        provider.find_existing(KEY, CALL)


# Looks.


def test_every_state_of_the_official_client_is_known_and_others_are_not_the_end(provider, server, tmp_path):
    words = get_args(get_args(BatchInferenceJob.model_fields["state"].annotation)[0])
    assert {word.removeprefix("JOB_STATE_") for word in words} == {*STATES, "UNSPECIFIED"}
    batch_id = start(provider, tmp_path)
    for word in ("JOB_STATE_UNSPECIFIED", "JOB_STATE_RESTING", "PENDING"):
        server.states = [word]
        state = provider.status(batch_id)
        assert state.raw == word.removeprefix("JOB_STATE_")
        assert not state.status.is_terminal


@pytest.mark.parametrize(
    ("count", "seen"), [("7", 7), (7, 7), (True, None), (-1, None), ("x", None), (1e9, None)]
)
def test_a_count_that_is_none_is_not_known(provider, server, tmp_path, count, seen):
    batch_id = start(provider, tmp_path)
    server.states = ["JOB_STATE_RUNNING"]
    server.jobs[batch_id]["jobProgress"] = {"totalProcessedRequests": count, "totalInputRequests": 1}
    assert provider.status(batch_id).n_done == seen


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


def test_a_job_that_failed_at_validation_says_why_and_has_no_rows(provider, server, tmp_path):
    server.problems = [f"invalid role, key {server.key}"]
    batch_id = start(provider, tmp_path)
    state = provider.status(batch_id)
    assert state.status is BatchStatus.FAILED
    assert state.error == "INVALID_ARGUMENT: invalid role, key ***"
    assert fetched(provider, batch_id, tmp_path) == []
    assert server.billed == []


def test_a_busy_look_says_how_long_to_wait(provider, server, tmp_path):
    batch_id = start(provider, tmp_path)
    server.faults["look"] = [Fault(status=429, headers={"Retry-After": "3"}), Fault(status=503), Fault()]
    for seconds in (3, None, None):
        with pytest.raises(BusyError) as caught:
            provider.status(batch_id)
        assert caught.value.retry_after_s == seconds
    assert provider.status(batch_id).status is BatchStatus.DONE


def test_a_job_that_is_not_there_names_the_account(provider):
    with pytest.raises(NoBatchError, match=r"account my-account: batch nobody is not there"):
        provider.status("nobody")


def test_a_wrong_key_is_never_shown(provider, server, tmp_path, monkeypatch):
    monkeypatch.setenv("FIREWORKS_API_KEY", "fw-planted-wrong")
    for call in (
        lambda: start(provider, tmp_path),
        lambda: provider.status("batch_1"),
        lambda: provider.find_existing("a", CALL),
    ):
        with pytest.raises(ProviderError, match=r"The API key you provided is invalid: \*\*\*") as caught:
            call()
        assert "fw-planted" not in repr(caught.value.__cause__) + str(caught.value)
    assert "fw-planted" not in repr(provider)
