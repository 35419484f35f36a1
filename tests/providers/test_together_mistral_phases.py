"""Phases with the adapters `together` and `mistral`: what is sent, billed and written, what is refused."""

from __future__ import annotations

import dataclasses
import functools
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mistral_server
import pytest
import together_server
from batch_peers import make_requests
from openai_server import Fault, OpenAIServer, answer

from scripts.checks import check_settings
from scripts.dispatch import sender
from scripts.errors import PipelineError, ProviderError, UnknownOutcomeError
from scripts.files import read_jsonl
from scripts.ledger import Ledger
from scripts.poll import poll_trial
from scripts.prompts import load_template, used_fields
from scripts.providers import Provider, make_provider, provider_class
from scripts.submit import submit_trial
from tests.unit.sending_fakes import Killed, events, make_settings, write_requests
from tests.workflow.harness import Experiment, simulated_config


@dataclasses.dataclass
class Case:
    """One provider: its service, and what its rows and words look like."""

    name: str
    model: str
    service: OpenAIServer
    base_url: str
    failed: Callable[..., dict[str, Any]]
    expired: str
    retries: str
    """What holds how long a list is tried again."""

    @property
    def adapter(self) -> type[Provider]:
        return provider_class(self.name)

    def settings(self, root: Path, **options: Any):
        extra = {key: options.pop(key) for key in ("sampling", "max_error_rate") if key in options}
        place = {"base_url": self.base_url, "poll_seconds": 0.02, "timeout_seconds": 60}
        return make_settings(
            root,
            model={"provider": self.name, "model": self.model},
            providers={self.name: {**place, **options}},
            **extra,
        )


def together_case(service):
    return Case(
        name="together",
        model="meta-llama/Llama-3.3-70B-Instruct-Turbo",
        service=service,
        base_url=service.url,
        failed=functools.partial(together_server.failed, code="500"),
        expired="EXPIRED",
        retries="scripts.providers.together_batch.LIST_RETRIES",
    )


def mistral_case(service):
    return Case(
        name="mistral",
        model="mistral-small-latest",
        service=service,
        base_url=service.url,
        failed=functools.partial(mistral_server.failed, status=500),
        expired="TIMEOUT_EXCEEDED",
        retries="scripts.providers.mistral_batch.LIST_PATIENCE_S",
    )


CASES = {
    "together": (together_server.TogetherServer, together_case),
    "mistral": (mistral_server.MistralServer, mistral_case),
}


@pytest.fixture(params=CASES)
def case(request, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sender, "FIRST_REST_S", 0.05)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    make_service, make_case = CASES[request.param]
    with make_service().running() as service:
        monkeypatch.setenv(f"{request.param.upper()}_API_KEY", service.key)
        case = make_case(service)
        monkeypatch.setattr(case.adapter, "lag_seconds", 0.3)
        monkeypatch.setattr(case.retries, 0)
        yield case
    assert service.breaches == []
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert service.key.encode() not in path.read_bytes(), path


def run(settings, *, phases=("submit", "poll"), n=4):
    """What the two phases do; the replies' outcomes."""
    (trial,) = settings.trials
    folder = settings.run_root / "trials" / trial.name
    provider = make_provider(settings, "m")
    requests = write_requests(folder / "requests.jsonl", make_requests(provider, n))
    if "submit" in phases:
        submit_trial(settings, trial, requests, out=folder / "batches.json")
    if "poll" in phases:
        poll_trial(settings, trial, requests, out=folder / "replies.jsonl")
        return [row for _, row in read_jsonl(folder / "replies.jsonl")]
    return []


def test_a_run_sends_and_bills_every_request_once(case, tmp_path):
    settings = case.settings(tmp_path)
    rows = run(settings)
    assert len(case.service.billed) == len(set(case.service.billed)) == len(rows) == 4
    assert (run(settings), len(case.service.batches)) == (rows, 1)


@pytest.mark.parametrize(
    "fault", [Fault(is_done=True), Fault(status=502, is_done=True), Fault(cut_after=9)], ids=repr
)
def test_a_batch_whose_answer_was_lost_is_adopted_and_billed_once(case, tmp_path, fault):
    settings = case.settings(tmp_path)
    case.service.faults["create"] = [dataclasses.replace(fault)]
    with pytest.raises(UnknownOutcomeError):
        run(settings)
    assert len(run(settings)) == 4
    assert (case.service.calls["create"], len(case.service.billed)) == (1, 4)
    assert events(settings, settings.trials[0].name)[:3] == ["planned", "intent", "submitted"]


def test_a_batch_that_surely_does_not_exist_is_sent_after_the_lists_had_their_time(
    case, tmp_path, monkeypatch
):
    monkeypatch.setattr(case.adapter, "lag_seconds", 1.5)
    settings = case.settings(tmp_path)
    case.service.faults["create"] = [Fault(status=500)]
    with pytest.raises(UnknownOutcomeError):
        run(settings)
    assert len(run(settings)) == 4
    assert (case.service.calls["create"], len(case.service.billed)) == (2, 4)


def test_nothing_is_sent_while_the_provider_cannot_tell(case, tmp_path):
    settings = case.settings(tmp_path)
    case.service.faults["create"] = [Fault(is_done=True)]
    case.service.faults["list"] = [Fault(times=2)]
    for _ in range(3):
        with pytest.raises(UnknownOutcomeError):
            run(settings)
    run(settings)
    assert (case.service.calls["create"], len(case.service.billed)) == (1, 4)


def test_a_crash_before_the_answer_is_on_disk_adopts_the_batch(case, tmp_path, monkeypatch):
    settings = case.settings(tmp_path)
    real = case.adapter.create

    def create_and_die(*args, **options):
        real(*args, **options)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(case.adapter, "create", create_and_die)
        with pytest.raises(Killed):
            run(settings)
    assert len(run(settings)) == 4
    assert (case.service.calls["create"], len(case.service.billed)) == (1, 4)


def test_a_busy_provider_is_waited_for_and_an_upload_that_broke_is_made_again(case, tmp_path):
    case.service.faults["upload"] = [Fault(times=4)]
    case.service.faults["create"] = [Fault(status=429, headers={"Retry-After": "0.1"}), Fault(status=429)]
    assert len(run(case.settings(tmp_path))) == 4
    assert (case.service.calls["create"], len(case.service.billed)) == (3, 4)


def test_reads_that_fail_are_tried_again(case, tmp_path):
    case.service.faults["look"] = [Fault(), Fault(status=429), Fault(status=500)]
    case.service.faults["download"] = [Fault(cut_after=100), Fault(status=503)]
    assert len(run(case.settings(tmp_path), n=30)) == 30
    assert len(case.service.billed) == 30


def test_a_batch_that_is_not_found_at_once_is_not_lost(case, tmp_path, monkeypatch):
    monkeypatch.setattr(case.adapter, "lag_seconds", 60.0)
    case.service.faults["look"] = [Fault(status=404, times=2)]
    assert len(run(case.settings(tmp_path))) == 4
    assert len(case.service.batches) == 1


def test_a_batch_of_another_key_is_named_as_such(case, tmp_path, monkeypatch):
    monkeypatch.setattr(case.adapter, "lag_seconds", 0.0)
    settings = case.settings(tmp_path)
    run(settings, phases=["submit"])
    case.service.faults["look"] = [Fault(status=404, times=99)]
    case.service.key = "planted-other-0000000"
    monkeypatch.setenv(f"{case.name.upper()}_API_KEY", case.service.key)
    with pytest.raises(ProviderError, match="was sent with another key"):
        run(settings)


def test_failed_missing_double_and_shuffled_rows_are_sent_again_or_counted_once(case, tmp_path):
    def finish(rows):
        if len(rows) < 8:
            return [answer(row) for row in rows], []
        done = [answer(row) for row in rows[2:]] + [answer(rows[5])]
        random.Random(1).shuffle(done)
        return done, [case.failed(rows[0])]

    case.service.statuses, case.service.finish = ["RUNNING", case.expired], finish
    rows = run(case.settings(tmp_path), n=8)
    assert [len([row for row in rows if row["attempt"] == attempt]) for attempt in (1, 2)] == [8, 2]
    assert sum(row["row"] is None for row in rows) == 1
    assert [len(asked) for asked in case.service.asked.values()] == [8, 2]


def test_a_batch_that_fails_for_good_is_counted_and_named(case, tmp_path):
    settings = case.settings(tmp_path, max_attempts=2)
    case.service.reasons = ["the model cannot be used in batches"] * 9
    with pytest.raises(ProviderError, match="4 errored"):
        run(settings)
    assert (len(case.service.batches), case.service.billed) == (2, [])
    with Ledger(settings.run_root / "ledger" / settings.trials[0].name) as ledger:
        entries = list(ledger.shards.values())
    assert {entry.error for entry in entries} == {"the model cannot be used in batches"}
    assert {len(entry.account or "") for entry in entries} == {12}


# What is refused before anything is sent.


def check_message(settings):
    load_template.cache_clear()
    used_fields.cache_clear()
    with pytest.raises(PipelineError) as caught:
        check_settings(settings)
    return str(caught.value)


def test_a_sound_configuration_passes_and_one_without_a_key_does_not(case, tmp_path, monkeypatch):
    sampling = {"temperature": 1.5, "seed": 3, "stop": ".", "reasoning_effort": "low"}
    settings = case.settings(tmp_path, sampling=sampling)
    check_settings(settings)
    assert case.service.calls == {}
    monkeypatch.delenv(f"{case.name.upper()}_API_KEY")
    assert f"{case.name.upper()}_API_KEY" in check_message(settings)


REFUSED = [
    ({"temperature": 1.9, "presence_penalty": 3}, "must be a number from"),
    ({"reasoning_effort": "huge"}, "must be one of"),
    ({"seed": 1.5}, "must be a whole number"),
    ({"stop": 3}, "must be a text"),
    ({"best_of": 3}, "does not take 'best_of'"),
]


@pytest.mark.parametrize(("sampling", "words"), REFUSED)
def test_a_setting_that_the_provider_would_refuse_is_refused_first(case, tmp_path, sampling, words):
    assert words in check_message(case.settings(tmp_path, sampling=sampling))


def test_an_address_with_a_secret_is_refused_and_not_shown(case, tmp_path):
    message = check_message(case.settings(tmp_path, base_url="https://me:hunter2@host"))
    assert "base_url" in message
    assert "hunter2" not in message


@pytest.mark.parametrize("case", ["mistral"], indirect=True)
def test_a_job_may_not_take_longer_than_it_is_waited_for(case, tmp_path):
    message = check_message(case.settings(tmp_path, timeout_hours=48))
    assert "max_wait_hours" in message
    check_settings(case.settings(tmp_path, timeout_hours=48, max_wait_hours=50))


@pytest.mark.workflow
def test_a_whole_run_against_the_server(case, tmp_path):
    config = simulated_config(
        models={"one": {"provider": case.name, "model": case.model}},
        providers={case.name: {"base_url": case.base_url, "poll_seconds": 0.1}},
        trials={"sweep": {"prompt": ["control", "treatment"]}, "baseline": {"prompt": "control"}},
    )
    experiment = Experiment(tmp_path).write(config)
    done = experiment.run()
    assert done.returncode == 0, done.stderr
    assert len(case.service.billed) == len(set(case.service.billed)) == 16
    assert {trial["outcomes"]["answered"] for trial in experiment.summary()["trials"]} == {8}
    assert all(trial["cost_usd"] > 0 for trial in experiment.summary()["trials"])
    again = experiment.run()
    assert "Nothing to be done" in again.stderr + again.stdout
    assert len(case.service.batches) == 2
    assert os.environ[f"{case.name.upper()}_API_KEY"] not in done.stdout + done.stderr
