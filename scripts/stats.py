"""Phase stats: a trial's means with intervals, and its paired differences from its baseline."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.analysis.bounds import difference_bounds
from scripts.analysis.intervals import mean_interval
from scripts.analysis.levels import equivalence_level
from scripts.analysis.paired import effect_of_pairs
from scripts.analysis.pairs import infer_difference, pair_up
from scripts.analysis.resampling import child_rng
from scripts.analysis.sensitivity import examine
from scripts.analysis.verdicts import LOWER_IS_BETTER
from scripts.files import write_json
from scripts.item_scores import (
    ALL,
    EFFECT_METRICS,
    KEY,
    add_items,
    applicable,
    average_replicates,
    by_dataset,
    read_items,
    read_scores,
)
from scripts.jobs import phase_job, phase_parser, trial_job
from scripts.records import Outcome, Trial
from scripts.scorers import METRICS
from scripts.settings import Settings

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How trials are compared: the section ``stats`` and the run's seed."""

    confidence_level: float
    resamples: int
    seed: int
    margin: float | None


BOUNDS = (0.0, 1.0)
"""Smallest and largest value of every metric."""

BOUNDS_RESAMPLES = 1000
"""Sign patterns of each permutation test behind the worst case; only its verdicts hang on them."""


def stats_trial(
    settings: Settings,
    trial: Trial,
    scores: Path,
    baseline_scores: Path | None,
    prepared: Sequence[Path],
    *,
    out: Path,
) -> None:
    """Write ``stats.json`` of a trial."""
    options = settings.config["stats"]
    names = ("confidence_level", "resamples")
    comparison = Comparison(
        **{name: options[name] for name in names},
        seed=settings.config["seed"],
        margin=options["equivalence_margin"],
    )
    rows, items = read_scores(scores), read_items(prepared)
    means = average_replicates(rows)
    effects: list[dict[str, Any]] = []
    if baseline_scores is not None and trial.baseline is not None:
        other = average_replicates(read_scores(baseline_scores))
        effects = list(compare(means, other, items, comparison, names=(trial.name, trial.baseline)))
    metrics = describe_datasets(add_items(means, items), comparison.confidence_level)
    write_json(
        out,
        {
            "schema_version": 1,
            "trial": trial.name,
            "baseline": trial.baseline,
            "confidence_level": comparison.confidence_level,
            "n_items": len(means),
            "n_requests": len(rows),
            "outcomes": count_outcomes(rows["outcome"]),
            "metrics": metrics[ALL]["metrics"],
            "by_dataset": {name: part for name, part in metrics.items() if name != ALL},
            "effects": effects,
        },
    )


def warm_up() -> None:
    """Load what the first comparison would load."""
    import numpy as np

    values = np.array([0.0, 1.0, 1.0, 0.5])
    for arm in (values, values.round()):
        pairs = pair_up(arm, 1 - arm)
        inference = infer_difference(pairs)
        options: dict[str, Any] = {
            "confidence_level": 0.95,
            "resamples": 100,
            "rng": child_rng(0, "warm"),
        }
        effect_of_pairs(pairs, inference, **options)
        examine(pairs, inference, margin=0.02, higher_is_better=True, **options)
        mean_interval(arm, confidence_level=0.95)


def count_outcomes(outcomes: pd.Series[str]) -> dict[str, int]:
    """Count each outcome, also those that did not occur."""
    counts = outcomes.value_counts()
    return {outcome.value: int(counts.get(outcome.value, 0)) for outcome in Outcome}


def describe_datasets(items: pd.DataFrame, confidence_level: float) -> dict[str, dict[str, Any]]:
    """Describe all items together and each dataset's; a single dataset is described once."""
    described: dict[str, dict[str, Any]] = {}
    for name, part in by_dataset(items):
        described[name] = (
            described[ALL]
            if part is items and described
            else {"n_items": len(part), "metrics": describe(part, confidence_level)}
        )
    return described


def describe(items: pd.DataFrame, confidence_level: float) -> dict[str, dict[str, Any]]:
    """Give every metric's mean over the items that have it, with its interval."""
    return {
        metric: dataclasses.asdict(
            mean_interval(
                items[metric].to_numpy(float),
                items["cluster"].tolist(),
                confidence_level=confidence_level,
                bounds=BOUNDS,
            )
        )
        for metric in METRICS
    }


def compare(
    trial: pd.DataFrame,
    baseline: pd.DataFrame,
    items: pd.DataFrame,
    comparison: Comparison,
    *,
    names: tuple[str, str],
) -> Iterator[dict[str, Any]]:
    """Yield the effects over all datasets and over each; a metric that never applies has none."""
    pairs = add_items(trial.merge(baseline, on=KEY, how="outer", suffixes=("", "_baseline")), items)
    overall: list[dict[str, Any]] = []
    for dataset, part in by_dataset(pairs):
        is_again = part is pairs and bool(overall)
        effects = overall if is_again else list(_effects(part, dataset, comparison, names=names))
        overall = overall or effects
        yield from ({**effect, "dataset": dataset} for effect in effects)


def _effects(
    part: pd.DataFrame, dataset: str, comparison: Comparison, *, names: tuple[str, str]
) -> Iterator[dict[str, Any]]:
    for metric in EFFECT_METRICS:
        columns = [metric, f"{metric}_baseline"]
        if metric == "correct" or part[columns].notna().any(axis=None):
            effect = _effect(applicable(part, columns), metric, comparison, names=(*names, dataset, metric))
            yield {"dataset": dataset, "metric": metric, **effect}


def _effect(
    part: pd.DataFrame, metric: str, comparison: Comparison, *, names: Sequence[str]
) -> Mapping[str, Any]:
    """One effect, and under ``sensitivity`` what other methods say about it."""
    trial, baseline = (part[name].to_numpy(float) for name in (metric, f"{metric}_baseline"))
    clusters = part["cluster"].tolist()
    pairs = pair_up(trial, baseline, clusters, bounds=BOUNDS)
    inference = infer_difference(pairs, bounds=BOUNDS) if pairs.n else None
    effect = effect_of_pairs(
        pairs,
        inference,
        confidence_level=comparison.confidence_level,
        equivalence_level=equivalence_level(comparison.confidence_level),
        resamples=comparison.resamples,
        rng=child_rng(comparison.seed, *names),
    )
    sensitivity = examine(
        pairs,
        inference,
        confidence_level=comparison.confidence_level,
        margin=comparison.margin,
        higher_is_better=metric not in LOWER_IS_BETTER,
        resamples=comparison.resamples,
        rng=child_rng(comparison.seed, *names, "bootstrap"),
    )
    worst = difference_bounds(
        trial,
        baseline,
        clusters,
        confidence_level=comparison.confidence_level,
        resamples=min(comparison.resamples, BOUNDS_RESAMPLES),
        seed=comparison.seed,
        names=tuple(names),
        margin=comparison.margin,
        higher_is_better=metric not in LOWER_IS_BETTER,
        bounds=BOUNDS,
    )
    checks = {**dataclasses.asdict(sensitivity), "worst_case": dataclasses.asdict(worst)}
    return {**dataclasses.asdict(effect), "sensitivity": checks}


def main(argv: Sequence[str] | None = None) -> int:
    """Compare one trial with its baseline (the command of rule ``stats``)."""
    parser = phase_parser("stats", "Means with intervals, and paired differences from the baseline.")
    parser.add_argument("--scores", type=Path, required=True, help="the trial's scores.parquet")
    parser.add_argument("--baseline-scores", type=Path, nargs="?", help="the baseline's scores.parquet")
    parser.add_argument("--prepared", type=Path, nargs="+", required=True, help="the prepared datasets")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args(argv)
    inputs = [options.scores, *options.prepared]
    if options.baseline_scores:
        inputs.append(options.baseline_scores)
    with phase_job(trial_job("stats", options, inputs=inputs, outputs=[options.out])) as settings:
        trial = settings.trial(options.trial)
        stats_trial(
            settings, trial, options.scores, options.baseline_scores, options.prepared, out=options.out
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
