import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis import bootstrap
from scripts.analysis.bootstrap import BootstrapInterval, bca_bootstrap
from scripts.analysis.clusters import cluster_totals
from scripts.analysis.resampling import child_rng

thirds = st.integers(-3, 3).map(lambda k: k / 3)


def interval_of(
    values: np.ndarray, codes: np.ndarray | None = None, *, resamples: int = 500
) -> BootstrapInterval:
    numbers = np.arange(len(values)) if codes is None else codes
    return bca_bootstrap(
        cluster_totals(np.asarray(values, dtype=float), numbers),
        confidence_level=0.95,
        resamples=resamples,
        rng=child_rng(1, "test"),
    )


def test_the_unit_of_the_bootstrap_stands_in_its_name() -> None:
    values = np.array([1.0, 0.0, -1.0, 1.0, 0.5, 0.0])
    assert interval_of(values).method == "bca bootstrap of items"
    assert interval_of(values, np.array([0, 0, 1, 2, 3, 4])).method == "bca bootstrap of clusters"


@pytest.mark.parametrize(
    ("values", "codes", "method"),
    [
        ([], [], "none: no pairs"),
        ([0.5], [0], "none: no variation"),
        ([0.3, 0.3, 0.3], [0, 1, 2], "none: no variation"),
        ([0.0, 1.0], [4, 4], "none: no variation"),
        ([0.0, 1.0, 0.0, 1.0], [0, 0, 1, 1], "none: no variation"),
    ],
)
def test_units_that_do_not_differ_have_no_bootstrap_interval(
    values: list[float], codes: list[int], method: str
) -> None:
    found = interval_of(np.array(values), np.array(codes, dtype=int))
    assert (found.low, found.high, found.resamples, found.method) == (None, None, 0, method)


@settings(deadline=None)
@given(
    values=st.lists(thirds, min_size=2, max_size=60), seed=st.integers(0, 2**32), is_clustered=st.booleans()
)
def test_neither_order_nor_direction_matters_to_the_bootstrap(
    values: list[float], seed: int, is_clustered: bool
) -> None:
    rng = np.random.default_rng(seed)
    array = np.array(values)
    codes = rng.integers(0, 9, len(array)) if is_clustered else np.arange(len(array))
    order = rng.permutation(len(array))
    one, other = interval_of(array, codes), interval_of(array[order], codes[order])
    mirrored = interval_of(-array, codes)
    assert one.method == other.method == mirrored.method
    if one.low is not None:
        assert (other.low, other.high) == pytest.approx((one.low, one.high), abs=1e-12)
        assert (mirrored.high, mirrored.low) == pytest.approx((-one.low, -(one.high or 0.0)), abs=1e-12)


@settings(deadline=None)
@given(values=st.lists(thirds, min_size=2, max_size=40), copies=st.integers(2, 4))
def test_copies_of_items_in_their_clusters_do_not_narrow_the_bootstrap(
    values: list[float], copies: int
) -> None:
    alone = interval_of(np.array(values))
    copied = interval_of(np.repeat(values, copies), np.repeat(np.arange(len(values)), copies))
    assert (copied.low, copied.high) == (
        pytest.approx(alone.low, abs=1e-9),
        pytest.approx(alone.high, abs=1e-9),
    )


@pytest.mark.parametrize("has_sizes", [False, True])
def test_strata_of_alike_units_change_nothing_that_can_be_seen(
    monkeypatch: pytest.MonkeyPatch, has_sizes: bool
) -> None:
    rng = np.random.default_rng(8)
    codes = rng.integers(0, 900, 4000) if has_sizes else np.arange(900)
    values = rng.exponential(0.4, len(codes)) - 0.3
    in_strata = interval_of(values, codes, resamples=20_000)
    monkeypatch.setattr(bootstrap, "MAX_CELLS", 10_000)
    exact = interval_of(values, codes, resamples=20_000)
    assert exact.low is not None
    assert exact.high is not None
    # The noise of a bound with 20,000 resamples is about a hundredth of the width.
    width = exact.high - exact.low
    assert (in_strata.low, in_strata.high) == pytest.approx((exact.low, exact.high), abs=0.02 * width)


def test_blocks_of_resamples_are_all_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "BLOCK_BYTES", 100)
    assert interval_of(np.array([1.0, 0.0, -1.0, 1.0, 0.5, 0.0]), resamples=100).low is not None


def test_a_bootstrap_without_resamples_is_refused() -> None:
    with pytest.raises(ValueError, match="resamples is 0"):
        interval_of(np.array([1.0, 0.0]), resamples=0)
