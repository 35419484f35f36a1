"""Phases with the adapter `openai`: what is sent, billed and written, and what is refused before."""

from __future__ import annotations

import functools

import pytest

from scripts.errors import ProviderError
from scripts.money.ledger import Ledger
from scripts.run.checks import check_settings
from tests.providers.batch_peers import PEERS, only, server_fixture  # noqa: F401 - a fixture
from tests.providers.openai_server import answer, expired
from tests.providers.phase_runs import check_message, peer_settings, run

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


# What is refused before anything is sent.


def test_a_key_that_cannot_be_one_is_not_shown_and_one_in_the_env_file_is_found(
    server, tmp_path, monkeypatch
):
    settings = experiment_settings(server, tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted two\nlines")
    assert "sk-planted" not in check_message(settings)
    monkeypatch.delenv("OPENAI_API_KEY")
    (tmp_path / ".env").write_text(f'# keys\nexport OPENAI_API_KEY="{server.key}"\n')
    check_settings(settings)
    assert len(run(settings)) == 4
    (tmp_path / ".env").unlink()


REFUSED = [
    ("o3-mini", {"temperature": 0.0}, "the reasoning model o3-mini does not accept temperature"),
    ("gpt-5-nano", {"temperature": None, "top_p": 0.5}, "does not accept top_p"),
    ("gpt-4o-mini", {"presence_penalty": 3}, "must be a number from -2 to 2"),
    ("gpt-4o-mini", {"reasoning_effort": "huge"}, "must be one of none, minimal"),
    ("gpt-4o-mini", {"top_k": 3}, "openai does not support 'top_k'"),
]


@pytest.mark.parametrize(("model", "sampling", "words"), REFUSED)
def test_a_setting_that_the_provider_would_refuse_is_refused_first(server, tmp_path, model, sampling, words):
    assert words in check_message(experiment_settings(server, tmp_path, model=model, sampling=sampling))


ACCEPTED = [
    ("o3-mini", {"temperature": None, "reasoning_effort": "low"}),
    ("gpt-5.1", {"temperature": 0.3, "reasoning_effort": "none"}),
    ("gpt-4o-mini", {"temperature": 2, "seed": 3, "stop": "."}),
]


@pytest.mark.parametrize(("model", "sampling"), ACCEPTED)
def test_a_setting_that_the_provider_takes_passes(server, tmp_path, model, sampling):
    check_settings(experiment_settings(server, tmp_path, model=model, sampling=sampling))


def test_what_only_chat_takes_is_refused_for_responses(server, tmp_path):
    settings = experiment_settings(server, tmp_path, endpoint="/v1/responses", sampling={"seed": 1})
    assert "/v1/responses does not accept seed" in check_message(settings)


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
