"""What a finished run shows about the next one: how long answers are, and how much differences vary."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.analysis.power import DifferenceVariance, estimate_variance
from scripts.errors import StateError
from scripts.experiment.settings import read_run_settings
from scripts.files import read_parquet
from scripts.records import Trial
from scripts.run.folder import find_run
from scripts.run.paths import RunPaths

if TYPE_CHECKING:
    import pandas as pd

METRIC = "correct"
"""The metric whose differences are planned for."""


@dataclasses.dataclass(frozen=True)
class Pilot:
    """A finished run, as a source of assumptions."""

    run_id: str
    answer_tokens: Mapping[tuple[str, str], float]
    """Mean output tokens of a request, by model and prompt; only where the provider counted them."""
    variances: Mapping[tuple[str, str], DifferenceVariance]
    """By trial and baseline."""

    def find_answer_tokens(self, trial: Trial) -> tuple[float, str] | None:
        """Find how long the answers of a trial are, and from what: the same prompt, model, or any."""
        exact = self.answer_tokens.get((trial.model, trial.prompt))
        if exact is not None:
            return exact, "the same model and prompt in the pilot"
        model = [mean for (name, _), mean in self.answer_tokens.items() if name == trial.model]
        every = list(self.answer_tokens.values())
        if not every:
            return None
        means = model or every
        return sum(means) / len(means), "the same model in the pilot" if model else "all of the pilot"

    def find_variance(self, trial: str, baseline: str) -> tuple[DifferenceVariance, str]:
        """Find the variance of a comparison, and from what: the same comparison, else the mean of all."""
        exact = self.variances.get((trial, baseline))
        if exact is not None:
            return exact, "the same comparison in the pilot"
        parts = list(self.variances.values())
        # A mean of split and unsplit parts would mix two things: then nothing counts as split.
        is_split = all(part.is_split for part in parts)
        chosen = parts if is_split else [part for part in parts if not part.is_split]
        mean = DifferenceVariance(
            item=_mean([part.item for part in chosen]),
            trial=_mean([part.trial for part in chosen]),
            baseline=_mean([part.baseline for part in chosen]),
            is_split=is_split,
            n_items=min(part.n_items for part in chosen),
        )
        return mean, f"the mean of the pilot's comparisons ({len(chosen)})"


def read_pilot(experiments_dir: Path, run_id: str) -> Pilot:
    """
    Read a finished run.

    Raises
    ------
    StateError
        If there is no such run, it compares nothing, or a compared trial has no scores yet.
    """
    run_root = find_run([experiments_dir], run_id)
    trials = {trial.name: trial for trial in read_run_settings(run_root).trials}
    variances: dict[tuple[str, str], DifferenceVariance] = {}
    for trial in trials.values():
        if trial.baseline is not None:
            arms = _scores(run_root, trial.name), _scores(run_root, trial.baseline)
            variances[trial.name, trial.baseline] = _variance(*arms, place=f"{run_root}: {trial.name}")
    if not variances:
        raise StateError(
            "no trial of the run has a baseline",
            where=str(run_root),
            fix="Choose a pilot that compares trials (trials.baseline).",
        )
    return Pilot(run_id, _answer_tokens(run_root, trials), variances)


def _scores(run_root: Path, trial: str) -> pd.DataFrame:
    """Read a trial's scores: a row per item, a column per replicate."""
    path = RunPaths(run_root).output("score", trial)
    if not path.is_file():
        raise StateError("is not there", where=str(path), fix="Finish the pilot first, at least to `score`.")
    rows = read_parquet(path, ["dataset", "item_id", "replicate", METRIC]).to_pandas()
    table: pd.DataFrame = rows.pivot(index=["dataset", "item_id"], columns="replicate", values=METRIC)
    return table


def _variance(trial: pd.DataFrame, baseline: pd.DataFrame, *, place: str) -> DifferenceVariance:
    common = trial.index.intersection(baseline.index)
    try:
        return estimate_variance(
            trial.loc[common].to_numpy(dtype=float), baseline.loc[common].to_numpy(dtype=float)
        )
    except ValueError as error:
        raise StateError(str(error), where=place, fix="Use a pilot with more items.") from None


def _answer_tokens(run_root: Path, trials: Mapping[str, Trial]) -> dict[tuple[str, str], float]:
    import pyarrow.compute as pc

    sums: dict[tuple[str, str], list[Any]] = {}
    for name, trial in trials.items():
        path = RunPaths(run_root).output("parse", name)
        if path.is_file():
            tokens = read_parquet(path, ["output_tokens"])["output_tokens"]
            total = sums.setdefault((trial.model, trial.prompt), [0, 0])
            total[0] += pc.sum(tokens).as_py() or 0
            total[1] += len(tokens) - tokens.null_count
    return {key: total / n_counted for key, (total, n_counted) in sums.items() if n_counted}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
