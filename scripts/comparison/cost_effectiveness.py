"""What correct answers cost: trial by trial, against the baseline, and which trials no other one beats."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.analysis.cost_effectiveness import cost_per_correct, incremental_cost, pareto_front
from scripts.comparison.item_costs import cost_items
from scripts.comparison.item_scores import KEY, read_items
from scripts.comparison.units import join_clusters
from scripts.files import read_parquet
from scripts.money.price import Price
from scripts.records import Trial
from scripts.run.paths import RunPaths

if TYPE_CHECKING:
    import pandas as pd


def compare_costs(
    trials: Sequence[Trial],
    paths: RunPaths,
    prices: Mapping[str, Mapping[str, Any] | None],
    prepared: Sequence[Path],
    *,
    confidence_level: float,
) -> dict[str, dict[str, Any]]:
    """
    Compare trials by cost and correct answers.

    Parameters
    ----------
    trials : sequence of Trial
        Of one run.
    paths : RunPaths
        Where the run's files are.
    prices : mapping
        By trial, the price as it stands in ``costs.json``; None: there is none.
    prepared : sequence of Path
        The prepared datasets.
    confidence_level : float
        Of the intervals.

    Returns
    -------
    dict
        By trial: ``usd_per_request``, ``per_correct``, ``incremental`` (None: no baseline) and
        ``is_on_front``: whether no other trial is at least as good in cost and score and better in one.
    """
    questions = read_items(prepared)
    baselines: dict[str, tuple[pd.DataFrame, pd.DataFrame]] = {}
    needed = {trial.baseline for trial in trials}

    def read(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        found = baselines.get(name)
        if found is None:
            price = prices[name]
            found = _read_items(paths, name, Price.from_json(price) if price else None)
        if name in needed:
            baselines[name] = found
        return found

    found: dict[str, dict[str, Any]] = {}
    averages = []
    for trial in trials:
        items, asked = read(trial.name)
        averages.append(_averages(items))
        found[trial.name] = {
            "usd_per_request": averages[-1][0],
            "per_correct": _per_correct(items, join_clusters([asked], questions), confidence_level),
            "incremental": None,
        }
        if trial.baseline:
            before, asked_before = read(trial.baseline)
            clusters = join_clusters([asked, asked_before], questions)
            found[trial.name]["incremental"] = _incremental(items, before, clusters, confidence_level)
    front = pareto_front([usd for usd, _ in averages], [score for _, score in averages])
    for result, is_on_front in zip(found.values(), front, strict=True):
        result["is_on_front"] = is_on_front
    return found


def _read_items(paths: RunPaths, trial: str, price: Price | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    Read what each question cost and scored, and the requests that asked it.

    By dataset and item_id: usd and n_requests; correct, the sum over the replicates, and mean.
    """
    scores = read_parquet(paths.output("score", trial), [*KEY, "request_key", "correct"]).to_pandas()
    by_item = scores.groupby(KEY, sort=True)["correct"]
    costs = cost_items(paths.output("parse", trial), price)
    items = costs.assign(correct=by_item.sum(min_count=1), mean=by_item.mean())
    return items, scores[[*KEY, "request_key"]]


def _averages(items: pd.DataFrame) -> tuple[float | None, float | None]:
    """Dollars per request over the items whose cost is known, and the mean score over all."""
    known = items[items["usd"].notna()]
    scores = items["mean"].dropna()
    usd = float(known["usd"].sum() / known["n_requests"].sum()) if len(known) else None
    return usd, float(scores.mean()) if len(scores) else None


def _per_correct(items: pd.DataFrame, clusters: pd.Series[int], confidence_level: float) -> dict[str, Any]:
    found = cost_per_correct(
        items["usd"].to_numpy(float),
        items["correct"].to_numpy(float),
        clusters.loc[items.index].to_numpy(),
        confidence_level=confidence_level,
    )
    return dataclasses.asdict(found)


def _incremental(
    items: pd.DataFrame, baseline: pd.DataFrame, clusters: pd.Series[int], confidence_level: float
) -> dict[str, Any]:
    """Compare per request, as the trials may differ in their replicates."""
    pairs = items.merge(baseline, how="outer", left_index=True, right_index=True, suffixes=("", "_baseline"))
    # Replicates added up in another order may differ in the last digit.
    usd, usd_before = (
        (pairs[f"usd{arm}"] / pairs[f"n_requests{arm}"]).round(15).to_numpy(float)
        for arm in ("", "_baseline")
    )
    right, right_before = (pairs[f"mean{arm}"].to_numpy(float) for arm in ("", "_baseline"))
    codes = clusters.loc[pairs.index].to_numpy()
    found = incremental_cost(usd, right, usd_before, right_before, codes, confidence_level=confidence_level)
    return dataclasses.asdict(found)
