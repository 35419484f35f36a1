"""What the discordant pairs of a binary comparison say: items gained against items lost."""

from __future__ import annotations

import dataclasses
import sys

from scripts.analysis import levels


@dataclasses.dataclass(frozen=True)
class OddsRatio:
    """How many items are gained for each one lost."""

    estimate: float
    """Gained plus one half, divided by lost plus one half; finite with no lost item."""
    low: float | None
    """Lower bound; None: no interval, and ``method`` says why."""
    high: float | None
    """Upper bound; None: unbounded where ``low`` is a number, otherwise no interval."""
    method: str
    """Name of what was computed, of the estimate and of the interval."""


def exact_mcnemar(n_gained: int, n_lost: int) -> float:
    """
    Test that an item is as likely to be gained as to be lost.

    Items that both arms get right, or both get wrong, say nothing about the difference and do not enter.

    Parameters
    ----------
    n_gained, n_lost : int
        Pairs that only the trial, and only the baseline, has right.

    Returns
    -------
    float
        Two-sided p-value; 1 with no discordant pair.  One too small for a float is given as the smallest
        normal float, about 2e-308, never as 0.

    Raises
    ------
    ValueError
        If a count is negative.

    Notes
    -----
    Given ``n = n_gained + n_lost``, under the null hypothesis ``n_gained`` is Binomial(n, 1/2); the
    p-value is twice the smaller tail, at most 1 [1]_.

    References
    ----------
    .. [1] A. Agresti, Categorical Data Analysis, 3rd ed., Wiley, 2013, section 11.1.

    Examples
    --------
    >>> exact_mcnemar(5, 0)
    0.0625
    """
    from scipy.stats import binom

    if min(n_gained, n_lost) < 0:
        raise ValueError(f"{n_gained} gained and {n_lost} lost are not counts")
    if n_gained == n_lost:
        return 1.0
    tail = float(binom.cdf(min(n_gained, n_lost), n_gained + n_lost, 0.5))
    return min(1.0, max(2 * tail, sys.float_info.min))


def midp_mcnemar(n_gained: int, n_lost: int) -> float:
    """
    Mid-p version of the exact test: the observed split counts only half.

    The exact test is conservative, since the number of gained items jumps; this one is not, at the price of
    a size that may slightly pass the level.

    Parameters
    ----------
    n_gained, n_lost : int
        Pairs that only the trial, and only the baseline, has right.

    Returns
    -------
    float
        Two-sided p-value; 1 with no discordant pair; never 0, as in `exact_mcnemar`.

    Raises
    ------
    ValueError
        If a count is negative.

    Notes
    -----
    The exact p-value less the probability of the observed split; with as many gained as lost, 1 less half
    of it [1]_.  Summed without a subtraction, so that a small value keeps its digits.

    References
    ----------
    .. [1] M. W. Fagerland, S. Lydersen, P. Laake, The McNemar test for binary matched-pairs data: mid-p and
       asymptotic are better than exact conditional, BMC Med. Res. Methodol. 13 (2013) 91.

    Examples
    --------
    >>> round(midp_mcnemar(1, 7), 6)
    0.039062
    """
    from scipy.stats import binom

    if min(n_gained, n_lost) < 0:
        raise ValueError(f"{n_gained} gained and {n_lost} lost are not counts")
    n, smaller = n_gained + n_lost, min(n_gained, n_lost)
    if n == 0:
        return 1.0
    observed = float(binom.pmf(smaller, n, 0.5))
    if n_gained == n_lost:
        return 1 - observed / 2
    return max(2 * float(binom.cdf(smaller - 1, n, 0.5)) + observed, sys.float_info.min)


def conditional_odds_ratio(n_gained: int, n_lost: int, *, confidence_level: float) -> OddsRatio:
    """
    Odds ratio of matched binary pairs, given how many of them are discordant.

    It is the ratio within items; it is not the ratio of the two arms' overall odds.

    Parameters
    ----------
    n_gained, n_lost : int
        Pairs that only the trial, and only the baseline, has right.
    confidence_level : float
        Coverage, within (0, 1); at least this.

    Returns
    -------
    OddsRatio
        ``low`` and ``high`` are None with no discordant pair; ``high`` alone with no lost pair, where it
        has no bound.

    Raises
    ------
    ValueError
        If a count is negative or the level is out of range.

    Notes
    -----
    The estimate is Haldane's, with one half added to each count [1]_.  The interval is the exact one of
    Clopper and Pearson [2]_ for the probability ``p`` that a discordant pair is gained, carried over by
    ``p / (1 - p)`` [3]_; it is not centred on the estimate.

    References
    ----------
    .. [1] J. B. S. Haldane, The estimation and significance of the logarithm of a ratio of frequencies,
       Ann. Hum. Genet. 20 (1956) 309-311.
    .. [2] C. J. Clopper, E. S. Pearson, The use of confidence or fiducial limits illustrated in the case of
       the binomial, Biometrika 26 (1934) 404-413.
    .. [3] M. W. Fagerland, S. Lydersen, P. Laake, Recommended tests and confidence intervals for paired
       binomial proportions, Stat. Med. 33 (2014) 2850-2875.

    Examples
    --------
    >>> ratio = conditional_odds_ratio(8, 2, confidence_level=0.95)
    >>> ratio.estimate, round(ratio.low, 3), round(ratio.high, 3)
    (3.4, 0.798, 38.666)
    """
    levels.check_level(confidence_level)
    if min(n_gained, n_lost) < 0:
        raise ValueError(f"{n_gained} gained and {n_lost} lost are not counts")
    estimate = (n_gained + 0.5) / (n_lost + 0.5)
    if n_gained == n_lost == 0:
        return OddsRatio(estimate, None, None, "gained/lost + 0.5 each; none: no discordant pair")
    low = _lower_odds(n_gained, n_lost, confidence_level)
    high_inverse = _lower_odds(n_lost, n_gained, confidence_level)
    high = 1 / high_inverse if high_inverse > 0 else None
    return OddsRatio(estimate, low, high, "gained/lost + 0.5 each; conditional clopper-pearson")


def _lower_odds(n_gained: int, n_lost: int, confidence_level: float) -> float:
    """Clopper-Pearson's lower bound as odds; the upper one is the inverse with the counts exchanged."""
    from scipy.stats import beta

    if n_gained == 0:
        return 0.0
    bound = float(beta.ppf((1 - confidence_level) / 2, n_gained, n_lost + 1))
    return bound / (1 - bound)
