"""Phases with the adapter `fireworks`: what is sent, billed and written."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import random

import pytest

from scripts.errors import ProviderError
from tests.providers.batch_peers import PEERS, only, server_fixture  # noqa: F401 - a fixture
from tests.providers.faulty_server import Fault
from tests.providers.phase_runs import peer_settings, run

MODEL = PEERS["fireworks"].model


peer_fixture = only("fireworks")


@pytest.fixture(name="settings")
def settings_fixture(server, tmp_path):
    return experiment_settings(server, tmp_path)


experiment_settings = functools.partial(peer_settings, PEERS["fireworks"])


def test_a_busy_provider_and_a_slow_dataset_are_waited_for(settings, server):
    server.looks_until_ready = 5
    server.faults["dataset"] = [Fault(status=503)]
    server.faults["upload"] = [Fault()]
    server.faults["create"] = [Fault(status=429, headers={"Retry-After": "0.1"})]
    assert len(run(settings)) == 4
    assert (server.calls["upload"], server.calls["create"], len(server.billed)) == (2, 2, 4)


@pytest.mark.parametrize("word", ["JOB_STATE_PENDING", "JOB_STATE_RESTING"])
def test_a_job_that_waits_for_ever_is_given_up_and_stays_at_the_provider(server, tmp_path, word):
    settings = experiment_settings(server, tmp_path, max_wait_hours=0.0001)
    server.statuses = [word]
    with pytest.raises(ProviderError, match="is not done after"):
        run(settings)
    server.statuses = ["JOB_STATE_COMPLETED"]
    assert len(run(settings)) == 4
    assert len(server.billed) == 4


TROUBLE = [
    Fault(),
    Fault(is_done=True),
    Fault(status=500),
    Fault(status=502, is_done=True),
    Fault(status=429, headers={"Retry-After": "0.02"}),
    Fault(cut_after=20),
]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_goes_wrong_every_request_is_billed_once(settings, server, seed):
    chance = random.Random(seed)
    server.looks_until_ready = chance.randrange(4)
    server.statuses = ["JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_COMPLETED"]
    for call in ("dataset", "upload", "look_dataset", "create", "look", "endpoint", "download"):
        server.faults[call] = [dataclasses.replace(fault) for fault in chance.choices(TROUBLE, k=3)]
    for _ in range(30):
        with contextlib.suppress(ProviderError):
            rows = run(settings, n=40)
            break
    assert [row["attempt"] for row in rows] == [1] * 40
    assert sorted(server.billed) == sorted({row["request_key"] for row in rows})
