"""What a run would send: every rendered request is counted; nothing is written or sent."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scripts.dispatch.key_index import KeySet
from scripts.dispatch.store import find_sources, read_answers
from scripts.experiment.datasets import read_items
from scripts.experiment.prompts import find_prompt
from scripts.experiment.settings import Settings
from scripts.money.budget import BYTES_PER_TOKEN, estimate_usage
from scripts.money.ledger import Ledger
from scripts.money.price import Price
from scripts.providers import Provider, make_provider
from scripts.providers.base import Messages
from scripts.providers.options import service_digest
from scripts.records import Item, Trial, Usage, digest, request_key

TYPICAL_BYTES_PER_TOKEN = 4
"""About right for English text; `BYTES_PER_TOKEN` overestimates."""

TALLIES_AT_ONCE = 8
"""How many groups of trials share one pass over the items; each keeps its own look-up."""


@dataclasses.dataclass(frozen=True)
class TrialForecast:
    """What one trial would send."""

    trial: Trial
    n_requests: int
    """Items times replicates."""
    n_sent: int
    """Requests that are paid: the run's ledger holds them or, with ``reuse: store``, another run's."""
    n_repeated: int
    """Requests that are identical to another one of this trial, which is sent once."""
    input_tokens: int
    """Of the requests to send, estimated from above, as a budget reserves them."""
    output_limit: int
    """Tokens of one answer at most."""

    @property
    def n_to_send(self) -> int:
        """Requests that are left to send."""
        return self.n_requests - self.n_sent - self.n_repeated

    def typical_usage(self, answer_tokens: float) -> Usage:
        """Tokens where an answer has `answer_tokens` on average."""
        answers = self.n_to_send * min(answer_tokens, self.output_limit)
        return Usage(self.input_tokens * BYTES_PER_TOKEN // TYPICAL_BYTES_PER_TOKEN, math.ceil(answers))

    @property
    def upper_usage(self) -> Usage:
        """Tokens where every answer is as long as it may be."""
        return Usage(self.input_tokens, self.n_to_send * self.output_limit)

    def describe(self, price: Price | None, answer_tokens: float) -> dict[str, Any]:
        """Give the counts, and the range of tokens and dollars; no price is null, never 0."""
        typical, upper = self.typical_usage(answer_tokens), self.upper_usage
        return {
            "n_requests": self.n_requests,
            "n_sent": self.n_sent,
            "n_repeated": self.n_repeated,
            "n_to_send": self.n_to_send,
            "input_tokens": span(typical.input_tokens, upper.input_tokens),
            "output_tokens": span(typical.output_tokens, upper.output_tokens),
            "cost_usd": None if price is None else self._cost(price, typical, upper),
            "price": None if price is None else price.to_json(),
        }

    def _cost(self, price: Price, typical: Usage, upper: Usage) -> dict[str, float | None]:
        """Give the range of dollars; the typical request determines the tier of the typical figure."""
        usual = price.for_request((typical.input_tokens or 0) // max(self.n_to_send, 1))
        return span(_dollars(usual, typical), _dollars(price, upper))


def span(typical: float | None, upper: float | None) -> dict[str, float | None]:
    """Make a range from the typical figure to the upper one."""
    return {"typical": typical, "upper": upper}


def _dollars(price: Price, usage: Usage) -> float:
    cost = price.cost(usage)
    assert cost is not None, "an estimate names all its tokens"
    return float(cost)


class _Tally:
    """
    Counts the requests of trials whose bodies differ in numbers only.

    A trial that has sent before is counted by itself, as what it has sent depends on every key.
    """

    def __init__(
        self, trials: Sequence[Trial], provider: Provider, ledger_folder: Path, service: str | None
    ) -> None:
        self.trials = trials
        self.provider = provider
        self.limits: dict[str, int] = {}
        self.n_items = self.n_sent = self.n_repeated = self.input_tokens = 0
        self._sent, self._seen = KeySet(), KeySet()
        ledger = Ledger.read(ledger_folder)
        for entry in ledger.shards.values():
            if entry.is_live:
                self._sent.update(ledger.read_keys(entry.shard))
        for source, entry in find_sources(ledger_folder, service) if service else ():
            self._sent.update(answer.request_key for answer in read_answers(source, entry, provider))
        self._has_sent = len(self._sent) > 0

    def __enter__(self) -> _Tally:
        return self

    def __exit__(self, *error: Any) -> None:
        self._sent.__exit__(*error)
        self._seen.__exit__(*error)

    @property
    def _replicates(self) -> int:
        return self.trials[0].replicates if self._has_sent else 1

    def add(self, messages: Messages, dataset: str, item: Item) -> None:
        """Count the requests of one item."""
        body = self.provider.body(messages, self.trials[0], dataset, item)
        if not self.n_items:
            for trial in self.trials:
                usage = estimate_usage(self.provider.body(messages, trial, dataset, item))
                self.limits[trial.name] = usage.output_tokens or 0
        self.n_items += 1
        for replicate in range(self._replicates):
            key = request_key(body, replicate)
            if not self._seen.add(key):
                self.n_repeated += 1
            elif self._has_sent and key in self._sent:
                self.n_sent += 1
            else:
                self.input_tokens += estimate_usage(body).input_tokens or 0

    def forecasts(self) -> Iterator[TrialForecast]:
        """Yield what each of the trials would send."""
        for trial in self.trials:
            times = trial.replicates // self._replicates
            yield TrialForecast(
                trial,
                self.n_items * trial.replicates,
                self.n_sent,
                self.n_repeated * times,
                self.input_tokens * times,
                self.limits[trial.name],
            )


def forecast_trials(settings: Settings) -> list[TrialForecast]:
    """
    Count what every trial of a checked configuration would send, in the configuration's order.

    One item is in memory at a time; a prompt is rendered once for all trials that share it (at most
    `TALLIES_AT_ONCE` groups of them).

    Raises
    ------
    PipelineError
        For an item that cannot be read or rendered, or a ledger that cannot be read.
    """
    found: dict[str, TrialForecast] = {}
    for name in dict.fromkeys(trial.prompt for trial in settings.trials):
        groups = _group(settings, [trial for trial in settings.trials if trial.prompt == name])
        for start in range(0, len(groups), TALLIES_AT_ONCE):
            for forecast in _forecast_groups(settings, name, groups[start : start + TALLIES_AT_ONCE]):
                found[forecast.trial.name] = forecast
    return [found[trial.name] for trial in settings.trials]


def _group(settings: Settings, trials: Sequence[Trial]) -> list[list[Trial]]:
    """Group the trials of a prompt whose requests have the same texts, and so the same tokens."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        texts = {key: value for key, value in trial.sampling.items() if isinstance(value, str | list | dict)}
        has_ledger = settings.paths.ledger(trial.name).is_dir()
        key = trial.name if has_ledger or _reuses(settings) else digest([trial.model, texts])
        groups.setdefault(key, []).append(trial)
    return list(groups.values())


def _reuses(settings: Settings) -> bool:
    return bool(settings.config["reuse"] == "store")


def _forecast_groups(
    settings: Settings, prompt_name: str, groups: Sequence[Sequence[Trial]]
) -> list[TrialForecast]:
    prompt = find_prompt(settings, prompt_name)
    with contextlib.ExitStack() as stack:
        tallies = [
            stack.enter_context(
                _Tally(
                    trials,
                    make_provider(settings, trials[0].model),
                    settings.paths.ledger(trials[0].name),
                    service_digest(settings, trials[0].model) if _reuses(settings) else None,
                )
            )
            for trials in groups
        ]
        for dataset, item in iterate_items(settings):
            messages = prompt.messages(item)
            for tally in tallies:
                tally.add(messages, dataset, item)
        return [forecast for tally in tallies for forecast in tally.forecasts()]


def iterate_items(settings: Settings) -> Iterator[tuple[str, Item]]:
    """Yield every item that the run asks, with the name of its dataset."""
    for name, entry in settings.config["datasets"].items():
        path = settings.find_file(entry["path"], "datasets", name, "path")
        for item in read_items(path, limit=settings.config["limit_items"]):
            yield name, item


def count_items(settings: Settings) -> dict[str, dict[str, int]]:
    """Count the items of each dataset and their clusters; an item without a cluster is its own."""
    counts = {name: {"n_items": 0, "n_clusters": 0} for name in settings.config["datasets"]}
    with KeySet() as clusters:
        for name, item in iterate_items(settings):
            counts[name]["n_items"] += 1
            is_new = item.cluster is None or clusters.add(f"{name}/{item.cluster}")
            counts[name]["n_clusters"] += is_new
    return counts
