from typing import Any

import numpy as np
import pytest

from scripts.analysis.places import Places, places
from scripts.analysis.resampling import child_rng
from scripts.analysis.simultaneous import family_member, simultaneous_effects

NAN = float("nan")


def ranked(scores: Any, clusters: Any = None, **settings: Any) -> Places:
    options = {"confidence_level": 0.95, "resamples": 999, "rng": child_rng(1, "test"), **settings}
    return places(scores, clusters, **options)


def sets(found: Places) -> list[tuple[int | None, int | None, int | None]]:
    return [(place.place, place.low, place.high) for place in found.places]


def draw(rates: list[float], n_items: int = 300, seed: int = 1) -> np.ndarray:
    """Answers that are right at these rates, correlated between trials."""
    rng = np.random.default_rng(seed)
    hardness = rng.normal(0, 1, (n_items, 1)) + 0.5 * rng.normal(0, 1, (n_items, len(rates)))
    return (hardness < np.quantile(hardness, rates)).astype(float)


def test_trials_with_the_same_mean_share_a_place_and_the_next_is_counted_on() -> None:
    scores = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [0, 1, 0, 0], [1, 1, 1, 1]])
    found = ranked(scores)
    assert [place.place for place in found.places] == [1, 1, 1, 4]
    assert [place.mean for place in found.places] == [0.75, 0.75, 0.75, 0.25]


def test_few_items_leave_every_place_open() -> None:
    assert sets(ranked(np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0], [1, 0, 1]]))) == [
        (1, 1, 3),
        (2, 1, 3),
        (2, 1, 3),
    ]


def test_trials_far_apart_have_one_place_each() -> None:
    assert sets(ranked(draw([0.9, 0.2, 0.5]))) == [(1, 1, 1), (3, 3, 3), (2, 2, 2)]


def test_where_less_is_better_the_places_are_turned_round() -> None:
    scores = draw([0.9, 0.2, 0.5])
    assert sets(ranked(scores, higher_is_better=False)) == [(3, 3, 3), (1, 1, 1), (2, 2, 2)]
    assert ranked(scores, higher_is_better=False).places[0].mean == ranked(scores).places[0].mean


def test_means_are_over_the_items_that_all_have() -> None:
    # The third trial did not get the hard items; over those it has, the first is as good.
    scores = np.array([[1, 0, 1], [1, 0, 1], [1, 1, 1], [0, 0, NAN], [0, 0, NAN]])
    found = ranked(scores)
    assert (found.n_common, found.n_clusters) == (3, 3)
    assert [(place.place, place.mean, place.n_items) for place in found.places] == [
        (1, 1.0, 5),
        (3, pytest.approx(1 / 3), 5),
        (1, 1.0, 3),
    ]


def test_a_trial_without_values_has_no_place_and_takes_no_item_away() -> None:
    scores = draw([0.9, 0.2, 0.5])
    found = ranked(np.column_stack([scores[:, :1], np.full(300, NAN), scores[:, 1:]]))
    assert sets(found) == [(1, 1, 1), (None, None, None), (3, 3, 3), (2, 2, 2)]
    assert (found.places[1].reason, found.places[1].n_items, found.places[1].mean) == ("no values", 0, None)
    assert found.n_common == 300


def test_trials_without_a_common_item_have_no_places() -> None:
    found = ranked([[1, NAN], [NAN, 1], [1, NAN]])
    assert sets(found) == [(None, None, None)] * 2
    assert found.method == "none: no item has a value in every trial"
    assert [place.reason for place in found.places] == ["no item has a value in every trial"] * 2
    assert ranked(np.full((3, 2), NAN)).method == "none: no values"
    assert ranked(np.zeros((0, 2))).n_common == 0


def test_a_trial_alone_is_first() -> None:
    assert sets(ranked([[1.0], [0.0]])) == [(1, 1, 1)]
    assert ranked(np.zeros((4, 0))).places == ()


def test_trials_that_answer_alike_cannot_be_told_apart() -> None:
    scores = draw([0.9, 0.2])
    found = ranked(np.column_stack([scores, scores[:, 0]]))
    assert sets(found) == [(1, 1, 2), (3, 3, 3), (1, 1, 2)]


def test_all_right_against_all_wrong_is_a_difference_without_variation() -> None:
    assert sets(ranked(np.tile([1.0, 0.0], (30, 1)))) == [(1, 1, 1), (2, 2, 2)]
    # Three of three may happen by chance, as every fourth pattern of signs shows.
    assert sets(ranked(np.tile([1.0, 0.0], (3, 1)))) == [(1, 1, 2), (2, 1, 2)]


def test_copies_of_items_in_a_cluster_add_no_evidence() -> None:
    scores = draw([0.6, 0.5], n_items=40, seed=3)
    copied = np.repeat(scores, 20, axis=0)
    assert sets(ranked(copied)) == [(1, 1, 1), (2, 2, 2)]
    assert (
        sets(ranked(copied, np.repeat(np.arange(40), 20))) == sets(ranked(scores)) == [(1, 1, 2), (2, 1, 2)]
    )


def test_pairs_are_tested_as_a_family_of_their_differences() -> None:
    scores = draw([0.62, 0.55, 0.5, 0.45], n_items=150, seed=2)
    codes = np.arange(150) // 3
    first, second = np.triu_indices(4, 1)
    members = [family_member(scores[:, i] - scores[:, j], codes) for i, j in zip(first, second, strict=True)]
    expected = simultaneous_effects(members, confidence_level=0.95, resamples=9999, rng=child_rng(1, "pairs"))
    lows, highs = [1] * 4, [4] * 4
    for i, j, effect in zip(first, second, expected.effects, strict=True):
        if effect.p_step_down < 0.05:
            better, worse = (i, j) if effect.difference > 0 else (j, i)
            lows[worse] += 1
            highs[better] -= 1
    found = ranked(scores, codes, resamples=9999)
    assert [(place.low, place.high) for place in found.places] == list(zip(lows, highs, strict=True))
    assert 1 < sum(highs) - sum(lows) < 12


def test_the_order_of_items_does_not_matter() -> None:
    scores, codes = draw([0.62, 0.55, 0.5], n_items=100), np.arange(100) // 3
    order = np.random.default_rng(2).permutation(100)
    assert ranked(scores[order], codes[order]) == ranked(scores, codes)


@pytest.mark.parametrize(
    ("scores", "settings", "message"),
    [
        ([1, 0], {}, "must have two dimensions"),
        ([[1, np.inf]], {}, "infinity"),
        ([[1, 0]], {"confidence_level": 95}, "between 0 and 1"),
        ([[1, 0]], {"resamples": 0}, "resamples is 0"),
    ],
)
def test_a_callers_mistake_is_refused(scores: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ranked(scores, **settings)
