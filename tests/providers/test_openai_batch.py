"""The adapter `openai` through the real client, against a server that fails in every way we know of."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from scripts.errors import BusyError, ProviderError
from scripts.providers import BatchStatus, LostCall
from scripts.records import Outcome
from tests.providers.batch_peers import (  # noqa: F401 - fixtures
    ITEM,
    LABELS,
    TRIAL,
    fetched,
    only,
    provider_fixture,
    server_fixture,
    start,
)
from tests.providers.openai_server import SPECIFICATION, Fault, answer, expired

peer_fixture = only("openai")


CALL = LostCall(datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC), 1)
"""A lost call; the key alone is enough here."""


def test_the_specification_is_used_where_it_is_there(server):
    server.hold_against("Batch", {"id": 3})
    assert bool(server.breaches) == SPECIFICATION.is_file()
    server.breaches.clear()


def test_a_whole_life_of_a_batch(provider, server, tmp_path):
    server.statuses = ["validating", "in_progress", "finalizing", "completed"]
    batch_id = start(provider, tmp_path)
    seen = [provider.status(batch_id).status for _ in server.statuses]
    assert seen == [BatchStatus.QUEUED, BatchStatus.RUNNING, BatchStatus.FINALIZING, BatchStatus.DONE]
    assert {reply.outcome for _, reply in fetched(provider, batch_id, tmp_path)} == {Outcome.ANSWERED}
    assert server.batches[batch_id]["metadata"] == {"trialmake_key": "a" * 64, **LABELS}
    assert provider.status(batch_id).n_done == 4


def test_the_responses_endpoint_is_spoken_too(provider, server, tmp_path):
    provider = dataclasses.replace(provider, endpoint="/v1/responses")
    sampling = {"max_tokens": 9, "reasoning_effort": "low", "verbosity": "low", "top_p": None}
    trial = dataclasses.replace(TRIAL, sampling=sampling)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Q?"}]
    body = provider.body(messages, trial, "d", ITEM)
    assert body == {
        "model": "gpt-4o-mini",
        "input": [{"role": "user", "content": "Q?"}],
        "instructions": "Be brief.",
        "max_output_tokens": 9,
        "reasoning": {"effort": "low"},
        "text": {"verbosity": "low"},
        "store": False,
    }
    (_, reply), *_ = fetched(provider, start(provider, tmp_path), tmp_path)
    assert (reply.outcome, reply.text, reply.usage.cached_tokens) == (Outcome.ANSWERED, "answer", 4)


def test_reasoning_models_get_their_own_name_for_the_longest_answer(provider):
    o3 = dataclasses.replace(provider, provider_model="o3-mini")
    assert "max_tokens" in provider.body([], TRIAL, "d", ITEM)
    assert o3.body([], TRIAL, "d", ITEM)["max_completion_tokens"] == 100


def test_no_credit_left_is_not_waited_for(provider, server, tmp_path):
    server.faults["create"] = [Fault(status=429, code="insufficient_quota")]
    with pytest.raises(ProviderError, match="status 429") as caught:
        start(provider, tmp_path)
    assert not isinstance(caught.value, BusyError)


def test_an_upload_that_is_cut_is_repeated_as_a_lone_file_costs_nothing(provider, server, tmp_path):
    server.faults["upload"] = [Fault(), Fault(status=500)]
    start(provider, tmp_path, n=2000)
    assert (server.calls["upload"], server.calls["create"], len(server.billed)) == (3, 1, 2000)


def test_an_upload_that_never_works_leaves_no_doubt(provider, server, tmp_path):
    server.faults["upload"] = [Fault(times=99)]
    with pytest.raises(BusyError):
        start(provider, tmp_path)
    assert server.calls["create"] == 0


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_batch_is_found_on_any_page_of_the_list(provider, server, tmp_path, newest_first):
    server.newest_first = newest_first
    ids = [start(provider, tmp_path, n=1, key=f"{number:064}") for number in range(3)]
    for number in range(250):
        old = {**server.batches[ids[0]], "id": f"batch_0000_{number:04}", "metadata": {}}
        server.batches[old["id"]] = old
    assert provider.find_existing(f"{2:064}", CALL) == ids[2]
    assert provider.find_existing(f"{0:064}", CALL) == ids[0]
    assert provider.find_existing("f" * 64, CALL) is None
    assert server.calls["list"] >= 4


def test_only_an_error_file_is_read_as_well(provider, server, tmp_path):
    server.finish = lambda rows: ([], [expired(row) for row in rows])
    rows = fetched(provider, start(provider, tmp_path), tmp_path)
    assert [reply.outcome for _, reply in rows] == [Outcome.EXPIRED] * 4


def test_both_files_become_one_though_the_first_lacks_its_last_line_feed(provider, server, tmp_path):
    server.finish = lambda rows: ([answer(row) for row in rows[:2]], [expired(row) for row in rows[2:]])
    batch_id = start(provider, tmp_path)
    provider.status(batch_id)
    server.files[f"{batch_id}-output"] = server.files[f"{batch_id}-output"].rstrip(b"\n")
    outcomes = [reply.outcome for _, reply in fetched(provider, batch_id, tmp_path)]
    assert outcomes == [Outcome.ANSWERED] * 2 + [Outcome.EXPIRED] * 2
