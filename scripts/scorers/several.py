"""Several scorers of the same answers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.comparison.metrics import BY_NAME, Metric
from scripts.records import Item
from scripts.scorers.base import Score, Scorer
from scripts.scorers.reading import Trimmed


@dataclasses.dataclass(frozen=True)
class Named:
    """A further scorer and what its metrics begin with."""

    name: str
    scorer: Scorer
    own_names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What its metrics beyond those of every scorer are called here, by their own names."""

    @property
    def given(self) -> tuple[str, ...]:
        """Metrics that other scorers give, too, and that get the name of this one before theirs."""
        return ("correct", "f1", "unread") if self.scorer.has_f1 else ("correct", "unread")

    @property
    def metrics(self) -> Iterator[Metric]:
        """All its metrics, by the names that they have here."""
        title = self.name.replace("_", " ")
        for name in self.given:
            metric = BY_NAME[name]
            yield dataclasses.replace(
                metric, name=f"{self.name}_{name}", heading=f"{metric.heading} ({title})"
            )
        for metric in getattr(self.scorer, "METRICS", ()):
            called = self.own_names[metric.name]
            heading = metric.heading if called == metric.name else f"{metric.heading} ({title})"
            yield dataclasses.replace(metric, name=called, heading=heading)


@dataclasses.dataclass(frozen=True)
class Several:
    """
    Let several scorers judge each answer: the first one gives the metrics by their own names.

    Examples
    --------
    >>> both = build_several(["short_answer", "multiple_choice"], {})
    >>> score = both.score("B", Item("q1", "Which?", ("B",), choices=("Rome", "Paris")))
    >>> score.correct, score.more["multiple_choice_correct"]
    (1.0, 1.0)
    """

    first: Scorer
    others: tuple[Named, ...]

    @property
    def METRICS(self) -> tuple[Metric, ...]:  # noqa: N802 - as the scorers' own
        """All metrics beyond those that every scorer has."""
        further = (metric for named in self.others for metric in named.metrics)
        return (*getattr(self.first, "METRICS", ()), *further)

    @property
    def has_f1(self) -> bool:
        """Whether the first one gives F1."""
        return self.first.has_f1

    def trim(self, text: str) -> Trimmed:
        """Leave out of a reply what is no part of its answer to the first one."""
        return self.first.trim(text)

    def score(self, text: str, item: Item) -> Score:
        """Score the `text` of a reply to `item` with each scorer."""
        main = self.first.score(text, item)
        more = dict(main.more)
        for named in self.others:
            score = named.scorer.score(text, item)
            more |= {f"{named.name}_{metric}": getattr(score, metric) for metric in named.given}
            further = {named.own_names.get(metric, metric): value for metric, value in score.more.items()}
            if twice := sorted(more.keys() & further.keys()):
                raise ValueError(f"item {item.id!r}: two scorers give {twice[0]!r}")
            more |= further
        return dataclasses.replace(main, more=more)


def build_several(specs: Sequence[Any], declared: Mapping[str, Metric]) -> Several:
    """
    Build the scorers of a list, and find every mistake in it.

    Parameters
    ----------
    specs : sequence
        Each as for `scripts.scorers.build_scorer`; a mapping may say ``as``: what its metrics begin with.
    declared : mapping
        Metrics that the configuration declares.

    Raises
    ------
    ValueError
        As `scripts.scorers.build_scorer`; or two scorers would give metrics of the same name.
    """
    from scripts.scorers import build_scorer, scorer_name

    (first, _), *rest = (_split(spec) for spec in specs)
    main = build_scorer(first, declared)
    taken = {metric.name for metric in getattr(main, "METRICS", ())}
    others: list[Named] = []
    for spec, given in rest:
        name = given or scorer_name(spec)
        if not name.isidentifier() or name in (other.name for other in others):
            raise ValueError(f"two scorers are called {name!r}: give one of them a name by the option 'as'")
        scorer = build_scorer(spec, declared)
        own = [metric.name for metric in getattr(scorer, "METRICS", ())]
        called = {metric: f"{name}_{metric}" if metric in taken else metric for metric in own}
        taken |= set(called.values())
        others.append(Named(name, scorer, called))
    return Several(main, tuple(others))


def _split(spec: Any) -> tuple[Any, str | None]:
    """Take the option ``as`` from a scorer's options."""
    if not isinstance(spec, Mapping) or "as" not in spec:
        return spec, None
    options = dict(spec)
    return options, str(options.pop("as"))


def value_of(score: Score, metric: str) -> float:
    """
    Look up a metric of a score; NaN where it has none.

    Examples
    --------
    >>> value_of(Score(1.0, more={"valid": 0.0}), "valid"), value_of(Score(1.0), "valid")
    (0.0, nan)
    """
    if metric in BY_NAME and hasattr(score, metric):
        return float(getattr(score, metric))
    return float(score.more.get(metric, math.nan))


def each_scorer(scorer: Scorer) -> tuple[Scorer, ...]:
    """List the scorers that one consists of: itself, unless it is several."""
    if not isinstance(scorer, Several):
        return (scorer,)
    return (scorer.first, *(named.scorer for named in scorer.others))
