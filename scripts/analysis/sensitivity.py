"""The same paired effect by other methods: does the conclusion depend on the one that was chosen?"""

from __future__ import annotations

import dataclasses

import numpy as np

from scripts.analysis import arrays
from scripts.analysis.bootstrap import BootstrapInterval, bca_bootstrap
from scripts.analysis.detectable import detectable_by_rule
from scripts.analysis.discordant import midp_mcnemar
from scripts.analysis.effect_sizes import EffectSize, cohen_d_z, cohen_h
from scripts.analysis.equivalence import MarginTests, margin_tests, no_margin_tests
from scripts.analysis.levels import significance_level
from scripts.analysis.multiplicity import strictest_alpha
from scripts.analysis.pairs import Inference, Pairs
from scripts.analysis.posterior import Posterior, dirichlet_posterior, no_posterior
from scripts.analysis.ranks import (
    PseudoMedian,
    SignedRankTest,
    hodges_lehmann,
    wilcoxon_signed_rank,
)
from scripts.analysis.score_intervals import newcombe_interval


@dataclasses.dataclass(frozen=True)
class Test:
    """A test without an estimate."""

    p_value: float | None
    """Two-sided, never 0."""
    method: str
    """Name of what was computed, or "none: " and the reason."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """An interval of the difference."""

    low: float | None
    """Lower bound; None: no interval, and ``method`` says why."""
    high: float | None
    """Upper bound; None exactly where ``low`` is."""
    method: str
    """Name of what was computed, or "none: " and the reason."""


@dataclasses.dataclass(frozen=True)
class Detectable:
    """The smallest true differences that the verdict's rule would find in a run of this size and noise."""

    power_80: float | None
    """With probability 80 %, in units of the metric; None: not known, and ``method`` says why."""
    power_90: float | None
    """With probability 90 %."""
    method: str
    """Name of what was computed, or "none: " and the reason."""


@dataclasses.dataclass(frozen=True)
class EffectSizes:
    """Effect sizes without a unit."""

    cohen_h: EffectSize
    """Of binary values."""
    cohen_d_z: EffectSize
    """Of all paired differences."""


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """What other methods say about one effect; none of it enters the verdict."""

    mid_p: Test
    """McNemar's test with the mid-p-value."""
    wilcoxon: SignedRankTest
    """Signed-rank test, on the means of clusters where there are any."""
    hodges_lehmann: PseudoMedian
    """Pseudo-median of the differences, of the means of clusters where there are any."""
    newcombe: Interval
    """Interval of the difference by Newcombe's method 10."""
    bootstrap: BootstrapInterval
    """Bootstrap over items or clusters."""
    posterior: Posterior
    """Of the paired 2x2 table."""
    effect_sizes: EffectSizes
    """Cohen's h and d_z."""
    non_inferiority: MarginTests
    """Tests against the equivalence margin, with the interval's own method."""
    detectable_difference: Detectable
    """What the run could have shown, whatever it did show."""


def examine(
    pairs: Pairs,
    inference: Inference | None,
    *,
    confidence_level: float,
    margin: float | None,
    higher_is_better: bool,
    resamples: int,
    rng: np.random.Generator,
    n_tests: int = 1,
    adjustment: str = "holm",
) -> Sensitivity:
    """
    Look at a paired effect by other methods.

    Parameters
    ----------
    pairs : Pairs
        From `scripts.analysis.pairs.pair_up`.
    inference : Inference or None
        Of these pairs, from `scripts.analysis.pairs.infer_difference`; None without a pair.
    confidence_level : float
        Of every interval, within (0, 1).
    margin : float or None
        Half the width of the equivalence band.
    higher_is_better : bool
        Direction of the metric.
    resamples : int
        Of the bootstrap, and of the permutation test that the verdict rests on.
    rng : numpy.random.Generator
        Source of the bootstrap.
    n_tests : int
        Comparisons in the family whose p-values are adjusted together, this one included; 1: none.
    adjustment : str
        How they are adjusted, one of `scripts.analysis.multiplicity.METHODS`.

    Returns
    -------
    Sensitivity
        What does not apply is None throughout, and its ``method`` says why.
    """
    totals = pairs.totals
    return Sensitivity(
        mid_p=_mid_p(pairs),
        wilcoxon=_wilcoxon(pairs),
        hodges_lehmann=_hodges_lehmann(pairs, confidence_level),
        newcombe=_newcombe(pairs, confidence_level),
        bootstrap=bca_bootstrap(totals, confidence_level=confidence_level, resamples=resamples, rng=rng),
        posterior=_posterior(pairs, confidence_level, margin, higher_is_better=higher_is_better),
        effect_sizes=_effect_sizes(pairs),
        non_inferiority=_margin_tests(
            pairs, inference, confidence_level, margin, higher_is_better=higher_is_better
        ),
        detectable_difference=Detectable(None, None, "none: the verdict holds at every look")
        if inference is not None and inference.test is not None
        else _detectable(
            pairs, strictest_alpha(significance_level(confidence_level), n_tests, adjustment), resamples
        ),
    )


def _unfit_for_table(pairs: Pairs) -> str | None:
    """Why the paired 2x2 table does not describe these pairs completely; None: it does."""
    if pairs.n == 0:
        return "no pairs"
    if not pairs.is_binary:
        return "values are not all 0 or 1"
    return "clustered pairs" if pairs.is_clustered else None


def _n_both(pairs: Pairs) -> int:
    """Pairs that both arms have right, of binary pairs."""
    return round((pairs.trial_mean or 0.0) * pairs.n) - pairs.n_gained


def _mid_p(pairs: Pairs) -> Test:
    if reason := _unfit_for_table(pairs):
        return Test(None, f"none: {reason}")
    return Test(midp_mcnemar(pairs.n_gained, pairs.n_lost), "mid-p mcnemar")


def _unit_differences(pairs: Pairs) -> tuple[arrays.FloatArray, str]:
    """One difference for each independent unit, and what to add to a method's name."""
    if not pairs.is_clustered:
        return pairs.differences, ""
    totals = pairs.totals
    return totals.sign * totals.sums / totals.sizes, ", on cluster means"


def _wilcoxon(pairs: Pairs) -> SignedRankTest:
    if pairs.n == 0:
        return SignedRankTest(None, None, 0, "none: no pairs")
    values, note = _unit_differences(pairs)
    found = wilcoxon_signed_rank(values)
    return dataclasses.replace(found, method=found.method + note)


def _hodges_lehmann(pairs: Pairs, confidence_level: float) -> PseudoMedian:
    if pairs.is_binary and not pairs.is_clustered:
        reason = "values are 0 or 1" if pairs.n else "no pairs"
        return PseudoMedian(None, None, None, pairs.n, f"none: {reason}")
    values, note = _unit_differences(pairs)
    found = hodges_lehmann(values, confidence_level=confidence_level)
    return dataclasses.replace(found, method=found.method + note)


def _newcombe(pairs: Pairs, confidence_level: float) -> Interval:
    if reason := _unfit_for_table(pairs):
        return Interval(None, None, f"none: {reason}")
    counts = _n_both(pairs), pairs.n_gained, pairs.n_lost, pairs.n
    return Interval(*newcombe_interval(*counts, confidence_level=confidence_level), "newcombe method 10")


def _posterior(
    pairs: Pairs, confidence_level: float, margin: float | None, *, higher_is_better: bool
) -> Posterior:
    if reason := _unfit_for_table(pairs):
        return no_posterior(reason)
    return dirichlet_posterior(
        pairs.n_gained,
        pairs.n_lost,
        pairs.n,
        confidence_level=confidence_level,
        margin=margin,
        higher_is_better=higher_is_better,
    )


def _effect_sizes(pairs: Pairs) -> EffectSizes:
    size = cohen_d_z(pairs.differences)
    if pairs.trial_mean is None or pairs.baseline_mean is None:
        return EffectSizes(EffectSize(None, "none: no pairs"), size)
    if not pairs.is_binary:
        return EffectSizes(EffectSize(None, "none: values are not all 0 or 1"), size)
    return EffectSizes(cohen_h(pairs.trial_mean, pairs.baseline_mean), size)


def _margin_tests(
    pairs: Pairs,
    inference: Inference | None,
    confidence_level: float,
    margin: float | None,
    *,
    higher_is_better: bool,
) -> MarginTests:
    if margin is None:
        return no_margin_tests("no margin is set")
    if inference is None:
        return no_margin_tests("no pairs", margin=margin)
    low, _, method = inference.interval(confidence_level)
    if inference.p_value is None:
        return no_margin_tests(method.removeprefix("none: "), margin=margin)
    return margin_tests(
        float(pairs.differences.mean()),
        inference.p_value,
        margin=margin,
        higher_is_better=higher_is_better,
        method="wild cluster bootstrap-t" if low is None else method,
    )


def _detectable(pairs: Pairs, alpha: float, resamples: int) -> Detectable:
    found = [detectable_by_rule(pairs, alpha=alpha, power=power, resamples=resamples) for power in (0.8, 0.9)]
    return Detectable(found[0][0], found[1][0], found[0][1])
