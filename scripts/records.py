"""The words of the project as records: what travels between phases, providers and scorers."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

PHASES = ("prepare", "build", "submit", "poll", "parse", "score", "stats", "costs", "report")
"""Every phase in the order of the pipeline."""

OUTPUTS = {
    "build": "requests.jsonl",
    "submit": "batches.json",
    "poll": "replies.jsonl",
    "parse": "outcomes.parquet",
    "score": "scores.parquet",
    "stats": "stats.json",
    "costs": "costs.json",
    "report": "report.html",
}
"""What each phase of a trial writes."""

FIGURES = ("forest", "leaderboard", "datasets", "outcomes", "abstention", "cost")
"""Figures of the run's report, in its folder ``figures``."""

RUN_OUTPUTS = (
    "report.html",
    "summary.json",
    "leaderboard.csv",
    "effects.csv",
    *(f"figures/{name}.svg" for name in FIGURES),
)
"""What the run's report consists of."""


class Outcome(enum.StrEnum):
    """What became of a request: exactly one of these."""

    ANSWERED = "answered"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    ERRORED = "errored"
    EXPIRED = "expired"
    MISSING = "missing"


FAILED_OUTCOMES = frozenset({Outcome.ERRORED, Outcome.EXPIRED, Outcome.MISSING})
"""Outcomes without an answer: they count against ``max_error_rate`` and are never scored."""


@dataclasses.dataclass(frozen=True)
class Item:
    """One question of a dataset, with its accepted answers."""

    id: str
    question: str
    answers: tuple[str, ...]
    """Accepted answers; empty when the item is unanswerable."""
    is_unanswerable: bool = False
    context: str | None = None
    """The passage of an open-book question."""
    choices: tuple[str, ...] = ()
    """The options of a multiple-choice question, in the order shown."""
    cluster: str | None = None
    """Items of one cluster are not independent; None: the item is its own cluster."""
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Every further field of the dataset, for templates and scorers."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """One configuration (model, prompt, sampling) that answers every item."""

    name: str
    """The slug: safe as a file name, unique in a run."""
    model: str
    """The configuration's name of the model."""
    prompt: str
    """The configuration's name of the prompt."""
    sampling: Mapping[str, Any]
    """Decoding settings that go to the provider; a setting that is None is not sent."""
    replicates: int = 1
    baseline: str | None = None
    """Name of the trial that this one is compared with; None for a baseline itself."""

    @property
    def factors(self) -> dict[str, Any]:
        """All factors by name, as the columns of ``trials.tsv`` have them."""
        return {
            "model": self.model,
            "prompt": self.prompt,
            **self.sampling,
            "replicates": self.replicates,
        }


@dataclasses.dataclass(frozen=True)
class Request:
    """One item times one replicate of a trial, rendered for the provider."""

    request_key: str
    """SHA-256 of model, body and replicate: the request's identity everywhere."""
    dataset: str
    item_id: str
    replicate: int
    body: Mapping[str, Any]
    """What the provider is sent, its model included."""

    @classmethod
    def render(cls, *, dataset: str, item_id: str, replicate: int, body: Mapping[str, Any]) -> Request:
        """Make a request and its key from the rendered `body`."""
        return cls(request_key(body, replicate), dataset, item_id, replicate, body)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Request:
        """Read a row of ``requests.jsonl``."""
        return cls(row["request_key"], row["dataset"], row["item_id"], row["replicate"], row["body"])

    def to_json(self) -> dict[str, Any]:
        """Write a row of ``requests.jsonl``."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


_COMMON = ("input_tokens", "output_tokens", "cached_tokens")


@dataclasses.dataclass(frozen=True, repr=False)
class Usage:
    """Tokens that a reply was billed for; None where the provider did not say."""

    input_tokens: int | None = None
    """All input tokens, those read from a cache included."""
    output_tokens: int | None = None
    """All output tokens, reasoning included."""
    cached_tokens: int | None = None
    """Input tokens read from a cache."""
    cache_write_tokens: int | None = None
    """Input tokens written to a cache, for however long."""
    cache_write_1h_tokens: int | None = None
    """Of those written, the ones kept for an hour, where that has a separate price."""
    reasoning_tokens: int | None = None
    """Of the output tokens, those spent on reasoning."""

    @classmethod
    def total(cls, usages: Iterable[Usage]) -> Usage:
        """
        Add up; a sum is None where no part of it is known.

        Examples
        --------
        >>> Usage.total([Usage(5, 2, reasoning_tokens=1), Usage(), Usage(7)])
        Usage(input_tokens=12, output_tokens=2, cached_tokens=None, reasoning_tokens=1)
        """
        rows = [vars(usage).values() for usage in usages]
        known = ([count for count in counts if count is not None] for counts in zip(*rows, strict=True))
        return cls(*(sum(counts) if counts else None for counts in known))

    def __repr__(self) -> str:
        """Show the counts that every provider has, and those of the others that are known."""
        shown = (
            f"{name}={count}" for name, count in vars(self).items() if name in _COMMON or count is not None
        )
        return f"Usage({', '.join(shown)})"


@dataclasses.dataclass(frozen=True)
class Reply:
    """What a raw row says, in the project's words."""

    outcome: Outcome
    text: str | None = None
    finish_reason: str | None = None
    usage: Usage = Usage()
    error_code: str | None = None
    error_message: str | None = None
    is_retryable: bool = False
    """Whether sending the request again may help; only ever true for failed outcomes."""


def digest(value: Any) -> str:
    """
    SHA-256 of a JSON value, independent of the order of keys.

    Examples
    --------
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def request_key(body: Mapping[str, Any], replicate: int) -> str:
    """Identity of a request: SHA-256 of its body, which names the model, and its replicate."""
    return digest({"body": body, "replicate": replicate})
