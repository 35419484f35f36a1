"""What a finished run could have shown, by the very test that its verdict rests on."""

from __future__ import annotations

import numpy as np

from scripts.analysis import intervals
from scripts.analysis.effective_size import effective_freedom
from scripts.analysis.levels import check_level
from scripts.analysis.pairs import Pairs

FAR = 1e-10
"""Numbers of discordant pairs that are less likely than this on either side are left out."""


def detectable_by_rule(
    pairs: Pairs, *, alpha: float, power: float, resamples: int | None = None
) -> tuple[float | None, str]:
    """
    Smallest true difference for which the verdict's own test would have rejected with probability `power`.

    Parameters
    ----------
    pairs : Pairs
        Of the finished run; their difference plays no part, only their number and how much they vary.
    alpha : float
        Significance level that is left to one comparison after the adjustment of its family: see
        `scripts.analysis.multiplicity.strictest_alpha`.
    power : float
        Within (0, 1).
    resamples : int, optional
        Sign patterns that the permutation test draws; one that draws few cannot pass a small `alpha`.

    Returns
    -------
    tuple of float or None, and str
        In units of the metric, and the method; None: not known, or no difference is enough, and the method
        says why.

    Raises
    ------
    ValueError
        If a level is not within (0, 1).

    Notes
    -----
    Binary pairs, no two in one cluster: the power of the exact McNemar test, summed over all numbers of
    discordant pairs and of gained ones among them [1]_.  The share of discordant pairs is the observed one,
    or the difference itself where that is larger: then every discordant pair is gained.

    Other pairs are tested by sign flips, whose power is close to that of Student's t: the noncentral t
    distribution with `scripts.analysis.effective_size.effective_freedom`, one degree less than there are
    clusters of one size, and the observed cluster-robust standard error.  That is an approximation: with
    skewed differences the power is some points off, and with one cluster of half of all items a smaller
    difference would do.

    References
    ----------
    .. [1] J. E. Miettinen, The matched pairs design in the case of all-or-none responses, Biometrics 24
       (1968) 339-352.

    Examples
    --------
    Sixty pairs, 25 of them discordant, in a family of eleven:

    >>> from scripts.analysis.pairs import pair_up
    >>> pairs = pair_up([1] * 13 + [0] * 47, [0] * 13 + [1] * 12 + [0] * 35)
    >>> difference, method = detectable_by_rule(pairs, alpha=0.05 / 11, power=0.8)
    >>> round(difference, 3), method
    (0.297, 'exact power of mcnemar at the level 0.00455')
    """
    check_level(alpha, name="alpha")
    check_level(power, name="power")
    if pairs.n == 0:
        return None, "none: no pairs"
    if pairs.is_binary and not pairs.is_clustered:
        share = (pairs.n_gained + pairs.n_lost) / pairs.n
        found = _by_mcnemar(pairs.n, share, alpha=alpha, power=power)
        name = f"exact power of mcnemar at the level {alpha:.3g}"
        return (found, name) if found is not None else (None, "none: too few pairs for this level")
    error = intervals.standard_error(pairs.differences, pairs.codes)
    if error is None:
        reason = "no variation" if pairs.n_clusters > 1 else "fewer than two independent pairs"
        return None, f"none: {reason}"
    if too_few := _too_few(pairs, alpha, resamples):
        return None, f"none: {too_few}"
    kind = "cluster-robust standard error" if pairs.is_clustered else "standard error of the differences"
    name = f"noncentral t at the level {alpha:.3g}, {kind}"
    return _by_t(error, effective_freedom(pairs.codes), alpha=alpha, power=power), name


def _too_few(pairs: Pairs, alpha: float, resamples: int | None) -> str | None:
    """Why no p-value of a sign-flip test can be below `alpha`, however large the difference is."""
    if 2.0 ** (1 - pairs.n_clusters) >= alpha:
        return f"too few {'clusters' if pairs.is_clustered else 'pairs'} for this level"
    is_drawn = resamples is not None and 2.0**pairs.n_clusters > resamples
    if resamples is not None and is_drawn and 1 / (resamples + 1) >= alpha:
        return f"{resamples} resamples are too few for this level"
    return None


def power_of_mcnemar(n_pairs: int, share: float, difference: float, *, alpha: float) -> float:
    """
    Probability that the exact McNemar test rejects.

    Parameters
    ----------
    n_pairs : int
        Pairs, those where both arms agree included.
    share : float
        Probability that a pair is discordant, within [0, 1].
    difference : float
        True trial minus baseline, within plus and minus `share`.
    alpha : float
        The test rejects where its p-value is below this.

    Examples
    --------
    >>> round(power_of_mcnemar(60, 25 / 60, 0.229, alpha=0.05), 2)
    0.75
    """
    from scipy.stats import binom

    if share == 0:
        return 0.0
    first, last = binom.ppf(FAR, n_pairs, share), binom.isf(FAR, n_pairs, share)
    discordant = np.arange(max(0, int(first)), min(n_pairs, int(last)) + 1)
    # The test rejects where no more than so many pairs are on one of the two sides.
    few = binom.ppf(alpha / 2, discordant, 0.5) - 1
    gained = min(1.0, (1 + difference / share) / 2)
    rejects = binom.cdf(few, discordant, gained) + binom.sf(discordant - few - 1, discordant, gained)
    return float(np.sum(binom.pmf(discordant, n_pairs, share) * rejects))


def _by_mcnemar(n_pairs: int, share: float, *, alpha: float, power: float) -> float | None:
    from scipy.optimize import brentq

    def excess(difference: float) -> float:
        return power_of_mcnemar(n_pairs, max(share, difference), difference, alpha=alpha) - power

    if excess(0.0) >= 0:
        return 0.0
    return float(brentq(excess, 0.0, 1.0, xtol=1e-9)) if excess(1.0) > 0 else None


def _by_t(error: float, freedom: float, *, alpha: float, power: float) -> float:
    """Difference whose t statistic passes the two-sided limit; the other side is too far to count."""
    from scipy.special import nctdtrinc
    from scipy.stats import t

    limit = float(t.isf(alpha / 2, freedom))
    return max(0.0, error * float(nctdtrinc(freedom, 1 - power, limit)))
