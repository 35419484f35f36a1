"""A trial that is sent to a scripted provider and polled."""

from __future__ import annotations

import json

from scripts import poll
from scripts.dispatch.replies import Settled
from scripts.dispatch.selection import unsent_requests
from scripts.money.ledger import Ledger
from scripts.poll import poll_trial
from tests.fakes.sending_fakes import (
    FakeProvider,
    make_fake_sender,
    make_settings,
    write_requests,
)


class Bench:
    """A run with one trial and a scripted provider in the place of its own."""

    def __init__(self, root, monkeypatch, requests, **extra):
        self.settings = make_settings(root, **{"max_error_rate": 1.0, **extra})
        self.trial = self.settings.trials[0]
        self.provider = FakeProvider()
        self.folder = self.settings.run_root / "ledger" / self.trial.name
        self.requests = write_requests(root / "requests.jsonl", requests)
        self.out = root / "replies.jsonl"
        monkeypatch.setattr(poll, "make_sender", self.make_sender)

    def make_sender(self, settings, trial, ledger):
        return make_fake_sender(self.settings, ledger, self.provider)

    def submit(self):
        with Ledger(self.folder) as ledger:
            sender = self.make_sender(self.settings, self.trial, ledger)
            sender.send(unsent_requests(self.requests, ledger), attempt=1)

    def poll(self):
        poll_trial(self.settings, self.trial, self.requests, out=self.out)
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def run(self):
        self.submit()
        return self.poll()

    def outcomes(self, rows):
        last = {row["request_key"]: Settled.from_json(row).read(self.provider).outcome for row in rows}
        return list(last.values())
