import pytest

from scripts.analysis.verdicts import VERDICT_RULE, unbalanced_reason, verdict


def judge(
    difference: float | None,
    p_value: float | None,
    low: float | None = None,
    high: float | None = None,
    *,
    margin: float | None = 0.02,
    higher_is_better: bool = True,
) -> str:
    return verdict(
        difference=difference,
        p_value=p_value,
        confidence_level=0.95,
        equivalence_low=low,
        equivalence_high=high,
        margin=margin,
        higher_is_better=higher_is_better,
    )


@pytest.mark.parametrize(
    ("difference", "higher_is_better", "word"),
    [(0.1, True, "better"), (-0.1, True, "worse"), (0.1, False, "worse"), (-0.1, False, "better")],
)
def test_a_significant_difference_is_judged_in_the_direction_of_the_metric(
    difference: float, higher_is_better: bool, word: str
) -> None:
    assert judge(difference, 0.01, 0.05, 0.15, higher_is_better=higher_is_better) == word


def test_a_pvalue_at_the_level_is_not_significant() -> None:
    # 1 - 0.95 is 0.050000000000000044, which a plain comparison would pass.
    assert judge(0.1, 0.05, 0.05, 0.15) == "inconclusive"
    assert judge(0.1, 0.0499, 0.05, 0.15) == "better"


def test_an_interval_within_the_margin_is_equivalent() -> None:
    assert judge(0.001, 0.6, -0.01, 0.012) == "equivalent"


@pytest.mark.parametrize(("low", "high"), [(-0.02, 0.01), (-0.01, 0.02), (-0.03, 0.01), (-0.01, 0.5)])
def test_an_interval_that_touches_the_margin_is_inconclusive(low: float, high: float) -> None:
    assert judge(0.001, 0.6, low, high) == "inconclusive"


def test_significance_goes_before_equivalence() -> None:
    assert judge(0.01, 0.001, 0.005, 0.015) == "better"


def test_without_a_margin_nothing_is_equivalent() -> None:
    assert judge(0.0, 1.0, -1e-9, 1e-9, margin=None) == "inconclusive"


@pytest.mark.parametrize(
    ("difference", "p_value", "low", "high"),
    [(None, None, None, None), (0.5, None, None, None), (0.0, 1.0, None, None), (None, 0.01, None, None)],
)
def test_without_numbers_the_verdict_is_inconclusive(
    difference: float | None, p_value: float | None, low: float | None, high: float | None
) -> None:
    assert judge(difference, p_value, low, high) == "inconclusive"


@pytest.mark.parametrize("margin", [0.0, -0.1, float("nan")])
def test_a_margin_that_is_none_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        judge(0.1, 0.01, margin=margin)


def test_the_rule_in_words_takes_the_numbers_of_the_run() -> None:
    text = VERDICT_RULE.format(significance_level=0.05, equivalence_level=0.9, margin=0.02)
    assert "is below 0.05" in text
    assert "the 90% interval of the difference lies strictly between -0.02 and +0.02" in text


@pytest.mark.parametrize(
    ("worst_case", "expected"),
    [
        (None, "inconclusive"),
        ((0.01, 0.3), "better"),
        ((-0.3, -0.01), "inconclusive"),
        ((0.0, 0.3), "inconclusive"),
    ],
)
def test_an_unbalanced_comparison_needs_its_worst_case_to_be_significant(
    worst_case: tuple[float, float] | None, expected: str
) -> None:
    def judge(*, is_unbalanced: bool) -> str:
        return verdict(
            difference=0.1,
            p_value=0.001,
            confidence_level=0.95,
            equivalence_low=0.05,
            equivalence_high=0.15,
            margin=0.02,
            higher_is_better=True,
            is_unbalanced=is_unbalanced,
            worst_case=worst_case,
        )

    assert judge(is_unbalanced=True) == expected
    assert judge(is_unbalanced=False) == "better"


@pytest.mark.parametrize(
    ("worst_case", "expected"),
    [(None, "inconclusive"), ((-0.015, 0.015), "equivalent"), ((-0.015, 0.03), "inconclusive")],
)
def test_an_unbalanced_comparison_needs_its_worst_case_to_be_equivalent(
    worst_case: tuple[float, float] | None, expected: str
) -> None:
    word = verdict(
        difference=0.001,
        p_value=0.8,
        confidence_level=0.95,
        equivalence_low=-0.01,
        equivalence_high=0.01,
        margin=0.02,
        higher_is_better=True,
        is_unbalanced=True,
        worst_case=worst_case,
    )
    assert word == expected


def test_no_item_at_all_is_not_unbalanced() -> None:
    assert unbalanced_reason(0, 0, max_error_rate=0.05) is None
    assert unbalanced_reason(0, 3, max_error_rate=0.05) is not None
    assert unbalanced_reason(0, 3, max_error_rate=1.0) is None
