"""
Score intervals of a proportion (Wilson) and of a paired difference of proportions (Tango, Newcombe).

They come from the score test, so they stay inside their range and keep a width when every item agrees,
where an interval of the form "estimate plus or minus z standard errors" shrinks to a point.
"""

from __future__ import annotations

import math

from scripts.analysis.levels import check_level


def wilson_interval(n_successes: float, n_trials: float, *, confidence_level: float) -> tuple[float, float]:
    """
    Wilson's score interval of a proportion.

    Parameters
    ----------
    n_successes, n_trials : float
        Counts, ``0 <= n_successes <= n_trials`` and ``n_trials > 0``; those of an effective sample size need
        not be whole.
    confidence_level : float
        Coverage aimed at, within (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper bound, within [0, 1].

    Raises
    ------
    ValueError
        If the counts or the level are out of range.

    Notes
    -----
    The bounds are the proportions that a two-sided score test would just not reject [1]_.  Coverage is
    close to the level on average, not at least the level for every proportion.

    References
    ----------
    .. [1] E. B. Wilson, Probable inference, the law of succession, and statistical inference,
       J. Am. Stat. Assoc. 22 (1927) 209-212.

    Examples
    --------
    >>> low, high = wilson_interval(20, 20, confidence_level=0.95)
    >>> round(low, 3), high
    (0.839, 1.0)
    """
    from statsmodels.stats.proportion import proportion_confint

    check_level(confidence_level)
    if not 0 <= n_successes <= n_trials or n_trials <= 0:
        raise ValueError(f"{n_successes} of {n_trials} is not a proportion")
    low, high = proportion_confint(n_successes, n_trials, alpha=1 - confidence_level, method="wilson")
    # At the ends the formula leaves a rounding error on either side of 0 and 1.
    exact_low = 0.0 if n_successes == 0 else float(low)
    exact_high = 1.0 if n_successes == n_trials else float(high)
    return exact_low, exact_high


def tango_statistic(n_gained: float, n_lost: float, n_pairs: float, *, difference: float) -> float:
    """
    Score statistic of the hypothesis that the paired difference of proportions is `difference`.

    Parameters
    ----------
    n_gained, n_lost : float
        Pairs that only the trial, and only the baseline, has right; those of an effective sample size need
        not be whole.
    n_pairs : float
        All pairs, those where both agree included.
    difference : float
        Hypothetical trial minus baseline, within (-1, 1); 0 needs a discordant pair.

    Returns
    -------
    float
        Standard normal under the hypothesis; falls as `difference` grows.

    Notes
    -----
    At ``difference=0`` this is the square root of McNemar's statistic without continuity correction.
    Formula as in `tango_interval`.

    Examples
    --------
    >>> tango_statistic(9, 4, 50, difference=0.0) == 5 / 13**0.5
    True
    """
    variance = _null_variance(n_gained, n_lost, n_pairs, difference)
    return (n_gained - n_lost - n_pairs * difference) / math.sqrt(n_pairs * variance)


def tango_interval(
    n_gained: int, n_lost: int, n_pairs: int, *, confidence_level: float
) -> tuple[float, float]:
    """
    Tango's score interval of the difference of two proportions over the same items.

    Pairs where both agree carry information here (they enter through `n_pairs`), other than in
    McNemar's test; so the interval may hold 0 where the exact test is just significant, or the reverse.

    Parameters
    ----------
    n_gained, n_lost : int
        Pairs that only the trial, and only the baseline, has right.
    n_pairs : int
        All pairs, those where both agree included.
    confidence_level : float
        Coverage aimed at, within (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper bound of trial minus baseline, within [-1, 1].

    Raises
    ------
    ValueError
        If the counts or the level are out of range.

    Notes
    -----
    The bounds solve ``(n_gained - n_lost - n d)**2 = z**2 n (2 q + d (1 - d))`` for the difference
    ``d``, where ``q`` is the probability of a lost pair that is most likely given ``d``: the larger
    root of ``2 n q**2 + ((2 n - n_gained + n_lost) d - n_gained - n_lost) q - n_lost d (1 - d) = 0``
    [1]_.  With no discordant pair, and where all pairs are discordant in one direction, the equation
    has the closed solutions ``z**2 / (n + z**2)`` and ``(n - z**2) / (n + z**2)``.

    References
    ----------
    .. [1] T. Tango, Equivalence test and confidence interval for the difference in proportions for the
       paired-sample design, Stat. Med. 17 (1998) 891-908.

    Examples
    --------
    Of 44 pairs one is lost and none gained (an example of the paper, level 90 %):

    >>> low, high = tango_interval(0, 1, 44, confidence_level=0.9)
    >>> round(low, 3), round(high, 3)
    (-0.096, 0.037)
    """
    from scipy.stats import norm

    check_level(confidence_level)
    if min(n_gained, n_lost) < 0 or n_gained + n_lost > n_pairs or n_pairs < 1:
        raise ValueError(f"{n_gained} gained and {n_lost} lost of {n_pairs} pairs is not possible")
    z_squared = float(norm.isf((1 - confidence_level) / 2)) ** 2
    return tango_bounds(n_gained, n_lost, n_pairs, squared_critical_value=z_squared)


def tango_bounds(
    n_gained: float, n_lost: float, n_pairs: float, *, squared_critical_value: float
) -> tuple[float, float]:
    """
    Differences whose `tango_statistic` is not beyond a critical value; counts need not be whole.

    Formula, source and what the counts are: see `tango_interval`, whose critical value is normal.
    """
    high = _tango_upper(n_gained, n_lost, n_pairs, squared_critical_value)
    low = -_tango_upper(n_lost, n_gained, n_pairs, squared_critical_value)
    return low, high


def newcombe_interval(
    n_both: int, n_gained: int, n_lost: int, n_pairs: int, *, confidence_level: float
) -> tuple[float, float]:
    """
    Newcombe's interval of the difference of two proportions over the same items, his method 10.

    A check on `tango_interval`: another construction, from the Wilson intervals of the two arms.

    Parameters
    ----------
    n_both, n_gained, n_lost : int
        Pairs that both arms, only the trial, and only the baseline, have right.
    n_pairs : int
        All pairs.
    confidence_level : float
        Coverage aimed at, within (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper bound of trial minus baseline, within [-1, 1].

    Raises
    ------
    ValueError
        If the counts or the level are out of range.

    Notes
    -----
    With ``a`` the distance from one arm's share to its Wilson bound and ``b`` that of the other arm on the
    other side, the reach is ``sqrt(a**2 - 2 phi a b + b**2)``; ``phi`` is the correlation of the two arms,
    corrected towards 0 where it is positive [1]_.

    References
    ----------
    .. [1] R. G. Newcombe, Improved confidence intervals for the difference between binomial proportions
       based on paired data, Stat. Med. 17 (1998) 2635-2650.

    Examples
    --------
    >>> low, high = newcombe_interval(59, 6, 16, 161, confidence_level=0.95)
    >>> round(low, 4), round(high, 4)
    (-0.1186, -0.0046)
    """
    n_neither = n_pairs - n_both - n_gained - n_lost
    if min(n_both, n_gained, n_lost, n_neither) < 0 or n_pairs < 1:
        raise ValueError(f"{n_both} both, {n_gained} gained and {n_lost} lost of {n_pairs} is not possible")
    trial, baseline = n_both + n_gained, n_both + n_lost
    bounds = [
        wilson_interval(count, n_pairs, confidence_level=confidence_level) for count in (trial, baseline)
    ]
    (trial_low, trial_high), (baseline_low, baseline_high) = bounds
    shares = trial / n_pairs, baseline / n_pairs
    product = n_both * n_neither - n_gained * n_lost
    phi = max(product - n_pairs / 2, 0.0) if product > 0 else float(product)
    margins = trial * (n_pairs - trial) * baseline * (n_pairs - baseline)
    phi = phi / math.sqrt(margins) if margins else 0.0
    difference = (n_gained - n_lost) / n_pairs
    below = _square_and_add(shares[0] - trial_low, baseline_high - shares[1], phi)
    above = _square_and_add(shares[1] - baseline_low, trial_high - shares[0], phi)
    return difference - below, difference + above


def _square_and_add(one: float, other: float, correlation: float) -> float:
    """Length of the difference of two errors with this correlation."""
    return math.sqrt(max(0.0, one * one - 2 * correlation * one * other + other * other))


def _tango_upper(n_gained: float, n_lost: float, n_pairs: float, z_squared: float) -> float:
    """Upper bound; the lower one is its mirror with gained and lost exchanged."""
    from scipy.optimize import brentq

    if n_gained == n_pairs:
        return 1.0
    if n_lost == n_pairs:
        return (z_squared - n_pairs) / (z_squared + n_pairs)
    if n_gained == n_lost == 0:
        return z_squared / (z_squared + n_pairs)
    estimate = (n_gained - n_lost) / n_pairs

    def excess(difference: float) -> float:
        variance = _null_variance(n_gained, n_lost, n_pairs, difference)
        return (estimate - difference) ** 2 - z_squared * variance / n_pairs

    # Negative at the estimate and positive at 1: the special cases above are those where it is not.
    return float(brentq(excess, estimate, 1.0, xtol=1e-16, rtol=1e-14))


def _null_variance(n_gained: float, n_lost: float, n_pairs: float, difference: float) -> float:
    """Variance of one pair's difference at the most likely table with this `difference`."""
    if difference < 0:
        # The mirror image, so that no cell's probability is a difference of nearly equal numbers.
        return _null_variance(n_lost, n_gained, n_pairs, -difference)
    linear = (2 * n_pairs - n_gained + n_lost) * difference - n_gained - n_lost
    product = n_lost * difference * (1 - difference)
    root = math.sqrt(linear**2 + 8 * n_pairs * product)
    lost = 2 * product / (root + linear) if linear > 0 else (root - linear) / (4 * n_pairs)
    return 2 * lost + difference * (1 - difference)
