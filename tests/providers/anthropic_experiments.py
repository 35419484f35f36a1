"""A small experiment whose only model is one of Anthropic's."""

from __future__ import annotations

import json

import pytest
import yaml

from scripts.dispatch.replies import Settled
from scripts.experiment.settings import load_settings
from scripts.files import dump_line
from scripts.poll import poll_trial
from scripts.providers import make_provider
from scripts.records import Item, Request
from scripts.submit import submit_trial
from tests.providers.anthropic_server import KEY, message, serve
from tests.providers.batch_peers import SHORT_RESTS


def load_experiment(folder, base_url="http://127.0.0.1:1", **extra):
    """Read a configuration with one model of the provider's."""
    (folder / "items.jsonl").write_text(dump_line({"id": "q", "question": "?", "answers": ["yes"]}))
    (folder / "user.md").write_text("{{ question }}")
    config = {
        "run_id": "r",
        "experiments_dir": str(folder / "experiments"),
        "datasets": {"d": {"path": str(folder / "items.jsonl"), "scorer": "short_answer"}},
        "prompts": {"p": {"user": str(folder / "user.md")}},
        "models": {"m": {"provider": "anthropic", "model": "claude-haiku-4-5"}},
        "trials": {"sweep": {"model": ["m"], "prompt": ["p"]}},
        "providers": {"anthropic": {"base_url": base_url}},
        **extra,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return load_settings([folder / "config.yaml"])


N = 4


class Bench:
    """A run of one trial with four requests."""

    def __init__(self, folder, service):
        options = {"base_url": service.base_url, "poll_seconds": 0.05, "timeout_seconds": 60}
        options["preflight"] = False
        self.folder = folder
        self.settings = load_experiment(folder, providers={"anthropic": options}, max_error_rate=1.0)
        self.trial = self.settings.trials[0]
        self.provider = make_provider(self.settings, "m")
        turns = [[{"role": "user", "content": f"Question {k}?"}] for k in range(N)]
        item = Item("q", "?", ("yes",))
        requests = [
            Request.render(
                dataset="d",
                item_id=f"q{k}",
                replicate=0,
                body=self.provider.body(turn, self.trial, "d", item),
            )
            for k, turn in enumerate(turns)
        ]
        self.keys = [request.request_key for request in requests]
        self.requests = folder / "requests.jsonl"
        self.requests.write_text("".join(dump_line(request.to_json()) for request in requests))

    def submit(self):
        submit_trial(self.settings, self.trial, self.requests, out=self.folder / "batches.json")
        return [
            batch["batch_id"] for batch in json.loads((self.folder / "batches.json").read_text())["batches"]
        ]

    def poll(self):
        """Poll, and give the last outcome of each request in order."""
        poll_trial(self.settings, self.trial, self.requests, out=self.folder / "replies.jsonl")
        rows = [json.loads(line) for line in (self.folder / "replies.jsonl").read_text().splitlines()]
        last = {row["request_key"]: Settled.from_json(row).read(self.provider).outcome.value for row in rows}
        assert list(last) == self.keys
        return list(last.values())


@pytest.fixture(name="service")
def service_fixture(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    for place, seconds in SHORT_RESTS.items():
        monkeypatch.setattr(place, seconds)
    with serve() as service:
        yield service


@pytest.fixture(name="bench")
def bench_fixture(tmp_path, service):
    return Bench(tmp_path, service)


def sizes(service):
    return [len(batch.requests) for batch in service.batches.values()]


def fail_once(service, result, *, n=1):
    """Make the first `n` requests fail in the first batch."""
    failed = []

    def answer(request):
        key = request["custom_id"]
        if len(service.batches) == 1 and (key in failed or len(failed) < n):
            failed.append(key)
            return result
        return message()

    service.answer = answer
