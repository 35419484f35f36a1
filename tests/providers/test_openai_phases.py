"""Phases with the adapter `openai`: what is sent, billed and written."""

from __future__ import annotations

import functools

import pytest

from scripts.errors import ProviderError
from scripts.money.ledger import Ledger
from tests.providers.batch_peers import PEERS, only, server_fixture  # noqa: F401 - a fixture
from tests.providers.openai_server import answer, expired
from tests.providers.phase_runs import peer_settings, run

peer_fixture = only("openai")


@pytest.fixture(name="settings")
def settings_fixture(server, tmp_path):
    return experiment_settings(server, tmp_path)


experiment_settings = functools.partial(peer_settings, PEERS["openai"])


QUEUE_FULL = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached for gpt-4o-mini"}]


def test_a_full_queue_is_no_attempt_and_its_requests_are_sent_later(server, tmp_path):
    settings = experiment_settings(server, tmp_path, max_attempts=1, max_requests=2)
    server.errors = [QUEUE_FULL, [], QUEUE_FULL, []]
    rows = run(settings)
    assert [(row["attempt"], row["absent"]) for row in rows] == [(1, None)] * 4
    # The third batch was alone and yet too much: its requests go out in halves.
    assert (len(server.batches), len(server.billed), len(set(server.billed))) == (5, 4, 4)
    assert len(run(settings)) == 4
    assert len(server.batches) == 5


def test_a_full_queue_met_by_a_second_attempt_is_no_attempt_either(server, tmp_path):
    settings = experiment_settings(server, tmp_path, max_attempts=2)
    server.finish = lambda rows: (
        ([answer(row) for row in rows], [])
        if len(rows) < 4
        else ([answer(row) for row in rows[1:]], [expired(rows[0])])
    )
    server.errors = [[], QUEUE_FULL, []]
    rows = run(settings)
    assert [row["attempt"] for row in rows] == [1, 2, 1, 1, 1]
    assert len(server.billed) == 5


def test_a_queue_that_stays_full_is_given_up_with_the_reason(server, tmp_path):
    settings = experiment_settings(server, tmp_path, max_wait_hours=0.0001)
    server.errors = [QUEUE_FULL] * 99
    with pytest.raises(ProviderError, match="Enqueued token limit reached"):
        run(settings)
    assert server.billed == []


def test_a_batch_rejected_for_good_is_counted_and_named(server, tmp_path):
    settings = experiment_settings(server, tmp_path, max_attempts=2)
    problem = {"code": "model_not_found", "message": "The model does not exist"}
    server.errors = [[problem]] * 9
    with pytest.raises(ProviderError, match="4 errored") as told:
        run(settings)
    assert "model_not_found: The model does not exist" in told.value.fix
    assert (len(server.batches), server.billed) == (1, [])
    with Ledger(settings.run_root / "ledger" / settings.trials[0].name) as ledger:
        assert {entry.error for entry in ledger.shards.values()} == {
            "model_not_found: The model does not exist"
        }


def test_a_batch_that_failed_at_the_provider_is_sent_again(server, tmp_path):
    settings = experiment_settings(server, tmp_path, max_attempts=2)
    server.errors = [[{"code": "server_error", "message": "Please try again"}], []]
    assert len(run(settings)) == 8
    assert (len(server.batches), len(server.billed)) == (2, 4)
