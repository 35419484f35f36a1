"""A trial against its baseline: an effect by metric and dataset, and further analyses of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scripts.analysis.bounds import difference_bounds
from scripts.analysis.gee import gee_effect
from scripts.analysis.intervals import MeanInterval
from scripts.analysis.levels import equivalence_level
from scripts.analysis.meta import combine_datasets
from scripts.analysis.paired import effect_of_pairs
from scripts.analysis.pairs import Inference, Pairs, infer_difference, infer_growing, pair_up
from scripts.analysis.resampling import child_rng
from scripts.analysis.selective import selective_accuracy_difference
from scripts.analysis.sensitivity import examine
from scripts.analysis.subgroups import subgroup_effects
from scripts.analysis.variance import split_difference
from scripts.comparison.item_scores import (
    ALL,
    KEY,
    Arm,
    add_items,
    applicable,
    by_dataset,
    field_column,
)
from scripts.comparison.metrics import Better, Metric, describe_metric, margin_of
from scripts.comparison.trial import knows_abstentions, no_abstentions
from scripts.comparison.units import N_ITEMS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SUBGROUP_RESAMPLES = 2000
"""Sign patterns of the permutation test of a subgroup: enough for twelve adjusted p-values below 0.01."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How trials are compared: the section ``stats`` and the run's seed."""

    confidence_level: float
    resamples: int
    seed: int
    margin: float | None
    subgroups: tuple[str, ...] = ()
    is_growing: bool = False
    """Whether intervals and verdicts must hold at every look at a growing run."""


@dataclasses.dataclass(frozen=True)
class Pairing:
    """Items of both arms side by side for one metric, those that it does not apply to left out."""

    part: pd.DataFrame
    """A row per item."""
    arms: tuple[Arm, Arm]
    """Trial and baseline."""
    metric: Metric
    names: tuple[str, ...]
    """Path of this comparison, for `child_rng`."""
    codes: NDArray[np.int64]
    """Number of each item's cluster."""

    @property
    def means(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Means over the replicates of trial and baseline, shape (n_items,)."""
        trial, baseline = (
            self.part[name].to_numpy(float) for name in (self.metric.name, f"{self.metric.name}_baseline")
        )
        return trial, baseline

    @property
    def has_both(self) -> NDArray[np.bool_]:
        """Whether each item has a value in both arms, shape (n_items,)."""
        trial, baseline = self.means
        both: NDArray[np.bool_] = (trial == trial) & (baseline == baseline)  # only NaN differs from itself
        return both

    def count_requests(self) -> dict[str, dict[str, int]]:
        """Count the requests of each arm, and those without a score."""
        counted = {}
        for name, scores in zip(("trial", "baseline"), self.replicates(), strict=True):
            n_without_score = int((scores != scores).sum())
            counted[name] = {"n_requests": int(scores.size), "n_without_score": n_without_score}
        return counted

    def replicates(self, metric: str | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores of trial and baseline, each of shape (n_items, n_replicates)."""
        name = metric or self.metric.name
        trial, baseline = self.arms
        return trial.replicates[name][self.part["row"]], baseline.replicates[name][self.part["row_baseline"]]


def compare(
    trial: Arm, baseline: Arm, items: pd.DataFrame, comparison: Comparison, *, names: tuple[str, str]
) -> Iterator[dict[str, Any]]:
    """
    Yield the effects over all datasets and over each; a metric that never applies has none.

    The further analyses are given only with the effects over all datasets.
    """
    merged = trial.means.merge(baseline.means, on=KEY, how="outer", suffixes=("", "_baseline"))
    rows = ["row", "row_baseline"]
    merged[rows] = merged[rows].fillna(-1).astype(int)
    pairs = add_items(merged, items)
    if comparison.is_growing:  # a look with fewer questions has the first ones of each dataset
        pairs = pairs.sort_values(["position", "dataset"], ignore_index=True)
    overall: list[dict[str, Any]] = []
    for dataset, part in by_dataset(pairs):
        pairings = list(_pairings(part, (trial, baseline), (*names, dataset)))
        is_again = part is pairs and bool(overall)
        effects = overall if is_again else [_effect(pairing, comparison) for pairing in pairings]
        overall = overall or effects
        for pairing, effect in zip(pairings, effects, strict=True):
            about = {"dataset": dataset, "metric": pairing.metric.name}
            has_more = dataset == ALL and pairing.metric.range is not None
            more = further_analyses(pairing, comparison) if has_more else {}
            yield {**about, **effect, **more}


def _pairings(part: pd.DataFrame, arms: tuple[Arm, Arm], names: tuple[str, ...]) -> Iterator[Pairing]:
    for metric in arms[0].metrics:
        columns = [metric.name, f"{metric.name}_baseline"]
        if not metric.is_compared:
            continue
        if metric.name == "correct" or part[columns].notna().any(axis=None):
            asked = applicable(part, columns)
            yield Pairing(asked, arms, metric, (*names, metric.name), asked["cluster"].to_numpy())


def _effect(pairing: Pairing, comparison: Comparison) -> dict[str, Any]:
    """One effect, and under ``sensitivity`` what other methods say about it."""
    bounds = pairing.metric.range
    pairs = pair_up(*pairing.means, pairing.codes, bounds=bounds)
    inference = _infer(pairs, bounds, comparison) if pairs.n else None
    effect = effect_of_pairs(
        pairs,
        inference,
        confidence_level=comparison.confidence_level,
        equivalence_level=equivalence_level(comparison.confidence_level),
        resamples=comparison.resamples,
        rng=child_rng(comparison.seed, *pairing.names),
    )
    return {
        **describe_metric(pairing.metric),
        "margin": margin_of(pairing.metric, comparison.margin),
        **dataclasses.asdict(effect),
        "n_questions": int(pairing.part[N_ITEMS][pairing.has_both].sum()),
        "requests": pairing.count_requests(),
        "sensitivity": None
        if bounds is None
        else _sensitivity(pairing, pairs, inference, comparison, bounds),
    }


def _infer(pairs: Pairs, bounds: tuple[float, float] | None, comparison: Comparison) -> Inference:
    """Choose the method; without bounds none holds at every look."""
    if comparison.is_growing and bounds is not None:
        return infer_growing(pairs, bounds=bounds)
    return infer_difference(pairs, bounds=bounds)


def _sensitivity(
    pairing: Pairing,
    pairs: Pairs,
    inference: Inference | None,
    comparison: Comparison,
    bounds: tuple[float, float],
) -> dict[str, Any]:
    """Look at an effect by other methods, and at the worst case for what is missing."""
    margin = margin_of(pairing.metric, comparison.margin)
    found = examine(
        pairs,
        inference,
        resamples=comparison.resamples,
        rng=child_rng(comparison.seed, *pairing.names, "bootstrap"),
        confidence_level=comparison.confidence_level,
        margin=margin,
        higher_is_better=pairing.metric.better is not Better.LOWER,
    )
    worst = difference_bounds(
        *pairing.replicates(),
        pairing.codes,
        confidence_level=comparison.confidence_level,
        resamples=comparison.resamples,
        seed=comparison.seed,
        names=pairing.names,
        bounds=bounds,
        margin=margin,
        is_growing=comparison.is_growing,
    )
    return {**dataclasses.asdict(found), "worst_case": dataclasses.asdict(worst)}


def further_analyses(pairing: Pairing, comparison: Comparison) -> dict[str, Any]:
    """Examine an effect in other ways; none of them affects a verdict."""
    level = comparison.confidence_level
    datasets = pairing.part["dataset"].tolist()
    found: dict[str, Any] = {
        "variance": split_difference(*pairing.replicates()),
        "selective": compare_answering(pairing, level),
        "gee": gee_effect(*pairing.replicates(), pairing.codes, confidence_level=level),
        "meta": combine_datasets(*pairing.means, datasets, pairing.codes, confidence_level=level),
    }
    return {
        **{name: dataclasses.asdict(result) for name, result in found.items()},
        "subgroups": list(_subgroups(pairing, comparison)),
    }


def compare_answering(pairing: Pairing, confidence_level: float) -> MeanInterval:
    """Compare the accuracy of the answers that both trials give; for the metric ``correct`` only."""
    if pairing.metric.name != "correct":
        return MeanInterval(None, None, None, "none: for the metric correct only", 0, 0)
    is_known = knows_abstentions(pairing.part, "") & knows_abstentions(pairing.part, "_baseline")
    known = dataclasses.replace(
        pairing, part=pairing.part[is_known], codes=pairing.codes[is_known.to_numpy()]
    )
    trial, baseline = known.replicates("correct")
    silent, silent_baseline = known.replicates("abstained")
    if (reason := no_abstentions(known.part, silent, silent_baseline)) is not None:
        return MeanInterval(None, None, None, f"none: {reason}", 0, 0)
    return selective_accuracy_difference(
        trial, silent, baseline, silent_baseline, known.codes, confidence_level=confidence_level
    )


def _subgroups(pairing: Pairing, comparison: Comparison) -> Iterator[dict[str, Any]]:
    for field, values in _groupings(pairing.part, comparison.subgroups).items():
        found = subgroup_effects(
            *pairing.means,
            values,
            pairing.codes,
            confidence_level=comparison.confidence_level,
            resamples=min(comparison.resamples, SUBGROUP_RESAMPLES),
            seed=comparison.seed,
            names=(*pairing.names, "subgroups", field),
            bounds=pairing.metric.range,
        )
        yield {"field": field, **dataclasses.asdict(found)}


def _groupings(part: pd.DataFrame, fields: Sequence[str]) -> Mapping[str, Sequence[object]]:
    """Values of each field that groups are made by: datasets and kinds of items where there are several."""
    built_in = [name for name in ("dataset", "is_unanswerable") if part[name].nunique() > 1]
    return {
        **{name: part[name].tolist() for name in built_in},
        **{name: part[field_column(name)].tolist() for name in fields},
    }
