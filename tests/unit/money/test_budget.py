"""The budget of a run: what is in flight counts, and nothing passes it."""

from __future__ import annotations

import pytest

from scripts.dispatch.selection import unsent_requests
from scripts.errors import ProviderError
from scripts.money.books import read_books
from scripts.money.budget import estimate_usage
from scripts.money.ledger import Ledger
from scripts.money.price_book import (
    REHEARSAL,
)
from scripts.records import Usage
from tests.fakes.sending_fakes import (
    FakeProvider,
    make_fake_sender,
    make_requests,
    make_settings,
    write_requests,
)


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        ({"messages": [{"role": "user", "content": "é" * 30}], "max_tokens": 7}, (26, 7)),
        ({"messages": [], "max_completion_tokens": 9}, (1, 9)),
        ({"messages": []}, (1, 4096)),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x" * 300}]}]}, (109, 4096)),
        ({"system": "x" * 300, "messages": [], "max_tokens": None}, (103, 4096)),
    ],
)
def test_estimates_take_in_every_text_and_the_longest_answer(body, usage):
    assert estimate_usage(body) == Usage(*usage)


class Budget:
    def __init__(self, root, usd):
        self.settings = make_settings(root, budget_usd=usd)
        self.provider = FakeProvider()

    def send(self, requests, trial):
        path = write_requests(self.settings.run_root / f"{trial}.jsonl", requests)
        with Ledger(self.settings.run_root / "ledger" / trial) as ledger:
            sender = make_fake_sender(self.settings, ledger, self.provider)
            sender.send(unsent_requests(path, ledger), attempt=1)

    @property
    def spent(self):
        return read_books(self.settings.run_root / "ledger").committed_usd


ONE = REHEARSAL.cost(estimate_usage(make_requests(1)[0].body))


def test_what_is_in_flight_counts_against_the_budget_of_all_trials(tmp_path):
    budget = Budget(tmp_path, float(3 * ONE))
    budget.send(make_requests(2), "one")
    assert budget.spent == pytest.approx(2 * ONE)
    with pytest.raises(ProviderError, match=r"two: budget_usd|budget_usd: sending may cost \$0\.0001"):
        budget.send(make_requests(2, text="Questions"), "two")
    assert len(budget.provider.batches) == 1
    budget.send(make_requests(1), "three")
    assert len(budget.provider.batches) == 2


def test_what_a_batch_did_cost_takes_the_place_of_what_was_reserved(tmp_path):
    budget = Budget(tmp_path, float(3 * ONE))
    budget.send(make_requests(3), "one")
    with Ledger(budget.settings.run_root / "ledger" / "one") as ledger:
        ledger.record("reconciled", "s0001", cost_usd=0.0)
    assert budget.spent == 0
    budget.send(make_requests(3), "two")
    assert len(budget.provider.batches) == 2


def test_what_was_sent_before_there_was_a_budget_counts_too(tmp_path):
    without = Budget(tmp_path, None)
    without.send(make_requests(2), "one")
    budget = Budget(tmp_path, float(2 * ONE))
    assert budget.spent == pytest.approx(2 * ONE)
    with pytest.raises(ProviderError, match="is spent or reserved"):
        budget.send(make_requests(1), "two")


def test_a_refused_batch_costs_nothing(tmp_path):
    budget = Budget(tmp_path, 1)

    def refuse():
        raise ProviderError("no", where="fake", fix="x")

    budget.provider.before = refuse
    with pytest.raises(ProviderError):
        budget.send(make_requests(2), "one")
    assert budget.spent == 0


def test_a_budget_of_nothing_sends_nothing(tmp_path):
    budget = Budget(tmp_path, 1e-9)
    with pytest.raises(ProviderError, match=r"of the run's \$1e-09"):
        budget.send(make_requests(1), "one")
    assert not budget.provider.batches


def test_a_model_without_a_price_cannot_keep_a_budget(tmp_path):
    settings = make_settings(tmp_path, budget_usd=5)
    (tmp_path / "r.jsonl").write_text("")
    settings.config["models"]["m"] = {"provider": "replay", "recorded": str(tmp_path / "r.jsonl")}
    with (
        Ledger(settings.run_root / "ledger" / "t") as ledger,
        pytest.raises(ProviderError, match="'m' has no price, so budget_usd cannot be enforced"),
    ):
        make_fake_sender(settings, ledger, FakeProvider()).send(make_requests(1), attempt=1)
