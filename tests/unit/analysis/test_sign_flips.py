import itertools

import numpy as np
import pytest

from scripts.analysis import sign_flips
from scripts.analysis.sign_flips import canonical, flipped_sums, is_exact, rounded


def all_sums(blocks: list[np.ndarray], resamples: int) -> np.ndarray:
    return np.concatenate(list(flipped_sums(blocks, resamples=resamples, rng=np.random.default_rng(1))))


def test_all_patterns_are_used_once_across_blocks() -> None:
    rng = np.random.default_rng(2)
    blocks = [rng.normal(0, 1, (9, 2)), rng.normal(0, 1, (2, 1))]
    signs = np.array(list(itertools.product([-1, 1], repeat=11)))
    expected = np.hstack([signs[:, :9] @ blocks[0], signs[:, 9:] @ blocks[1]])
    found = all_sums(blocks, 2**11)
    assert found.shape == (2048, 3)
    assert np.sort(found.round(9), axis=0) == pytest.approx(np.sort(expected.round(9), axis=0))
    assert len(np.unique(found.round(9), axis=0)) == 2048


def test_columns_of_a_block_share_their_signs_and_blocks_do_not() -> None:
    ones = np.ones((50, 1))
    found = all_sums([np.hstack([ones, -2 * ones]), ones], 4000)
    assert (found[:, 1] == -2 * found[:, 0]).all()
    assert abs(np.corrcoef(found[:, 0], found[:, 2])[0, 1]) < 0.05
    assert found[:, 0].var() == pytest.approx(50, rel=0.1)


def test_parts_are_small_where_the_caller_makes_much_of_a_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_flips, "BLOCK_BYTES", 8000)
    parts = list(flipped_sums([np.ones((30, 2))], resamples=95, rng=np.random.default_rng(1), width=100))
    assert [len(part) for part in parts] == [10] * 9 + [5]


def test_patterns_are_drawn_where_there_are_more_than_resamples() -> None:
    assert is_exact(10, 1024)
    assert not is_exact(10, 1023)
    assert not is_exact(10**6, 10**9)


def test_no_resamples_are_refused() -> None:
    with pytest.raises(ValueError, match="resamples is 0"):
        all_sums([np.ones((3, 1))], 0)


def test_rows_are_the_same_whatever_their_order_and_signs() -> None:
    rows = np.random.default_rng(3).normal(0, 1, (20, 3))
    rows[:5, 0] = 0
    signs = np.random.default_rng(4).choice([-1.0, 1.0], (20, 1))
    order = np.random.default_rng(5).permutation(20)
    assert (canonical(rows) == canonical((rows * signs)[order])).all()
    assert canonical(np.zeros((2, 2))).tolist() == [[0, 0], [0, 0]]
    assert canonical(np.zeros((0, 2))).shape == (0, 2)


def test_rounding_goes_by_the_largest_sum() -> None:
    assert rounded(np.array([3e-9, 1e-6])).tolist() == pytest.approx([3e-9, 1e-6], rel=1e-9)
    assert rounded(np.array([1e6 + 1e-8, 1e-8])).tolist() == [1e6, 0.0]
    assert rounded(np.array([])).size == 0
    assert rounded(np.zeros(2)).tolist() == [0, 0]
