"""The plan of a run: true counts and dollars, honest gaps, and nothing written."""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planned_experiments import BRIEF, PLAIN, make_experiment, plan_of, text_of, tree
from sending_fakes import answer_row
from small_experiments import SmallExperiment

from scripts.analysis.power import needed_items, smallest_detectable_difference
from scripts.build import build_trial
from scripts.dispatch import read_request_keys, read_requests, unsent_requests
from scripts.experiment.settings import Settings
from scripts.experiment.trials import Trial
from scripts.files import dump_line
from scripts.money.budget import estimate_usage
from scripts.money.ledger import Ledger, write_keys
from scripts.money.price_book import Price, find_price
from scripts.plan import main
from scripts.planning.forecast import TrialForecast, forecast_trials
from scripts.prepare import prepare_dataset
from scripts.providers.options import service_digest


@pytest.fixture
def experiment(tmp_path: Path) -> SmallExperiment:
    return make_experiment(tmp_path)


def build(loaded: Settings, trial: Trial) -> Path:
    """Do what prepare and build do for one trial."""
    prepared = []
    for name, entry in loaded.config["datasets"].items():
        prepared.append(loaded.run_root / "datasets" / f"{name}.parquet")
        prepared[-1].parent.mkdir(parents=True, exist_ok=True)
        prepare_dataset(Path(entry["path"]), limit=loaded.config["limit_items"], out=prepared[-1])
    out = loaded.run_root / f"{trial.name}.jsonl"
    build_trial(loaded, trial, prepared, out=out)
    return out


def send(loaded: Settings, trial: str, keys: list[str], *, state: str = "submitted", **facts: Any) -> None:
    """Enter keys as a shard of the ledger."""
    with Ledger(loaded.run_root / "ledger" / trial) as ledger:
        temporary = ledger.folder / "keys.tmp"
        write_keys(temporary, keys)
        shard = ledger.plan(attempt=1, keys=temporary, n_requests=len(keys))
        ledger.record("intent", shard, key="k", model="sim", **facts)
        ledger.record(state, shard)


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
    built = {trial.name: build(loaded, trial) for trial in loaded.trials}
    chosen = loaded.trials[0].name
    keys = list(dict.fromkeys(key for key, _ in read_request_keys(built[chosen])))[:n_sent]
    if keys:
        send(loaded, chosen, keys, state=state)
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


def test_the_plan_says_what_each_trial_sends_and_costs(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_of(experiment, capsys)
    plain, brief = plan["trials"]
    assert (brief["trial"], brief["model"], brief["prompt"], brief["n_requests"]) == (
        BRIEF,
        "sim",
        "brief",
        3,
    )
    assert brief["baseline"] == plain["trial"] == PLAIN
    assert brief["output_tokens"] == {"typical": 3 * 64, "upper": 3 * 100}
    assert brief["input_tokens"]["upper"] > plain["input_tokens"]["upper"]
    assert brief["input_tokens"]["typical"] == brief["input_tokens"]["upper"] * 3 // 4
    tokens = brief["input_tokens"]["upper"]
    assert brief["cost_usd"]["upper"] == pytest.approx((tokens * 0.15 + 300 * 0.6) / 2e6)
    assert brief["price"]["source"].startswith("rehearsal rates")
    total = plan["totals"]
    assert (total["n_requests"], total["n_to_send"], total["n_without_price"]) == (6, 6, 0)
    assert total["cost_usd"]["upper"] == pytest.approx(sum(t["cost_usd"]["upper"] for t in plan["trials"]))
    assert plan["budget"] == {"budget_usd": None, "spent_usd": 0, "left_usd": None, "verdict": "none"}


def test_a_plan_writes_nothing(experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]) -> None:
    experiment.load()
    before = tree(experiment.folder)
    arguments = ["--configfile", str(experiment.folder / "config.yaml")]
    assert main(arguments) == main([*arguments, "--json", "--run_id", "other"]) == 0
    assert json.loads("{" + capsys.readouterr().out.partition("\n{")[2])["run_id"] == "other"
    assert tree(experiment.folder) == before


def test_a_model_without_a_price_costs_null_and_never_zero(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"model": "old", "prompt": prompt, "item_id": "q1", "text": "4"} for prompt in ("plain", "brief")]
    experiment.write_items(*rows, name="recorded.jsonl")
    experiment.config["models"] = {"old": {"provider": "replay", "recorded": "recorded.jsonl"}}
    experiment.config["trials"]["sweep"]["model"] = ["old"]
    plan = plan_of(experiment, capsys)
    assert [trial["cost_usd"] for trial in plan["trials"]] == [None, None]
    assert (plan["totals"]["cost_usd"], plan["totals"]["n_without_price"]) == (None, 2)
    text = text_of(experiment, capsys)
    assert "no price" in text
    assert "$0" not in text
    experiment.config["budget_usd"] = 5
    assert plan_of(experiment, capsys)["budget"]["verdict"] == "unpriced"


def test_the_typical_cost_is_of_the_tier_of_a_typical_request() -> None:
    long = Price(Decimal(2), Decimal(4), Decimal(2), Decimal(1), "test")
    price = dataclasses.replace(long, input=Decimal(1), output=Decimal(2), tiers=((1000, long),))
    trial = Trial("t", "m", "p", {})
    few = TrialForecast(trial, 10, n_sent=0, n_repeated=0, input_tokens=4000, output_limit=10)
    many = dataclasses.replace(few, input_tokens=40_000)
    assert few.describe(price, 5)["cost_usd"] == {"typical": 3100e-6, "upper": 8400e-6}
    assert many.describe(price, 5)["cost_usd"] == {"typical": 60_200e-6, "upper": 80_400e-6}


@pytest.mark.parametrize(
    ("budget", "verdict"), [(1.0, "enough"), (0.0002, "maybe"), (0.00002, "short"), (None, "none")]
)
def test_the_budget_is_held_against_the_range(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str], budget: float | None, verdict: str
) -> None:
    experiment.config |= {"budget_usd": budget}
    experiment.config["sampling"] = {"max_tokens": 200}
    assert plan_of(experiment, capsys)["budget"]["verdict"] == verdict


def test_what_a_run_has_sent_is_not_counted_again_but_held_against_the_budget(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment.config |= {"budget_usd": 1}
    experiment.config["datasets"]["quiz"]["path"] = str(experiment.folder / "quiz.jsonl")
    loaded = experiment.load()
    requests = build(loaded, loaded.trial_by_name[BRIEF])
    keys = [key for key, _ in read_request_keys(requests)][:2]
    send(loaded, BRIEF, keys, reserved_usd=0.75)
    plan = plan_of(experiment, capsys)
    assert [(trial["n_sent"], trial["n_to_send"]) for trial in plan["trials"]] == [(0, 3), (2, 1)]
    assert (plan["budget"]["spent_usd"], plan["budget"]["left_usd"]) == (0.75, 0.25)
    text = text_of(experiment, capsys)
    assert "6 requests, 2 of them sent before and not counted below." in text
    assert "Budget: $0.25 left of $1.00: enough" in text


def test_answers_of_other_runs_are_not_counted_again_where_they_are_reused(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment.config["datasets"]["quiz"]["path"] = str(experiment.folder / "quiz.jsonl")
    first = experiment.load()
    requests = build(first, first.trial_by_name[BRIEF])
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


def test_the_power_is_that_of_the_planned_items_and_replicates(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment.config["sampling"]["replicates"] = 3
    power = plan_of(experiment, capsys)["power"]
    (comparison,) = power["comparisons"]
    assert (comparison["trial"], comparison["baseline"]) == (BRIEF, PLAIN)
    expected = smallest_detectable_difference(3, replicates=3, power=0.9)
    assert comparison["smallest"]["all"] == {
        "n_items": 3,
        "power_80": pytest.approx(smallest_detectable_difference(3, replicates=3)),
        "power_90": pytest.approx(expected),
    }
    assert [entry["difference"] for entry in comparison["needed_items"]] == [0.01, 0.02, 0.03, 0.05]
    assert comparison["needed_items"][2] == {
        "difference": 0.03,
        "power_80": 1938,
        "power_90": needed_items(0.03, power=0.9, replicates=3),
    }
    assert (comparison["smallest_adjusted"], power["n_tests"]) == (None, 1)


def test_several_comparisons_are_told_at_the_strictest_step_too(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment.config["trials"]["sweep"]["model"] = ["sim", "twin"]
    power = plan_of(experiment, capsys)["power"]
    assert (power["n_tests"], power["strictest_level"]) == (2, pytest.approx(0.975))
    for comparison in power["comparisons"]:
        assert comparison["smallest_adjusted"]["power_80"] > comparison["smallest"]["all"]["power_80"]
    experiment.config["stats"] = {"adjustment": "fdr_by", "family": ["correct"]}
    assert plan_of(experiment, capsys)["power"]["strictest_level"] == pytest.approx(1 - 0.025 / 1.5)
    experiment.config["stats"] = {"adjustment": "none"}
    assert plan_of(experiment, capsys)["power"]["strictest_level"] is None


def test_clusters_are_not_passed_over_in_silence(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    items = [{"id": f"{n}", "question": "?", "answers": ["x"], "cluster": "c"} for n in range(3)]
    experiment.write_items(*items)
    assert plan_of(experiment, capsys)["datasets"]["quiz"] == {"n_items": 3, "n_clusters": 1}
    assert "Items come in clusters" in text_of(experiment, capsys)


def test_a_wrong_configuration_ends_with_code_2_and_its_message(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment.write("config.yaml", "run_id: x\ncolour: blue\n")
    with pytest.raises(SystemExit) as ended:
        main(["--configfile", str(experiment.folder / "config.yaml")])
    assert ended.value.code == 2
    assert "unknown key 'colour'" in capsys.readouterr().err
    experiment.write("plain.md", "{{ colour }}")
    experiment.load()
    with pytest.raises(SystemExit) as ended:
        main(["--configfile", str(experiment.folder / "config.yaml")])
    assert ended.value.code == 2


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "many"])
def test_a_length_that_is_no_number_above_zero_is_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([f"--answer_tokens={text}"])
    assert ended.value.code == 2
    assert "a number of tokens above 0" in capsys.readouterr().err


def test_the_text_fits_80_columns_also_with_many_trials_and_long_names(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    experiment.config["sampling"]["a_factor_with_a_long_name"] = 0
    experiment.config["models"]["sim"] = {"provider": "replay", "recorded": "r.jsonl"}
    rows = [{"model": "sim", "prompt": prompt, "item_id": "q1", "text": "4"} for prompt in ("plain", "brief")]
    experiment.write_items(*rows, name="r.jsonl")
    experiment.config["trials"]["sweep"] |= {"a_factor_with_a_long_name": list(range(30)), "model": ["sim"]}
    text = text_of(experiment, capsys)
    assert max(map(len, text.splitlines())) <= 80
    assert "and 20 more (--json)" in text
    assert "each of 30 comparisons" in text
    assert "none" in text  # three items detect no difference of 100 points or fewer


def test_without_baselines_nothing_is_said_about_power(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    del experiment.config["trials"]["baseline"]
    assert "Nothing is compared" in text_of(experiment, capsys)
    assert plan_of(experiment, capsys)["power"]["comparisons"] == []
