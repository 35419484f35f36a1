"""Scores item by item: replicates averaged, trials side by side, clusters known."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.comparison.metrics import METRICS, NAMES, Metric
from scripts.files import read_parquet

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

ALL = "all"
"""The name of all datasets taken together: every item counts once."""

KEY = ["dataset", "item_id"]
"""What names an item."""


@dataclasses.dataclass(frozen=True)
class Arm:
    """A trial's scores, item by item and replicate by replicate."""

    means: pd.DataFrame
    """A row per item, from `average_replicates`; column ``row`` has its place in `replicates`."""
    metrics: tuple[Metric, ...]
    """What was measured."""
    replicates: Mapping[str, NDArray[np.float64]]
    """By metric, shape (n_items + 1, n_replicates); the last row, NaN, is that of an item not asked (-1)."""


def read_scores(path: Path) -> pd.DataFrame:
    """Read a trial's scores, without the texts that were read: a row per request."""
    import pyarrow.parquet as pq

    columns = [name for name in pq.read_schema(path).names if name != "read"]
    frame: pd.DataFrame = read_parquet(path, columns).to_pandas()
    return frame


def read_items(prepared: Sequence[Path], fields: Sequence[str] = ()) -> pd.DataFrame:
    """
    Read the items: columns dataset, item_id, is_unanswerable, position in the dataset, number of the cluster.

    Each further field in `fields` is a column that is named by `field_column`; None: the item has none.
    """
    import pandas as pd

    from scripts.analysis.arrays import cluster_codes

    frames = []
    for path in prepared:
        columns = ["id", "cluster", "is_unanswerable", *(["fields"] if fields else [])]
        table = read_parquet(path, columns)
        frame = table.select(columns[:3]).to_pandas()
        if fields:
            given = [json.loads(text) if text else {} for text in table["fields"].to_pylist()]
            for name in fields:
                frame[field_column(name)] = pd.Series([row.get(name) for row in given], dtype=object)
        frame["cluster"] = path.stem + "/" + frame["cluster"]
        about = {"dataset": path.stem, "position": range(len(frame))}
        frames.append(frame.rename(columns={"id": "item_id"}).assign(**about))
    items: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return items.assign(cluster=cluster_codes(items["cluster"].tolist(), len(items)))


def field_column(name: str) -> str:
    """Name the column of an item's further field, so that it hides no other column."""
    return f"field {name}"


def make_arm(rows: pd.DataFrame, metrics: tuple[Metric, ...] = METRICS) -> Arm:
    """Sort a trial's scores, a row per request, by item and replicate."""
    import numpy as np

    names = [metric.name for metric in metrics]
    means = average_replicates(rows, names)
    item = rows.groupby(KEY, sort=True).ngroup().to_numpy()
    replicate = np.unique(rows["replicate"], return_inverse=True)[1]
    shape = (len(means) + 1, int(replicate.max(initial=0)) + 1)
    replicates = {name: np.full(shape, np.nan) for name in names}
    for metric, scores in replicates.items():
        scores[item, replicate] = rows[metric].to_numpy(float)
    return Arm(means.assign(row=np.arange(len(means))), metrics, replicates)


def average_replicates(rows: pd.DataFrame, metrics: Sequence[str] = NAMES) -> pd.DataFrame:
    """
    Average each item's replicates, metric by metric, over those that have a value.

    Returns
    -------
    DataFrame
        A row per item: dataset, item_id, the metrics (NaN where no replicate has one).
    """
    means: pd.DataFrame = rows.groupby(KEY, sort=True)[list(metrics)].mean().reset_index()
    return means


def add_items(scores: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """Add to averaged scores what is known of each item."""
    merged: pd.DataFrame = scores.merge(items, on=KEY, how="left", validate="one_to_one")
    return merged


def applicable(scores: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """
    Leave out the items to which a metric does not apply, so that they are not counted as missing.

    A metric applies to the items of a dataset that can be answered, or to those that cannot, where any of
    them has a value in any of the columns.  Where it applies to none, all items stay.

    Parameters
    ----------
    scores : DataFrame
        A row per item, from `add_items`.
    columns : sequence of str
        The metric in every trial that is compared.
    """
    has_value = scores[list(columns)].notna().any(axis=1)
    kinds = [scores["dataset"], scores["is_unanswerable"]]
    applies = has_value.groupby(kinds).transform("any")
    return scores[applies] if applies.any() else scores


def by_dataset(scores: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give all items together, then each dataset's; a single dataset is the same frame twice."""
    yield ALL, scores
    parts = [(str(name), part) for name, part in scores.groupby("dataset", sort=True)]
    yield from parts if len(parts) > 1 else ((name, scores) for name, _ in parts)
