"""The adapter `fireworks` through the real client, against a server that fails in every way we know of."""

from __future__ import annotations

import dataclasses
import datetime
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from fireworks.types.batch_inference_job import BatchInferenceJob

from scripts.errors import BusyError, NoBatchError, ProviderError, UnknownOutcomeError
from scripts.providers import BatchStatus, LostCall
from scripts.providers.fireworks_batch import FireworksBatch
from scripts.providers.fireworks_rows import STATES
from scripts.records import Outcome
from tests.providers.batch_peers import (  # noqa: F401 - fixtures
    LABELS,
    PEERS,
    fetched,
    make_requests,
    only,
    provider_fixture,
    server_fixture,
    start,
)
from tests.providers.faulty_server import Fault
from tests.providers.fireworks_replies import answer, failed
from tests.providers.fireworks_server import ACCOUNT

MODEL = PEERS["fireworks"].model


peer_fixture = only("fireworks")


KEY = "a" * 64
NAME = "trialmake-" + "a" * 40
CALL = LostCall(datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC), 1)
"""A lost call; the key alone is enough here."""


@pytest.mark.parametrize("is_snake", [False, True])
def test_a_whole_life_of_a_batch_in_either_spelling(provider, server, tmp_path, is_snake):
    server.is_snake = is_snake
    words = ["VALIDATING", "PENDING", "RUNNING", "WRITING_RESULTS", "COMPLETED"]
    server.statuses = [f"JOB_STATE_{word}" for word in words]
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
    job = server.batches[NAME]
    assert (job["model"], job["displayName"]) == (MODEL, " ".join(LABELS.values()))
    assert job["inputDatasetId"] == f"accounts/{ACCOUNT}/datasets/{NAME}"
    assert server.datasets[NAME]["exampleCount"] == "4"
    request = make_requests(provider, 1)[0]
    assert request.body["model"] == MODEL
    assert '"model"' not in provider.encode(request)


def test_a_long_name_of_a_trial_is_no_reason_to_be_refused(provider, server, tmp_path):
    (tmp_path / "payload").write_text(provider.encode(make_requests(provider, 1)[0]))
    provider.create(tmp_path / "payload", key=KEY, metadata={**LABELS, "trial": "t" * 300})
    assert len(server.batches[NAME]["displayName"]) == 63


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


# The job costs money.


def test_a_job_that_is_there_already_is_adopted(provider, server, tmp_path):
    server.faults["create"] = [Fault(is_done=True)]
    with pytest.raises(UnknownOutcomeError):
        start(provider, tmp_path)
    assert start(provider, tmp_path) == NAME
    assert (server.calls["create"], len(server.billed)) == (1, 4)


def test_a_job_that_is_there_although_its_dataset_is_gone_is_adopted(provider, server, tmp_path):
    start(provider, tmp_path)
    server.datasets.clear()
    assert start(provider, tmp_path) == NAME
    assert (server.calls["create"], len(server.billed)) == (2, 4)


def test_a_conflict_without_a_job_leaves_doubt(provider, server, tmp_path):
    server.faults["create"] = [Fault(status=409)]
    with pytest.raises(UnknownOutcomeError, match="status 409"):
        start(provider, tmp_path)
    assert server.calls["create"] == 1


# Looks.


def test_every_state_of_the_official_client_is_known_and_others_are_not_the_end(provider, server, tmp_path):
    words = get_args(get_args(BatchInferenceJob.model_fields["state"].annotation)[0])
    assert {word.removeprefix("JOB_STATE_") for word in words} == {*STATES, "UNSPECIFIED"}
    batch_id = start(provider, tmp_path)
    for word in ("JOB_STATE_UNSPECIFIED", "JOB_STATE_RESTING", "PENDING"):
        server.statuses = [word]
        state = provider.status(batch_id)
        assert state.raw == word.removeprefix("JOB_STATE_")
        assert not state.status.is_terminal


@pytest.mark.parametrize(
    ("count", "seen"), [("7", 7), (7, 7), (True, None), (-1, None), ("x", None), (1e9, None)]
)
def test_a_count_that_is_none_is_not_known(provider, server, tmp_path, count, seen):
    batch_id = start(provider, tmp_path)
    server.statuses = ["JOB_STATE_RUNNING"]
    server.batches[batch_id]["jobProgress"] = {"totalProcessedRequests": count, "totalInputRequests": 1}
    assert provider.status(batch_id).n_done == seen


def test_a_job_that_is_not_there_names_the_account(provider):
    with pytest.raises(NoBatchError, match=r"account my-account: batch nobody is not there"):
        provider.status("nobody")


ROOT = Path(__file__).resolve().parents[2]


def test_a_job_that_expired_keeps_the_rows_that_were_done(provider, server, tmp_path):
    server.statuses = ["JOB_STATE_EXPIRED"]
    server.finish = lambda rows: ([answer(row) for row in rows[:3]], [])
    batch_id = start(provider, tmp_path)
    assert (provider.status(batch_id).status, provider.status(batch_id).n_done) == (BatchStatus.EXPIRED, 3)
    assert len(fetched(provider, batch_id, tmp_path)) == 3


def test_both_files_become_one_though_the_first_lacks_its_last_line_feed(provider, server, tmp_path):
    server.finish = lambda rows: ([answer(row) for row in rows[:2]], [failed(row, 429) for row in rows[2:]])
    batch_id = start(provider, tmp_path)
    provider.status(batch_id)
    files = server.files["bij-0000"]
    files["BIJOutputSet.jsonl"] = files["BIJOutputSet.jsonl"].rstrip(b"\n")
    replies = [reply for _, reply in fetched(provider, batch_id, tmp_path)]
    assert [reply.outcome for reply in replies] == [Outcome.ANSWERED] * 2 + [Outcome.ERRORED] * 2
    assert [reply.is_retryable for reply in replies] == [False] * 2 + [True] * 2


HOSTILE = [
    ("../../../../escaped", "/tmp/escaped-error"),
    ("..", "\x00error"),
    ("con\n", "error-data" + "x" * 5000),
    ("<script>", "~/error"),
]


@pytest.mark.parametrize("names", HOSTILE, ids=repr)
def test_names_of_files_are_never_paths(provider, server, tmp_path, names):
    server.file_names = names
    server.finish = lambda rows: ([answer(row) for row in rows[1:]], [failed(rows[0])])
    (tmp_path / "deep" / "down").mkdir(parents=True)
    batch_id = start(provider, tmp_path)
    assert len(fetched(provider, batch_id, tmp_path / "deep" / "down")) == 4
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "down", "payload", "rows"]


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://127.0.0.1/x", "/etc/passwd", 3, "http://["])
def test_an_address_that_is_none_is_not_followed(provider, server, tmp_path, monkeypatch, address):
    batch_id = start(provider, tmp_path)
    monkeypatch.setattr(
        type(server), "endpoint", lambda self, name: {"filenameToSignedUrls": {"dataset/x/y": address}}
    )
    with pytest.raises(BusyError):
        fetched(provider, batch_id, tmp_path)
    assert (tmp_path / "rows").read_bytes() == b""


def test_a_download_that_is_cut_is_no_file_and_its_address_is_not_shown(provider, server, tmp_path):
    batch_id = start(provider, tmp_path, n=50)
    provider.status(batch_id)
    server.faults["download"] = [Fault(cut_after=500), Fault(status=403), Fault()]
    for _ in range(3):
        with pytest.raises(BusyError) as caught:
            provider.fetch(batch_id, tmp_path / "rows")
        assert "s3cr3t" not in str(caught.value)
    files = server.files["bij-0000"]
    files["BIJOutputSet.jsonl"] = files["BIJOutputSet.jsonl"][:-30]
    with pytest.raises(BusyError, match="did not come whole"):
        provider.fetch(batch_id, tmp_path / "rows")


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(), Fault(cut_after=4)], ids=repr)
def test_results_whose_addresses_cannot_be_had_are_fetched_again(provider, server, tmp_path, fault):
    batch_id = start(provider, tmp_path)
    server.faults["endpoint"] = [dataclasses.replace(fault)]
    with pytest.raises(BusyError):
        fetched(provider, batch_id, tmp_path)
    assert len(fetched(provider, batch_id, tmp_path)) == 4


TRANSFER = """
import sys, tracemalloc
from pathlib import Path
import fireworks, httpx
from scripts.providers.fireworks_batch import FireworksBatch
base_url, account, model, folder = sys.argv[1:]
provider = FireworksBatch(model, base_url, account)
provider.find_existing("f" * 64, None)
tracemalloc.start()
batch_id = provider.create(Path(folder) / "payload", key="a" * 64, metadata={})
provider.status(batch_id)
provider.fetch(batch_id, Path(folder) / "rows")
print(tracemalloc.get_traced_memory()[1])
"""


@pytest.mark.slow
def test_large_files_go_up_and_down_at_bounded_memory(provider, server, tmp_path):
    line = provider.encode(make_requests(provider, 1)[0]).replace("Q0?", "Q" * 2000)
    (tmp_path / "payload").write_text(line * (30_000_000 // len(line)))
    server.finish = lambda rows: ([answer(rows[0], "x" * 4000)] * 8_000, [])
    done = subprocess.run(
        [sys.executable, "-c", TRANSFER, server.url, ACCOUNT, MODEL, str(tmp_path)],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert (tmp_path / "rows").stat().st_size > 30_000_000
    assert 1_000_000 < int(done.stdout) < 15_000_000
