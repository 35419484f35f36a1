from __future__ import annotations

from scripts.reporting.sentences import comparison_gaps, gap_words
from tests.fakes import synthetic_reports as synthetic


def test_what_could_not_be_paired_comes_with_the_requests_that_failed():
    effect = {**synthetic.effect(0.1), "n_unpaired": 2, "trial": "t", "baseline": "c"}

    (gap,) = comparison_gaps([effect], "correct", outcomes={"t": {"errored": 2, "answered": 9}})

    assert gap_words(gap).startswith("2 questions left out")
    assert (gap.n_pairs, gap.n_unpaired, gap.failed, gap.baseline_failed) == (100, 2, "2 errored", "")
