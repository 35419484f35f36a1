"""P-values adjusted for the number of questions asked."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import numpy as np

METHODS = ("holm", "fdr_bh", "fdr_by", "bonferroni", "none")
"""Adjustments by their names in statsmodels; "none" leaves the p-values as they are."""


def adjust(p_values: Sequence[float | None], method: str) -> list[float | None]:
    """
    Adjust the p-values of one family of tests.

    Parameters
    ----------
    p_values : sequence of float or None, length n_tests
        Raw p-values; None: the test could not be made.  It stays None and does not count in the family.
    method : str
        One of `METHODS`.  "holm" and "bonferroni" bound the chance of any false finding, "fdr_bh" and
        "fdr_by" the expected share of false ones among the findings.

    Returns
    -------
    list of float or None, length n_tests
        Adjusted p-values, aligned; none is below its raw value.

    Raises
    ------
    ValueError
        If the method is unknown or a p-value is not within [0, 1].

    Notes
    -----
    Computed by ``statsmodels.stats.multitest.multipletests``: Holm [1]_, Benjamini and Hochberg [2]_
    (independent or positively dependent tests), Benjamini and Yekutieli [3]_ (any dependence).

    References
    ----------
    .. [1] S. Holm, A simple sequentially rejective multiple test procedure, Scand. J. Stat. 6 (1979) 65-70.
    .. [2] Y. Benjamini, Y. Hochberg, Controlling the false discovery rate, J. R. Stat. Soc. B 57 (1995)
       289-300.
    .. [3] Y. Benjamini, D. Yekutieli, The control of the false discovery rate in multiple testing under
       dependency, Ann. Stat. 29 (2001) 1165-1188.

    Examples
    --------
    >>> adjust([0.01, None, 0.04], "holm")
    [0.02, None, 0.04]
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}, but must be one of {', '.join(METHODS)}")
    raw = np.array([p for p in p_values if p is not None], dtype=np.float64)
    # Written so that NaN fails too.
    if not bool(np.all((raw >= 0) & (raw <= 1))):
        raise ValueError("p-values must be within [0, 1]; use None for a test that could not be made")
    adjusted = iter(_adjust_all(raw, method))
    return [None if p is None else next(adjusted) for p in p_values]


def strictest_alpha(alpha: float, n_tests: int, method: str) -> float:
    """
    Level that the smallest p-value of a family must pass where nothing else in the family is found.

    Parameters
    ----------
    alpha : float
        Level of the family.
    n_tests : int
        Tests in it; fewer than two need no adjustment.
    method : str
        One of `METHODS`.

    Raises
    ------
    ValueError
        If the method is unknown.

    Notes
    -----
    The first step of all of them is to compare the smallest p-value with ``alpha / n_tests``, with "fdr_by"
    divided by the sum of ``1 / k`` over ``k = 1 ... n_tests`` as well.

    Examples
    --------
    >>> strictest_alpha(0.05, 10, "holm"), strictest_alpha(0.05, 10, "none"), strictest_alpha(0.05, 1, "holm")
    (0.005, 0.05, 0.05)
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}, but must be one of {', '.join(METHODS)}")
    if method == "none" or n_tests < 2:
        return alpha
    divisor = float(n_tests)
    if method == "fdr_by":
        divisor *= sum(1 / rank for rank in range(1, n_tests + 1))
    return alpha / divisor


def _adjust_all(raw: np.ndarray[tuple[int], np.dtype[np.float64]], method: str) -> list[float]:
    """Adjust p-values that are all there."""
    from statsmodels.stats.multitest import multipletests

    if method == "none" or len(raw) == 0:
        return raw.tolist()
    gc.freeze()  # multipletests collects garbage each time: with nothing to look through that takes no time
    try:
        return [float(p) for p in multipletests(raw, method=method)[1]]
    finally:
        gc.unfreeze()
