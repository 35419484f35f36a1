import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.equivalence import margin_tests
from scripts.analysis.pairs import infer_difference, pair_up

NAN = float("nan")


binary = st.sampled_from([0.0, 1.0, NAN])


thirds = st.sampled_from([0.0, 1 / 3, 2 / 3, 1.0, NAN])


arms = st.lists(st.tuples(binary, binary), max_size=40) | st.lists(st.tuples(thirds, thirds), max_size=40)


def split(rows: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    array = np.array(rows, dtype=float).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def test_a_margin_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="margin is 0"):
        margin_tests(0.1, lambda x: 0.5, margin=0, higher_is_better=True, method="x")


@settings(deadline=None)
@given(rows=arms.filter(bool), seed=st.integers(0, 2**32), is_clustered=st.booleans())
def test_equivalence_is_found_exactly_where_the_narrow_interval_lies_within_the_margin(
    rows: list[tuple[float, float]], seed: int, is_clustered: bool
) -> None:
    trial, baseline = split(rows)
    clusters = np.random.default_rng(seed).integers(0, 25, len(rows)) if is_clustered else None
    pairs = pair_up(trial, baseline, clusters)
    inference = infer_difference(pairs) if pairs.n else None
    if inference is None or inference.p_value is None:
        return
    low, high, method = inference.interval(0.9)
    for margin in (0.05, 0.2, 0.6):
        if low is None or high is None or min(abs(abs(low) - margin), abs(abs(high) - margin)) < 1e-6:
            continue
        found = margin_tests(
            float(pairs.differences.mean()),
            inference.p_value,
            margin=margin,
            higher_is_better=True,
            method=method,
        )
        assert found.p_equivalence is not None
        assert (found.p_equivalence <= 0.05 + 1e-12) == (-margin < low and high < margin)
