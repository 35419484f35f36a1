"""A trial by itself: its means, what missing outcomes could change, its variance, and what it answers."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from scripts.analysis.arrays import cluster_codes, is_binary
from scripts.analysis.bounds import MeanBounds, mean_bounds
from scripts.analysis.intervals import MeanInterval, mean_interval, robust_interval
from scripts.analysis.risk_coverage import answering_risk_coverage
from scripts.analysis.selective import selective_accuracy
from scripts.analysis.variance import design_effect, split_variance
from scripts.comparison.item_scores import ALL, Arm, applicable, by_dataset
from scripts.comparison.metrics import Metric, describe_metric
from scripts.comparison.units import N_ITEMS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


def describe_datasets(items: pd.DataFrame, arm: Arm, confidence_level: float) -> dict[str, dict[str, Any]]:
    """Describe all items together and each dataset's; a single dataset is described once."""
    described: dict[str, dict[str, Any]] = {}
    for name, part in by_dataset(items):
        is_again = part is items and bool(described)
        described[name] = described[ALL] if is_again else _describe(part, arm, confidence_level)
    return described


def _describe(part: pd.DataFrame, arm: Arm, confidence_level: float) -> dict[str, Any]:
    codes = part["cluster"].to_numpy()
    return {
        "n_items": int(part[N_ITEMS].sum()),
        "n_units": len(part),
        "metrics": {
            metric.name: {
                **dataclasses.asdict(
                    _mean(part[metric.name].to_numpy(float), codes, metric, confidence_level)
                ),
                **describe_metric(metric),
            }
            for metric in arm.metrics
        },
        "bounds": {
            metric.name: bound_mean(part, arm, metric.name, metric.range, confidence_level)
            for metric in arm.metrics
            if metric.is_complete and metric.range is not None
        },
        "variance": {
            "metric": "correct",
            **dataclasses.asdict(split_variance(arm.replicates["correct"][part["row"]])),
            "design_effect": dataclasses.asdict(design_effect(part["correct"].to_numpy(float), codes)),
        },
        "selective": describe_answering(part, arm, confidence_level),
    }


def _mean(
    values: NDArray[np.float64], codes: NDArray[np.int64], metric: Metric, confidence_level: float
) -> MeanInterval:
    """Estimate a mean; counts that happen to be 0 or 1 are no shares."""
    if metric.range is not None:
        return mean_interval(values, codes, confidence_level=confidence_level, bounds=metric.range)
    there = values == values  # only NaN differs from itself
    if not there.any():
        return MeanInterval(None, None, None, "none: no values", 0, 0)
    return robust_interval(
        values[there], cluster_codes(codes[there], int(there.sum())), confidence_level=confidence_level
    )


def bound_mean(
    part: pd.DataFrame, arm: Arm, metric: str, limits: tuple[float, float], confidence_level: float
) -> dict[str, Any]:
    """Bound a metric's mean over all items that it applies to, whatever the missing outcomes were."""
    if metric != "correct" and not part[metric].notna().any():
        found = MeanBounds(n_items=len(part), n_incomplete=len(part), method="none: not scored")
    else:
        asked = applicable(part, [metric])
        found = mean_bounds(
            arm.replicates[metric][asked["row"]],
            asked["cluster"].to_numpy(),
            confidence_level=confidence_level,
            bounds=limits,
        )
    return dataclasses.asdict(found)


def describe_answering(part: pd.DataFrame, arm: Arm, confidence_level: float) -> dict[str, Any]:
    """
    Describe how much a trial answers, how often it is then right, and how well it knows when to answer.

    Items whose scorer does not identify abstentions are left out and counted.
    """
    is_known = knows_abstentions(part, "")
    known = part[is_known]
    correct, abstained = (arm.replicates[metric][known["row"]] for metric in ("correct", "abstained"))
    n_left_out = len(part) - len(known)
    if (reason := no_abstentions(known, abstained)) is not None:
        return {"n_left_out": n_left_out, "reason": reason, "coverage": None, "accuracy": None}
    found = selective_accuracy(
        correct, abstained, known["cluster"].to_numpy(), confidence_level=confidence_level
    )
    return {
        "n_left_out": n_left_out,
        "reason": None,
        **dataclasses.asdict(found),
        "risk_coverage": dataclasses.asdict(answering_risk_coverage(correct, abstained)),
    }


def knows_abstentions(part: pd.DataFrame, suffix: str) -> pd.Series[bool]:
    """Tell items whose scorer says whether an answer abstains, or that have no answer, from the others."""
    return part[f"correct{suffix}"].isna() | part[f"abstained{suffix}"].notna()


def no_abstentions(known: pd.DataFrame, *abstained: NDArray[np.float64]) -> str | None:
    """Say why answers and abstentions cannot be told apart, if so."""
    import numpy as np

    if known.empty:
        return "no item whose scorer tells abstentions apart"
    if not all(is_binary(arm[~np.isnan(arm)]) for arm in abstained):
        return "abstentions other than 0 and 1"
    return None
