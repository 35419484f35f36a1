"""Phase stats: a trial's means with intervals, and its paired differences from its baseline."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.comparison import metrics
from scripts.comparison.effect import Comparison, compare
from scripts.comparison.item_scores import ALL, KEY, add_items, make_arm, read_items, read_scores
from scripts.comparison.trial import describe_datasets
from scripts.comparison.units import merge_units
from scripts.experiment.settings import Settings
from scripts.files import write_json
from scripts.records import Outcome, Trial
from scripts.run.job import phase_job, phase_parser, trial_job

if TYPE_CHECKING:
    import pandas as pd


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
    level = options["confidence_level"]
    comparison = Comparison(
        confidence_level=level,
        resamples=options["resamples"],
        seed=settings.config["seed"],
        margin=options["equivalence_margin"],
        subgroups=tuple(options["subgroups"]),
    )
    rows, questions = read_scores(scores), read_items(prepared, comparison.subgroups)
    effects: list[dict[str, Any]] = []
    if baseline_scores is not None and trial.baseline is not None:
        merged, units = merge_units([rows, read_scores(baseline_scores)], questions)
        names = trial.name, trial.baseline
        effects = list(compare(make_arm(merged[0]), make_arm(merged[1]), units, comparison, names=names))
    (own,), units = merge_units([rows], questions)
    arm = make_arm(own)
    described = describe_datasets(add_items(arm.means, units), arm, level)
    write_json(
        out,
        {
            "schema_version": 1,
            "trial": trial.name,
            "baseline": trial.baseline,
            "confidence_level": level,
            "n_requests": len(rows),
            "outcomes": count_outcomes(rows["outcome"]),
            "without_score": count_outcomes(rows.loc[rows["correct"].isna(), "outcome"]),
            **described.pop(ALL),
            "by_dataset": described,
            "effects": effects,
        },
    )


def warm_up() -> None:
    """Load what the first comparison would load."""
    import pandas as pd

    scores = pd.DataFrame({"dataset": list("abababab"), "item_id": list("aabbccdd"), "replicate": 0})
    scores = scores.assign(**dict.fromkeys(metrics.NAMES, 1.0))
    scores["correct"] = [0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0]
    scores["f1"] = scores["correct"] * 0.75
    items = scores[KEY].assign(cluster=range(8), is_unanswerable=False, n_items=1)
    arm, other = make_arm(scores), make_arm(scores.assign(correct=1.0, f1=0.5))
    list(compare(arm, other, items, Comparison(0.95, 100, 0, 0.02), names=("warm", "up")))
    describe_datasets(add_items(arm.means, items), arm, 0.95)


def count_outcomes(outcomes: pd.Series[str]) -> dict[str, int]:
    """Count each outcome, including those that did not occur."""
    counts = outcomes.value_counts()
    return {outcome.value: int(counts.get(outcome.value, 0)) for outcome in Outcome}


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
