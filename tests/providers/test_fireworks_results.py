"""What comes back through the adapter `fireworks`: files, their names and addresses, rows of every shape."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
from batch_peers import (  # noqa: F401 - fixtures
    PEERS,
    fetched,
    make_requests,
    only,
    provider_fixture,
    server_fixture,
    start,
)
from faulty_server import Fault
from fireworks_replies import answer, failed
from fireworks_server import ACCOUNT

from scripts.errors import BusyError
from scripts.providers import BatchStatus
from scripts.providers.fireworks_rows import decode_row
from scripts.records import Outcome

MODEL = PEERS["fireworks"].model


peer_fixture = only("fireworks")


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
