"""Phase stats: a trial's means with intervals, and its paired differences from its baseline."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.comparison import metrics
from scripts.comparison.effect import Comparison, compare
from scripts.comparison.item_scores import ALL, KEY, add_items, make_arm, read_items, read_scores
from scripts.comparison.labels import compare_labels, describe_labels, labelled_datasets
from scripts.comparison.trial import describe_datasets
from scripts.comparison.units import join_clusters, merge_units
from scripts.comparison.usage import read_usage
from scripts.experiment.dataset_scorer import make_scorer, run_metrics
from scripts.experiment.settings import Settings
from scripts.files import write_json
from scripts.money.price import Price
from scripts.money.price_book import find_price
from scripts.records import Outcome, Trial
from scripts.run.job import phase_job, phase_parser, trial_job

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True)
class ArmFiles:
    """What the phases before left of one trial."""

    scores: Path
    outcomes: Path
    price: Price | None
    """Of its model; None: there is none."""


def stats_trial(
    settings: Settings,
    trial: Trial,
    files: ArmFiles,
    baseline: ArmFiles | None,
    prepared: Sequence[Path],
    *,
    out: Path,
) -> None:
    """Write ``stats.json`` of a trial."""
    options = settings.config["stats"]
    level = options["confidence_level"]
    measured = (*run_metrics(settings), *metrics.USAGE)
    comparison = Comparison(
        confidence_level=level,
        resamples=options["resamples"],
        seed=settings.config["seed"],
        margin=options["equivalence_margin"],
        subgroups=tuple(options["subgroups"]),
        is_growing=options["monitoring"] == "anytime",
    )
    questions = read_items(prepared, comparison.subgroups)
    scorers = {name: make_scorer(settings, name) for name in settings.config["datasets"]}
    labelled = labelled_datasets(scorers, prepared)
    rows = _read_arm(files)
    other = None if baseline is None or trial.baseline is None else _read_arm(baseline)
    effects: list[dict[str, Any]] = []
    if other is not None:
        merged, units = merge_units([rows, other], questions)
        arms = make_arm(merged[0], measured), make_arm(merged[1], measured)
        effects += compare(*arms, units, comparison, names=(trial.name, str(trial.baseline)))
        clusters = join_clusters([rows, other], questions)
        found = (compare_labels(rows, other, one, clusters, confidence_level=level) for one in labelled)
        effects += (effect for effect in found if effect is not None)
    (own,), units = merge_units([rows], questions)
    arm = make_arm(own, measured)
    described = describe_datasets(add_items(arm.means, units), arm, level)
    for one in labelled:
        described[one.name]["classification"] = describe_labels(rows, one)
    write_json(
        out,
        {
            "schema_version": 1,
            "trial": trial.name,
            "baseline": trial.baseline,
            "confidence_level": level,
            "n_requests": len(rows),
            "outcomes": count_outcomes(rows["outcome"]),
            "n_without_text": count_reading(rows)["n_without_text"],
            "reading": {
                "trial": count_reading(rows),
                "baseline": None if other is None else count_reading(other),
            },
            "without_score": count_outcomes(rows.loc[rows["correct"].isna(), "outcome"]),
            **described.pop(ALL),
            "by_dataset": described,
            "effects": effects,
        },
    )


def _read_arm(files: ArmFiles) -> pd.DataFrame:
    """Read a trial's scores, and what each request took, a row per request."""
    usage = read_usage(files.outcomes, files.price)
    return read_scores(files.scores).merge(usage, on=[*KEY, "replicate"], how="left", validate="one_to_one")


def warm_up() -> None:
    """Load what the first comparison would load."""
    import pandas as pd

    scores = pd.DataFrame({"dataset": list("abababab"), "item_id": list("aabbccdd"), "replicate": 0})
    scores = scores.assign(**dict.fromkeys(metrics.NAMES, 1.0))
    scores["correct"] = [0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0]
    scores["f1"] = scores["correct"] * 0.75
    items = scores[KEY].assign(cluster=range(8), is_unanswerable=False, n_items=1, position=range(8))
    arm, other = make_arm(scores), make_arm(scores.assign(correct=1.0, f1=0.5))
    list(compare(arm, other, items, Comparison(0.95, 100, 0, 0.02), names=("warm", "up")))
    describe_datasets(add_items(arm.means, items), arm, 0.95)


def count_outcomes(outcomes: pd.Series[str]) -> dict[str, int]:
    """Count each outcome, including those that did not occur."""
    counts = outcomes.value_counts()
    return {outcome.value: int(counts.get(outcome.value, 0)) for outcome in Outcome}


def count_reading(rows: pd.DataFrame) -> dict[str, int]:
    """Count the replies that came to an end or were cut, those of them without a text, and what is unread."""
    is_reply = rows["outcome"].isin([Outcome.ANSWERED.value, Outcome.TRUNCATED.value])
    has_text = rows["unread"].notna()
    return {
        "n_replies": int(is_reply.sum()),
        "n_without_text": int((is_reply & ~has_text).sum()),
        "n_texts": int(has_text.sum()),
        "n_unread": int((rows["unread"] == 1).sum()),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Compare one trial with its baseline (the command of rule ``stats``)."""
    parser = phase_parser("stats", "Means with intervals, and paired differences from the baseline.")
    for arm, count, whose in (("", None, "the trial's"), ("baseline-", "?", "the baseline's")):
        for kind in ("scores", "outcomes"):
            parser.add_argument(
                f"--{arm}{kind}", type=Path, nargs=count, required=not arm, help=f"{whose} {kind}.parquet"
            )
    parser.add_argument("--prepared", type=Path, nargs="+", required=True, help="the prepared datasets")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args(argv)
    inputs = [options.scores, options.outcomes, *options.prepared]
    inputs += [path for path in (options.baseline_scores, options.baseline_outcomes) if path]
    with phase_job(trial_job("stats", options, inputs=inputs, outputs=[options.out])) as settings:
        trial = settings.trial(options.trial)
        files = ArmFiles(options.scores, options.outcomes, find_price(settings.config, trial.model))
        baseline = None
        if trial.baseline is not None and options.baseline_scores and options.baseline_outcomes:
            price = find_price(settings.config, settings.trial(trial.baseline).model)
            baseline = ArmFiles(options.baseline_scores, options.baseline_outcomes, price)
        stats_trial(settings, trial, files, baseline, options.prepared, out=options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
