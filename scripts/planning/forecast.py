"""What a run would send: every rendered request is counted; nothing is written or sent."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.dispatch.claims import paid_keys
from scripts.dispatch.key_index import KeySet, RowIndex
from scripts.experiment.datasets import read_items
from scripts.experiment.prompts import find_prompt
from scripts.experiment.settings import Settings
from scripts.files import cached_sha256
from scripts.money.books import ledger_files
from scripts.money.budget import BYTES_PER_TOKEN, estimate_usage
from scripts.money.ledger import Ledger
from scripts.money.price import Price
from scripts.providers import make_provider
from scripts.providers.base import Messages
from scripts.providers.options import service_digest, service_digests
from scripts.records import Item, Trial, Usage, digest, request_key
from scripts.run.paths import ALL_LEDGERS

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
    """Requests that are paid: a ledger of the run holds them or, with ``reuse: store``, another run's."""
    n_repeated: int
    """Requests that are identical to another one of this trial, which is sent once."""
    input_tokens: int
    """Of the requests to send, estimated from above, as a budget reserves them."""
    output_limit: int
    """Tokens of one answer at most."""
    paid_under: tuple[str, ...] = ()
    """Other trials, of this run or ``run/trial``, that have paid for some of its requests, or will."""

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
            "paid_under": list(self.paid_under),
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
        self, settings: Settings, trials: Sequence[Trial], elsewhere: RowIndex, twin: Trial | None
    ) -> None:
        self.trials = trials
        self._twin = twin
        self.provider = make_provider(settings, trials[0].model)
        self.limits: dict[str, int] = {}
        self.n_items = self.n_sent = self.n_repeated = self.input_tokens = 0
        self.paid_under: set[str] = set()
        self._own = f"{settings.run_root.name}/{trials[0].name}"
        self._elsewhere = elsewhere
        self._sent, self._seen = KeySet(), KeySet()
        ledger = Ledger.read(settings.paths.ledger(trials[0].name))
        for entry in ledger.shards.values():
            if entry.is_live:
                self._sent.update(ledger.read_keys(entry.shard))
        self._has_sent = len(self._sent) > 0 or len(elsewhere) > 0 or twin is not None

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
            elif self._has_sent and self._is_paid(key, replicate):
                self.n_sent += 1
            else:
                self.input_tokens += estimate_usage(body).input_tokens or 0

    def _is_paid(self, key: str, replicate: int) -> bool:
        """Whether a request is paid already, or is asked by an earlier trial; notes by whom."""
        if key in self._sent:
            return True
        run = self._own.partition("/")[0]
        others = {origin.removeprefix(f"{run}/") for origin in self._elsewhere.get(key)}
        if not others and self._twin is not None and replicate < self._twin.replicates:
            others = {self._twin.name}
        self.paid_under |= others
        return bool(others)

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
                tuple(sorted(self.paid_under)),
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
    models = dict.fromkeys(trial.model for trial in settings.trials)
    with contextlib.ExitStack() as stack:
        paid = {model: stack.enter_context(_find_paid(settings, model)) for model in models}
        for forecast in _forecast_each(settings, paid, _find_twins(settings)):
            found[forecast.trial.name] = forecast
    return [found[trial.name] for trial in settings.trials]


def find_new_trials(settings: Settings) -> set[str]:
    """Name the trials that have sent nothing, while others may have paid for what they ask."""
    ledgers = {path.parent for path in _ledgers(settings)}
    new = {trial.name for trial in settings.trials if settings.paths.ledger(trial.name) not in ledgers}
    return new if ledgers else new & set(_find_twins(settings))


def _find_paid(settings: Settings, model: str) -> RowIndex:
    """Look up what is paid of a model's requests, and by which trial."""
    index = RowIndex()
    provider = make_provider(settings, model)
    index.add(paid_keys(_ledgers(settings), service_digests(settings, model), provider))
    return index


def _forecast_each(
    settings: Settings, paid: Mapping[str, RowIndex], twins: Mapping[str, Trial]
) -> Iterator[TrialForecast]:
    for name in dict.fromkeys(trial.prompt for trial in settings.trials):
        groups = _group(settings, [trial for trial in settings.trials if trial.prompt == name], twins)
        for start in range(0, len(groups), TALLIES_AT_ONCE):
            yield from _forecast_groups(settings, name, groups[start : start + TALLIES_AT_ONCE], paid, twins)


def _group(settings: Settings, trials: Sequence[Trial], twins: Mapping[str, Trial]) -> list[list[Trial]]:
    """Group the trials of a prompt whose requests have the same texts, and so the same tokens."""
    is_alone = any(_ledgers(settings))
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        texts = {key: value for key, value in trial.sampling.items() if isinstance(value, str | list | dict)}
        key = trial.name if is_alone or trial.name in twins else digest([trial.model, texts])
        groups.setdefault(key, []).append(trial)
    return list(groups.values())


def _ledgers(settings: Settings) -> list[Path]:
    """List the ledgers that count: those of the run or, with ``reuse: store``, of all runs beside it."""
    is_store = settings.config["reuse"] == "store"
    own = settings.paths.ledgers
    return sorted(own.parents[1].glob(ALL_LEDGERS)) if is_store else ledger_files(own)


def _forecast_groups(
    settings: Settings,
    prompt_name: str,
    groups: Sequence[Sequence[Trial]],
    paid: Mapping[str, RowIndex],
    twins: Mapping[str, Trial],
) -> list[TrialForecast]:
    prompt = find_prompt(settings, prompt_name)
    with contextlib.ExitStack() as stack:
        tallies = [
            stack.enter_context(_Tally(settings, trials, paid[trials[0].model], twins.get(trials[0].name)))
            for trials in groups
        ]
        for dataset, item in iterate_items(settings):
            messages = prompt.messages(item)
            for tally in tallies:
                tally.add(messages, dataset, item)
        return [forecast for tally in tallies for forecast in tally.forecasts()]


def _find_twins(settings: Settings) -> dict[str, Trial]:
    """Find for each trial the earlier one that asks the same, word for word, and most often."""
    most: dict[str, Trial] = {}
    twins = {}
    for trial in settings.trials:
        asked = _what_it_asks(settings, trial)
        if (twin := most.get(asked)) is not None:
            twins[trial.name] = twin
        if twin is None or trial.replicates > twin.replicates:
            most[asked] = trial
    return twins


def _what_it_asks(settings: Settings, trial: Trial) -> str:
    """Digest of all that the requests of a trial are made from, but for the number of replicates."""
    prompt = find_prompt(settings, trial.prompt)
    texts = [path and cached_sha256(path) for path in (prompt.system, prompt.user)]
    body = make_provider(settings, trial.model).body([], trial, "", Item("", "", ()))
    return digest([service_digest(settings, trial.model), texts, body])


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
