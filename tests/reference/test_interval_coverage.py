"""Intervals hold the truth as often as they say, in data made with a known truth."""

import math

import numpy as np

from scripts.analysis.cost_effectiveness import cost_per_correct
from scripts.analysis.gee import gee_effect
from scripts.analysis.meta import combine_effects
from scripts.analysis.selective import selective_accuracy, selective_accuracy_difference

ROUNDS = 400
TOLERANCE = 3.5 * math.sqrt(0.95 * 0.05 / ROUNDS)
"""Three and a half standard errors of a share of 0.95: an honest interval fails once in 2,000 times."""


def holds(low: float | None, truth: float, high: float | None) -> bool:
    assert low is not None
    return low <= truth and (high is None or truth <= high)


def test_the_difference_of_single_answers() -> None:
    rng = np.random.default_rng(20250101)
    hits = 0
    for _ in range(ROUNDS):
        easy = rng.uniform(0, 0.8, (150, 1))
        trial, baseline = rng.random((150, 3)) < easy + 0.15, rng.random((150, 3)) < easy
        found = gee_effect(trial, baseline, confidence_level=0.95)
        hits += holds(found.low, 0.15, found.high)
    assert abs(hits / ROUNDS - 0.95) < TOLERANCE


def test_the_price_of_a_correct_answer() -> None:
    rng = np.random.default_rng(20250101)
    hits = 0
    for _ in range(ROUNDS):
        length = rng.exponential(1, 200)
        correct = rng.random(200) < 0.5
        found = cost_per_correct(0.01 * length + 0.01 * correct, correct, confidence_level=0.95)
        hits += holds(found.low, 0.015 / 0.5, found.high)
    assert abs(hits / ROUNDS - 0.95) < TOLERANCE


def test_the_mean_effect_over_datasets() -> None:
    rng = np.random.default_rng(20250101)
    hits = 0
    for _ in range(ROUNDS):
        errors = rng.uniform(0.05, 0.15, 6)
        effects = rng.normal(0.1, 0.2, 6) + rng.normal(0, errors)
        found = combine_effects(effects, errors, confidence_level=0.95)
        hits += holds(found.low, 0.1, found.high)
    # Never shorter than the usual interval, so it may hold the truth more often, but not less.
    assert hits / ROUNDS > 0.95 - TOLERANCE


def test_the_selective_accuracy_of_replicates() -> None:
    rng = np.random.default_rng(20250101)
    hits = 0
    for _ in range(ROUNDS):
        easy = rng.uniform(0, 1, (120, 1))
        abstained = rng.random((120, 4)) < 0.6 * (1 - easy)
        correct = rng.random((120, 4)) < easy
        found = selective_accuracy(correct, abstained, confidence_level=0.95)
        # The means of easy * (0.4 + 0.6 easy) and of 0.4 + 0.6 easy for easy uniform on [0, 1].
        hits += holds(found.accuracy.low, (0.2 + 0.2) / 0.7, found.accuracy.high)
    assert abs(hits / ROUNDS - 0.95) < TOLERANCE


def test_the_difference_of_two_selective_accuracies() -> None:
    rng = np.random.default_rng(20250101)
    hits = 0
    for _ in range(ROUNDS):
        easy = rng.uniform(0, 1, (150, 1))
        abstained = rng.random((150, 2)) < 0.6 * (1 - easy)
        correct, baseline = rng.random((150, 2)) < easy, rng.random((150, 2)) < easy
        found = selective_accuracy_difference(
            correct, abstained, baseline, np.zeros((150, 2)), confidence_level=0.95
        )
        hits += holds(found.low, 0.4 / 0.7 - 0.5, found.high)
    assert abs(hits / ROUNDS - 0.95) < TOLERANCE
