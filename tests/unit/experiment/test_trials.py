"""Sweeps, tables and lists become trials: once each, named for good, each with its baseline."""

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.errors import ConfigError
from scripts.experiment.settings import Settings, read_run_settings
from scripts.experiment.trials import MAX_SLUG, read_trial, slug, write_trial, write_trials
from scripts.records import Trial, digest
from scripts.run.supervisor import dump_config
from tests.fakes.small_experiments import SmallExperiment

DEFAULTS = {"temperature": 0, "top_p": None, "max_tokens": 512, "effort": "low", "replicates": 1}
NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z").filter(
    lambda name: ".." not in name and "__" not in name
)
NUMBERS = st.integers(-(10**6), 10**6) | st.floats(allow_nan=False, allow_infinity=False).map(
    lambda value: int(value) if value.is_integer() and abs(value) < 2**53 else value
)
VALUES = st.none() | st.booleans() | NUMBERS | st.text(max_size=60)
SAMPLING = st.fixed_dictionaries(
    {"temperature": st.none() | NUMBERS, "top_p": VALUES, "max_tokens": VALUES, "effort": VALUES}
)
TRIALS = st.builds(
    Trial, st.just(""), model=NAMES, prompt=NAMES, sampling=SAMPLING, replicates=st.integers(1, 1000)
)


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallExperiment:
    monkeypatch.chdir(tmp_path)
    return SmallExperiment(tmp_path)


def names(loaded: Settings) -> list[str]:
    return [trial.name for trial in loaded.trials]


def baselines(loaded: Settings) -> dict[str, str | None]:
    return {trial.name: trial.baseline for trial in loaded.trials}


def message(experiment: SmallExperiment, **changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        _ = experiment.load(**changes).trials
    return str(caught.value)


@given(st.lists(TRIALS, min_size=2, max_size=6, unique_by=lambda trial: digest(trial.factors)))
@settings(max_examples=300, deadline=None)
def test_different_factors_never_share_a_name(trials: list[Trial]) -> None:
    assert len({slug(trial, DEFAULTS) for trial in trials}) == len(trials)


@given(TRIALS)
@settings(max_examples=300, deadline=None)
def test_a_name_is_safe_as_a_file_name(trial: Trial) -> None:
    name = slug(trial, DEFAULTS)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+~-]*", name)
    assert ".." not in name
    assert len(name) <= MAX_SLUG


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, "1"), (1, True), (None, "none"), (True, "true"), (1.5, "1.5"), ("a b", "a-b"), ("x" * 50, "x" * 51)],
)
def test_values_that_print_alike_have_different_names(one: object, other: object) -> None:
    trials = [Trial("", "m", "p", {"effort": value}) for value in (one, other)]
    assert slug(trials[0], {}) != slug(trials[1], {})
    assert slug(trials[0], {"effort": other}) != slug(trials[1], {"effort": other})


def test_close_temperatures_differ_and_spellings_do_not(experiment: SmallExperiment) -> None:
    experiment.write("trials.tsv", "prompt\ttemperature\nplain\t0.7\nplain\t0.70\nplain\t0.75\nplain\t7e-1\n")
    loaded = experiment.load(trials={"table": "trials.tsv"}, models={"sim": {"provider": "simulated"}})
    assert names(loaded) == ["sim__plain__t0.7", "sim__plain__t0.75"]


@pytest.mark.parametrize("values", [[0, 0.0, -0.0], [0.5, 0.5], [1, 1.0]])
def test_equal_values_are_one_trial(experiment: SmallExperiment, values: list[float]) -> None:
    sweep = {"model": ["sim"], "prompt": ["plain", "plain"], "temperature": values}
    assert len(experiment.load(trials={"sweep": sweep}).trials) == 1


GROWN_SWEEPS: list[dict[str, Any]] = [
    {"temperature": [0.0, 0.7]},
    {"temperature": [0.0], "top_p": [None, 0.9]},
    {"temperature": [0.0], "max_tokens": [512, 64]},
    {"temperature": [0.0], "replicates": [1, 5]},
    {"model": ["sim", "twin"], "temperature": [0.0]},
    {"prompt": ["plain", "brief"]},
]


@pytest.mark.parametrize("grown", GROWN_SWEEPS)
def test_growing_a_sweep_renames_no_trial(experiment: SmallExperiment, grown: dict[str, Any]) -> None:
    before = experiment.load(trials={"sweep": {"model": ["sim"], "prompt": ["plain"]}})
    after = experiment.load(trials={"sweep": {"model": ["sim"], "prompt": ["plain"], **grown}})
    assert set(names(before)) < set(names(after)) or len(after.trials) == 1
    assert set(names(before)) <= set(names(after))


def test_declaring_a_further_sampling_key_renames_no_trial(experiment: SmallExperiment) -> None:
    before = names(experiment.load())
    assert names(experiment.load(sampling={"seed": 5})) == before
    sweep = {"model": ["sim"], "prompt": ["plain", "brief"], "seed": [5, 6]}
    after = names(experiment.load(sampling={"seed": 5}, trials={"sweep": sweep}))
    assert set(before) < set(after)
    assert "sim__plain__t0__seed-6" in after


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("temperature", 0.5, "t0.5"),
        ("temperature", None, "temperature-none"),
        ("top_p", 0.9, "top_p-0.9"),
        ("max_tokens", 64, "max_tokens-64"),
        ("replicates", 3, "replicates-3"),
        ("reasoning_effort", "high", "reasoning_effort-high"),
    ],
)
def test_any_sampling_key_can_be_swept(
    experiment: SmallExperiment, key: str, value: object, part: str
) -> None:
    sweep = {"model": ["sim"], "prompt": ["plain"], key: [value]}
    (trial,) = experiment.load(sampling={"reasoning_effort": None}, trials={"sweep": sweep}).trials
    assert trial.factors[key] == value
    assert trial.name.endswith(f"__{part}")


def test_replicates_are_no_setting_of_the_provider(experiment: SmallExperiment) -> None:
    (trial,) = experiment.load(trials={"list": [{"model": "sim", "prompt": "plain", "replicates": 4}]}).trials
    assert trial.replicates == 4
    assert "replicates" not in trial.sampling


def test_a_sweep_over_models_gives_each_its_own(experiment: SmallExperiment) -> None:
    loaded = experiment.load(trials={"sweep": {"model": ["sim", "twin"], "prompt": ["plain"]}})
    assert [(trial.name, trial.model) for trial in loaded.trials] == [
        ("sim__plain__t0", "sim"),
        ("twin__plain__t0", "twin"),
    ]


def test_a_sweep_a_list_and_a_table_give_the_same_trials(experiment: SmallExperiment) -> None:
    swept: dict[str, list[Any]] = {
        "model": ["sim", "twin"],
        "prompt": ["plain", "brief"],
        "temperature": [0.0, 0.7],
        "top_p": [None, 0.9],
        "replicates": [1, 3],
    }
    rows = [dict(zip(swept, values, strict=True)) for values in product(*swept.values())]
    table = "\t".join(swept) + "\n"
    for row in rows:
        table += "\t".join("null" if value is None else str(value) for value in row.values()) + "\n"
    experiment.write("trials.tsv", table)
    baseline = {"prompt": "plain", "temperature": 0}
    forms = ({"sweep": swept}, {"list": rows}, {"table": "trials.tsv"})
    first, *others = (experiment.load(trials={**form, "baseline": baseline}).trials for form in forms)
    assert len(first) == 32
    assert all(other == first for other in others)


def test_a_blank_cell_means_the_default(experiment: SmallExperiment) -> None:
    experiment.write(
        "trials.tsv",
        "\ufeffmodel\tprompt\ttemperature\tmax_tokens\r\nsim\tplain\t\t64\r\n\r\nsim\tplain\t \t\r\n",
    )
    loaded = experiment.load(trials={"table": "trials.tsv"}, sampling={"temperature": 0.3})
    assert names(loaded) == ["sim__plain__t0.3__max_tokens-64", "sim__plain__t0.3"]


def test_the_only_model_and_prompt_need_no_naming(experiment: SmallExperiment) -> None:
    loaded = experiment.load(
        models={"sim": {"provider": "simulated"}},
        prompts={"plain": {"user": "plain.md"}},
        trials={"sweep": {"temperature": [0.0, 0.5]}},
    )
    assert names(loaded) == ["sim__plain__t0", "sim__plain__t0.5"]


def test_a_control_shared_by_many_is_one_trial(experiment: SmallExperiment) -> None:
    treatments = [f"p{number}" for number in range(5)]
    prompts = {name: {"user": "plain.md"} for name in ("control", *treatments)}
    rows = [row for name in treatments for row in ({"prompt": "control"}, {"prompt": name})]
    loaded = experiment.load(
        prompts=prompts,
        models={"sim": {"provider": "simulated"}},
        trials={"list": rows, "baseline": {"prompt": "control"}},
    )
    assert len(loaded.trials) == 6
    assert baselines(loaded) == {
        "sim__control__t0": None,
        **{f"sim__{name}__t0": "sim__control__t0" for name in treatments},
    }


@pytest.mark.parametrize(
    ("baseline", "pairs"),
    [
        ({"prompt": "plain"}, {"sim__brief__t0.5": "sim__plain__t0.5", "sim__plain__t0": None}),
        ({"temperature": 0.0}, {"sim__brief__t0.5": "sim__brief__t0", "sim__brief__t0": None}),
        ({"model": "sim"}, {"twin__brief__t0.5": "sim__brief__t0.5", "sim__brief__t0.5": None}),
        ({"prompt": "plain", "temperature": 0}, {"twin__brief__t0.5": "twin__plain__t0"}),
    ],
)
def test_a_baseline_may_be_named_by_any_factor(
    experiment: SmallExperiment, baseline: dict[str, Any], pairs: dict[str, str | None]
) -> None:
    sweep = {"model": ["sim", "twin"], "prompt": ["plain", "brief"], "temperature": [0.0, 0.5]}
    found = baselines(experiment.load(trials={"sweep": sweep, "baseline": baseline}))
    assert pairs.items() <= found.items()


WRONG_TRIALS: list[tuple[dict[str, Any], str]] = [
    ({}, "trials: needs exactly one of sweep, table, list; seen: none"),
    ({"list": [{"prompt": "plain"}], "sweep": {"prompt": ["plain"]}}, "seen: sweep and list"),
    ({"sweep": {"promt": ["plain"]}}, "trials.sweep.promt: unknown factor 'promt'; did you mean 'prompt'?"),
    (
        {"sweep": {"model": ["sim"], "prompt": ["plan"]}},
        "is 'plan', which is not defined under prompts; did you mean 'plain'?",
    ),
    ({"sweep": {"prompt": ["plain"]}}, "trials.sweep.model: is missing\n  Name one of models: sim, twin."),
    ({"sweep": {"model": ["sim"], "prompt": ["plain", None]}}, "trials.sweep.prompt: is missing"),
    (
        {"list": [{"model": "sim", "prompt": "plain", "temperature": 3}]},
        "line 20: trials.list[0].temperature: is 3\n  Allowed: at most 2.",
    ),
    (
        {"sweep": {"model": ["sim"], "prompt": ["plain"], "temperature": [0, "hot"]}},
        "trials.sweep.temperature: is 'hot', but must be a number or null",
    ),
    (
        {"sweep": {"model": ["sim"], "prompt": ["plain"], "replicates": [1, True]}},
        "trials.sweep.replicates: is true, but must be a whole number",
    ),
    (
        {"sweep": {"model": ["sim"], "prompt": ["plain"], "temperature": [n / 1e5 for n in range(10_001)]}},
        "trials.sweep: makes more than 10,000 trials",
    ),
    (
        {"sweep": {"model": ["sim"], "prompt": ["plain"]}, "baseline": {"prompt": "brief"}},
        "trials.baseline: no trial is the baseline (prompt=brief) of sim__plain__t0\n  Add that trial",
    ),
    (
        {"sweep": {"model": ["sim"], "prompt": ["plain"]}, "baseline": {"promt": "plain"}},
        "trials.baseline.promt: unknown factor 'promt'; did you mean 'prompt'?",
    ),
]


@pytest.mark.parametrize(("trials", "said"), WRONG_TRIALS)
def test_trials_that_make_no_sense_are_refused(
    experiment: SmallExperiment, trials: dict[str, Any], said: str
) -> None:
    assert said in message(experiment, trials=trials)


WRONG_TABLES = {
    "": "trials.tsv: holds no trials",
    "model\tprompt\n\n": "trials.tsv: holds no trials\n  Write one trial per line.",
    "model\tprompt\nsim\n": "trials.tsv, line 2: has 1 cells, but the header has 2 columns",
    "model\tmodel\nsim\tsim\n": "trials.tsv, line 1: duplicate column 'model'",
    "model\tprompt\tcolour\nsim\tplain\tred\n": "trials.tsv, line 2: colour: unknown factor 'colour'",
    "model\tprompt\ttemperature\nsim\tplain\t3\n": "trials.tsv, line 2: temperature: is 3\n  Allowed",
    "model\tprompt\tbaseline\nsim\tplain\tx\n": "trials.tsv, line 2: baseline: the column 'baseline'",
    "model,prompt\nsim,plain\n": "trials.tsv, line 2: model,prompt: unknown factor 'model,prompt'",
    'model\tprompt\nsim\t"plain\n': "trials.tsv: is not a tab-separated table (unexpected end of data)",
}


@pytest.mark.parametrize("table", WRONG_TABLES)
def test_a_table_that_is_wrong_is_named_with_its_line(experiment: SmallExperiment, table: str) -> None:
    experiment.write("trials.tsv", table)
    assert WRONG_TABLES[table] in message(experiment, trials={"table": "trials.tsv"})


def test_the_trial_table_that_a_run_writes_can_be_read_again(experiment: SmallExperiment) -> None:
    sweep = {"model": ["sim", "twin"], "prompt": ["plain", "brief"], "temperature": [0.0, 0.25]}
    baseline = {"prompt": "plain"}
    loaded = experiment.load(trials={"sweep": sweep, "baseline": baseline})
    write_trials(loaded.trials, experiment.folder / "trials.tsv")
    again = experiment.load(trials={"table": "trials.tsv", "baseline": baseline})
    assert again.trials == loaded.trials


def test_the_configuration_that_a_run_keeps_gives_the_same_trials(experiment: SmallExperiment) -> None:
    experiment.write("trials.tsv", "model\tprompt\ttemperature\nsim\tplain\t0.7\ntwin\tbrief\tnull\n")
    loaded = experiment.load(trials={"table": "trials.tsv"})
    experiment.write("effective_config.yaml", dump_config(loaded))
    assert read_run_settings(experiment.folder).trials == loaded.trials


def test_a_trial_survives_its_own_file(tmp_path: Path) -> None:
    trial = Trial("m__p__t0", "m", "p", {"temperature": 0, "top_p": None}, 3, "m__q__t0")
    write_trial(trial, tmp_path / "trial.json")
    assert read_trial(tmp_path / "trial.json") == trial


def test_a_huge_value_still_makes_a_short_name() -> None:
    assert slug(Trial("", "m", "p", {"effort": 1e300}), {"replicates": 1}) == "m__p__effort-1e+300"
