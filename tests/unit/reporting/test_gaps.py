from __future__ import annotations

from scripts.reporting.gaps import comparison_gaps, gap_words
from tests.fakes import synthetic_reports as synthetic


def row(**changes):
    return {**synthetic.effect(0.1), "trial": "t", "baseline": "c", **changes}


def test_what_could_not_be_paired_comes_with_the_requests_that_have_no_score():
    effect = row(n_unpaired=2, requests=synthetic.requests(2))

    (gap,) = comparison_gaps([effect], "correct", without_score={"t": {"errored": 1, "refused": 1}})

    assert gap_words(gap).startswith("2 questions left out")
    assert (gap.n_pairs, gap.n_unpaired) == (100, 2)
    assert (gap.trial_missing, gap.baseline_missing) == ("2 of 100 requests (1 errored, 1 refused)", "")


def test_missing_replicates_of_paired_questions_are_a_gap_too():
    (gap,) = comparison_gaps([row(requests=synthetic.requests(0, 3))], "correct")

    assert gap_words(gap).startswith("Without a score: 3 of 100 requests of the baseline")
    assert gap.n_unpaired == 0


def test_a_complete_comparison_has_no_gap():
    assert comparison_gaps([row(requests=synthetic.requests(0))], "correct") == []
    assert comparison_gaps([row(requests=synthetic.requests(4), metric="f1")], "correct") == []


def test_no_difference_at_all_says_why():
    effect = row(**synthetic.effect(None, difference=None))

    (gap,) = comparison_gaps([effect], "correct")

    assert gap_words(gap) == "Not compared: no pairs."
