"""Classifications: figures by class for a trial, and the difference of macro-F1 from its baseline."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.analysis.classification import classify, compare_macro_f1
from scripts.comparison.item_scores import KEY
from scripts.comparison.metrics import Better
from scripts.files import read_parquet
from scripts.scorers import Scorer
from scripts.scorers.label import Label
from scripts.scorers.several import each_scorer

if TYPE_CHECKING:
    import pandas as pd

MACRO_F1 = "macro_f1"

UNREAD = "(unread)"
"""Stands for a text in which no label could be read: as published figures have it, a wrong prediction."""


@dataclasses.dataclass(frozen=True)
class LabelledDataset:
    """A dataset whose answers are labels."""

    name: str
    labels: tuple[str, ...]
    gold: Mapping[str, str]
    """By item that has one, its label."""


def labelled_datasets(scorers: Mapping[str, Scorer], prepared: Sequence[Path]) -> list[LabelledDataset]:
    """
    List the datasets that are scored by their labels, with the right label of each item.

    Parameters
    ----------
    scorers : mapping
        The scorer of each dataset; the first one of several counts.
    prepared : sequence of Path
        The prepared datasets.
    """
    found = []
    for path in prepared:
        given = scorers.get(path.stem)
        scorer = None if given is None else each_scorer(given)[0]
        if isinstance(scorer, Label):
            rows = read_parquet(path, ["id", "answers", "is_unanswerable"]).to_pylist()
            gold = {
                row["id"]: scorer.label_of(row["answers"][0]) or row["answers"][0]
                for row in rows
                if row["answers"] and not row["is_unanswerable"]
            }
            found.append(
                LabelledDataset(path.stem, scorer.labels or tuple(dict.fromkeys(gold.values())), gold)
            )
    return found


def describe_labels(scores: pd.DataFrame, dataset: LabelledDataset) -> dict[str, Any] | None:
    """
    Give the figures of a trial's predictions, every replicate a prediction; None where there is none.

    Parameters
    ----------
    scores : DataFrame
        Of the trial, a row per request, with ``read`` and ``correct``.
    dataset : LabelledDataset
        Which of its questions count.
    """
    rows = _predictions(scores, dataset)
    if not rows["predicted"].notna().any():
        return None
    predicted = [text if isinstance(text, str) else None for text in rows["predicted"]]
    return dataclasses.asdict(classify(rows["gold"].tolist(), predicted, labels=dataset.labels))


def compare_labels(
    trial: pd.DataFrame,
    baseline: pd.DataFrame,
    dataset: LabelledDataset,
    clusters: pd.Series[int],
    *,
    confidence_level: float,
) -> dict[str, Any] | None:
    """
    Compare the macro-F1 of a trial and its baseline, replicate by replicate of the same question.

    Returns
    -------
    dict or None
        An effect on the metric ``macro_f1``; None where no question has a prediction of both.
    """
    on = [*KEY, "replicate", "gold"]
    pairs = _predictions(trial, dataset).merge(
        _predictions(baseline, dataset), on=on, how="outer", suffixes=("", "_baseline")
    )
    if not pairs[["predicted", "predicted_baseline"]].notna().all(axis=1).any():
        return None
    arms = [
        [text if isinstance(text, str) else None for text in pairs[name]]
        for name in ("predicted", "predicted_baseline")
    ]
    codes = clusters.loc[list(pairs[KEY].itertuples(index=False, name=None))].to_numpy()
    found = compare_macro_f1(pairs["gold"].tolist(), *arms, clusters=codes, confidence_level=confidence_level)
    n_missing = [sum(text is None for text in arm) for arm in arms]
    return {
        "dataset": dataset.name,
        "metric": MACRO_F1,
        "better": Better.HIGHER.value,
        "is_share": True,
        "unit": "",
        "n_pairs": found.n,
        "n_unpaired": found.n_unpaired,
        "n_clusters": found.n_clusters,
        "n_gained": None,
        "n_lost": None,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "interval_method": found.method,
        "test": found.method,
        "p_value": found.p_value,
        "is_p_floor": False,
        "odds_ratio": None,
        "equivalence_low": None,
        "equivalence_high": None,
        "n_questions": found.n,
        "requests": {
            name: {"n_requests": len(pairs), "n_without_score": missing}
            for name, missing in zip(("trial", "baseline"), n_missing, strict=True)
        },
        "sensitivity": None,
    }


def _predictions(scores: pd.DataFrame, dataset: LabelledDataset) -> pd.DataFrame:
    """Gold label and prediction of each request; an accepted label counts as the gold one; None: no text."""
    rows = scores.loc[scores["dataset"] == dataset.name, [*KEY, "replicate", "read", "correct", "unread"]]
    gold = rows["item_id"].map(dict(dataset.gold))
    there = rows.assign(gold=gold)[gold.notna()]
    is_read = there["correct"].notna() & there["read"].notna()
    predicted = there["read"].where(there["correct"] != 1, there["gold"]).where(is_read)
    predicted = predicted.mask(there["unread"] == 1, UNREAD)
    found: pd.DataFrame = there.assign(predicted=predicted)[[*KEY, "replicate", "gold", "predicted"]]
    return found
