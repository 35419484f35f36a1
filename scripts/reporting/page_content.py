"""The records that the pages are made from: everything a page shows is in its record."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scripts.reporting.stats_tables import Table


@dataclasses.dataclass(frozen=True)
class Excerpt:
    """A text as a page shows it: whole, or its beginning."""

    text: str
    n_characters: int
    """Length of the whole text in characters."""

    @property
    def is_cut(self) -> bool:
        """Whether the page shows less than the whole text."""
        return len(self.text) < self.n_characters


@dataclasses.dataclass(frozen=True)
class Answer:
    """What one trial made of a question."""

    outcome: str
    """One of the six outcomes."""
    text: Excerpt | None
    """None: there is no text, which is not the same as an empty one."""
    correct: float | None
    """Score of the answer; None: it has none."""
    is_abstention: bool = False
    read: Excerpt | None = None
    """What the scorer took for the answer, where that is not the whole text."""
    is_unread: bool = False
    """Whether there is a text in which no answer could be read."""
    finish_reason: str | None = None
    error: Excerpt | None = None
    """Code and message of what went wrong."""


@dataclasses.dataclass(frozen=True)
class Example:
    """One question with the answers it got."""

    dataset: str
    item_id: str
    replicate: int
    question: Excerpt | None
    """None: the dataset has no such item any more."""
    accepted: tuple[Excerpt, ...]
    """The first accepted answers."""
    n_accepted: int
    is_unanswerable: bool
    choices: tuple[Excerpt, ...]
    context: Excerpt | None
    trial: Answer
    baseline: Answer | None
    """None: the trial has no baseline."""
    kinds: tuple[str, ...] = ()
    """What it is an example of: ``gained``, ``failed``, ...; see `scripts.reporting.question_selection`."""


@dataclasses.dataclass(frozen=True)
class Questions:
    """The questions that a trial's page holds, and how many more there are."""

    examples: tuple[Example, ...] = ()
    """Any first few of them are a fair selection too."""
    totals: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Questions of each kind in the whole trial."""
    n_items: int = 0
    """Questions of the whole trial."""
    is_paired: bool = False
    """Whether the trial has a baseline."""


@dataclasses.dataclass(frozen=True)
class ExampleGroup:
    """Examples of one kind, and how many more of them there are."""

    kind: str
    """One of the kinds of `scripts.reporting.question_selection`."""
    n_items: int
    """Items of this kind in the trial; at least as many as there are examples."""
    examples: tuple[Example, ...]


@dataclasses.dataclass(frozen=True)
class PromptText:
    """One text of a trial's prompt, as the configuration gives it."""

    role: str
    """``system`` or ``user``."""
    text: str


@dataclasses.dataclass(frozen=True)
class Methods:
    """Every setting that a number of the report depends on."""

    scorers: Mapping[str, str]
    """The scorer of each dataset."""
    resamples: int
    seed: int
    adjustment: str
    """How p-values were adjusted, as the configuration calls it: ``holm``, ``fdr_bh``, ..."""
    family: tuple[str, ...]
    """Metrics whose p-values were adjusted together; the first one is the headline."""
    equivalence_margin: float | None
    """Half the width of the equivalence band, as a proportion: 0.02 is two points; None: there is none."""
    versions: Mapping[str, str]
    """Version by program: trialmake, python, scipy, statsmodels."""
    providers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The provider of each model, by the configuration's names."""
    limit_items: int | None = None
    """Only so many questions of each dataset were used; None: all."""


@dataclasses.dataclass(frozen=True)
class RunPage:
    """Everything that the run's page shows."""

    summary: Mapping[str, Any]
    """What ``summary.json`` holds."""
    costs: Mapping[str, Mapping[str, Any]]
    """What ``costs.json`` holds, by trial."""
    methods: Methods
    questions: tuple[Mapping[str, Any], ...] = ()
    """What `scripts.reporting.embed.unpack` finds in each trial's page."""
    stats_tables: tuple[Table, ...] = ()
    """What else the statistics of the trials hold."""
    generated_at: str | None = None
    """When the page was written, in UTC, as text; None: the page does not say."""


@dataclasses.dataclass(frozen=True)
class TrialPage:
    """Everything that a trial's page shows."""

    run_id: str
    factors: Mapping[str, Any]
    """Model, prompt and every sampling setting."""
    stats: Mapping[str, Any]
    """What ``stats.json`` holds."""
    costs: Mapping[str, Any] | None
    """What ``costs.json`` holds."""
    prompts: tuple[PromptText, ...] = ()
    questions: Questions = Questions()
    items_budget: int = 300_000
    """The most bytes that the questions' texts may take in the page, beside a few examples."""
    equivalence_margin: float | None = None
    """Half the width of the equivalence band, as a proportion; None: no band is drawn."""
