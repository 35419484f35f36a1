from __future__ import annotations

import dataclasses
from dataclasses import asdict, is_dataclass

import numpy as np

from scripts.analysis.cost_effectiveness import cost_per_correct, incremental_cost
from scripts.reporting.pages import render_run_page, render_trial_page
from scripts.reporting.spending import fact_rows
from scripts.reporting.tables import dollars
from tests.fakes import synthetic_reports as synthetic
from tests.fakes.report_pages import Page, assert_runs_only_its_own_scripts

NOTHING = {"n_attempts": 0, "n_requests": 0, "cost_usd": None}


def _result(trial="t", **changes):
    spent = {**synthetic.costs(trial), "cost_per_request_usd": 0.0042, **changes}
    return dataclasses.replace(synthetic.result(trial), costs=spent)


def _pages(*results):
    return (
        Page(render_run_page(synthetic.run_page(list(results)))),
        Page(render_trial_page(synthetic.trial_page(results[0]))),
    )


def test_dollars_per_request_and_per_correct_answer_stand_on_both_pages():
    for page in _pages(_result()):
        assert dollars(0.0042) in page.text
        assert dollars(0.42 / 50) in page.text
        assert "Repeated" not in page.text
        assert "reasoning" not in page.text
        assert "Written to a cache" not in page.text


def test_attempts_that_brought_no_answer_come_with_their_dollars_or_with_a_dash():
    run, trial = _pages(
        _result(
            "t",
            repeated={"n_attempts": 7, "cost_usd": 0.031},
            failed={"n_requests": 5, "cost_usd": None},
            reused=NOTHING,
        ),
        _result("u", repeated=NOTHING, failed=NOTHING, reused={"n_requests": 3, "cost_usd": 0.012}),
    )

    assert "t 7 $0.03 5 — not available: no tokens reported none" in run.text
    assert "u none none 3 $0.01" in run.text
    assert "3 answers were taken over from other trials or runs" in run.text
    assert "Repeated attempts 7 their part of the cost $0.03 Failed requests 5" in trial.text


def test_cache_writes_and_reasoning_are_shown_where_they_are_known():
    price = {**synthetic.costs("t")["price"], "cache_write": 0.5}
    for page in _pages(_result(cache_write_tokens=1234, reasoning_tokens=567, price=price)):
        assert "1,234" in page.text
        assert "567" in page.text
        assert "of them reasoning" in page.text
        assert "Written to a cache" in page.text
        assert "$0.50" in page.text


def test_an_assumed_batch_rate_is_called_so_and_tiers_have_their_own_rates():
    tier = {"above_input_tokens": 200_000, "input": 0.8, "output": 3.2, "cached_input": None}
    price = {**synthetic.costs("t")["price"], "batch_rate": "defaulted", "tiers": [tier]}

    for page in _pages(_result(price=price)):
        assert "0.50 assumed" in page.text
        assert "no batch factor is configured, so 0.5 was assumed" in page.text
        assert "small-2025 above 200,000 input tokens $0.80" in page.text
        assert "$3.20" in page.text


def test_a_rate_keeps_every_digit():
    price = {**synthetic.costs("t")["price"], "cached_input": 0.075}

    for page in _pages(_result(price=price)):
        assert "$0.40 $0.075 $1.60" in page.text


def test_what_is_not_known_of_a_known_cost_is_said():
    why = "2 replies do not report their tokens: the true cost is higher"
    for page in _pages(_result(reason=why)):
        assert why in page.text


def test_what_a_correct_answer_costs_comes_with_its_interval_and_its_reason():
    rng = np.random.default_rng(1)
    costs, before = rng.uniform(0.2, 0.4, 40), rng.uniform(0.1, 0.2, 40)
    right, wrong = (rng.random(40) < 0.9).astype(float), (rng.random(40) < 0.3).astype(float)
    own = cost_per_correct(costs, right, confidence_level=0.95)
    more = incremental_cost(costs, right, before, wrong, confidence_level=0.95)
    nothing = cost_per_correct(costs, np.zeros(40), confidence_level=0.95)
    found = {
        "t": {"per_correct": own, "incremental": more, "is_on_front": True},
        "u": {"per_correct": nothing, "incremental": None, "is_on_front": None},
    }
    plain = {
        name: {key: asdict(part) if is_dataclass(part) else part for key, part in value.items()}
        for name, value in found.items()
    }
    page = synthetic.run_page([_result("t"), _result("u")])

    text = Page(
        render_run_page(dataclasses.replace(page, summary={**page.summary, "cost_effectiveness": plain}))
    ).text

    assert f"t {_with_ends(own.usd_per_correct, own)} better and dearer" in text
    assert f"better and dearer {_with_ends(more.usd_per_additional_correct, more)} yes" in text
    assert "u — — — not known" in text


def _with_ends(value, part):
    return f"{dollars(value)} ({dollars(part.low)} to {dollars(part.high)})"


def test_hostile_models_and_reasons_of_costs_stay_text():
    hostile = synthetic.HOSTILE
    price = {**synthetic.costs("t")["price"], "source": hostile, "batch_rate": "defaulted"}

    for page in _pages(_result(reason=hostile, provider_model=hostile, price=price)):
        assert_runs_only_its_own_scripts(page)
        assert "<script>document.title='owned'</script>" in page.text


def test_a_preflight_request_stands_beside_the_cost_where_there_was_one():
    cost = {"cost_usd": 0.5, "n_with_usage": 4, "n_requests": 4, "input_tokens": 1, "output_tokens": 1}
    label = "Preflight request, beside the cost"
    rows = fact_rows({**cost, "preflight": {"n_requests": 1, "cost_usd": 0.01}}, None)
    assert (label, "", 0.01) in rows
    assert ("Cost", "", 0.5) in rows
    without = fact_rows({**cost, "preflight": {"n_requests": 0, "cost_usd": None}}, None)
    assert label not in {row[0] for row in [*without, *fact_rows(cost, None)]}
