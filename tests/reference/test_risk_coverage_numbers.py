"""Risk-coverage curves against arithmetic that others have published."""

import numpy as np
import pytest

from scripts.analysis.risk_coverage import risk_coverage


def test_the_best_area_approaches_the_published_formula() -> None:
    # Y. Geifman, G. Uziel, R. El-Yaniv, arXiv:1805.08206, equation 3: the least area for overall risk r is
    # about r + (1 - r) ln(1 - r).
    for risk in (0.1, 0.3, 0.6):
        n = 20_000
        correct = np.arange(n) >= risk * n
        found = risk_coverage(correct, np.zeros(n))
        assert found.aurc == pytest.approx(risk, rel=1e-12)
        assert found.best_aurc == pytest.approx(risk + (1 - risk) * np.log(1 - risk), abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_without_ties_the_area_is_the_mean_of_the_running_error_rates(seed: int) -> None:
    # The definition of the same paper, section 2, without anything clever.
    rng = np.random.default_rng(seed)
    correct, confidence = rng.integers(0, 2, 200), rng.random(200)
    order = np.argsort(confidence)[::-1]
    running = [np.mean(1 - correct[order][:k]) for k in range(1, 201)]
    assert risk_coverage(correct, confidence).aurc == pytest.approx(np.mean(running), rel=1e-9)
