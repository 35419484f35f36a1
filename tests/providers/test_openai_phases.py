"""Phases with the adapter `openai`: what is sent, billed and written, and what is refused before."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from batch_peers import PEERS, make_requests, server_fixture, start  # noqa: F401 - fixtures
from openai_server import Fault, answer, expired

from scripts.checks import check_settings
from scripts.errors import (
    NoBatchError,
    PipelineError,
    ProviderError,
    UnknownOutcomeError,
)
from scripts.files import read_json, read_jsonl
from scripts.ledger import Ledger
from scripts.poll import poll_trial
from scripts.prompts import load_template, used_fields
from scripts.providers.openai_batch import OpenAIBatch
from scripts.state_utils import StopRequested
from scripts.submit import submit_trial
from tests.unit.sending_fakes import Killed, events, make_settings, write_requests
from tests.workflow.harness import Experiment, simulated_config


@pytest.fixture
def peer():
    return PEERS["openai"]


OPTIONS = {"poll_seconds": 0.02, "timeout_seconds": 60}


@pytest.fixture
def settings(server, tmp_path):
    return experiment_settings(server, tmp_path)


def experiment_settings(server, root: Path, model="gpt-4o-mini", **options: Any):
    extra = {key: options.pop(key) for key in ("sampling", "max_error_rate") if key in options}
    return make_settings(
        root,
        model={"provider": "openai", "model": model},
        providers={"openai": {"base_url": server.url, **OPTIONS, **options}},
        **extra,
    )


def run(settings, server, *, phases=("submit", "poll"), n=4):
    """What the two phases do; the replies' outcomes."""
    (trial,) = settings.trials
    folder = settings.run_root / "trials" / trial.name
    provider = OpenAIBatch.from_settings(settings, "m")
    requests = write_requests(folder / "requests.jsonl", make_requests(provider, n))
    if "submit" in phases:
        submit_trial(settings, trial, requests, out=folder / "batches.json")
    if "poll" in phases:
        poll_trial(settings, trial, requests, out=folder / "replies.jsonl")
        return [row for _, row in read_jsonl(folder / "replies.jsonl")]
    return []


def words(settings):
    return events(settings, settings.trials[0].name)


def test_a_run_sends_and_bills_every_request_once(settings, server):
    rows = run(settings, server)
    assert len(server.billed) == len(set(server.billed)) == len(rows) == 4
    again = run(settings, server)
    assert (again, len(server.batches)) == (rows, 1)


@pytest.mark.parametrize(
    "fault", [Fault(is_done=True), Fault(status=502, is_done=True), Fault(cut_after=9)], ids=repr
)
def test_a_batch_whose_answer_was_lost_is_adopted_and_billed_once(settings, server, fault):
    server.faults["create"] = [dataclasses.replace(fault)]
    with pytest.raises(UnknownOutcomeError):
        run(settings, server)
    assert len(run(settings, server)) == 4
    assert (server.calls["create"], len(server.billed)) == (1, 4)
    assert words(settings)[:3] == ["planned", "intent", "submitted"]


def test_a_batch_that_surely_does_not_exist_is_sent_after_the_lists_had_their_time(
    settings, server, monkeypatch
):
    monkeypatch.setattr(OpenAIBatch, "lag_seconds", 2.0)
    server.faults["create"] = [Fault(status=500)]
    with pytest.raises(UnknownOutcomeError):
        run(settings, server)
    assert len(run(settings, server)) == 4
    assert (server.calls["create"], len(server.billed)) == (2, 4)
    assert server.calls["list"] > 1


def test_nothing_is_sent_while_the_provider_cannot_tell(settings, server, monkeypatch):
    monkeypatch.setattr("scripts.providers.openai_batch.LIST_RETRIES", 0)
    server.faults["create"] = [Fault(is_done=True)]
    server.faults["list"] = [Fault(times=2)]
    for _ in range(3):
        with pytest.raises(UnknownOutcomeError):
            run(settings, server)
    run(settings, server)
    assert (server.calls["create"], len(server.billed)) == (1, 4)


def test_a_busy_provider_is_waited_for(settings, server):
    server.faults["create"] = [Fault(status=429, headers={"Retry-After": "0.1"}), Fault(status=429)]
    assert len(run(settings, server)) == 4
    assert (server.calls["create"], len(server.billed)) == (3, 4)


def test_reads_that_fail_are_tried_again(settings, server):
    server.faults["look"] = [Fault(), Fault(status=429, headers={"Retry-After": "0.1"}), Fault(status=500)]
    server.faults["download"] = [Fault(cut_after=100), Fault(status=503)]
    assert len(run(settings, server, n=30)) == 30
    assert len(server.billed) == 30


def test_a_batch_that_is_not_found_at_once_is_not_lost(settings, server, monkeypatch):
    monkeypatch.setattr(OpenAIBatch, "lag_seconds", 60.0)
    server.faults["look"] = [Fault(status=404, times=2)]
    assert len(run(settings, server)) == 4
    assert len(server.batches) == 1


def test_a_batch_that_is_gone_is_an_error_that_tells_of_another_key(settings, server, monkeypatch):
    monkeypatch.setattr(OpenAIBatch, "lag_seconds", 0.0)
    run(settings, server, phases=["submit"])
    server.faults["look"] = [Fault(status=404, times=99)]
    with pytest.raises(NoBatchError, match="batch_0001 is not there"):
        run(settings, server)
    server.key = "sk-planted-0000000"
    monkeypatch.setenv("OPENAI_API_KEY", server.key)
    with pytest.raises(ProviderError, match="was sent with another key"):
        run(settings, server)


QUEUE_FULL = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached for gpt-4o-mini"}]


def test_a_full_queue_is_no_attempt_and_its_requests_are_sent_later(server, tmp_path):
    settings = experiment_settings(server, tmp_path, max_attempts=1, max_requests=2)
    server.errors = [QUEUE_FULL, [], QUEUE_FULL, []]
    rows = run(settings, server)
    assert [(row["attempt"], row["absent"]) for row in rows] == [(1, None)] * 4
    # The third batch was alone and yet too much: its requests go out in halves.
    assert (len(server.batches), len(server.billed), len(set(server.billed))) == (5, 4, 4)
    assert len(run(settings, server)) == 4
    assert len(server.batches) == 5


def test_a_full_queue_met_by_a_second_attempt_is_no_attempt_either(server, tmp_path):
    settings = experiment_settings(server, tmp_path, max_attempts=2)
    server.finish = lambda rows: (
        ([answer(row) for row in rows], [])
        if len(rows) < 4
        else ([answer(row) for row in rows[1:]], [expired(rows[0])])
    )
    server.errors = [[], QUEUE_FULL, []]
    rows = run(settings, server)
    assert [row["attempt"] for row in rows] == [1, 2, 1, 1, 1]
    assert len(server.billed) == 5


def test_a_queue_that_stays_full_is_given_up_with_the_reason(server, tmp_path):
    settings = experiment_settings(server, tmp_path, max_wait_hours=0.0001)
    server.errors = [QUEUE_FULL] * 99
    with pytest.raises(ProviderError, match="Enqueued token limit reached"):
        run(settings, server)
    assert server.billed == []


def test_expired_missing_double_and_shuffled_rows_are_sent_again_or_counted_once(settings, server):
    def finish(rows):
        if len(rows) < 8:
            return [answer(row) for row in rows], []
        done = [answer(row) for row in rows[2:]] + [answer(rows[5])]
        random.Random(1).shuffle(done)
        return done, [expired(rows[0])]

    server.statuses, server.finish = ["in_progress", "expired"], finish
    rows = run(settings, server, n=8)
    assert [len([row for row in rows if row["attempt"] == attempt]) for attempt in (1, 2)] == [8, 2]
    assert sum(row["row"] is None for row in rows) == 1
    assert len(server.billed) == 10


def test_the_account_of_a_batch_is_recorded_without_its_key(settings, server):
    run(settings, server)
    with Ledger(settings.run_root / "ledger" / settings.trials[0].name) as ledger:
        (entry,) = ledger.shards.values()
    assert len(entry.account or "") == 12
    assert (entry.account or "") not in server.key


# What is refused before anything is sent.


def check_message(settings):
    load_template.cache_clear()
    used_fields.cache_clear()
    with pytest.raises(PipelineError) as caught:
        check_settings(settings)
    return str(caught.value)


def test_a_sound_configuration_passes(server, tmp_path):
    check_settings(experiment_settings(server, tmp_path))
    assert server.calls == {}


def test_a_key_that_is_not_there_is_named_and_one_in_the_env_file_is_found(server, tmp_path, monkeypatch):
    settings = experiment_settings(server, tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY")
    message = check_message(settings)
    assert "OPENAI_API_KEY" in message
    assert ".env" in message
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted two\nlines")
    assert "sk-planted" not in check_message(settings)
    monkeypatch.delenv("OPENAI_API_KEY")
    (tmp_path / ".env").write_text(f'# keys\nexport OPENAI_API_KEY="{server.key}"\n')
    check_settings(settings)
    assert len(run(settings, server)) == 4
    (tmp_path / ".env").unlink()


REFUSED = [
    ("o3-mini", {"temperature": 0.0}, "the reasoning model o3-mini takes no temperature"),
    ("gpt-5-nano", {"temperature": None, "top_p": 0.5}, "takes no top_p"),
    ("gpt-4o-mini", {"presence_penalty": 3}, "must be a number from -2 to 2"),
    ("gpt-4o-mini", {"reasoning_effort": "huge"}, "must be one of none, minimal"),
    ("gpt-4o-mini", {"seed": 1.5}, "must be a whole number"),
    ("gpt-4o-mini", {"top_k": 3}, "openai does not take 'top_k'"),
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


def test_what_only_chat_takes_is_refused_for_responses_and_an_address_with_a_secret_too(server, tmp_path):
    settings = experiment_settings(server, tmp_path, endpoint="/v1/responses", sampling={"seed": 1})
    assert "/v1/responses takes no seed" in check_message(settings)
    settings = experiment_settings(server, tmp_path, base_url="https://me:secret@host/v1")
    message = check_message(settings)
    assert "base_url" in message
    assert "secret" not in message


@pytest.mark.workflow
def test_a_whole_run_against_the_server(server, tmp_path):
    server.statuses = ["validating", "in_progress", "completed"]
    config = simulated_config(
        models={"mini": {"provider": "openai", "model": "gpt-4o-mini"}},
        providers={"openai": {"base_url": server.url, "poll_seconds": 0.1}},
        trials={"sweep": {"prompt": ["control", "treatment"]}, "baseline": {"prompt": "control"}},
    )
    experiment = Experiment(tmp_path).write(config)
    done = experiment.run()
    assert done.returncode == 0, done.stderr
    assert len(server.billed) == len(set(server.billed)) == 16
    assert {trial["outcomes"]["answered"] for trial in experiment.summary()["trials"]} == {8}
    assert all(trial["cost_usd"] > 0 for trial in experiment.summary()["trials"])
    again = experiment.run()
    assert "Nothing to be done" in again.stderr + again.stdout
    assert len(server.batches) == 2
    assert os.environ["OPENAI_API_KEY"] not in done.stdout + done.stderr + json.dumps(
        read_json(experiment.root / "run_state.json")
    )


@pytest.mark.parametrize("call", ["create", "look"])
def test_a_wait_that_the_provider_asked_for_ends_when_a_stop_is_requested(settings, server, call):
    server.faults[call] = [Fault(status=429, headers={"Retry-After": "600"})]
    stop = threading.Timer(0.3, lambda: (settings.run_root / "STOP_REQUESTED").touch())
    stop.start()
    with pytest.raises(StopRequested):
        run(settings, server)
    stop.join()
    (settings.run_root / "STOP_REQUESTED").unlink()
    assert len(run(settings, server)) == 4
    assert len(server.billed) == 4


def test_a_batch_rejected_for_good_is_counted_and_named(server, tmp_path):
    settings = experiment_settings(server, tmp_path, max_attempts=2)
    problem = {"code": "model_not_found", "message": "The model does not exist"}
    server.errors = [[problem]] * 9
    with pytest.raises(ProviderError, match="4 errored") as told:
        run(settings, server)
    assert "model_not_found: The model does not exist" in told.value.fix
    assert (len(server.batches), server.billed) == (1, [])
    with Ledger(settings.run_root / "ledger" / settings.trials[0].name) as ledger:
        assert {entry.error for entry in ledger.shards.values()} == {
            "model_not_found: The model does not exist"
        }


def test_a_batch_that_failed_at_the_provider_is_sent_again(server, tmp_path):
    settings = experiment_settings(server, tmp_path, max_attempts=2)
    server.errors = [[{"code": "server_error", "message": "Please try again"}], []]
    assert len(run(settings, server)) == 8
    assert (len(server.batches), len(server.billed)) == (2, 4)


def test_a_crash_before_the_answer_is_on_disk_adopts_the_batch(settings, server, monkeypatch):
    real = OpenAIBatch.create

    def create_and_die(*args, **options):
        real(*args, **options)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(OpenAIBatch, "create", create_and_die)
        with pytest.raises(Killed):
            run(settings, server)
    assert len(run(settings, server)) == 4
    assert (server.calls["create"], len(server.billed)) == (1, 4)
