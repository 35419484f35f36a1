"""Risk-coverage curves: ties, abstentions, and agreement as a confidence."""

import dataclasses
import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.analysis.risk_coverage import (
    CURVE_POINTS,
    agreement_risk_coverage,
    answering_risk_coverage,
    risk_coverage,
)

NAN = float("nan")
score = st.sampled_from([0.0, 0.5, 1.0, NAN])
confidences = st.sampled_from([0.0, 0.25, 0.5, 1.0, NAN])


def expected_aurc(losses: list[float], confidence: list[float]) -> float:
    """Mean over all orders that the confidence allows, by enumeration."""
    results = []
    for order in itertools.permutations(range(len(losses))):
        sorted_confidence = [confidence[i] for i in order]
        if sorted_confidence == sorted(sorted_confidence, reverse=True):
            sums = np.cumsum([losses[i] for i in order])
            results.append(np.mean(sums / np.arange(1, len(losses) + 1)))
    return float(np.mean(results))


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.1, 0.5, 0.9])), min_size=1, max_size=6
    )
)
def test_ties_count_as_the_expectation_over_all_orders(rows: list[tuple[float, float]]) -> None:
    correct, confidence = (list(column) for column in zip(*rows, strict=True))
    found = risk_coverage(correct, confidence)
    assert found.aurc == pytest.approx(expected_aurc([1 - s for s in correct], confidence), rel=1e-12)


@settings(deadline=None)
@given(st.lists(st.tuples(score, confidences), max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_matter_and_everything_is_a_share(
    rows: list[tuple[float, float]], random: Any
) -> None:
    array = np.array(rows, dtype=float).reshape(-1, 2)
    found = risk_coverage(array[:, 0], array[:, 1])
    json.dumps(dataclasses.asdict(found), allow_nan=False)
    random.shuffle(rows)
    shuffled = np.array(rows, dtype=float).reshape(-1, 2)
    assert risk_coverage(shuffled[:, 0], shuffled[:, 1]) == found
    assert (found.aurc is None) == (found.reason is not None)
    if found.aurc is not None:
        assert found.best_aurc is not None
        assert 0 <= found.best_aurc <= found.aurc + 1e-12
        assert found.aurc <= 1
        assert found.curve[-1] == (found.max_coverage, found.risk)
        assert all(0 < coverage <= 1 and 0 <= risk <= 1 for coverage, risk in found.curve)


def test_no_confidence_does_better_than_the_right_answers_first() -> None:
    perfect = risk_coverage([1, 1, 0, 0], [4, 3, 2, 1])
    assert perfect.aurc == perfect.best_aurc == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)
    worst = risk_coverage([1, 1, 0, 0], [1, 2, 3, 4])
    assert worst.aurc == pytest.approx((1 + 1 + 2 / 3 + 1 / 2) / 4)


def test_a_confidence_that_says_nothing_has_the_overall_risk_throughout() -> None:
    found = risk_coverage([1, 0, 0, 1, 1], [0.5] * 5)
    assert [risk for _, risk in found.curve] == pytest.approx([0.4] * 5)
    assert found.aurc == pytest.approx(0.4)


def test_items_not_answered_keep_the_coverage_below_one() -> None:
    found = risk_coverage([1, 0, 1, NAN], [0.9, 0.8, NAN, 0.7])
    assert (found.n_items, found.n_answered, found.max_coverage, found.risk) == (4, 2, 0.5, 0.5)


@pytest.mark.parametrize(("n_items", "coverage"), [(0, None), (3, 0.0)])
def test_no_answers_have_no_curve(n_items: int, coverage: float | None) -> None:
    found = risk_coverage([NAN] * n_items, [0.5] * n_items)
    assert (found.max_coverage, found.curve, found.aurc, found.reason) == (coverage, (), None, "no answers")


def test_scores_out_of_range_or_of_unlike_length_are_refused() -> None:
    with pytest.raises(ValueError, match="bounds"):
        risk_coverage([2.0], [0.5])
    with pytest.raises(ValueError, match="2 scores, but 1 confidences"):
        risk_coverage([1, 0], [0.5])
    with pytest.raises(ValueError, match="rows"):
        agreement_risk_coverage([[1, 0]], [["a"]])


def test_a_long_curve_is_thinned_out_and_keeps_its_ends() -> None:
    rng = np.random.default_rng(1)
    found = risk_coverage(rng.integers(0, 2, 50_000), rng.random(50_000))
    assert len(found.curve) == CURVE_POINTS
    assert found.curve[0][0] == 0.01
    assert found.curve[-1] == (1.0, found.risk)


def test_agreement_is_the_share_of_all_replicates_that_give_the_commonest_answer() -> None:
    correct = [[1, 1, 0, NAN], [0, 0, 0, 1], [1, 0, 1, 0], [0, NAN, 0, 0]]
    answers = [["a", "a", "b", None], ["c", "c", "c", "a"], ["a", "b", "a", "b"], [None, "x", NAN, None]]
    found = agreement_risk_coverage(correct, answers)
    # Confidence 3/4 (wrong), then a tie at 2/4 of one right and one tied answer (half right); one silent.
    assert (found.n_answered, found.max_coverage) == (3, 0.75)
    assert found.curve == ((0.25, 1.0), (0.5, pytest.approx(0.625)), (0.75, 0.5))


def test_a_failed_answer_is_no_vote() -> None:
    found = agreement_risk_coverage([[1, NAN]], [["a", "a"]])
    assert found.curve == ((1.0, 0.0),)


def test_one_replicate_cannot_agree() -> None:
    assert agreement_risk_coverage([[1], [0]], [["a"], ["b"]]).reason == "fewer than two replicates"


def test_an_item_that_is_answered_more_often_counts_as_surer():
    found = answering_risk_coverage([[1, 1], [0, 0], [1, 1]], [[0, 0], [0, 1], [1, 1]])
    assert found.curve == ((1 / 3, 0.0), (2 / 3, 0.5))
    assert found == answering_risk_coverage([[1, 1], [0, NAN], [NAN, 1]], [[0, 0], [0, NAN], [0, 1]])


def test_one_answer_to_each_item_tells_nothing_of_how_sure_it_is():
    assert answering_risk_coverage([[1], [0]], [[0], [0]]).reason == "fewer than two replicates"
    with pytest.raises(ValueError, match="both need rows"):
        answering_risk_coverage([1, 0], [0, 0])
