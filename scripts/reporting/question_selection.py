"""Which questions of a trial its page shows: a bounded selection, fair to every kind and every dataset.

All of it works on whole columns: a question becomes a Python object only once it is chosen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.files import read_parquet

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Key = tuple[str, str, int]
"""Dataset, item and replicate."""

PAIRED_KINDS = ("gained", "lost", "both_right", "both_wrong", "unscored", "failed", "abstained")
SINGLE_KINDS = ("right", "wrong", "unscored", "failed", "abstained")
"""Kinds of questions of a trial with and without a baseline; a question may be of several."""

_WEIGHTS = {"gained": 4.0, "lost": 4.0, "failed": 3.0, "abstained": 2.0, "unscored": 2.0}
"""How many questions of a kind are chosen for one of a kind that is not named."""

_HASH_ROWS = 65_536
_SEPARATOR = "\x1f"


@dataclasses.dataclass(frozen=True)
class TrialFiles:
    """The two files of a trial that its questions come from."""

    scores: Path
    outcomes: Path


@dataclasses.dataclass(frozen=True)
class Selection:
    """The questions to show; any first few of them are a fair selection too."""

    keys: tuple[Key, ...]
    kinds: tuple[tuple[str, ...], ...]
    """Every kind that a question is of, aligned with `keys`."""
    totals: Mapping[str, int]
    """Questions of each kind in the whole trial."""
    n_items: int
    """Questions of the whole trial."""


@dataclasses.dataclass(frozen=True)
class _Arm:
    """The requests of a trial as matrices of items by replicates."""

    correct: Array
    """NaN: no score, or no such request."""
    is_failed: Array
    is_abstained: Array
    is_there: Array

    @property
    def mean(self) -> Array:
        """Mean score of each item over the replicates that have one, else NaN."""
        import numpy as np

        n = np.isfinite(self.correct).sum(axis=1)
        total = np.nansum(self.correct, axis=1)
        mean: Array = np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0)
        return mean


def select_questions(trial: Path, *, baseline: Path | None, limit: int) -> Selection:
    """
    Choose the questions that a trial's page shows.

    Parameters
    ----------
    trial, baseline : Path
        Files of scores; `baseline` is None for a trial that is compared with nothing.
    limit : int
        The most questions.

    Returns
    -------
    Selection
        The same files always give the same selection, whatever the order of their rows.

    Notes
    -----
    Questions are ranked by a hash of dataset and item within their kind and dataset, and taken from all of
    these in turn; from gained and lost ones four at a time.  So disagreements come first, and no kind and no
    dataset is left out.  A question is shown in the first replicate that is of its kind.  Where scores are
    shares, or replicates differ, a mean of one half or more counts as right.
    """
    import numpy as np
    import pyarrow.compute as pc

    scores, names = _read_scores(trial)
    encoded = names.dictionary_encode().combine_chunks()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    n_items = len(encoded.dictionary)
    arms = [(scores, codes)]
    if baseline is not None:
        others, other_names = _read_scores(baseline)
        found = pc.index_in(other_names, value_set=encoded.dictionary)
        is_known = found.is_valid()
        arms.append((others.filter(is_known), found.drop_null().to_numpy()))
    n_replicates = 1 + max(pc.max(rows["replicate"]).as_py() or 0 for rows, _ in arms)
    own, *rest = (_arm(rows, places, (n_items, n_replicates)) for rows, places in arms)
    other = rest[0] if rest else None
    masks = _single_masks(own) if other is None else _paired_masks(own, other)
    row_of_item = np.empty(n_items, dtype=np.int64)
    row_of_item[codes] = np.arange(len(codes))
    datasets = scores["dataset"].take(row_of_item).combine_chunks()
    places = _ranked(masks, datasets, encoded.dictionary, limit)
    replicates = _shown_replicates(own, other)[places]
    labels = (column.take(places).to_pylist() for column in (datasets, encoded.dictionary))
    return Selection(
        keys=tuple(
            (dataset, name.removeprefix(f"{dataset}{_SEPARATOR}"), int(replicate))
            for dataset, name, replicate in zip(*labels, replicates, strict=True)
        ),
        kinds=tuple(tuple(kind for kind, mask in masks.items() if mask[place]) for place in places),
        totals={kind: int(mask.sum()) for kind, mask in masks.items()},
        n_items=n_items,
    )


def _read_scores(path: Path) -> tuple[Any, Any]:
    """Read the columns that choosing needs, and each row's dataset and item as one text."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    names = pq.read_schema(path).names
    metrics = [name for name in ("correct", "abstained") if name in names]
    table = read_parquet(path, ["dataset", "item_id", "replicate", "outcome", *metrics])
    # Writers differ: some keep texts as categories or large strings.
    texts = [table[name].cast(pa.string()) for name in ("dataset", "item_id")]
    columns = {
        "dataset": texts[0],
        "replicate": table["replicate"].cast(pa.int64()),
        "is_failed": pc.not_equal(table["outcome"].cast(pa.string()), "answered"),
    }
    for name in ("correct", "abstained"):
        column = table[name].cast(pa.float64()) if name in metrics else pa.nulls(len(table), pa.float64())
        columns[name] = pc.fill_null(column, float("nan"))
    return pa.table(columns), pc.binary_join_element_wise(*texts, _SEPARATOR)


def _arm(rows: Any, codes: Array, shape: tuple[int, int]) -> _Arm:
    import numpy as np

    cells = codes, rows["replicate"].to_numpy()
    is_failed = rows["is_failed"].to_numpy(zero_copy_only=False)
    is_abstained = (rows["abstained"].to_numpy() == 1) & ~is_failed
    values = (
        (rows["correct"].to_numpy(), np.nan),
        (is_failed, False),
        (is_abstained, False),
        (np.ones(len(codes), dtype=bool), False),
    )
    matrices = []
    for column, absent in values:
        matrix = np.full(shape, absent)
        matrix[cells] = column
        matrices.append(matrix)
    return _Arm(*matrices)


def _paired_masks(trial: _Arm, baseline: _Arm) -> dict[str, Array]:
    import numpy as np

    mean = trial.mean
    change: Array = mean - baseline.mean
    is_same = change == 0
    return {
        "gained": change > 0,
        "lost": change < 0,
        "both_right": is_same & (mean >= 0.5),
        "both_wrong": is_same & (mean < 0.5),
        "unscored": np.isnan(change),
        "failed": (trial.is_failed | baseline.is_failed).any(axis=1),
        "abstained": (trial.is_abstained | baseline.is_abstained).any(axis=1),
    }


def _single_masks(trial: _Arm) -> dict[str, Array]:
    import numpy as np

    mean = trial.mean
    masks: dict[str, Any] = {
        "right": mean >= 0.5,
        "wrong": mean < 0.5,
        "unscored": np.isnan(mean),
        "failed": trial.is_failed.any(axis=1),
        "abstained": trial.is_abstained.any(axis=1),
    }
    return masks


def _shown_replicates(trial: _Arm, baseline: _Arm | None) -> Array:
    """Of each item the first replicate that shows its change, else that failed, else that is there."""
    import numpy as np

    first: Array = np.where(
        trial.is_failed.any(axis=1), trial.is_failed.argmax(axis=1), trial.is_there.argmax(axis=1)
    )
    if baseline is None:
        return first
    change = (trial.mean - baseline.mean)[:, None]
    shows = (trial.correct - baseline.correct) * change > 0
    shown: Array = np.where(shows.any(axis=1), shows.argmax(axis=1), first)
    return shown


def _ranked(masks: Mapping[str, Array], datasets: Any, names: Any, limit: int) -> Array:
    """Places of the chosen items: from every kind and dataset in turn."""
    import numpy as np
    import pyarrow.compute as pc

    kinds = [*(kind for kind in _WEIGHTS if kind in masks), *(kind for kind in masks if kind not in _WEIGHTS)]
    stratum = np.select([masks[kind] for kind in kinds], np.arange(len(kinds)), default=len(kinds))
    dataset = pc.rank(datasets, tiebreaker="min").to_numpy().astype(np.int64)
    hashes = _hashes(names)
    order = np.lexsort((hashes, dataset, stratum))
    group = stratum[order] * (dataset.max(initial=0) + 1) + dataset[order]
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    rank = np.empty(len(order))
    rank[order] = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    weights = np.array([*(_WEIGHTS.get(kind, 1.0) for kind in kinds), 1.0])
    taken: Array = np.lexsort((hashes, rank / weights[stratum]))[:limit]
    return taken


def _hashes(names: Any) -> Array:
    """Hash texts, the same on every machine, without all of them being Python objects at a time."""
    import numpy as np
    from pandas.util import hash_array

    parts = [
        hash_array(names.slice(start, _HASH_ROWS).to_numpy(zero_copy_only=False), categorize=False)
        for start in range(0, len(names), _HASH_ROWS)
    ]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)
