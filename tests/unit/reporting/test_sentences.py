from __future__ import annotations

import pytest

from scripts.reporting.sentences import findings
from tests.fakes import synthetic_reports as synthetic


def finding(**changes):
    row = {**synthetic.effect(0.001), "trial": "t", "baseline": "c", "verdict": "better", **changes}
    (found,) = findings([row], metric=row["metric"], confidence_level=0.95)
    return found


@pytest.mark.parametrize(
    ("difference", "verdict", "metric", "said"),
    [
        (0.171, "better", "correct", ("scores an estimated 17.1 points higher than", "")),
        (-0.4, "worse", "correct", ("scores an estimated 40.0 points lower than", "")),
        (0.05, "better", "f1", ("scores an estimated 5.0 points higher than", " in F1")),
        (0.05, "worse", "false_answer", ("scores an estimated 5.0 points higher than", " in False answers")),
        (0.0, "equivalent", "correct", ("is as good as", ", within the equivalence margin")),
        (0.01, "inconclusive", "correct", ("shows no clear difference from", "")),
    ],
)
def test_an_estimate_is_called_one(difference, verdict, metric, said):
    found = finding(difference=difference, verdict=verdict, metric=metric)

    assert (found.before, found.after) == said


def test_one_comparison_has_one_interval_and_a_plain_p_value():
    found = finding(n_family=1, p_adjusted=0.001, adjustment="holm")

    assert "CI 1.0 to 9.0" in found.evidence.replace("\N{NO-BREAK SPACE}", " ")
    assert "p = 0.001" in found.evidence
    assert "Holm" not in found.evidence


def test_an_adjusted_p_value_stands_beside_the_interval_that_goes_with_it():
    simultaneous = {"low": -0.001, "high": 0.101, "method": "max-t sign flips"}
    found = finding(n_family=12, p_adjusted=0.06, adjustment="holm", simultaneous=simultaneous)

    said = found.evidence.replace("\N{NO-BREAK SPACE}", " ")
    assert "95 % CI 1.0 to 9.0 by itself, −0.1 to 10.1 with all 12 comparisons" in said
    assert "Holm p = 0.060" in said


def test_requests_that_stand_for_several_questions_are_counted():
    assert "100 paired questions" in finding(n_questions=100).evidence
    assert "100 paired requests (400 questions)" in finding(n_questions=400).evidence


def test_a_p_value_that_the_resamples_cannot_undercut_says_so():
    found = finding(p_value=1e-4, is_p_floor=True)

    assert "the smallest that its resamples can show" in found.evidence
