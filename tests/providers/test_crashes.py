"""
Kill -9 between every two steps of sending and collecting, then go on: nothing is paid twice, nothing is lost.

Phases run as they are, each time in a process of its own, against a service that keeps books; which adapters
and services there are, `crash_adapters` says.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.files import read_jsonl
from scripts.money.ledger import read_shards
from scripts.providers import PROVIDERS, make_provider
from scripts.records import Item, Request
from tests.fakes.sending_fakes import make_settings, write_requests
from tests.providers.crash_adapters import ADAPTERS, N_ITEMS, Books, Service
from tests.providers.crash_driver import Driver, Ended, driving

MAX_STEPS = 1000


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    with driving(tmp_path_factory.mktemp("driver")) as driver:
        yield driver


@dataclasses.dataclass
class Bench:
    """One trial of five requests in shards of two, and the service that it is sent to."""

    service: Service
    driver: Driver
    folder: Path
    n_decisions: int = 0
    """How often the user was asked what had become of a call."""
    at_risk: Counter[str] = dataclasses.field(default_factory=Counter)
    """How often each question had no answer in the books when somebody was killed."""

    def __post_init__(self) -> None:
        name = self.service.model["provider"]
        options = {"poll_seconds": 0.02, "max_requests": 2, **self.service.options}
        self.settings = make_settings(
            self.folder,
            n_items=N_ITEMS,
            model=self.service.model,
            providers={name: options},
            max_error_rate=1.0,
        )
        self.service.prepare(self.settings)
        (self.trial,) = self.settings.trials
        self.root = self.settings.run_root / "trials" / self.trial.name
        provider = make_provider(self.settings, "m")
        items = [Item(f"q{n}", f"Question {n}?", (f"answer {n}",)) for n in range(N_ITEMS)]
        bodies = [
            provider.body([{"role": "user", "content": item.question}], self.trial, "d", item)
            for item in items
        ]
        self.requests = write_requests(
            self.root / "build" / "requests.jsonl",
            [
                Request.render(dataset="d", item_id=item.id, replicate=0, body=body)
                for item, body in zip(items, bodies, strict=True)
            ],
        )

    def command(self, phase: str) -> list[str]:
        """The command line of a phase, as its rule has it."""
        base = [phase, "--run", str(self.settings.run_root), "--trial", self.trial.name]
        batches = str(self.root / "submit" / "batches.json")
        replies = str(self.root / "poll" / "replies.jsonl")
        files = ["--out", batches] if phase == "submit" else ["--batches", batches, "--out", replies]
        return [*base, "--requests", str(self.requests), *files]

    def run(self, *, kill_at: int | None = None, again: bool = False, stride: int = 1) -> Ended:
        """Run the phases that have not ended yet (with `again` all of them), as Snakemake does."""
        due = [
            phase
            for phase in ("submit", "poll")
            if again or not (self.root / phase / f"{phase}.made.json").exists()
        ]
        for path in [path for phase in due for path in (self.root / phase).glob("*")]:
            path.unlink()
        ended = self.driver.run(
            [self.command(phase) for phase in due],
            kill_at=kill_at,
            stride=stride,
            start_call=self.service.start_call,
            patches=self.service.patches,
            environment=self.service.environment,
        )
        if ended.was_killed:
            self.at_risk += self.service.read_unanswered(self.settings)
        return ended

    def finish(self, *, again: bool = False) -> None:
        """Resume until everything is done; where the provider cannot tell, decide as its books say."""
        while (ended := self.run(again=again)).code != 0:
            assert ended.code == 1, ended.errors
            self.decide(ended.errors)

    def decide(self, message: str) -> None:
        """Do what the message of an ambiguity asks the user for."""
        assert not self.service.can_tell, message
        adopt, resubmit = (
            yaml.safe_load(found)
            for word in ("adopt", "resubmit")
            for found in re.findall(rf"({word}: .*)", message)
        )
        ((shard, placeholder),) = adopt["adopt"].items()
        assert (placeholder, resubmit) == ("ITS-ID", {"resubmit": [shard]})
        trial, _, name = shard.rpartition("/")
        keys = (self.settings.run_root / "ledger" / trial / f"{name}.keys").read_text().split()
        found = [batch for batch, asked in self.books.items() if sorted(asked) == sorted(keys)]
        path = self.settings.run_root / "effective_config.yaml"
        config = yaml.safe_load(path.read_text())
        if found:
            config["adopt"][shard] = found[0]
        else:
            config["resubmit"].append(shard)
        path.write_text(yaml.safe_dump(config))
        self.n_decisions += 1
        assert self.n_decisions < 9, message

    @property
    def books(self) -> Books:
        return self.service.read_books(self.settings)

    @property
    def billed(self) -> Counter[str]:
        """How often each request was billed."""
        return Counter(key for keys in self.books.values() for key in keys)

    def result(self) -> list[dict[str, Any]]:
        """What came of every attempt, in order, and what the ledger says it cost."""
        rows = [row for _, row in read_jsonl(self.root / "poll" / "replies.jsonl")]
        ledger = read_shards(self.settings.run_root / "ledger" / self.trial.name / "events.jsonl")
        live = [entry for entry in ledger.values() if entry.is_live]
        assert {entry.state for entry in live} == {"reconciled"}
        assert {entry.batch_id for entry in live} == set(self.books)
        assert {row["batch_id"] for row in rows} <= set(self.books)
        cost = sum(entry.cost_usd or 0.0 for entry in live)
        named = {row["request_key"]: row for row in rows}
        assert len(named) == N_ITEMS
        return [
            {"cost_usd": pytest.approx(cost)},
            *({key: row[key] for key in ("request_key", "attempt", "row", "absent")} for row in rows),
        ]

    def assert_same(self, calm: Bench) -> None:
        """Nothing was paid but what an undisturbed run pays, and its answers are all there."""
        assert self.billed == calm.billed
        assert self.result() == calm.result()
        if self.service.read_asked is not None and calm.service.read_asked is not None:
            needed, asked = calm.service.read_asked(), self.service.read_asked()
            assert needed <= asked <= needed + self.at_risk


@contextlib.contextmanager
def bench(name: str, driver: Driver, folder: Path) -> Iterator[Bench]:
    folder.mkdir()
    with ADAPTERS[name](folder) as service:
        yield Bench(service, driver, folder / "run")


def test_every_adapter_is_killed_between_its_steps() -> None:
    assert set(ADAPTERS) == set(PROVIDERS)


@pytest.fixture(scope="module", params=sorted(ADAPTERS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def calm(
    name: str, driver: Driver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Bench, list[str]]]:
    """A run that nothing disturbs, and its steps; tests only read it."""
    with bench(name, driver, tmp_path_factory.mktemp(name) / "calm") as calm:
        ended = calm.run()
        assert ended.code == 0, ended.errors
        yield calm, ended.steps


def test_an_undisturbed_run_meets_what_the_crash_test_is_about(
    name: str, calm: tuple[Bench, list[str]]
) -> None:
    run, steps = calm
    assert len(run.books) >= 2
    assert (max(run.billed.values()) > 1) == (name != "replay")
    assert len(run.result()) == 1 + run.billed.total()
    assert len(steps) > 60


@pytest.mark.slow
def test_a_kill_in_front_of_any_step_costs_nothing_and_loses_nothing(
    name: str, calm: tuple[Bench, list[str]], driver: Driver, tmp_path: Path
) -> None:
    undisturbed, _ = calm
    n_decisions = 0
    with bench(name, driver, tmp_path / "service") as one:
        every = one.service.every
    for kill_at in range(1, MAX_STEPS, every):
        with bench(name, driver, tmp_path / f"{kill_at}") as disturbed:
            ended = disturbed.run(kill_at=kill_at, stride=disturbed.service.stride)
            disturbed.finish()
            disturbed.assert_same(undisturbed)
            n_decisions += disturbed.n_decisions
        if not ended.was_killed:
            break
    assert ended.code == 0, ended.errors
    assert kill_at > 60
    assert (n_decisions == 0) == disturbed.service.can_tell


def test_a_second_kill_in_the_resumed_run_costs_nothing_either(
    name: str, calm: tuple[Bench, list[str]], driver: Driver, tmp_path: Path
) -> None:
    undisturbed, steps = calm
    chance = random.Random(name)
    for number in range(undisturbed.service.n_double_kills):
        with bench(name, driver, tmp_path / f"{number}") as disturbed:
            disturbed.run(kill_at=chance.randint(1, len(steps)))
            disturbed.run(kill_at=chance.randint(1, len(steps)), again=chance.random() < 0.5)
            disturbed.finish()
            disturbed.finish(again=True)
            disturbed.assert_same(undisturbed)
