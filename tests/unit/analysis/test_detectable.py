"""What a run could have shown: the power of the rule itself, in simulated runs."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from scripts.analysis.detectable import detectable_by_rule, power_of_mcnemar
from scripts.analysis.discordant import exact_mcnemar
from scripts.analysis.multiplicity import METHODS, adjust, strictest_alpha
from scripts.analysis.pairs import Pairs, pair_up
from scripts.analysis.resampling import sign_flip_test

mcnemar = functools.cache(exact_mcnemar)


def binary(n: int, gained: int, lost: int) -> Pairs:
    counts = [gained, lost, n - gained - lost]
    return pair_up(np.repeat([1.0, 0.0, 0.0], counts), np.repeat([0.0, 1.0, 0.0], counts))


def simulated_power(n: int, share: float, difference: float, alpha: float, runs: int = 20_000) -> float:
    """How often the exact test rejects in runs made with these chances."""
    share = max(share, difference)
    chances = [(share + difference) / 2, (share - difference) / 2, 1 - share]
    counts = np.random.default_rng(5).multinomial(n, chances, runs)
    return float(np.mean([mcnemar(gained, lost) < alpha for gained, lost, _ in counts.tolist()]))


@pytest.mark.parametrize(("n", "gained", "lost"), [(60, 13, 12), (200, 25, 15), (1000, 60, 61), (40, 1, 0)])
@pytest.mark.parametrize("n_tests", [1, 4, 11])
@pytest.mark.parametrize("power", [0.8, 0.9])
def test_at_the_smallest_difference_the_rule_has_the_power_that_is_claimed(
    n: int, gained: int, lost: int, n_tests: int, power: float
) -> None:
    alpha = strictest_alpha(0.05, n_tests, "holm")
    difference, method = detectable_by_rule(binary(n, gained, lost), alpha=alpha, power=power)
    assert difference is not None
    assert method.startswith("exact power of mcnemar")
    assert simulated_power(n, (gained + lost) / n, difference, alpha) == pytest.approx(power, abs=0.02)


def test_a_family_needs_a_larger_difference_than_one_test() -> None:
    pairs = binary(60, 13, 12)
    alone, in_family = (detectable_by_rule(pairs, alpha=a, power=0.8)[0] for a in (0.05, 0.05 / 11))
    assert (alone, in_family) == (pytest.approx(0.2397, abs=1e-4), pytest.approx(0.2970, abs=1e-4))


def test_the_power_is_that_of_all_tables() -> None:
    n, share, difference, alpha = 12, 0.6, 0.3, 0.05
    chances = (share + difference) / 2, (share - difference) / 2
    from scipy.stats import multinomial

    total = sum(
        multinomial.pmf([gained, lost, n - gained - lost], n, [*chances, 1 - share])
        for gained in range(n + 1)
        for lost in range(n + 1 - gained)
        if exact_mcnemar(gained, lost) < alpha
    )
    assert power_of_mcnemar(n, share, difference, alpha=alpha) == pytest.approx(total, rel=1e-9)


def test_without_a_discordant_pair_a_difference_must_make_its_own() -> None:
    difference, _ = detectable_by_rule(binary(100, 0, 0), alpha=0.05, power=0.8)
    assert difference is not None
    # Six pairs, all in one direction, are the fewest that the test rejects with.
    from scipy.stats import binom

    assert binom.sf(5, 100, difference) == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_swapped_arms_could_have_shown_the_same(alpha: float) -> None:
    one, other = (
        detectable_by_rule(binary(50, *counts), alpha=alpha, power=0.8) for counts in ((9, 4), (4, 9))
    )
    assert one == other


def drawn(rng: np.random.Generator, codes: np.ndarray) -> np.ndarray:
    """Differences of replicates, correlated within clusters, with a mean of 0."""
    noise: np.ndarray = 0.2 * rng.standard_normal(codes.max() + 1)[codes]
    return noise + rng.choice([-0.4, 0.0, 0.4], len(codes))


@pytest.mark.parametrize("n_tests", [1, 5])
@pytest.mark.parametrize("sizes", [[1] * 60, [1, 2, 3, 4] * 8])
def test_sign_flips_have_about_the_power_of_t(sizes: list[int], n_tests: int) -> None:
    codes, alpha, rng = np.repeat(np.arange(len(sizes)), sizes), 0.05 / n_tests, np.random.default_rng(3)
    n_rejected, found = 0, list[float | None]()
    for _ in range(300):
        pairs = pair_up(drawn(rng, codes), np.zeros(len(codes)), codes)
        difference, method = detectable_by_rule(pairs, alpha=alpha, power=0.8, resamples=1999)
        assert method.startswith("noncentral t")
        found.append(difference)
    typical = float(np.median(np.array(found, dtype=float)))
    for _ in range(600):
        sums = np.bincount(codes, weights=drawn(rng, codes) + typical)
        n_rejected += sign_flip_test(sums, resamples=1999, rng=rng).p_value < alpha
    assert n_rejected / 600 == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize(
    ("pairs", "options", "method"),
    [
        (pair_up([], []), {}, "none: no pairs"),
        (binary(5, 1, 1), {}, "none: too few pairs for this level"),
        (pair_up([0.5, 0.5], [0.25, 0.25]), {}, "none: no variation"),
        (pair_up([0.5], [0.25]), {}, "none: fewer than two independent pairs"),
        (pair_up([1, 0.5, 0.2], [0, 0, 0]), {}, "none: too few pairs for this level"),
        (pair_up([1, 0.5, 0.2], [0, 0, 0], [1, 1, 2]), {}, "none: too few clusters for this level"),
        (
            pair_up(np.arange(30) / 30, np.zeros(30)),
            {"alpha": 0.005, "resamples": 199},
            "none: 199 resamples are too few for this level",
        ),
    ],
)
def test_what_no_difference_could_show_has_a_reason(
    pairs: Pairs, options: dict[str, Any], method: str
) -> None:
    assert detectable_by_rule(pairs, **{"alpha": 0.05, "power": 0.8, **options}) == (None, method)


@pytest.mark.parametrize("change", [{"alpha": 5.0}, {"power": 80.0}])
def test_levels_out_of_range_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be between 0 and 1"):
        detectable_by_rule(binary(9, 3, 1), **{"alpha": 0.05, "power": 0.8, **change})


@pytest.mark.parametrize("method", METHODS)
def test_the_strictest_level_is_that_of_a_family_in_which_nothing_else_is_found(method: str) -> None:
    alpha = strictest_alpha(0.05, 7, method)
    for p_value, is_below in ((alpha * 0.999, True), (alpha * 1.001, False)):
        adjusted = adjust([p_value, *[0.9] * 6], method)[0]
        assert adjusted is not None
        assert (adjusted < 0.05) == is_below


def test_an_unknown_adjustment_has_no_level() -> None:
    with pytest.raises(ValueError, match="'sidak'"):
        strictest_alpha(0.05, 7, "sidak")
