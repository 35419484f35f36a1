import pytest

from scripts.analysis.verdicts import (
    VERDICT_RULE,
    Missing,
    Verdict,
    common_verdict,
    unbalanced_reason,
    verdict,
)


def judge(
    difference: float | None,
    p_value: float | None,
    p_equivalence: float | None = None,
    *,
    higher_is_better: bool = True,
) -> str:
    return verdict(
        difference=difference,
        p_value=p_value,
        p_equivalence=p_equivalence,
        confidence_level=0.95,
        higher_is_better=higher_is_better,
    )


@pytest.mark.parametrize(
    ("difference", "higher_is_better", "word"),
    [(0.1, True, "better"), (-0.1, True, "worse"), (0.1, False, "worse"), (-0.1, False, "better")],
)
def test_a_significant_difference_is_judged_in_the_direction_of_the_metric(
    difference: float, higher_is_better: bool, word: str
) -> None:
    assert judge(difference, 0.01, 0.9, higher_is_better=higher_is_better) == word


def test_a_pvalue_at_the_level_is_not_significant() -> None:
    # 1 - 0.95 is 0.050000000000000044, which a plain comparison would pass.
    assert judge(0.1, 0.05) == "inconclusive"
    assert judge(0.1, 0.0499) == "better"
    assert judge(0.0, 1.0, 0.05) == "inconclusive"
    assert judge(0.0, 1.0, 0.0499) == "equivalent"


def test_significance_goes_before_equivalence() -> None:
    assert judge(0.01, 0.001, 0.001) == "better"


@pytest.mark.parametrize(
    ("difference", "p_value", "p_equivalence"),
    [(None, None, None), (0.5, None, None), (0.0, 1.0, None), (None, 0.01, None)],
)
def test_without_numbers_the_verdict_is_inconclusive(
    difference: float | None, p_value: float | None, p_equivalence: float | None
) -> None:
    assert judge(difference, p_value, p_equivalence) == "inconclusive"


def test_the_rule_in_words_takes_the_numbers_of_the_run() -> None:
    text = VERDICT_RULE.format(significance_level=0.05, margin=0.02)
    assert "is below 0.05" in text
    assert "against a difference of 0.02" in text


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (("better", "better", "better"), "better"),
        (("equivalent", "equivalent", "equivalent"), "equivalent"),
        (("inconclusive", "better", "better"), "inconclusive"),
        (("worse", "better", "better"), "inconclusive"),
        (("equivalent", "equivalent", "better"), "inconclusive"),
    ],
)
def test_only_a_verdict_that_holds_in_every_case_stands(
    verdicts: tuple[Verdict, ...], expected: Verdict
) -> None:
    assert common_verdict(verdicts) == expected


NOTHING = Missing(1000, 0)


def test_nothing_missing_is_balanced() -> None:
    assert unbalanced_reason(Missing(0, 0), Missing(0, 0), max_unpaired=0.0) is None
    assert unbalanced_reason(NOTHING, NOTHING, max_unpaired=0.0, reach=(0, 0, 0), margin=0.02) is None


@pytest.mark.parametrize(("n_missing", "is_unbalanced"), [(20, False), (21, True), (1000, True)])
def test_a_larger_share_than_allowed_on_one_side_is_unbalanced(
    n_missing: int, *, is_unbalanced: bool
) -> None:
    missing = Missing(1000, n_missing)
    for arms in ((missing, NOTHING), (NOTHING, missing)):
        assert (unbalanced_reason(*arms, max_unpaired=0.02) is not None) is is_unbalanced


def test_a_share_is_that_of_one_side_and_not_of_both_together() -> None:
    assert unbalanced_reason(Missing(100, 2), Missing(100, 2), max_unpaired=0.02) is None


def test_few_missing_scores_matter_where_they_could_move_the_difference_by_the_margin() -> None:
    arms = Missing(1000, 20), NOTHING
    said = unbalanced_reason(*arms, max_unpaired=0.05, reach=(0.08, 0.1, 0.1), margin=0.02)
    assert said is not None
    assert said.endswith("which could move the difference by 0.02 (the margin is 0.02)")
    assert unbalanced_reason(*arms, max_unpaired=0.05, reach=(0.081, 0.1, 0.1), margin=0.02) is None
    assert unbalanced_reason(*arms, max_unpaired=0.05, reach=(0.08, 0.1, 0.1), margin=None) is None


@pytest.mark.parametrize("reach", [(-0.001, 0.005, 0.006), (0.0, 0.005, 0.006), (-0.006, -0.005, 0.0)])
def test_few_missing_scores_matter_where_they_could_move_the_difference_across_zero(
    reach: tuple[float, float, float],
) -> None:
    said = unbalanced_reason(NOTHING, Missing(1000, 6), max_unpaired=0.05, reach=reach, margin=0.02)
    assert (
        said
        == "6 of 1,000 requests of the baseline have no score, which could move the difference across zero"
    )
