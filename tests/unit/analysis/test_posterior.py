import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from scripts.analysis.posterior import Posterior, dirichlet_posterior
from scripts.analysis.score_intervals import tango_interval

tables = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 200)).filter(any)


def posterior_of(n_gained: int, n_lost: int, n_pairs: int, **options: object) -> Posterior:
    settings = {"confidence_level": 0.95, "margin": 0.02, **options}
    return dirichlet_posterior(n_gained, n_lost, n_pairs, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("table", [(0, 0, 20), (9, 3, 50), (5, 0, 5), (293, 64, 1319), (1186, 326, 25_404)])
def test_it_agrees_with_draws_from_the_dirichlet_distribution(table: tuple[int, int, int]) -> None:
    n_gained, n_lost, n_pairs = table
    found = posterior_of(*table)
    n_same = n_pairs - n_gained - n_lost
    cells = [n_gained + 0.5, n_lost + 0.5, n_same / 2 + 0.5, n_same / 2 + 0.5]
    draws = np.random.default_rng(20250101).dirichlet(cells, size=200_000)
    differences = draws[:, 0] - draws[:, 1]
    deviation = differences.std()
    assert found.mean == pytest.approx(differences.mean(), abs=0.01 * deviation)
    low, high = np.quantile(differences, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.03 * deviation)
    assert found.p_better == pytest.approx(float(np.mean(differences > 0)), abs=0.005)
    assert found.p_equivalent == pytest.approx(float(np.mean(np.abs(differences) < 0.02)), abs=0.005)


def test_the_chance_of_being_better_is_a_tail_of_the_beta_distribution() -> None:
    assert posterior_of(12, 5, 40).p_better == pytest.approx(beta.sf(0.5, 12.5, 5.5), rel=1e-12)
    assert posterior_of(12, 5, 40, higher_is_better=False).p_better == pytest.approx(
        beta.cdf(0.5, 12.5, 5.5), rel=1e-12
    )


def test_in_large_tables_it_is_close_to_the_score_interval() -> None:
    found = posterior_of(360, 76, 1319)
    assert (found.low, found.high) == pytest.approx(
        tango_interval(360, 76, 1319, confidence_level=0.95), abs=5e-4
    )


def test_without_a_margin_there_is_no_chance_of_equivalence() -> None:
    assert posterior_of(3, 1, 10, margin=None).p_equivalent is None


def test_the_prior_stands_in_the_name() -> None:
    assert posterior_of(3, 1, 10).method == "dirichlet on the paired 2x2 table, prior 1/2 each"


@settings(deadline=None, max_examples=30)
@given(table=tables)
def test_swapping_the_arms_mirrors_the_posterior(table: tuple[int, int, int]) -> None:
    n_gained, n_lost, n_same = table
    n_pairs = n_gained + n_lost + n_same
    one, other = posterior_of(n_gained, n_lost, n_pairs), posterior_of(n_lost, n_gained, n_pairs)
    assert None not in (one.mean, one.low, one.high, one.p_better, one.p_equivalent)
    assert (one.mean, one.low, one.high) == pytest.approx(
        (-(other.mean or 0), -(other.high or 0), -(other.low or 0)), abs=1e-8
    )
    assert (one.p_better or 0) + (other.p_better or 0) == pytest.approx(1)
    assert one.p_equivalent == pytest.approx(other.p_equivalent, abs=1e-9)


@pytest.mark.parametrize("table", [(-1, 0, 5), (3, 3, 5), (0, 0, 0)])
def test_impossible_tables_have_no_posterior(table: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="is not possible"):
        posterior_of(*table)
