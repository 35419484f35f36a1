"""The unit of an analysis: the request that was sent, however many questions its reply answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scripts.comparison.item_scores import KEY

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

N_ITEMS = "n_items"
"""Column of the items: how many questions a unit stands for."""


def merge_units(
    trials: Sequence[pd.DataFrame], items: pd.DataFrame
) -> tuple[list[pd.DataFrame], pd.DataFrame]:
    """
    Merge the questions that share a request in any of the trials into one unit each.

    Questions with the same text, or prompts that leave out what tells them apart, make the same request.  It
    is sent once, and its one reply is one observation, not several.

    Parameters
    ----------
    trials : sequence of DataFrame
        The scores of each trial, a row per question and replicate, with column ``request_key`` (None: the
        request is not known, and nobody shares it).
    items : DataFrame
        The questions, from `scripts.comparison.item_scores.read_items`.

    Returns
    -------
    trials : list of DataFrame
        A row per unit and replicate; ``item_id`` is that of the unit's first question, a score the mean over
        its questions, NaN where one of them has none.
    items : DataFrame
        A row per unit, with column ``n_items``.  Units of several datasets, or of questions that can be
        answered and others that cannot, are never merged, but one cluster where they share a request.

    Examples
    --------
    >>> import pandas as pd
    >>> asked = pd.DataFrame({"dataset": "d", "item_id": ["a", "b", "c"], "replicate": 0})
    >>> items = asked[["dataset", "item_id"]].assign(is_unanswerable=False, cluster=[0, 1, 2])
    >>> trial = asked.assign(request_key=["k", "k", "m"], correct=[1.0, 0.0, 1.0])
    >>> (merged,), units = merge_units([trial], items)
    >>> merged["correct"].tolist(), units["n_items"].tolist()
    ([0.5, 1.0], [2, 1])
    """
    shared = request_groups(trials, items)
    if shared is None:
        return [_without_keys(rows) for rows in trials], items.assign(**{N_ITEMS: 1})
    units = _name_units(items, shared)
    return [_merge_rows(rows, units) for rows in trials], _merge_items(items, units, shared)


def join_clusters(trials: Sequence[pd.DataFrame], items: pd.DataFrame) -> pd.Series[int]:
    """
    Number the independent clusters of questions, those that share a request in any of the trials joined.

    Parameters and errors: see `merge_units`.

    Returns
    -------
    Series
        By dataset and item_id.
    """
    import pandas as pd

    shared = request_groups(trials, items)
    clusters: pd.Series[int] = items.set_index(KEY)["cluster"]
    if shared is None:
        return clusters
    joined = join_labels(shared, items["cluster"].to_numpy())
    found: pd.Series[int] = pd.Series(joined, index=clusters.index)
    return found


def request_groups(trials: Sequence[pd.DataFrame], items: pd.DataFrame) -> NDArray[np.int64] | None:
    """
    Number the groups of questions that requests connect, shape (n_items,); None: nothing is shared.

    Parameters: see `merge_units`.
    """
    import numpy as np
    import pandas as pd

    place = pd.Series(np.arange(len(items)), index=pd.MultiIndex.from_frame(items[KEY]))
    edges = []
    for rows in trials:
        known = rows[rows["request_key"].notna()] if "request_key" in rows else rows.iloc[:0]
        if not len(known):
            continue
        keys = pd.factorize(known["request_key"])[0]
        if keys.max() + 1 < len(known):
            edges.append((place.reindex(pd.MultiIndex.from_frame(known[KEY])).to_numpy(), keys))
    if not edges:
        return None
    groups = np.arange(len(items))
    for rows_of, keys in edges:
        groups = _connect(groups, rows_of, keys)
    return groups if groups.max() + 1 < len(items) else None


def join_labels(*labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """
    Number the groups of things that any of the labels put together.

    Examples
    --------
    >>> import numpy as np
    >>> join_labels(np.array([0, 0, 1, 2]), np.array([5, 6, 6, 7])).tolist()
    [0, 0, 0, 1]
    """
    import numpy as np

    first, *rest = labels
    groups = np.unique(first, return_inverse=True)[1].astype(np.int64)
    for others in rest:
        codes = np.unique(others, return_inverse=True)[1].astype(np.int64)
        groups = _connect(groups, np.arange(len(groups)), codes)
    return groups


def _connect(
    groups: NDArray[np.int64], places: NDArray[np.int64], labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Join the groups of those places that bear the same label."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_groups = int(groups.max()) + 1
    n_nodes = n_groups + int(labels.max()) + 1
    ends = groups[places], n_groups + labels
    graph = coo_array((np.ones(len(labels), dtype=np.int8), ends), shape=(n_nodes, n_nodes))
    joined = connected_components(graph, directed=False)[1]
    return np.unique(joined[groups], return_inverse=True)[1].astype(np.int64)


def _name_units(items: pd.DataFrame, shared: NDArray[np.int64]) -> pd.DataFrame:
    """By dataset and item_id, the unit: the id of its first question."""
    kinds = [items["dataset"], items["is_unanswerable"], shared]
    units: pd.DataFrame = items[KEY].assign(unit=items.groupby(kinds)["item_id"].transform("first"))
    return units


def _merge_rows(rows: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    scores = [name for name in rows.columns if rows[name].dtype.kind == "f"]
    named = rows.merge(units, on=KEY, how="left", validate="many_to_one")
    named = named.drop(columns="item_id").rename(columns={"unit": "item_id"})
    by_unit = named.groupby([*KEY, "replicate"], sort=True)[scores]
    means = by_unit.mean().where(by_unit.count().eq(by_unit.size(), axis=0))
    merged: pd.DataFrame = means.reset_index()
    return merged


def _merge_items(items: pd.DataFrame, units: pd.DataFrame, shared: NDArray[np.int64]) -> pd.DataFrame:
    clusters = join_labels(shared, items["cluster"].to_numpy())
    sizes = units.groupby(["dataset", "unit"])["item_id"].transform("size")
    merged: pd.DataFrame = items.assign(cluster=clusters, **{N_ITEMS: sizes.to_numpy()})
    return merged[(units["item_id"] == units["unit"]).to_numpy()].reset_index(drop=True)


def _without_keys(rows: pd.DataFrame) -> pd.DataFrame:
    kept: pd.DataFrame = rows.drop(columns="request_key", errors="ignore")
    return kept
