"""The forecast of what a run sends: the counts of what is built and sent afterwards."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.dispatch.selection import read_request_keys, read_requests, unsent_requests
from scripts.experiment.trials import Trial
from scripts.files import dump_line
from scripts.money.budget import estimate_usage
from scripts.money.ledger import Ledger, write_keys
from scripts.money.price_book import Price, find_price
from scripts.planning.forecast import TrialForecast, forecast_trials
from scripts.providers.options import service_digest
from tests.fakes.planned_experiments import (
    BRIEF,
    build_requests,
    enter_shard,
    make_experiment,
    plan_of,
    text_of,
    tree,
)
from tests.fakes.sending_fakes import answer_row
from tests.fakes.small_experiments import SmallExperiment


@pytest.fixture
def experiment(tmp_path: Path) -> SmallExperiment:
    return make_experiment(tmp_path)


FACTORS = st.fixed_dictionaries(
    {
        "temperature": st.lists(st.sampled_from([0, 0.5, 1]), min_size=1, max_size=2, unique=True),
        "replicates": st.lists(st.integers(1, 3), min_size=1, max_size=2, unique=True),
        "max_tokens": st.lists(st.sampled_from([None, 10, 99]), min_size=1, max_size=2, unique=True),
        "stop": st.lists(st.sampled_from([None, "END", "é\n\n"]), min_size=1, max_size=2, unique=True),
        "model": st.just(["sim", "twin"]),
        "prompt": st.just(["plain", "brief"]),
    }
)


@given(
    factors=FACTORS,
    n_items=st.integers(1, 5),
    limit=st.none() | st.integers(1, 3),
    n_sent=st.integers(0, 4),
    state=st.sampled_from(["submitted", "refused"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
def test_every_count_is_that_of_the_requests_as_they_are_built_and_sent(
    tmp_path_factory: pytest.TempPathFactory,
    factors: dict[str, list[Any]],
    n_items: int,
    limit: int | None,
    n_sent: int,
    state: str,
) -> None:
    folder = tmp_path_factory.mktemp("experiment")
    experiment = SmallExperiment(folder)
    experiment.write_items(
        *({"id": f"i{n}", "question": "Wer wär's? " * (n % 3 + 1), "answers": ["x"]} for n in range(n_items))
    )
    experiment.config |= {
        "experiments_dir": str(folder / "experiments"),
        "sampling": {"stop": None},
        "datasets": {"quiz": {"path": str(folder / "quiz.jsonl"), "scorer": "short_answer"}},
        "limit_items": limit,
        "trials": {"sweep": factors},
    }
    loaded = experiment.check()
    built = {trial.name: build_requests(loaded, trial) for trial in loaded.trials}
    chosen = loaded.trials[0].name
    keys = list(dict.fromkeys(key for key, _ in read_request_keys(built[chosen])))[:n_sent]
    if keys:
        enter_shard(loaded, chosen, keys, state=state)
    before = tree(folder)
    forecasts = forecast_trials(loaded)
    assert tree(folder) == before
    assert [forecast.trial for forecast in forecasts] == list(loaded.trials)
    paid = dict.fromkeys(keys, chosen) if state == "submitted" else {}
    for forecast in forecasts:
        requests = built[forecast.trial.name]
        with Ledger(loaded.run_root / "ledger" / forecast.trial.name) as ledger:
            unsent = list(unsent_requests(requests, ledger))
        others = {paid[request.request_key] for request in unsent if request.request_key in paid}
        left = [estimate_usage(request.body) for request in unsent if request.request_key not in paid]
        assert set(forecast.paid_under) == others
        paid = {**{request.request_key: forecast.trial.name for request in unsent}, **paid}
        assert forecast.n_requests == len(list(read_requests(requests)))
        assert forecast.n_to_send == len(left)
        assert forecast.upper_usage.input_tokens == sum(usage.input_tokens or 0 for usage in left)
        assert forecast.upper_usage.output_tokens == sum(usage.output_tokens or 0 for usage in left)
        n_keys = len({key for key, _ in read_request_keys(requests)})
        assert forecast.n_sent == n_keys - len(left)
        price = find_price(loaded.config, forecast.trial.model)
        cost = forecast.describe(price, 64)["cost_usd"]
        assert cost["typical"] <= cost["upper"]


def test_the_typical_cost_is_of_the_tier_of_a_typical_request() -> None:
    long = Price(Decimal(2), Decimal(4), Decimal(2), Decimal(1), "test")
    price = dataclasses.replace(long, input=Decimal(1), output=Decimal(2), tiers=((1000, long),))
    trial = Trial("t", "m", "p", {})
    few = TrialForecast(trial, 10, n_sent=0, n_repeated=0, input_tokens=4000, output_limit=10)
    many = dataclasses.replace(few, input_tokens=40_000)
    assert few.describe(price, 5)["cost_usd"] == {"typical": 3100e-6, "upper": 8400e-6}
    assert many.describe(price, 5)["cost_usd"] == {"typical": 60_200e-6, "upper": 80_400e-6}


def test_what_a_run_has_sent_is_not_counted_again_but_held_against_the_budget(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment.config |= {"budget_usd": 1}
    experiment.config["datasets"]["quiz"]["path"] = str(experiment.folder / "quiz.jsonl")
    loaded = experiment.load()
    requests = build_requests(loaded, loaded.trial_by_name[BRIEF])
    keys = [key for key, _ in read_request_keys(requests)][:2]
    enter_shard(loaded, BRIEF, keys, reserved_usd=0.75)
    plan = plan_of(experiment, capsys)
    assert [(trial["n_sent"], trial["n_to_send"]) for trial in plan["trials"]] == [(0, 3), (2, 1)]
    assert (plan["budget"]["spent_usd"], plan["budget"]["left_usd"]) == (0.75, 0.25)
    text = text_of(experiment, capsys)
    assert "6 requests, 2 of them already sent and not counted below." in text
    assert "Budget: $0.25 left of $1.00: enough" in text


def test_answers_of_other_runs_are_not_counted_again_where_they_are_reused(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment.config["datasets"]["quiz"]["path"] = str(experiment.folder / "quiz.jsonl")
    first = experiment.load()
    requests = build_requests(first, first.trial_by_name[BRIEF])
    keys = [key for key, _ in read_request_keys(requests)][:2]
    with Ledger(first.run_root / "ledger" / BRIEF) as ledger:
        write_keys(ledger.folder / "keys.tmp", keys)
        shard = ledger.plan(attempt=1, keys=ledger.folder / "keys.tmp", n_requests=2)
        service = service_digest(first, first.trial_by_name[BRIEF].model)
        ledger.record("intent", shard, key="k", service=service)
        ledger.record("submitted", shard, batch_id="b1")
        ledger.replies_path(shard).write_text("".join(dump_line(answer_row(key)) for key in keys))
        ledger.record("downloaded", shard, status="done")
    experiment.config["run_id"] = "grown"
    assert [trial["n_sent"] for trial in plan_of(experiment, capsys)["trials"]] == [0, 0]
    experiment.config["reuse"] = "store"
    assert [trial["n_sent"] for trial in plan_of(experiment, capsys)["trials"]] == [0, 2]
