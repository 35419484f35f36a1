"""Phases with the adapter `fireworks`: what is sent, billed and written, and what is refused before."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from batch_peers import PEERS, make_requests, server_fixture, start  # noqa: F401 - fixtures
from faulty_server import Fault
from fireworks_replies import answer, failed
from fireworks_server import ACCOUNT

from scripts.checks import check_settings
from scripts.errors import NoBatchError, PipelineError, ProviderError, UnknownOutcomeError
from scripts.files import read_json, read_jsonl
from scripts.ledger import Ledger
from scripts.poll import poll_trial
from scripts.pricing import find_price
from scripts.prompts import load_template, used_fields
from scripts.providers.fireworks_batch import FireworksBatch
from scripts.state_utils import StopRequested
from scripts.submit import submit_trial
from tests.unit.sending_fakes import Killed, events, make_settings, write_requests
from tests.workflow.harness import Experiment, simulated_config

MODEL = PEERS["fireworks"].model


@pytest.fixture
def peer():
    return PEERS["fireworks"]


OPTIONS = {"account": ACCOUNT, "poll_seconds": 0.02, "timeout_seconds": 60}


@pytest.fixture
def settings(server, tmp_path):
    return experiment_settings(server, tmp_path)


def experiment_settings(server, root: Path, model=MODEL, **options: Any):
    extra = {key: options.pop(key) for key in ("sampling", "max_error_rate") if key in options}
    merged = {"base_url": server.url, **OPTIONS, **options}
    return make_settings(
        root,
        model={"provider": "fireworks", "model": model},
        providers={"fireworks": {key: value for key, value in merged.items() if value is not None}},
        **extra,
    )


def run(settings, *, phases=("submit", "poll"), n=4):
    """What the two phases do; the replies' outcomes."""
    (trial,) = settings.trials
    folder = settings.run_root / "trials" / trial.name
    provider = FireworksBatch.from_settings(settings, "m")
    requests = write_requests(folder / "requests.jsonl", make_requests(provider, n))
    if "submit" in phases:
        submit_trial(settings, trial, requests, out=folder / "batches.json")
    if "poll" in phases:
        poll_trial(settings, trial, requests, out=folder / "replies.jsonl")
        return [row for _, row in read_jsonl(folder / "replies.jsonl")]
    return []


def test_a_run_sends_and_bills_every_request_once(settings, server):
    rows = run(settings)
    assert len(server.billed) == len(set(server.billed)) == len(rows) == 4
    assert (run(settings), len(server.batches)) == (rows, 1)


@pytest.mark.parametrize(
    "fault", [Fault(is_done=True), Fault(status=504, is_done=True), Fault(cut_after=9)], ids=repr
)
def test_a_job_whose_answer_was_lost_is_adopted_and_billed_once(settings, server, fault):
    server.faults["create"] = [dataclasses.replace(fault)]
    with pytest.raises(UnknownOutcomeError):
        run(settings)
    assert len(run(settings)) == 4
    assert (server.calls["create"], len(server.billed)) == (1, 4)
    assert events(settings, settings.trials[0].name)[:3] == ["planned", "intent", "submitted"]


def test_a_job_that_surely_does_not_exist_is_sent_after_the_provider_had_its_time(
    settings, server, monkeypatch
):
    monkeypatch.setattr(FireworksBatch, "lag_seconds", 1.5)
    server.faults["create"] = [Fault(status=500)]
    with pytest.raises(UnknownOutcomeError):
        run(settings)
    assert len(run(settings)) == 4
    assert (server.calls["create"], len(server.billed)) == (2, 4)


def test_nothing_is_sent_while_the_provider_cannot_tell(settings, server, monkeypatch):
    monkeypatch.setattr("scripts.providers.fireworks_batch.FIND_RETRIES", 0)
    server.faults["create"] = [Fault(is_done=True)]
    server.faults["look"] = [Fault(times=2)]
    for _ in range(3):
        with pytest.raises(UnknownOutcomeError):
            run(settings)
    run(settings)
    assert (server.calls["create"], len(server.billed)) == (1, 4)


def test_a_crash_before_the_answer_is_on_disk_adopts_the_job(settings, server, monkeypatch):
    real = FireworksBatch.create

    def create_and_die(*args, **options):
        real(*args, **options)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(FireworksBatch, "create", create_and_die)
        with pytest.raises(Killed):
            run(settings)
    assert len(run(settings)) == 4
    assert (server.calls["create"], len(server.billed)) == (1, 4)


def test_a_busy_provider_and_a_slow_dataset_are_waited_for(settings, server):
    server.looks_until_ready = 5
    server.faults["dataset"] = [Fault(status=503)]
    server.faults["upload"] = [Fault()]
    server.faults["create"] = [Fault(status=429, headers={"Retry-After": "0.1"})]
    assert len(run(settings)) == 4
    assert (server.calls["upload"], server.calls["create"], len(server.billed)) == (2, 2, 4)


def test_reads_that_fail_are_tried_again(settings, server):
    server.faults["look"] = [Fault(), Fault(status=429, headers={"Retry-After": "0.1"}), Fault(status=500)]
    server.faults["endpoint"] = [Fault(status=500), Fault(status=404)]
    server.faults["download"] = [Fault(cut_after=100), Fault(status=403)]
    assert len(run(settings, n=30)) == 30
    assert len(server.billed) == 30


def test_a_job_that_is_not_found_at_once_is_not_lost_and_one_that_is_gone_is_an_error(
    settings, server, monkeypatch
):
    monkeypatch.setattr(FireworksBatch, "lag_seconds", 30.0)
    server.faults["look"] = [Fault(status=404, times=2)]
    assert len(run(settings)) == 4
    assert len(server.batches) == 1
    monkeypatch.setattr(FireworksBatch, "lag_seconds", 0.0)
    run(settings, phases=["submit"], n=5)
    server.faults["look"] = [Fault(status=404, times=99)]
    with pytest.raises(NoBatchError, match="is not there"):
        run(settings, n=5)


def test_expired_failed_double_and_shuffled_rows_are_sent_again_or_counted_once(settings, server):
    def finish(rows):
        if len(rows) < 8:
            return [answer(row) for row in rows], []
        done = [answer(row) for row in rows[2:]] + [answer(rows[5])]
        random.Random(1).shuffle(done)
        return done, [failed(rows[0], 503)]

    server.statuses, server.finish = ["JOB_STATE_RUNNING", "JOB_STATE_EXPIRED"], finish
    rows = run(settings, n=8)
    assert [len([row for row in rows if row["attempt"] == attempt]) for attempt in (1, 2)] == [8, 2]
    assert [row["absent"] for row in rows if row["row"] is None] == ["expired"]
    assert (len(server.billed), len(server.batches)) == (10, 2)


def test_a_job_rejected_for_good_is_counted_and_named(server, tmp_path):
    settings = experiment_settings(server, tmp_path, max_attempts=2)
    server.reasons = ["Dataset has a syntax error"] * 9
    with pytest.raises(ProviderError, match="4 errored"):
        run(settings)
    assert (len(server.batches), server.billed) == (2, [])
    with Ledger(settings.run_root / "ledger" / settings.trials[0].name) as ledger:
        assert {entry.error for entry in ledger.shards.values()} == {
            "INVALID_ARGUMENT: Dataset has a syntax error"
        }


@pytest.mark.parametrize("word", ["JOB_STATE_PENDING", "JOB_STATE_RESTING"])
def test_a_job_that_waits_for_ever_is_given_up_and_stays_at_the_provider(server, tmp_path, word):
    settings = experiment_settings(server, tmp_path, max_wait_hours=0.0001)
    server.statuses = [word]
    with pytest.raises(ProviderError, match="is not done after"):
        run(settings)
    server.statuses = ["JOB_STATE_COMPLETED"]
    assert len(run(settings)) == 4
    assert len(server.billed) == 4


@pytest.mark.parametrize("call", ["look_dataset", "create", "look"])
def test_a_wait_that_the_provider_asked_for_ends_when_a_stop_is_requested(settings, server, call):
    server.faults[call] = [Fault(status=429, headers={"Retry-After": "600"})]
    stop = threading.Timer(0.3, lambda: (settings.run_root / "STOP_REQUESTED").touch())
    stop.start()
    with pytest.raises(StopRequested):
        run(settings)
    stop.join()
    (settings.run_root / "STOP_REQUESTED").unlink()
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


# What is refused before anything is sent.


def check_message(settings):
    load_template.cache_clear()
    used_fields.cache_clear()
    with pytest.raises(PipelineError) as caught:
        check_settings(settings)
    return str(caught.value)


def test_a_sound_configuration_passes_and_calls_nobody(server, tmp_path):
    settings = experiment_settings(server, tmp_path)
    check_settings(settings)
    assert server.calls == {}
    price = find_price(settings.config, "m")
    assert price is not None
    assert "plain rates" in price.source, "docs/providers.md says that no batch rate is listed"


def test_a_key_that_is_not_there_is_named(server, tmp_path, monkeypatch):
    monkeypatch.delenv("FIREWORKS_API_KEY")
    assert "FIREWORKS_API_KEY" in check_message(experiment_settings(server, tmp_path))


REFUSED = [
    ({"account": None}, "fireworks.account: is missing"),
    ({"account": "accounts/me"}, "is 'accounts/me', but must be the account's id"),
    ({"base_url": "https://me:secret@host"}, "is not a plain address"),
    ({"base_url": "https://api.fireworks.ai/v1/"}, "without /v1"),
    ({"base_url": "https://api.fireworks.ai?key=secret"}, "is not a plain address"),
    ({"model": "gpt-oss-120b"}, "which is no full name of a model"),
    ({"model": "accounts/../x"}, "which is no full name of a model"),
    ({"sampling": {"temperature": 1.5, "top_k": 101}}, "must be a whole number from 0 to 100"),
    ({"sampling": {"top_k": 1.5}}, "must be a whole number from 0 to 100"),
    ({"sampling": {"min_p": 2}}, "must be a number from 0 to 1"),
    ({"sampling": {"repetition_penalty": -1}}, "must be a number from 0 to 2"),
    ({"sampling": {"presence_penalty": "much"}}, "must be a number from -2 to 2"),
    ({"sampling": {"reasoning_effort": "huge"}}, "must be one of none, low, medium, high"),
    ({"sampling": {"stop": 3}}, "must be a text"),
    ({"sampling": {"seed": True}}, "must be a whole number"),
    ({"sampling": {"verbosity": "low"}}, "fireworks does not take 'verbosity'"),
]


@pytest.mark.parametrize(("change", "words"), REFUSED, ids=repr)
def test_what_the_provider_would_refuse_is_refused_first(server, tmp_path, change, words):
    prices = (
        {"prices": {}} if "model" not in change else {"prices": {change["model"]: {"input": 1, "output": 1}}}
    )
    settings = experiment_settings(server, tmp_path, **change)
    settings = dataclasses.replace(settings, config={**settings.config, **prices})
    message = check_message(settings)
    assert words in message
    assert "secret" not in message
    assert server.calls == {}


def test_every_setting_that_the_provider_takes_passes(server, tmp_path):
    sampling = {
        "temperature": 2,
        "top_p": 0.5,
        "top_k": 0,
        "min_p": 0.1,
        "seed": 7,
        "stop": ".",
        "max_tokens": 9,
    }
    sampling |= {"repetition_penalty": 1.2, "presence_penalty": -2, "reasoning_effort": "low"}
    settings = experiment_settings(server, tmp_path, sampling=sampling)
    check_settings(settings)
    provider = FireworksBatch.from_settings(settings, "m")
    assert provider.body([], settings.trials[0], "d", None).items() >= sampling.items()


@pytest.mark.workflow
def test_a_whole_run_against_the_server_leaves_the_key_nowhere(server, tmp_path):
    server.statuses = ["JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_COMPLETED"]
    config = simulated_config(
        models={"llama": {"provider": "fireworks", "model": MODEL}},
        providers={"fireworks": {"base_url": server.url, "account": ACCOUNT, "poll_seconds": 0.1}},
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
    assert os.environ["FIREWORKS_API_KEY"] not in done.stdout + done.stderr + json.dumps(
        read_json(experiment.root / "run_state.json")
    )
