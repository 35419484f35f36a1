"""What each comparison of a planned run can show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.analysis.levels import significance_level
from scripts.analysis.multiplicity import strictest_alpha
from scripts.analysis.power import (
    ITEM_VARIANCE,
    REPLICATE_VARIANCE,
    DifferenceVariance,
    needed_items,
    smallest_detectable_difference,
)
from scripts.experiment.settings import Settings
from scripts.planning.pilot import METRIC, Pilot
from scripts.records import Trial

POWERS = (0.8, 0.9)


DIFFERENCES = (0.01, 0.02, 0.03, 0.05)


ALL = "all"


ASSUMED = DifferenceVariance(ITEM_VARIANCE, REPLICATE_VARIANCE, REPLICATE_VARIANCE, is_split=True, n_items=0)


def describe_power(
    settings: Settings, datasets: Mapping[str, Mapping[str, int]], pilot: Pilot | None
) -> dict[str, Any]:
    """Say what each comparison can show."""
    stats = settings.config["stats"]
    by_name = settings.trial_by_name
    pairs = [(trial, by_name[trial.baseline]) for trial in settings.trials if trial.baseline is not None]
    sizes = {name: part["n_items"] for name, part in datasets.items()}
    sizes = {ALL: sum(sizes.values()), **(sizes if len(sizes) > 1 else {})}
    # The family of the report: every trial, over all datasets and each, in every metric of the family.
    is_in_family = METRIC in stats["family"]
    n_tests = len(pairs) * len(sizes) * len(set(stats["family"])) if is_in_family else 0
    strictest = _strictest_level(stats["confidence_level"], n_tests, stats["adjustment"])
    return {
        "metric": METRIC,
        "confidence_level": stats["confidence_level"],
        "adjustment": stats["adjustment"],
        "n_tests": n_tests,
        "strictest_level": strictest,
        "is_clustered": any(part["n_clusters"] < part["n_items"] for part in datasets.values()),
        "comparisons": [
            _describe_comparison(pair, sizes, (stats["confidence_level"], strictest), pilot) for pair in pairs
        ],
    }


def _strictest_level(confidence_level: float, n_tests: int, adjustment: str) -> float | None:
    """The level that the smallest p-value of the family must pass; None where nothing is adjusted."""
    if adjustment == "none" or n_tests < 2:
        return None
    return 1 - strictest_alpha(significance_level(confidence_level), n_tests, adjustment)


def _describe_comparison(
    pair: tuple[Trial, Trial],
    sizes: Mapping[str, int],
    levels: tuple[float, float | None],
    pilot: Pilot | None,
) -> dict[str, Any]:
    trial, baseline = pair
    assumed = ASSUMED, "assumed"
    variance, source = assumed if pilot is None else pilot.find_variance(trial.name, baseline.name)
    replicates = (trial.replicates, baseline.replicates) if variance.is_split else (1, 1)
    about: dict[str, Any] = {
        "item_variance": variance.item,
        "trial_variance": variance.trial,
        "baseline_variance": variance.baseline,
        "replicates": replicates[0],
        "baseline_replicates": replicates[1],
    }

    def smallest(n_items: int, level: float | None) -> dict[str, float] | None:
        if level is None:
            return None
        return {
            _key(power): smallest_detectable_difference(n_items, confidence_level=level, power=power, **about)
            for power in POWERS
        }

    return {
        "trial": trial.name,
        "baseline": baseline.name,
        "replicates": trial.replicates,
        "baseline_replicates": baseline.replicates,
        "variance": {
            "item": variance.item,
            "trial": variance.trial if variance.is_split else None,
            "baseline": variance.baseline if variance.is_split else None,
            "is_split": variance.is_split,
            "from": source,
            "n_items": variance.n_items or None,
        },
        "smallest": {
            name: {"n_items": n_items, **(smallest(n_items, levels[0]) or {})}
            for name, n_items in sizes.items()
        },
        "smallest_adjusted": smallest(sizes[ALL], levels[1]),
        "needed_items": [
            {
                "difference": difference,
                **{
                    _key(power): needed_items(difference, confidence_level=levels[0], power=power, **about)
                    for power in POWERS
                },
            }
            for difference in DIFFERENCES
        ],
    }


def _key(power: float) -> str:
    return f"power_{power * 100:.0f}"
