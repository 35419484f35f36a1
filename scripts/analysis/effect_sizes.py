"""Sizes of a paired effect without its unit."""

from __future__ import annotations

import dataclasses
import math
import statistics

from scripts.analysis.arrays import FloatArray


@dataclasses.dataclass(frozen=True)
class EffectSize:
    """One standardised effect size, of trial minus baseline."""

    estimate: float | None
    """A pure number; None: none, and ``method`` says why."""
    method: str
    """Name of what was computed, or "none: " and the reason."""


def cohen_h(trial_share: float, baseline_share: float) -> EffectSize:
    """
    Cohen's h: the difference of two proportions on the arcsine scale.

    It weighs a difference near 0 or 1 more than one in the middle.  Pairing plays no part in it.

    Raises
    ------
    ValueError
        If a share is not within [0, 1].

    Notes
    -----
    ``2 arcsin(sqrt(p)) - 2 arcsin(sqrt(q))`` [1]_.

    References
    ----------
    .. [1] J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 2nd ed., Erlbaum, 1988,
       section 6.2.

    Examples
    --------
    >>> round(cohen_h(0.65, 0.45).estimate, 4)
    0.4049
    """
    shares = trial_share, baseline_share
    if not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"{trial_share} and {baseline_share} must be proportions")
    angles = [2 * math.asin(math.sqrt(share)) for share in shares]
    return EffectSize(angles[0] - angles[1], "cohen's h")


def cohen_d_z(differences: FloatArray) -> EffectSize:
    """
    Cohen's d_z: the mean of paired differences over their standard deviation.

    It depends on how the two arms are correlated: not to be compared with the d of independent groups.

    Parameters
    ----------
    differences : ndarray of float, shape (n_items,)
        Trial minus baseline; finite.

    Notes
    -----
    The standard deviation is that of a sample (``n - 1``) [1]_.

    References
    ----------
    .. [1] D. Lakens, Calculating and reporting effect sizes to facilitate cumulative science, Front. Psychol.
       4 (2013) 863, equation 6.

    Examples
    --------
    >>> import numpy as np
    >>> cohen_d_z(np.array([0.0, 1.0, 2.0])).estimate
    1.0
    """
    if len(differences) < 2:
        return EffectSize(None, "none: fewer than two pairs")
    deviation = float(differences.std(ddof=1))
    if deviation <= 1e-12 * float(abs(differences).max()):
        return EffectSize(None, "none: no variation")
    return EffectSize(statistics.fmean(differences) / deviation, "cohen's d_z over items")
