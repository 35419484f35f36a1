"""A finished run priced again: the same rates give the same dollars, and nothing of the run is touched."""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.costs import cost_trial
from scripts.experiment.settings import Settings, dump_config
from scripts.money import price_book
from scripts.money.price_book import present_price, record_prices
from scripts.parse import outcomes_schema
from scripts.records import Usage
from scripts.reprice import main
from tests.fakes.planned_experiments import BRIEF, PLAIN, make_experiment, tree
from tests.fakes.small_experiments import SmallExperiment

USAGES = {PLAIN: [Usage(1000, 100), Usage(3000, 10, 500)], BRIEF: [Usage(900, 7, None, 800, 100)]}


def finish(experiment: SmallExperiment, usages: dict[str, list[Usage]] = USAGES, **config: Any) -> Settings:
    """Write what a run leaves of its money: its settings, and of each trial the outcomes and the costs."""
    loaded = experiment.load(**config)
    loaded.run_root.mkdir(parents=True, exist_ok=True)
    (loaded.run_root / "effective_config.yaml").write_text(dump_config(loaded))
    record_prices(loaded.config)
    for trial in loaded.trials:
        folder = loaded.run_root / "trials" / trial.name
        (folder / "parse").mkdir(parents=True, exist_ok=True)
        rows = [
            {**dict.fromkeys(outcomes_schema().names), "request_key": str(n), "outcome": "answered"}
            | {"attempts": 1, **dataclasses.asdict(usage)}
            for n, usage in enumerate(usages[trial.name])
        ]
        outcomes = folder / "parse" / "outcomes.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema=outcomes_schema()), outcomes)
        cost_trial(loaded, trial, outcomes, out=folder / "costs" / "costs.json")
    return loaded


@pytest.fixture
def experiment(tmp_path: Path) -> SmallExperiment:
    return make_experiment(tmp_path)


def reprice(experiment: SmallExperiment, *options: str) -> int:
    place = ["--run_id", "small", "--experiments_dir", str(experiment.folder / "experiments")]
    return main([*place, *options])


def repriced(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str], *options: str
) -> dict[str, Any]:
    capsys.readouterr()
    assert reprice(experiment, "--json", *options) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def prices_file(experiment: SmallExperiment, **rates: Any) -> str:
    return str(experiment.write("prices.yaml", yaml.safe_dump({"prices": {"sim": rates}})))


def test_the_same_rates_give_the_same_dollars(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(experiment)
    found = repriced(experiment, capsys)
    assert [trial["trial"] for trial in found["trials"]] == [PLAIN, BRIEF]
    assert all(trial["old_usd"] == trial["new_usd"] > 0 for trial in found["trials"])
    assert all(trial["old_price"] == trial["new_price"] for trial in found["trials"])
    assert found["totals"]["old_usd"] == found["totals"]["new_usd"]


def test_other_rates_are_applied_to_every_kind_of_token(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(experiment)
    rates = {"input": 1, "output": 2, "cached_input": 0.1, "cache_write": 3, "cache_write_1h": 5}
    found = repriced(experiment, capsys, "--configfile", prices_file(experiment, **rates))
    by_hand = [3500 * 1 + 500 * Decimal("0.1") + 110 * 2, 100 * 1 + 700 * 3 + 100 * 5 + 7 * 2]
    dollars = [float(amount / Decimal(2_000_000)) for amount in by_hand]
    assert [trial["new_usd"] for trial in found["trials"]] == dollars
    assert found["totals"]["new_usd"] == float(sum(Decimal(str(amount)) for amount in dollars))
    assert {trial["new_price"]["batch_rate"] for trial in found["trials"]} == {"defaulted"}


RATE = st.decimals(0, 50, places=3).map(float)
RATES = st.fixed_dictionaries(
    {"input": RATE, "output": RATE}, optional={"cached_input": RATE, "cache_write": RATE}
)


@given(rates=RATES, counts=st.lists(st.tuples(*[st.integers(0, 10**7)] * 4), min_size=1, max_size=5))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_a_run_cost_at_its_own_rates_is_found_again_to_the_last_digit(
    experiment: SmallExperiment,
    capsys: pytest.CaptureFixture[str],
    rates: dict[str, float],
    counts: list[tuple[int, ...]],
) -> None:
    usages = [Usage(sum(count[:3]), count[3], count[1], count[2]) for count in counts]
    finish(experiment, {PLAIN: usages, BRIEF: usages[:1]}, prices={"sim": rates})
    for options in ([], ["--configfile", prices_file(experiment, **rates)]):
        for trial in repriced(experiment, capsys, *options)["trials"]:
            assert trial["new_usd"] == trial["old_usd"]


def test_a_run_that_was_priced_by_the_table_is_priced_by_the_table_of_today(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment.config["models"] = {"sim": {"provider": "openai", "model": "gpt-4o-mini"}}
    loaded = finish(experiment)
    price = present_price(loaded.config, "sim")
    assert price is not None
    dearer = dataclasses.replace(price, input=price.input * 2, output=price.output * 2, source="tomorrow")
    dearer = dataclasses.replace(dearer, cached_input=price.cached_input * 2)
    monkeypatch.setattr(price_book, "listed_price", lambda *_: dearer)
    for trial in repriced(experiment, capsys)["trials"]:
        assert trial["new_usd"] == pytest.approx(2 * trial["old_usd"])
        assert (trial["old_price"]["source"], trial["new_price"]["source"]) == (price.source, "tomorrow")
    reprice(experiment)
    text = capsys.readouterr().out
    assert "+100.0%" in text
    assert "New price of sim: tomorrow, " in text


def test_the_table_alone_counts_where_the_other_file_names_no_prices(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(experiment, prices={"sim": {"input": 1, "output": 1}})
    empty = experiment.write("empty.yaml", "prices: {}\n")
    found = repriced(experiment, capsys, "--configfile", str(empty))
    assert found["trials"][0]["old_price"]["source"] == "the configuration's prices"
    assert found["trials"][0]["new_price"]["source"].startswith("rehearsal rates")


def test_what_is_not_known_is_said_and_is_not_in_the_sum(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = finish(experiment, {PLAIN: [Usage(1000, 100)], BRIEF: [Usage()]})
    found = repriced(experiment, capsys)
    assert found["trials"][1]["new_usd"] is None
    assert found["totals"]["n_new_unknown"] == 1
    assert found["totals"]["new_usd"] == found["trials"][0]["new_usd"]
    prices = prices_file(experiment, input=1, output=1)
    reprice(experiment, "--configfile", prices)
    assert capsys.readouterr().out.splitlines()[3].split()[-1] == "—"  # the change of sums of unlike trials
    (loaded.run_root / "trials" / PLAIN / "parse" / "outcomes.parquet").unlink()
    assert repriced(experiment, capsys)["totals"]["new_usd"] is None
    reprice(experiment)
    text = " ".join(capsys.readouterr().out.split())
    assert f"{PLAIN}: not computed yet: the run has no outcomes so far." in text
    assert f"{BRIEF}: no reply reports its tokens." in text
    assert "Not in the sum: 2 trials whose new cost is unknown." in text
    assert f"{BRIEF} — — —" in text


def test_only_the_file_that_is_asked_for_is_written(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(experiment)
    before = tree(experiment.folder)
    reprice(experiment)
    assert tree(experiment.folder) == before
    out = experiment.folder / "again.json"
    assert repriced(experiment, capsys, "--write", str(out)) == json.loads(out.read_text())
    assert tree(experiment.folder).keys() - before.keys() == {str(out)}


def test_prices_that_are_wrong_end_with_a_message(
    experiment: SmallExperiment, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(experiment)
    wrong = experiment.write("wrong.yaml", "prices:\n  sim: {input: 1, output: 2, cache_writes: 3}\n")
    missing = experiment.folder / "nowhere" / "x.json"
    missing.parent.write_text("a file")
    for options, message in (
        (["--configfile", str(wrong)], "wrong.yaml, line 2: prices.sim.cache_writes: un"),
        (["--configfile", "nowhere.yaml"], "nowhere.yaml: the configuration file cannot be read"),
        (["--write", str(missing)], "x.json: cannot be written"),
    ):
        with pytest.raises(SystemExit) as ended:
            reprice(experiment, *options)
        assert ended.value.code == 2
        assert message in capsys.readouterr().err
