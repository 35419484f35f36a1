import numpy as np
import pytest

from scripts.analysis.joint_flips import ClusterSums, joint_max_t
from scripts.analysis.max_t import MaxT
from scripts.analysis.resampling import child_rng


def member(seed: int, first: int, n_clusters: int = 30, largest: int = 3) -> ClusterSums:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, largest + 1, n_clusters).astype(float)
    return ClusterSums(first + np.arange(n_clusters), rng.normal(0.3, 1, n_clusters) * sizes, sizes)


def flip(*members: ClusterSums, resamples: int = 1999) -> MaxT:
    return joint_max_t(members, resamples=resamples, rng=child_rng(1, "test"))


def test_each_pvalue_is_that_of_its_member_in_any_order() -> None:
    # The first and the third share clusters, the second and the fourth do not.
    members = [member(1, 0), member(2, 100), member(3, 10), member(4, 200)]
    found, turned = flip(*members), flip(*members[::-1])
    assert found.p_step_down == pytest.approx(turned.p_step_down[::-1], abs=0.05)
    alone = [flip(one).p_single_step[0] for one in members]
    assert np.argmin(alone) == np.argmin(found.p_single_step) == 2
    assert (found.p_single_step >= np.array(alone) - 0.03).all()


def test_members_tied_through_a_third_one_share_their_signs() -> None:
    ends, middle = (member(1, 0), member(1, 60)), member(2, 15, n_clusters=60)
    # Without the middle the two ends are independent, though their sums are the same.
    apart, tied = flip(*ends), flip(*ends, middle)
    assert apart.p_single_step[0] == apart.p_single_step[1]
    assert tied.p_single_step[0] == tied.p_single_step[1]


def test_single_items_need_no_sizes() -> None:
    one = member(5, 0, largest=1)
    doubled = one._replace(sums=2 * one.sums, sizes=2 * one.sizes)
    found, other = flip(one), flip(doubled)
    # The same effect in clusters of two copies goes through the formula for clusters.
    assert found.p_single_step[0] == other.p_single_step[0]
    assert found.maxima[0] == pytest.approx(other.maxima[0], rel=1e-9)


def test_few_clusters_in_all_blocks_together_use_every_pattern() -> None:
    found = flip(member(1, 0, n_clusters=6), member(2, 50, n_clusters=4), resamples=1024)
    assert (found.is_exact, found.n_patterns) == (True, 1024)
    assert len(found.maxima[0]) == len(found.maxima[1]) == 1024
