"""One word for an effect, by a rule that is fixed before the data are seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from scripts.analysis.levels import significance_level

Verdict = Literal["better", "worse", "equivalent", "inconclusive"]
"""Every verdict there is."""

VERDICT_RULE = (
    "Better or worse: the p-value, adjusted within its family, is below {significance_level:g}, and the "
    "direction is that of the difference. "
    "Equivalent: it is not, and both one-sided tests against a difference of {margin:g}, adjusted within the "
    "same family, reject at {significance_level:g}. "
    "Inconclusive: neither; this is no evidence that the two are equal. "
    "Where scores are missing, the word must be the same whatever they are: as observed, with the missing "
    "scores worst for the trial and best for its baseline, and the reverse. Otherwise it is inconclusive."
)
"""The rule of `verdict` in words; fill in ``significance_level`` and ``margin``."""

ROUNDING = 1e-9
"""A share that exceeds its limit by no more than this does not exceed it."""


def verdict(
    *,
    difference: float | None,
    p_value: float | None,
    p_equivalence: float | None,
    confidence_level: float,
    higher_is_better: bool,
) -> Verdict:
    """
    Judge an effect.

    A difference that is both significant and smaller than the margin is called better or worse: the
    report shows its size beside the verdict.

    Parameters
    ----------
    difference : float or None
        Trial minus baseline, in units of the metric; None: there is none.
    p_value : float or None
        Two-sided; the adjusted one where there is one.
    p_equivalence : float or None
        Of two one-sided tests against the margin, adjusted alike; None: never "equivalent".
    confidence_level : float
        The run's level; a p-value is significant below one minus this.
    higher_is_better : bool
        Direction of the metric.

    Returns
    -------
    str
        "better", "worse", "equivalent" or "inconclusive".

    Raises
    ------
    ValueError
        If the level is out of range.

    Notes
    -----
    Equivalence is by two one-sided tests [1]_.

    References
    ----------
    .. [1] D. J. Schuirmann, A comparison of the two one-sided tests procedure and the power approach for
       assessing the equivalence of average bioavailability, J. Pharmacokinet. Biopharm. 15 (1987) 657-680.

    Examples
    --------
    >>> verdict(difference=-0.03, p_value=0.001, p_equivalence=0.8, confidence_level=0.95,
    ...         higher_is_better=False)
    'better'
    """
    alpha = significance_level(confidence_level)
    if difference and p_value is not None and p_value < alpha:
        return "better" if (difference > 0) == higher_is_better else "worse"
    if p_equivalence is not None and p_equivalence < alpha:
        return "equivalent"
    return "inconclusive"


def common_verdict(verdicts: Sequence[Verdict]) -> Verdict:
    """
    Give the verdict that holds in every case; "inconclusive" where they differ.

    Examples
    --------
    >>> common_verdict(["better", "better"]), common_verdict(["inconclusive", "better", "better"])
    ('better', 'inconclusive')
    """
    first, *rest = verdicts
    return first if all(other == first for other in rest) else "inconclusive"


@dataclasses.dataclass(frozen=True)
class Missing:
    """Requests of one arm of a comparison that have no score."""

    n_requests: int
    n_without_score: int

    @property
    def share(self) -> float:
        """Share without a score; 0 of no requests."""
        return self.n_without_score / self.n_requests if self.n_requests else 0.0


def unbalanced_reason(
    trial: Missing,
    baseline: Missing,
    *,
    max_unpaired: float,
    reach: tuple[float, float, float] | None = None,
    margin: float | None = None,
) -> str | None:
    """
    Say why what is missing matters to a comparison; None: it does not.

    It does if a larger share than `max_unpaired` of the requests of one arm has no score, or if the missing
    scores could move the difference by the margin or across zero.

    Parameters
    ----------
    trial, baseline : Missing
        What is missing in each arm, counted in requests.
    max_unpaired : float
        The largest share on one side that is no matter by itself.
    reach : tuple of float, optional
        The difference at the lowest, as observed, and at the highest; None: not known.
    margin : float, optional
        Half the width of the equivalence band.

    Examples
    --------
    >>> unbalanced_reason(Missing(1000, 45), Missing(1000, 0), max_unpaired=0.02)
    '45 of 1,000 requests of the trial have no score, which is more than max_unpaired (2%)'
    >>> unbalanced_reason(Missing(1000, 5), Missing(1000, 0), max_unpaired=0.02, reach=(0.03, 0.034, 0.035))
    """
    arms = (("trial", trial), ("baseline", baseline))
    counted = [f"{_have(arm)} of the {name} have no score" for name, arm in arms if arm.n_without_score]
    if not counted:
        return None
    said = " and ".join(counted)
    if max(trial.share, baseline.share) > max_unpaired + ROUNDING:
        return f"{said}, which is more than max_unpaired ({100 * max_unpaired:.4g}%)"
    if reach is None:
        return None
    lowest, observed, highest = reach
    furthest = max(observed - lowest, highest - observed)
    if margin is not None and furthest >= margin - ROUNDING:
        return f"{said}, which could move the difference by {furthest:.4g} (the margin is {margin:g})"
    if lowest <= 0 <= highest and lowest < highest:
        return f"{said}, which could move the difference across zero"
    return None


def _have(arm: Missing) -> str:
    return f"{arm.n_without_score:,} of {arm.n_requests:,} requests"
