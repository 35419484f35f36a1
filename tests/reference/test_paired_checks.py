"""The checks on a paired effect against published numbers and other programs, with their sources."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import cochrans_q
from statsmodels.stats.proportion import proportion_effectsize
from statsmodels.stats.weightstats import ttost_paired

from scripts.analysis.bootstrap import bca_bootstrap, bca_interval, jackknife
from scripts.analysis.clusters import cluster_totals
from scripts.analysis.discordant import midp_mcnemar
from scripts.analysis.effect_sizes import cohen_d_z, cohen_h
from scripts.analysis.omnibus import omnibus_test
from scripts.analysis.pairs import infer_difference, pair_up
from scripts.analysis.ranks import hodges_lehmann, wilcoxon_signed_rank
from scripts.analysis.resampling import child_rng
from scripts.analysis.score_intervals import newcombe_interval, tango_interval
from scripts.analysis.sensitivity import Sensitivity, examine

SEEDS = range(5)


def table_arms(n_gained: int, n_lost: int, n_both: int, n_pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Binary arms with these counts."""
    counts = [n_gained, n_lost, n_both, n_pairs - n_gained - n_lost - n_both]
    return np.repeat([1.0, 0.0, 1.0, 0.0], counts), np.repeat([0.0, 1.0, 1.0, 0.0], counts)


def look(trial: np.ndarray, baseline: np.ndarray, *, margin: float = 0.02) -> Sensitivity:
    pairs = pair_up(trial, baseline)
    return examine(
        pairs,
        infer_difference(pairs),
        confidence_level=0.95,
        margin=margin,
        higher_is_better=True,
        resamples=10_000,
        rng=child_rng(1),
    )


def exact_mid_p(n_gained: int, n_lost: int) -> float:
    """Twice the smaller tail, the observed split counted half, in whole numbers."""
    n, smaller = n_gained + n_lost, min(n_gained, n_lost)
    tail = sum(math.comb(n, k) for k in range(smaller)) + Fraction(math.comb(n, smaller), 2)
    return float(min(2 * tail / Fraction(2) ** n, 1 - Fraction(math.comb(n, smaller), 2) / Fraction(2) ** n))


def test_the_published_run_of_25404_pairs() -> None:
    # One published A/B run of system prompts, gained 1186 and lost 326: its Wilcoxon test (normal
    # approximation, zeros dropped, no continuity correction) and its paired d_z.
    found = look(*table_arms(1186, 326, 9000, 25_404))
    assert found.wilcoxon.statistic == 246619.0
    assert found.wilcoxon.p_value == pytest.approx(2.177782156104665e-108, rel=1e-9)
    assert found.wilcoxon.method.endswith("normal approximation, no continuity correction")
    assert found.effect_sizes.cohen_d_z.estimate == pytest.approx(0.14011508651319912, rel=1e-9)
    # Its interval was printed as [3.0, 3.4] points, but is [3.088, 3.682].
    for part in (found.bootstrap, found.newcombe, found.posterior):
        assert (part.low, part.high) == pytest.approx((0.03088, 0.03682), abs=1.5e-4)
    assert found.mid_p.p_value == pytest.approx(exact_mid_p(1186, 326), rel=1e-9)


def test_the_exact_wilcoxon_example_of_hollander_and_wolfe() -> None:
    # Depression scale of nine patients: M. Hollander, D. A. Wolfe, Nonparametric Statistical Methods, 1973,
    # p. 29; the example of R's help page of wilcox.test, which prints V = 40 and one-sided p = 0.01953.
    # With conf.int = TRUE R 4 prints the estimate 0.46 and the interval 0.010 to 0.786.
    first = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    second = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    found = wilcoxon_signed_rank(first - second)
    assert found.statistic == 9 * 10 / 2 - 40
    assert found.p_value == 2 * 10 / 2**9
    centre = hodges_lehmann(first - second, confidence_level=0.95)
    assert (centre.estimate, centre.low, centre.high) == pytest.approx((0.46, 0.010, 0.786), abs=1e-12)


def test_mid_p_of_the_examples_of_fagerland_and_others() -> None:
    # M. W. Fagerland, S. Lydersen, P. Laake, Statistical Analysis of Contingency Tables, 2017, chapter 8: the
    # tables of Bentur 2009, Cavo 2012 and Ezra 2010; the formula is that of R's contingencytables.
    assert midp_mcnemar(1, 7) == pytest.approx(10 / 256, rel=1e-12)
    assert round(midp_mcnemar(6, 16), 4) == 0.0347
    assert midp_mcnemar(25, 2) == pytest.approx(exact_mid_p(25, 2), rel=1e-12)


def test_mid_p_agrees_with_whole_number_arithmetic() -> None:
    for n_gained, n_lost in np.random.default_rng(20250101).integers(0, 300, (100, 2)).tolist():
        assert midp_mcnemar(n_gained, n_lost) == pytest.approx(exact_mid_p(n_gained, n_lost), rel=1e-9)


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        # Cavo 2012 in the book above, chapter 8; contingencytables, test-ch8.R: "estimate = -0.0621 (95% CI
        # -0.1186 to -0.0046)".
        ((59, 6, 16, 161), -0.1186, -0.0046),
    ],
)
def test_newcombe_matches_the_published_interval(
    table: tuple[int, int, int, int], low: float, high: float
) -> None:
    found = newcombe_interval(*table, confidence_level=0.95)
    assert (round(found[0], 4), round(found[1], 4)) == (low, high)


@pytest.mark.parametrize(
    ("n_gained", "n_lost", "n_both", "n_pairs"),
    [(293, 64, 222, 1319), (360, 76, 382, 1319), (1186, 326, 9000, 25_404), (30, 22, 100, 300)],
)
def test_newcombe_and_tango_agree_in_large_tables(
    n_gained: int, n_lost: int, n_both: int, n_pairs: int
) -> None:
    # The first two: answers recorded by Cobbe and others, arXiv:2110.14168, verification against finetuning.
    newcombe = newcombe_interval(n_both, n_gained, n_lost, n_pairs, confidence_level=0.95)
    assert newcombe == pytest.approx(
        tango_interval(n_gained, n_lost, n_pairs, confidence_level=0.95), abs=1.5e-3
    )


def test_cochrans_q_of_a_published_example() -> None:
    # Four ways to make six fabrics water repellent; R's RVAideMemoire gives Q = 9.3158 (r-bloggers.com,
    # "Cochran Q test for k related samples in R").
    rows = ["1100", "1101", "1000", "1110", "1101", "1101"]
    found = omnibus_test([[int(digit) for digit in row] for row in rows])
    assert found.statistic == pytest.approx(177 / 19, rel=1e-12)
    assert (found.df, found.method) == (3, "cochran's q")
    assert found.p_value == pytest.approx(float(stats.chi2.sf(177 / 19, 3)), rel=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_cochrans_q_is_that_of_statsmodels(seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 2, (80, 5)).astype(float)
    expected = cochrans_q(values)
    found = omnibus_test(values)
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n", [8, 40, 300])
def test_the_signed_rank_test_is_that_of_scipy(seed: int, n: int) -> None:
    values = np.random.default_rng(seed).normal(0.2, 1, n)
    expected = stats.wilcoxon(values)
    found = wilcoxon_signed_rank(values)
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_bca_interval_is_that_of_scipy_on_the_same_resamples(seed: int) -> None:
    values = np.random.default_rng(seed).exponential(1, 40) - 0.9
    expected = stats.bootstrap((values,), np.mean, n_resamples=2000, rng=seed)
    totals = cluster_totals(values, np.arange(40))
    found = bca_interval(
        expected.bootstrap_distribution, values.mean(), totals.sign * jackknife(totals), confidence_level=0.95
    )
    assert found == pytest.approx(tuple(expected.confidence_interval), rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_bootstrap_of_clusters_is_that_of_scipy_but_for_its_noise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 60, 400)
    values = rng.integers(-1, 2, 400) + rng.exponential(0.5, 60)[codes]
    sums, sizes = np.bincount(codes, weights=values), np.bincount(codes)

    def ratio(sums: np.ndarray, sizes: np.ndarray, axis: int) -> np.ndarray:
        return sums.sum(axis) / sizes.sum(axis)

    # Without jackknife: scipy takes the two arrays for samples of their own there.
    expected = stats.bootstrap(
        (sums, sizes), ratio, paired=True, vectorized=True, n_resamples=20_000, method="percentile", rng=seed
    )
    found = bca_bootstrap(
        cluster_totals(values, codes), confidence_level=0.95, resamples=20_000, rng=child_rng(seed)
    )
    width = expected.confidence_interval.high - expected.confidence_interval.low
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval), abs=0.06 * width)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_margin_tests_are_the_tost_of_statsmodels(seed: int) -> None:
    trial, baseline = np.random.default_rng(seed).random((2, 50))
    p_value, lower, upper = ttost_paired(trial, baseline, -0.1, 0.1)
    found = look(trial, baseline, margin=0.1).non_inferiority
    assert (found.p_lower, found.p_upper) == pytest.approx((lower[1], upper[1]), rel=1e-9)
    assert found.p_equivalence == pytest.approx(p_value, rel=1e-9)


def test_effect_sizes_are_those_of_statsmodels_and_of_the_paired_t_test() -> None:
    assert cohen_h(0.72, 0.55).estimate == pytest.approx(proportion_effectsize(0.72, 0.55), rel=1e-12)
    trial, baseline = np.random.default_rng(9).random((2, 70))
    expected = stats.ttest_rel(trial, baseline).statistic / math.sqrt(70)
    assert cohen_d_z(trial - baseline).estimate == pytest.approx(expected, rel=1e-9)
    # J. Cohen, Statistical Power Analysis, 1988, table 6.2.2: phi of 0.50 is 1.571, of 0.90 is 2.498.
    assert cohen_h(0.9, 0.5).estimate == pytest.approx(2.498 - 1.571, abs=1e-3)
