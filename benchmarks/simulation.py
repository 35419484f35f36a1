"""Answers with a known truth, and how often a method that looks at them is right."""

from __future__ import annotations

import dataclasses
import gc
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scripts.analysis.resampling import child_rng

FloatArray = NDArray[np.float64]

SIZES = 1, 3, 5, 7, 9
"""Sizes of clusters, over and over; five on average."""

CORRELATION = 0.4
"""Of the latent values of two arms for the same item."""

COUNTS_PER_SIMULATION = 2
"""What depends on counts alone is drawn this many times as often: equal counts are looked at once."""

Promise = Literal["coverage", "false positives", "false discoveries"]
"""What is measured: of an interval, of a test, of a family of tests."""

USUAL: dict[Promise, tuple[float, float]] = {
    "coverage": (0.94, 0.965),
    "false positives": (0.0, 0.05),
    "false discoveries": (0.0, 0.05),
}
"""Rates that keep the promise of a level of 95 %."""

Simulate = Callable[[np.random.Generator, int], FloatArray]
"""Outcomes of so many simulations: 1 (held, rejected), 0, or a share; NaN where the method says nothing."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Design:
    """How answers come about: so many items, in clusters or not, each asked once or more often."""

    n_items: int
    n_replicates: int = 1
    is_clustered: bool = False

    @property
    def clusters(self) -> NDArray[np.int64] | None:
        """Cluster of each item."""
        if not self.is_clustered:
            return None
        n_rounds = -(-self.n_items // sum(SIZES))
        sizes = np.tile(SIZES, n_rounds)
        return np.repeat(np.arange(len(sizes)), sizes)[: self.n_items]

    @property
    def n_clusters(self) -> int | None:
        """Clusters; None where every item stands alone."""
        return None if self.clusters is None else int(self.clusters[-1]) + 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """One method under one design."""

    method: str
    """Name of the method."""
    promise: Promise
    """What is measured."""
    design: Design
    """How the data come about."""
    base_rate: float
    """Share of right answers, of the baseline where there are two arms."""
    simulate: Simulate
    """Makes data and applies the method."""
    promised: tuple[float, float]
    """Smallest and largest rate that keep the promise."""
    exception: str = ""
    """Why the promised range is another than usual."""

    @property
    def name(self) -> str:
        """Name of the case; its random numbers depend on it."""
        design = self.design
        parts = [f"n={design.n_items}", f"rate={self.base_rate:g}"]
        parts += [f"clusters={design.n_clusters}"] if design.is_clustered else []
        parts += [f"replicates={design.n_replicates}"] if design.n_replicates > 1 else []
        return f"{self.method}: {self.promise}, {', '.join(parts)}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """How often a method was right."""

    case: Case
    n_simulations: int
    """Data sets made."""
    n_silent: int
    """Of these, data sets about which the method says nothing, and why."""
    rate: float
    """Share of the intervals that hold the truth, or of all data sets in which the test rejects."""
    error: float
    """Monte Carlo standard error of the rate."""

    @property
    def verdict(self) -> str:
        """
        Whether the promise is kept, but for the error of the simulation.

        An honest interval lies within its range, so two standard errors are allowed; an honest test lies at
        its limit, so three are.
        """
        least, most = self.case.promised
        if self.case.promise != "coverage":
            return "too often" if self.rate > most + 3 * self.error else "holds"
        if math.isnan(self.rate):
            return "silent"
        if self.rate < least - 2 * self.error:
            return "too short"
        return "too long" if self.rate > most + 2 * self.error else "holds"


def measure(case: Case, *, simulations: int, seed: int) -> Measured:
    """
    Simulate a case.

    A data set about which an interval says nothing does not count; for a test it counts as not rejected.
    """
    # statsmodels collects garbage at each call of Holm's method: long where there is much to look at.
    was_frozen = gc.get_freeze_count() > 0
    gc.freeze()
    try:
        outcomes = case.simulate(child_rng(seed, "calibration", case.name), simulations)
    finally:
        if not was_frozen:
            gc.unfreeze()
    made = outcomes[~np.isnan(outcomes)] if case.promise == "coverage" else np.nan_to_num(outcomes)
    return Measured(
        case=case,
        n_simulations=len(outcomes),
        n_silent=int(np.count_nonzero(np.isnan(outcomes))),
        rate=float(made.mean()) if len(made) else math.nan,
        error=float(made.std()) / math.sqrt(len(made)) if len(made) else math.nan,
    )


def one_by_one(judge: Callable[[np.random.Generator], float]) -> Simulate:
    """Make a data set and judge the method on it, over and over."""
    return lambda rng, simulations: np.array([judge(rng) for _ in range(simulations)])


def by_counts(
    draw: Callable[[np.random.Generator, int], NDArray[np.int64]], judge: Callable[..., float]
) -> Simulate:
    """Draw the counts that a method needs, shape (simulations, n_counts), and judge each kind once."""

    def simulate(rng: np.random.Generator, simulations: int) -> FloatArray:
        rows, places = np.unique(draw(rng, COUNTS_PER_SIMULATION * simulations), axis=0, return_inverse=True)
        judged = np.array([judge(*row) for row in rows.tolist()])
        outcomes: FloatArray = judged[places.reshape(-1)]
        return outcomes

    return simulate


def answers(rng: np.random.Generator, design: Design, rates: tuple[float, ...]) -> FloatArray:
    """
    Right (1) and wrong (0) answers of several arms to the same items.

    Each answer is right where a latent normal value lies below a threshold, so its chance is the arm's rate
    exactly.  The value is a sum over what the item has in all arms, in this arm, and in this answer; items
    of a cluster share a part of the first two.  Arms of the same rate are exchangeable.

    Returns
    -------
    ndarray of float, shape (n_arms, n_items, n_replicates)
    """
    from scipy.special import ndtri

    n, n_arms = design.n_items, len(rates)
    codes = design.clusters
    of_clusters = 0.1 if codes is not None else 0.0
    latent = math.sqrt(0.5 - of_clusters) * rng.standard_normal((n_arms, n, design.n_replicates))
    latent += math.sqrt(0.1) * rng.standard_normal((n_arms, n, 1))
    latent += math.sqrt(CORRELATION - of_clusters) * rng.standard_normal((1, n, 1))
    if codes is not None:
        n_clusters = int(codes[-1]) + 1
        latent += math.sqrt(of_clusters) * rng.standard_normal((n_arms, n_clusters, 1))[:, codes]
        latent += math.sqrt(of_clusters) * rng.standard_normal((1, n_clusters, 1))[:, codes]
    right: FloatArray = (latent < ndtri(np.array(rates))[:, np.newaxis, np.newaxis]).astype(np.float64)
    return right


def chance_of_both(one: float, other: float) -> float:
    """Chance that both of two arms are right about an item, as `answers` makes them."""
    from scipy.special import ndtri
    from scipy.stats import multivariate_normal

    covariance = [[1.0, CORRELATION], [CORRELATION, 1.0]]
    return float(multivariate_normal([0.0, 0.0], covariance).cdf(ndtri([one, other])))


def table_chances(trial: float, baseline: float) -> list[float]:
    """Chances that both, only the trial, only the baseline, and neither is right about an item."""
    both = chance_of_both(trial, baseline)
    return [both, trial - both, baseline - both, 1 - trial - baseline + both]


def held(low: float | None, truth: float, high: float | None) -> float:
    """Whether an interval holds the truth; NaN where there is none.  One end alone may be open."""
    if low is None and high is None:
        return math.nan
    is_held = (low is None or low <= truth) and (high is None or truth <= high)
    return float(is_held)


def rejected(p_value: float | None, alpha: float = 0.05) -> float:
    """Whether a test rejects; NaN where it could not be made."""
    return math.nan if p_value is None else float(p_value <= alpha)


def described(measured: Measured) -> dict[str, Any]:
    """Give all that is known about a result in words and numbers that JSON can hold."""
    case = measured.case
    usual = dataclasses.replace(case, promised=USUAL[case.promise])
    return {
        "method": case.method,
        "promise": case.promise,
        "n": case.design.n_items,
        "base_rate": case.base_rate,
        "clusters": case.design.n_clusters,
        "replicates": case.design.n_replicates,
        "rate": None if math.isnan(measured.rate) else measured.rate,
        "monte_carlo_error": None if math.isnan(measured.error) else measured.error,
        "promised": list(case.promised),
        "verdict": measured.verdict,
        "is_usual": dataclasses.replace(measured, case=usual).verdict == "holds",
        "exception": case.exception or None,
        "simulations": measured.n_simulations,
        "silent": measured.n_silent,
    }
