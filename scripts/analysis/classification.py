"""Classification: figures per class, their averages over the gold labels, and macro-F1 compared."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from scripts.analysis.arrays import FloatArray, Labels, cluster_codes
from scripts.analysis.levels import check_level

OUTSIDE = "outside"
"""Heading of the predictions that are none of the labels."""


@dataclasses.dataclass(frozen=True)
class ClassFigures:
    """How one label was predicted."""

    precision: float
    """Share of the predictions of this label that are right; 0 if there is none."""
    recall: float
    """Share of the items of this label that were predicted so."""
    f1: float
    """``2 * right / (predicted + gold)``."""
    support: int
    """Items whose gold label this is."""
    n_predicted: int
    """Items that were predicted to be of this label."""


@dataclasses.dataclass(frozen=True)
class Classification:
    """Figures of one trial's predictions; averages are over the labels that some item has."""

    labels: tuple[str, ...]
    """The gold labels, in the order of the other figures."""
    n: int
    """Items with a prediction."""
    n_unread: int
    """Items without one, which count nowhere."""
    n_outside: int
    """Predictions that are none of the gold labels; they are wrong."""
    accuracy: float
    balanced_accuracy: float
    """Mean recall; also called macro recall."""
    macro_precision: float
    macro_f1: float
    """Mean F1 of the labels, each counting alike."""
    weighted_f1: float
    """Mean F1 of the labels, weighted by their support."""
    kappa: float | None
    """Cohen's kappa; None: it is not defined, as where all items and predictions are of one label."""
    mcc: float | None
    """Matthews' correlation for several classes; None: it is not defined."""
    per_class: Mapping[str, ClassFigures]
    confusion: tuple[tuple[int, ...], ...]
    """Items by gold label (rows) and prediction (columns: the labels, then those outside)."""


@dataclasses.dataclass(frozen=True)
class MacroF1Difference:
    """The difference of two trials' macro-F1 over the same items."""

    trial: float
    """Macro-F1 of the trial over the items that both have a prediction for."""
    baseline: float
    difference: float
    """Trial minus baseline."""
    n: int
    """Items compared."""
    n_clusters: int
    n_unpaired: int
    """Items that fell out because one of the two, or both, has no prediction."""
    standard_error: float | None = None
    low: float | None = None
    """Lower bound; None: no interval, and ``method`` says why."""
    high: float | None = None
    p_value: float | None = None
    """Two-sided, of no difference; None exactly where ``low`` is."""
    method: str = ""
    """Name of what was computed, or "none: " and the reason."""


def classify(
    gold: Sequence[str], predicted: Sequence[str | None], *, labels: Sequence[str] | None = None
) -> Classification:
    """
    Compute the figures of a classification.

    Averages are over the labels that some item has, never over those that only predictions name: four
    labels of which one is "unparsed" would turn a macro-F1 of 0.527 into 0.396.

    Parameters
    ----------
    gold : sequence of str, shape (n_items,)
        The right label of each item.
    predicted : sequence of str or None, shape (n_items,)
        What was read for the same item; None: nothing, and the item is left out.
    labels : sequence of str, optional
        The order of the labels; those that no item has are left out.  Without it they are sorted.

    Raises
    ------
    ValueError
        If the lengths differ, no item has a prediction, or a gold label is none of `labels`.

    Notes
    -----
    ``kappa = (p_o - p_e) / (1 - p_e)`` with ``p_e`` from the products of gold and predicted shares; MCC is
    Gorodkin's correlation of gold and predicted labels [1]_, where each text outside the labels is a class
    of its own. All agree with scikit-learn over these labels.

    References
    ----------
    .. [1] J. Gorodkin, Comparing two K-category assignments by a K-category correlation coefficient,
       Computational Biology and Chemistry 28, 2004.

    Examples
    --------
    >>> figures = classify(["a", "a", "b", "b"], ["a", "b", "b", "c"])
    >>> figures.accuracy, round(figures.macro_f1, 3), figures.n_outside, figures.confusion
    (0.5, 0.583, 1, ((1, 1, 0), (0, 1, 1)))
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold labels, but {len(predicted)} predictions")
    pairs = [(right, read) for right, read in zip(gold, predicted, strict=True) if read is not None]
    if not pairs:
        raise ValueError("no item has a prediction")
    order = _order([right for right, _ in pairs], labels)
    counts = _confusion(pairs, order)
    right, of_gold, of_predicted = np.diag(counts), counts.sum(axis=1), counts[:, :-1].sum(axis=0)
    recall = right / of_gold
    precision = np.divide(right, of_predicted, out=np.zeros(len(order)), where=of_predicted > 0)
    f1 = 2 * right / (of_gold + of_predicted)
    outside = Counter(read for _, read in pairs if read not in set(order))
    predicted_squares = float(of_predicted @ of_predicted) + sum(count**2 for count in outside.values())
    return Classification(
        labels=order,
        n=len(pairs),
        n_unread=len(gold) - len(pairs),
        n_outside=int(counts[:, -1].sum()),
        accuracy=float(right.sum() / len(pairs)),
        balanced_accuracy=float(recall.mean()),
        macro_precision=float(precision.mean()),
        macro_f1=float(f1.mean()),
        weighted_f1=float(f1 @ of_gold / of_gold.sum()),
        kappa=_kappa(right, of_gold, of_predicted, len(pairs)),
        mcc=_mcc(right, of_gold, of_predicted, predicted_squares=predicted_squares, n=len(pairs)),
        per_class={
            label: ClassFigures(
                precision=float(precision[k]),
                recall=float(recall[k]),
                f1=float(f1[k]),
                support=int(of_gold[k]),
                n_predicted=int(of_predicted[k]),
            )
            for k, label in enumerate(order)
        },
        confusion=tuple(tuple(map(int, row)) for row in counts),
    )


def compare_macro_f1(
    gold: Sequence[str],
    trial: Sequence[str | None],
    baseline: Sequence[str | None],
    *,
    clusters: Labels | None = None,
    confidence_level: float = 0.95,
) -> MacroF1Difference:
    """
    Compare the macro-F1 of two trials over the items that both have a prediction for.

    Parameters
    ----------
    gold, trial, baseline : sequence, shape (n_items,)
        Position ``i`` is the same item in all; None: no prediction.
    clusters : array_like, shape (n_items,), optional
        Items of one cluster are not independent; None: each is its own.
    confidence_level : float
        Coverage aimed at, within (0, 1).

    Raises
    ------
    ValueError
        If the lengths differ, or no item has both predictions.

    Notes
    -----
    The macro-F1 is no mean over items, so each cluster is left out in turn: the standard error is that
    of the jackknife [1]_, ``sqrt((m - 1) / m * sum((d_i - mean(d))**2))`` over the ``m`` differences
    without cluster ``i``. Interval and test use Student's t with ``m - 1`` degrees of freedom, so that
    they agree. A label that only one cluster has cannot be left out, and then there is no interval.

    References
    ----------
    .. [1] B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall, 1993, ch. 11.

    Examples
    --------
    >>> gold = ["a", "b"] * 20
    >>> found = compare_macro_f1(gold, ["a", "b"] * 19 + ["a", "a"], ["a", "b"] * 16 + ["a", "a"] * 4)
    >>> round(found.difference, 3), round(found.low, 3), round(found.high, 3), round(found.p_value, 3)
    (0.076, -0.011, 0.163, 0.084)
    """
    check_level(confidence_level)
    if not len(gold) == len(trial) == len(baseline):
        raise ValueError(f"{len(gold)} gold labels, {len(trial)} and {len(baseline)} predictions")
    codes = cluster_codes(clusters, len(gold))
    kept = [i for i in range(len(gold)) if trial[i] is not None and baseline[i] is not None]
    if not kept:
        raise ValueError("no item has a prediction of both")
    order = _order([gold[i] for i in kept], None)
    _, codes = np.unique(codes[kept], return_inverse=True)
    of_gold = _by_cluster([gold[i] for i in kept], codes, order)
    arms = [
        _arm_counts([gold[i] for i in kept], [arm[i] for i in kept], codes, order)
        for arm in (trial, baseline)
    ]
    means = [float(_macro_f1(right.sum(axis=0), of.sum(axis=0), of_gold.sum(axis=0))) for right, of in arms]
    without = [
        _macro_f1(right.sum(axis=0) - right, of.sum(axis=0) - of, of_gold.sum(axis=0) - of_gold)
        for right, of in arms
    ]
    compared = MacroF1Difference(
        trial=means[0],
        baseline=means[1],
        difference=means[0] - means[1],
        n=len(kept),
        n_clusters=len(of_gold),
        n_unpaired=len(gold) - len(kept),
    )
    reason = _why_no_interval(of_gold, order, without[0] - without[1])
    if reason is not None:
        return dataclasses.replace(compared, method=f"none: {reason}")
    return _with_interval(compared, without[0] - without[1], confidence_level)


def _order(gold: Sequence[str], labels: Sequence[str] | None) -> tuple[str, ...]:
    present = set(gold)
    if labels is None:
        return tuple(sorted(present))
    if strange := sorted(present - set(labels)):
        raise ValueError(f"the gold label {strange[0]!r} is none of the labels")
    return tuple(label for label in dict.fromkeys(labels) if label in present)


def _confusion(pairs: Sequence[tuple[str, str]], order: tuple[str, ...]) -> FloatArray:
    place = {label: k for k, label in enumerate(order)}
    counts = np.zeros((len(order), len(order) + 1))
    for (right, read), count in Counter(pairs).items():
        counts[place[right], place.get(read, len(order))] += count
    return counts


def _kappa(right: FloatArray, of_gold: FloatArray, of_predicted: FloatArray, n: int) -> float | None:
    expected = float(of_gold @ of_predicted) / n**2
    return None if expected == 1 else (float(right.sum()) / n - expected) / (1 - expected)


def _mcc(
    right: FloatArray, of_gold: FloatArray, of_predicted: FloatArray, *, predicted_squares: float, n: int
) -> float | None:
    covariance = float(right.sum()) * n - float(of_gold @ of_predicted)
    spread = (n**2 - float(of_gold @ of_gold)) * (n**2 - predicted_squares)
    return covariance / math.sqrt(spread) if spread > 0 else None


def _by_cluster(texts: Sequence[str | None], codes: np.ndarray, order: tuple[str, ...]) -> FloatArray:
    """Count each label in each cluster, shape (n_clusters, n_labels)."""
    place = {label: k for k, label in enumerate(order)}
    columns = np.array([-1 if text is None else place.get(text, -1) for text in texts])
    counts = np.zeros((int(codes.max()) + 1, len(order)))
    np.add.at(counts, (codes[columns >= 0], columns[columns >= 0]), 1)
    return counts


def _arm_counts(
    gold: Sequence[str], predicted: Sequence[str | None], codes: np.ndarray, order: tuple[str, ...]
) -> tuple[FloatArray, FloatArray]:
    right = [read if read == truth else None for truth, read in zip(gold, predicted, strict=True)]
    return _by_cluster(right, codes, order), _by_cluster(predicted, codes, order)


def _macro_f1(right: FloatArray, of_predicted: FloatArray, of_gold: FloatArray) -> FloatArray:
    """Average the F1 of the labels, along the last axis; every label has an item."""
    return np.asarray((2 * right / np.maximum(of_predicted + of_gold, 1)).mean(axis=-1))


def _why_no_interval(of_gold: FloatArray, order: tuple[str, ...], without: FloatArray) -> str | None:
    n_with = np.count_nonzero(of_gold, axis=0)
    if len(of_gold) < 2:
        return "there is one cluster only"
    if n_with.min() < 2:
        return f"the label {order[int(n_with.argmin())]!r} is in one cluster only"
    return "the predictions do not differ in any cluster" if np.ptp(without) == 0 else None


def _with_interval(
    compared: MacroF1Difference, without: FloatArray, confidence_level: float
) -> MacroF1Difference:
    from scipy.special import stdtr, stdtrit

    m = len(without)
    error = math.sqrt((m - 1) / m * float(((without - without.mean()) ** 2).sum()))
    reach = float(stdtrit(m - 1, (1 + confidence_level) / 2)) * error
    return dataclasses.replace(
        compared,
        standard_error=error,
        low=max(-1.0, compared.difference - reach),
        high=min(1.0, compared.difference + reach),
        p_value=float(2 * stdtr(m - 1, -abs(compared.difference) / error)),
        method="jackknife over clusters, Student's t",
    )
