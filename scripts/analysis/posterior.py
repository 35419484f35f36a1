"""What a Bayesian makes of a paired comparison of binary values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from scripts.analysis.levels import check_level

PRIOR = 0.5
"""Of each of the four cells: Jeffreys' prior of a multinomial."""


@dataclasses.dataclass(frozen=True)
class Posterior:
    """Posterior of the difference of two proportions over the same items."""

    mean: float | None
    """Posterior mean of trial minus baseline."""
    low: float | None
    """Lower bound of the equal-tailed credible interval."""
    high: float | None
    """Upper bound of the equal-tailed credible interval."""
    p_better: float | None
    """Probability that the trial is better than its baseline."""
    p_equivalent: float | None
    """Probability that the difference is smaller than the margin, either way; None also without a margin."""
    method: str
    """Name of model and prior, or "none: " and the reason."""


def no_posterior(reason: str) -> Posterior:
    """Say that there is none, and why."""
    return Posterior(None, None, None, None, None, f"none: {reason}")


def dirichlet_posterior(
    n_gained: int,
    n_lost: int,
    n_pairs: int,
    *,
    confidence_level: float,
    margin: float | None = None,
    higher_is_better: bool = True,
) -> Posterior:
    """
    Posterior of the difference from the paired 2x2 table, each cell with prior 1/2.

    The pairs must be independent.  How the pairs where both agree split up plays no part.

    Parameters
    ----------
    n_gained, n_lost : int
        Pairs that only the trial, and only the baseline, has right.
    n_pairs : int
        All pairs.
    confidence_level : float
        Probability of the credible interval, within (0, 1).
    margin : float, optional
        Half the width of the equivalence band, above 0.
    higher_is_better : bool
        Direction of the metric.

    Returns
    -------
    Posterior
        Nothing in it is drawn at random.

    Raises
    ------
    ValueError
        If the counts or the level are out of range.

    Notes
    -----
    Under Dirichlet(1/2, 1/2, 1/2, 1/2) [1]_ the share of discordant pairs is Beta and, independent of it, the
    share of gained ones among them is Beta too.  The distribution function of the difference is the
    expectation of the second over the first: an integral over the quantiles of a normal variable, by the
    trapezoidal rule at 1,001 points.

    References
    ----------
    .. [1] S. Bowyer, L. Aitchison, D. R. Ivanova, Position: don't use the CLT in LLM evals with fewer than
       a few hundred datapoints, arXiv:2503.01747, ICML 2025.

    Examples
    --------
    >>> found = dirichlet_posterior(9, 3, 50, confidence_level=0.95, margin=0.02)
    >>> [round(value, 3) for value in (found.mean, found.low, found.high, found.p_better, found.p_equivalent)]
    [0.115, -0.014, 0.25, 0.961, 0.052]
    """
    from scipy.optimize import brentq
    from scipy.special import betainc

    check_level(confidence_level)
    if min(n_gained, n_lost) < 0 or n_gained + n_lost > n_pairs or n_pairs < 1:
        raise ValueError(f"{n_gained} gained and {n_lost} lost of {n_pairs} pairs is not possible")
    share_up_to = _distribution(n_gained, n_lost, n_pairs)
    tail = (1 - confidence_level) / 2
    low, high = (
        float(brentq(lambda x, q=q: share_up_to(x) - q, -1.0, 1.0, xtol=1e-13)) for q in (tail, 1 - tail)
    )
    worse, better = (n_lost, n_gained) if higher_is_better else (n_gained, n_lost)
    return Posterior(
        mean=(n_gained - n_lost) / (n_pairs + 4 * PRIOR),
        low=low,
        high=high,
        p_better=float(betainc(worse + PRIOR, better + PRIOR, 0.5)),
        p_equivalent=None if margin is None else share_up_to(margin) - share_up_to(-margin),
        method="dirichlet on the paired 2x2 table, prior 1/2 each",
    )


def _distribution(n_gained: int, n_lost: int, n_pairs: int) -> Callable[[float], float]:
    """Distribution function of the difference, on [-1, 1]."""
    from scipy.special import betainc, betaincinv, ndtr

    points = np.linspace(-8.5, 8.5, 1001)
    weights = np.exp(-(points**2) / 2)
    weights /= weights.sum()
    discordant = n_gained + n_lost + 2 * PRIOR
    agreeing = n_pairs - n_gained - n_lost + 2 * PRIOR
    # From the nearer end, so that shares near 1 keep their digits.
    shares = np.where(
        points < 0,
        betaincinv(discordant, agreeing, ndtr(np.minimum(points, 0))),
        1 - betaincinv(agreeing, discordant, ndtr(-np.maximum(points, 0))),
    )

    def share_up_to(difference: float) -> float:
        gained = np.clip((1 + difference / np.maximum(shares, 1e-300)) / 2, 0, 1)
        return float(weights @ betainc(n_gained + PRIOR, n_lost + PRIOR, gained))

    return share_up_to
