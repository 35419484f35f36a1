"""What ``summary.json`` says of money."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.comparison.cost_sums import summarise_costs
from scripts.reporting.summary import TrialResult, build_summary
from tests.fakes import synthetic_reports as synthetic


def summarise(**amounts: float | None) -> dict[str, Any]:
    """Summarise trials that cost so much, each with half of its 100 answers correct."""
    results = []
    for name, amount in amounts.items():
        metrics = {**synthetic.stats(name)["metrics"], "correct": synthetic.metric(0.5)}
        costs = {**synthetic.costs(name, amount), "n_attempts": 110, "repeated": {"n_attempts": 10}}
        results.append(
            TrialResult(synthetic.factors(prompt=name), synthetic.stats(name, metrics=metrics), costs)
        )
    summary = build_summary(results, run_id="x", confidence_level=0.95)
    return summarise_costs(
        summary, {name: result.costs or {} for name, result in zip(amounts, results, strict=True)}
    )


def test_the_total_is_of_what_is_known_and_says_of_how_many_it_is_not():
    costs = summarise(a=0.1, b=0.2, c=None)["costs"]
    assert (costs["total_usd"], costs["n_unknown"]) == (0.3, 1)
    assert (costs["trials"]["c"]["cost_usd"], costs["trials"]["c"]["cost_per_correct_usd"]) == (None, None)
    assert summarise(a=None)["costs"]["total_usd"] is None


def test_a_correct_answer_costs_what_all_attempts_of_the_trial_cost_divided_by_the_correct_ones():
    trial = summarise(a=0.25)["costs"]["trials"]["a"]
    assert trial["cost_per_correct_usd"] == pytest.approx(0.25 / 50)
    assert (trial["n_attempts"], trial["repeated"]["n_attempts"]) == (110, 10)


def test_what_preflight_requests_cost_stands_beside_the_total():
    part = {"preflight": {"n_requests": 1, "cost_usd": 0.01}}
    lost = {"preflight": {"n_requests": 1, "cost_usd": None}}
    summary = build_summary(
        [TrialResult(synthetic.factors(prompt="a"), synthetic.stats("a"), synthetic.costs("a", 0.1))],
        run_id="x",
        confidence_level=0.95,
    )
    costs = summarise_costs(summary, {"a": {**synthetic.costs("a", 0.1), **part}})["costs"]
    assert (costs["total_usd"], costs["preflight_usd"]) == (0.1, 0.01)
    costs = summarise_costs(summary, {"a": {**synthetic.costs("a", 0.1), **lost}})["costs"]
    assert costs["preflight_usd"] is None


def test_the_rates_of_every_model_are_kept():
    assert summarise(a=0.1, b=None)["prices"] == {"small": synthetic.costs("a")["price"]}
