"""The scores of all trials of a run side by side: a row per question, a column per trial."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from scripts.analysis.pairs import Pairs, pair_up
from scripts.comparison.item_scores import ALL, KEY, applicable, average_replicates, read_items
from scripts.comparison.metrics import Metric
from scripts.comparison.units import N_ITEMS, join_labels, request_groups
from scripts.files import read_parquet
from scripts.records import Trial
from scripts.run.paths import RunPaths

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


Key = tuple[str, str, str]
"""Trial, dataset and metric of a comparison with the trial's baseline."""

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class RunScores:
    """The scores of a run's trials, replicates averaged."""

    items: pd.DataFrame
    """A row per question: dataset, item_id, is_unanswerable, cluster."""
    metrics: Mapping[str, Metric]
    means: Mapping[str, NDArray[np.float64]]
    """By metric, shape (n_items, n_trials); NaN: no score."""
    trials: tuple[str, ...]
    shared: Mapping[str, NDArray[np.int64]]
    """By trial that has any, groups of questions that share a request, shape (n_items,)."""

    def side_by_side(self, metric: str, trials: Sequence[str]) -> pd.DataFrame:
        """
        Give the units of some trials with their means in one metric.

        Returns
        -------
        DataFrame
            A row per unit (see `scripts.comparison.units`): dataset, item_id, is_unanswerable, cluster,
            n_items, and a column for each trial, by its name.
        """
        columns = {name: self.means[metric][:, self.trials.index(name)] for name in trials}
        frame = self.items.assign(**{N_ITEMS: 1}).assign(**columns)
        groups = [self.shared[name] for name in trials if name in self.shared]
        if not groups:
            return frame
        joined = join_labels(*groups)
        kinds = [frame["dataset"], frame["is_unanswerable"], joined]
        named = frame.assign(cluster=join_labels(joined, frame["cluster"].to_numpy()))
        units = named.groupby(kinds, sort=False)
        means = units[list(columns)].mean().where(units[list(columns)].count().eq(units.size(), axis=0))
        first = units[["dataset", "item_id", "is_unanswerable", "cluster"]].first()
        merged: pd.DataFrame = first.assign(**{N_ITEMS: units.size()}).join(means)
        return merged.reset_index(drop=True)

    @property
    def clusters(self) -> pd.Series[int]:
        """Clusters of all questions, whichever trial's requests join them, by dataset and item_id."""
        import pandas as pd

        joined = join_labels(*self.shared.values(), self.items["cluster"].to_numpy())
        found: pd.Series[int] = pd.Series(joined, index=pd.MultiIndex.from_frame(self.items[KEY]))
        return found

    def datasets(self) -> list[str]:
        """All datasets together, then each where there are several."""
        names = sorted(self.items["dataset"].unique())
        return [ALL, *names] if len(names) > 1 else [ALL]


def read_run_scores(
    trials: Sequence[Trial], paths: RunPaths, prepared: Sequence[Path], metrics: Mapping[str, Metric]
) -> RunScores:
    """
    Read the scores of all trials of a run, one file after another.

    Parameters
    ----------
    trials : sequence of Trial
        Of the run.
    paths : RunPaths
        Where the run's files are.
    prepared : sequence of Path
        The prepared datasets.
    metrics : mapping
        What to read, by name.
    """
    import numpy as np
    import pandas as pd

    items = read_items(prepared).sort_values(KEY, ignore_index=True)
    index = pd.MultiIndex.from_frame(items[KEY])
    means = {metric: np.full((len(items), len(trials)), np.nan) for metric in metrics}
    shared: dict[str, Any] = {}
    for column, trial in enumerate(trials):
        table = read_parquet(paths.output("score", trial.name), [*KEY, "replicate", "request_key", *metrics])
        rows = table.to_pandas()
        averaged = average_replicates(rows, list(metrics)).set_index(KEY).reindex(index)
        for metric in metrics:
            means[metric][:, column] = averaged[metric].to_numpy(float)
        if (groups := request_groups([rows], items)) is not None:
            shared[trial.name] = groups
    return RunScores(items, metrics, means, tuple(trial.name for trial in trials), shared)


def asked_of(frame: pd.DataFrame, trials: Sequence[str], dataset: str) -> pd.DataFrame:
    """Keep the units of a dataset to which the metric applies in any of the trials."""
    part = frame if dataset == ALL else frame[frame["dataset"] == dataset]
    return applicable(part, list(trials)) if len(part) else part


@dataclasses.dataclass(frozen=True)
class RunPairs:
    """The pairs of one comparison of a run."""

    trial: str
    dataset: str
    metric: Metric
    pairs: Pairs
    codes: NDArray[np.int64]
    """Cluster of each pair, numbered alike in all comparisons of the run."""

    @property
    def key(self) -> Key:
        """Trial, dataset and metric."""
        return self.trial, self.dataset, self.metric.name


def pair_trials(scores: RunScores, trials: Sequence[Trial], metrics: Sequence[Metric]) -> Iterator[RunPairs]:
    """Pair every trial with its baseline, over all datasets and each where there are several; none empty."""
    import numpy as np

    clusters = scores.clusters
    for metric in metrics:
        for trial in trials:
            if trial.baseline is None:
                continue
            names = [trial.name, trial.baseline]
            units = scores.side_by_side(metric.name, names)
            codes = (
                clusters.loc[list(units[KEY].itertuples(index=False, name=None))].to_numpy().astype(np.int64)
            )
            units = units.assign(code=codes)
            for dataset in scores.datasets():
                part = asked_of(units, names, dataset)
                pairs = pair_up(part[names[0]], part[names[1]], part["cluster"].to_numpy())
                if pairs.n:
                    has_both = part[names].notna().all(axis=1)
                    yield RunPairs(trial.name, dataset, metric, pairs, part["code"][has_both].to_numpy())


def with_only_dataset(found: Mapping[Key, T], scores: RunScores) -> dict[Key, T]:
    """Add what is known of all datasets under the name of the only one, where there is only one."""
    names = scores.items["dataset"].unique()
    if len(names) > 1:
        return dict(found)
    return {
        **found,
        **{(trial, str(name), metric): it for (trial, _, metric), it in found.items() for name in names},
    }
