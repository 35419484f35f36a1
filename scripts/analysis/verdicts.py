"""One word for an effect, by a rule that is fixed before the data are seen."""

from __future__ import annotations

from typing import Literal

from scripts.analysis.levels import significance_level

Verdict = Literal["better", "worse", "equivalent", "inconclusive"]
"""Every verdict there is."""

VERDICT_RULE = (
    "Better or worse: the p-value, adjusted where the metric belongs to the declared family, is below "
    "{significance_level:g}, and the direction is that of the difference. "
    "Equivalent: it is not, and the {equivalence_level:.0%} interval of the difference lies strictly "
    "between -{margin:g} and +{margin:g}. "
    "Inconclusive: neither; this is no evidence that the two are equal. "
    "If more of the items have no pair than max_error_rate allows, the comparison is unbalanced: any verdict "
    "other than inconclusive must then also hold in the worst case for the missing answers."
)
"""The rule of `verdict` in words; fill in ``significance_level``, ``equivalence_level`` and ``margin``."""


def verdict(
    *,
    difference: float | None,
    p_value: float | None,
    confidence_level: float,
    equivalence_low: float | None,
    equivalence_high: float | None,
    margin: float | None,
    higher_is_better: bool,
    is_unbalanced: bool = False,
    worst_case: tuple[float, float] | None = None,
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
    confidence_level : float
        The run's level; a p-value is significant below one minus this.
    equivalence_low, equivalence_high : float or None
        Interval at the level of `scripts.analysis.levels.equivalence_level`.
    margin : float or None
        Smallest difference that matters, above 0, in units of the metric; None: never "equivalent".
    higher_is_better : bool
        Direction of the metric.
    is_unbalanced : bool
        Whether too many items fell out of the pairs: then `worst_case` must bear the word out.
    worst_case : tuple of float, optional
        Lower and upper bound of the difference, whatever the missing values are.

    Returns
    -------
    str
        "better", "worse", "equivalent" or "inconclusive".

    Raises
    ------
    ValueError
        If the margin is not above 0 or the level is out of range.

    Notes
    -----
    Equivalence is by two one-sided tests, read off the interval [1]_; it is not adjusted for the number of
    comparisons.

    References
    ----------
    .. [1] D. J. Schuirmann, A comparison of the two one-sided tests procedure and the power approach for
       assessing the equivalence of average bioavailability, J. Pharmacokinet. Biopharm. 15 (1987) 657-680.

    Examples
    --------
    >>> verdict(difference=-0.03, p_value=0.001, confidence_level=0.95, equivalence_low=-0.04,
    ...         equivalence_high=-0.02, margin=0.02, higher_is_better=False)
    'better'
    """
    if margin is not None and not margin > 0:
        raise ValueError(f"margin is {margin}, but must be above 0")
    alpha = significance_level(confidence_level)
    if is_unbalanced and worst_case is None:
        return "inconclusive"
    worst = [worst_case] if is_unbalanced and worst_case is not None else []
    if difference and p_value is not None and p_value < alpha:
        if not all(low > 0 if difference > 0 else high < 0 for low, high in worst):
            return "inconclusive"
        return "better" if (difference > 0) == higher_is_better else "worse"
    if margin is None or equivalence_low is None or equivalence_high is None:
        return "inconclusive"
    reaches = [(equivalence_low, equivalence_high), *worst]
    is_within = all(-margin < low and high < margin for low, high in reaches)
    return "equivalent" if is_within else "inconclusive"


def unbalanced_reason(n_pairs: int, n_unpaired: int, *, max_error_rate: float) -> str | None:
    """
    Say why a comparison is unbalanced: a larger share of its items has no pair than may fail.

    Items that fail in one trial and not in the other need not be like the rest.

    Examples
    --------
    >>> unbalanced_reason(90, 10, max_error_rate=0.05)
    '10 of 100 items have no pair, which is more than max_error_rate (5%)'
    >>> unbalanced_reason(95, 5, max_error_rate=0.05)
    """
    n_items = n_pairs + n_unpaired
    if n_unpaired <= max_error_rate * n_items:
        return None
    allowed = f"max_error_rate ({max_error_rate:.0%})"
    return f"{n_unpaired} of {n_items} items have no pair, which is more than {allowed}"
