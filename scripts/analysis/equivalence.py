"""Equivalence and non-inferiority: p-values of one-sided tests against a margin."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class MarginTests:
    """Two one-sided tests against plus and minus a margin."""

    margin: float | None
    """Smallest difference that matters, in units of the metric."""
    p_lower: float | None
    """Of the hypothesis that trial minus baseline is at most minus the margin."""
    p_upper: float | None
    """Of the hypothesis that trial minus baseline is at least the margin."""
    p_equivalence: float | None
    """The larger of the two: both must be rejected for equivalence."""
    p_non_inferiority: float | None
    """That the trial is not worse by the margin: the lower one where more is better, else the upper one."""
    method: str
    """Name of what was computed, or "none: " and the reason."""


def no_margin_tests(reason: str, *, margin: float | None = None) -> MarginTests:
    """Say that there are none, and why."""
    return MarginTests(margin, None, None, None, None, f"none: {reason}")


def margin_tests(
    difference: float,
    p_value: Callable[[float], float],
    *,
    margin: float,
    higher_is_better: bool,
    method: str,
) -> MarginTests:
    """
    Test one-sidedly that the difference is within a margin, and that the trial is not worse by it.

    Parameters
    ----------
    difference : float
        Trial minus baseline.
    p_value : callable
        Two-sided p-value of the hypothesis that the difference is a given one; its interval is the one shown.
    margin : float
        Above 0, in units of the metric.
    higher_is_better : bool
        Direction of the metric.
    method : str
        Name of the interval that belongs to `p_value`.

    Returns
    -------
    MarginTests
        ``p_equivalence`` is below ``a`` where the interval at level ``1 - 2 a`` lies within the margin.

    Raises
    ------
    ValueError
        If the margin is not above 0.

    Notes
    -----
    Two one-sided tests [1]_.  A one-sided p-value is half the two-sided one on the far side of the
    hypothesis, and one less half of it on the near side.

    References
    ----------
    .. [1] D. J. Schuirmann, A comparison of the two one-sided tests procedure and the power approach for
       assessing the equivalence of average bioavailability, J. Pharmacokinet. Biopharm. 15 (1987) 657-680.

    Examples
    --------
    >>> found = margin_tests(0.0, lambda x: 0.04, margin=0.02, higher_is_better=True, method="an example")
    >>> found.p_equivalence, found.p_non_inferiority, found.method
    (0.02, 0.02, 'two one-sided tests, an example')
    """
    if not margin > 0:
        raise ValueError(f"margin is {margin}, but must be above 0")

    def one_sided(hypothesis: float, *, is_beyond: bool) -> float:
        half = p_value(hypothesis) / 2
        return half if is_beyond else 1 - half

    p_lower = one_sided(-margin, is_beyond=difference > -margin)
    p_upper = one_sided(margin, is_beyond=difference < margin)
    return MarginTests(
        margin=margin,
        p_lower=p_lower,
        p_upper=p_upper,
        p_equivalence=max(p_lower, p_upper),
        p_non_inferiority=p_lower if higher_is_better else p_upper,
        method=f"two one-sided tests, {method}",
    )
