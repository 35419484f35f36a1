"""What can be found wrong before anything is sent is found then."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.errors import ConfigError, PipelineError
from scripts.providers.simulated import Simulated
from scripts.run import checks
from tests.fakes.small_experiments import ITEMS, SmallExperiment

RECORDED = {"model": "tape", "prompt": "plain", "item_id": "q1", "text": "4"}
REPLAY = {
    "models": {"tape": {"provider": "replay", "recorded": "tape.jsonl"}},
    "trials": {"sweep": {"prompt": ["plain"]}},
}


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallExperiment:
    monkeypatch.chdir(tmp_path)
    return SmallExperiment(tmp_path)


def message(experiment: SmallExperiment, **changes: Any) -> str:
    with pytest.raises(PipelineError) as caught:
        experiment.check(**changes)
    assert list(experiment.folder.glob("experiments")) == []
    return str(caught.value)


def test_a_sound_experiment_passes(experiment: SmallExperiment) -> None:
    experiment.check()


def quiz(scorer: object) -> dict[str, Any]:
    return {"datasets": {"quiz": {"path": "quiz.jsonl", "scorer": scorer}}}


def sim(**options: object) -> dict[str, Any]:
    return {
        "models": {"sim": {"provider": "simulated", **options}},
        "trials": {"sweep": {"prompt": ["plain"]}},
    }


MISTAKES: list[tuple[Mapping[str, Any], str]] = [
    (
        quiz("shrt_answer"),
        "datasets.quiz.scorer: unknown scorer 'shrt_answer' (did you mean 'short_answer'?)",
    ),
    (
        quiz({"name": "numeric", "tol": 1}),
        "unknown option 'tol'; allowed: abstention_phrases, ",
    ),
    (quiz({}), "a scorer needs a name"),
    (quiz("python: no_such_module_here:score"), "no module 'no_such_module_here', neither installed nor in"),
    (quiz("python: json:no_such"), "module 'json' has no function 'no_such'"),
    (quiz("numeric"), "quiz.jsonl, item 'q2': "),
    (sim(provider="simulatd"), "models.sim.provider: unknown provider 'simulatd'; did you mean 'simulated'?"),
    (sim(acuracy=1), "models.sim.acuracy: unknown key 'acuracy'; did you mean 'accuracy'?"),
    (sim(accuracy=2), "models.sim.accuracy: is 2\n  Allowed: at most 1."),
    (sim(accuracy={"plain": "high"}), "models.sim.accuracy.plain: is 'high', but must be a number"),
    ({"providers": {"simulatd": {}}}, "providers.simulatd: unknown provider 'simulatd'; did you mean"),
    ({"providers": {"simulated": {"poll_secs": 1}}}, "providers.simulated.poll_secs: unknown key"),
    ({"providers": {"simulated": {"poll_seconds": 0}}}, "poll_seconds: is 0\n  Allowed: more than 0."),
    ({"providers": {"replay": {"pol_seconds": 1}}}, "providers.replay.pol_seconds: unknown key"),
    ({"sampling": {"tempratur": 1}}, "simulated does not support 'tempratur'; did you mean 'temperature'?"),
    ({"prompts": {"plain": {}, "brief": {"user": "brief.md"}}}, "prompts.plain: has no user text"),
    ({"experiments_dir": "quiz.jsonl"}, "experiments_dir: quiz.jsonl is not a folder"),
    ({"experiments_dir": "quiz.jsonl/deeper"}, "experiments_dir: quiz.jsonl is not a folder"),
    (
        {"trials": {"sweep": {"model": ["sim"], "prompt": ["plan"]}}},
        "is 'plan', which is not defined under prompts",
    ),
]


@pytest.mark.parametrize(("changes", "said"), MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_is_found_and_named(
    experiment: SmallExperiment, changes: Mapping[str, Any], said: str
) -> None:
    assert said in message(experiment, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            quiz("short_answer") | {"datasets": {"quiz": {"path": "no.jsonl", "scorer": "regex"}}},
            "'no.jsonl'",
        ),
        ({"prompts": {"plain": {"user": "no.md"}, "brief": {"user": "brief.md"}}}, "prompts.plain.user: the"),
        (
            {
                "prompts": {
                    "plain": {"user": "plain.md"},
                    "brief": {"user": "brief.md"},
                    "z": {"system": "no.md"},
                }
            },
            "prompts.z.system: the file 'no.md' does not exist",
        ),
        (REPLAY, "models.tape.recorded: the file 'tape.jsonl' does not exist"),
        (
            {"models": {"sim": {"provider": "simulated"}, "unused": REPLAY["models"]["tape"]}},
            "models.unused.recorded: the file 'tape.jsonl' does not exist",
        ),
        ({"trials": {"table": "no.tsv"}}, "trials.table: the file 'no.tsv' does not exist"),
    ],
)
def test_a_file_that_is_not_there_is_found_also_if_nothing_uses_it(
    experiment: SmallExperiment, changes: Mapping[str, Any], said: str
) -> None:
    if "quiz" in changes.get("datasets", {}):
        changes = {"datasets": {"quiz": {"path": "no.jsonl", "scorer": "short_answer"}}}
    assert said in message(experiment, **changes)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ ''.__class__ }}", "plain.md: does something that templates may not do"),
        ("{{ topik }}", "plain.md: names the field 'topik', which no item has; did you mean 'topic'?"),
        ("{{ question }} {{ answers }}", "plain.md: names 'answers', which models must not see"),
        ("{{ question", "plain.md, line 1: is not a valid template"),
        ("", "plain.md: renders to an empty text for item 'q1'"),
        ("{{ context }}", "a null field would be written out"),
    ],
)
def test_a_template_is_tried_on_the_items(experiment: SmallExperiment, template: str, said: str) -> None:
    experiment.write("plain.md", template)
    assert said in message(experiment)


def test_a_field_that_only_one_item_lacks_is_found(experiment: SmallExperiment) -> None:
    experiment.write("plain.md", "{{ hint }} {{ question }}")
    items = [{**ITEMS[0], "id": f"i{number}", "hint": "h", f"extra{number}": 1} for number in range(2000)]
    experiment.write_items(*items, {**ITEMS[0], "id": "odd"})
    assert "'hint' is undefined for item 'odd'" in message(experiment)


def test_a_field_of_another_type_is_found(experiment: SmallExperiment) -> None:
    experiment.write("plain.md", "{{ hint | join(', ') }} {{ question }}")
    experiment.write_items({**ITEMS[0], "hint": ["a"]}, {**ITEMS[1], "hint": 5})
    assert "plain.md: fails for item 'q2' (TypeError" in message(experiment)


def test_every_dataset_is_checked(experiment: SmallExperiment) -> None:
    experiment.write("other.jsonl", "{bad\n")
    datasets = {**experiment.config["datasets"], "other": {"path": "other.jsonl", "scorer": "short_answer"}}
    assert "other.jsonl, line 1: is not valid JSON" in message(experiment, datasets=datasets)


WRONG_RECORDINGS: list[tuple[list[dict[str, Any]], str]] = [
    ([{**RECORDED, "item_id": "q9"}], "tape.jsonl, line 1: answers the item 'q9', which is in no dataset"),
    ([RECORDED, RECORDED], "tape.jsonl, line 2: answers item 'q1' of tape, plain again (first in line 1)"),
    ([{**RECORDED, "text": float("nan")}], "tape.jsonl, line 1: is not valid JSON (NaN is not JSON"),
    ([{**RECORDED, "text": 5}], "tape.jsonl, line 1: the field 'text' is missing or not a text"),
    ([{**RECORDED, "model": "other"}], "models.tape: "),
    ([{**RECORDED, "prompt": "brief"}], "has no answer of 'tape' to the prompt 'plain'"),
]


@pytest.mark.parametrize(("rows", "said"), WRONG_RECORDINGS, ids=range(len(WRONG_RECORDINGS)))
def test_a_recording_that_does_not_fit_is_refused(
    experiment: SmallExperiment, rows: list[dict[str, Any]], said: str
) -> None:
    experiment.write("tape.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert said in message(experiment, **REPLAY)


@pytest.fixture
def paid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Simulated, "is_paid", True)
    monkeypatch.setattr(checks, "find_price", lambda config, model: config["prices"].get(model))


@pytest.mark.usefixtures("paid")
def test_a_model_of_a_paid_provider_without_a_price_is_refused(experiment: SmallExperiment) -> None:
    said = message(experiment)
    assert "models.sim: the model 'sim' has no price\n  Add the line `prices: {sim: {input: ..., " in said
    assert "or set allow_unpriced: true" in said
    experiment.check(allow_unpriced=True)
    experiment.check(prices={"sim": {"input": 1.0, "output": 2.0}})


def test_a_scorer_of_the_users_own_is_asked_once_per_dataset(
    experiment: SmallExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(experiment.folder)
    experiment.write(
        "own_scorer_of_this_test.py", "calls = []\ndef score(text, item): calls.append(item.id)\n"
    )
    said = message(experiment, **quiz("python: own_scorer_of_this_test:score"))
    assert "quiz.jsonl, item 'q1': " in said
    experiment.write(
        "second_scorer_of_this_test.py", "n = []\ndef score(text, item):\n n.append(1)\n return 1\n"
    )
    experiment.check(**quiz("python: second_scorer_of_this_test:score"))
    import second_scorer_of_this_test  # type: ignore[import-not-found]

    assert second_scorer_of_this_test.n == [1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"resubmit": ["nobody/s0001"]}, "resubmit: there is no trial 'nobody'"),
        ({"adopt": {"nobody/s0001": "batch_1"}}, "adopt: there is no trial 'nobody'"),
        ({"resubmit": ["nobody"]}, "resubmit[0]: 'nobody' is not a valid shard"),
    ],
)
def test_a_decision_about_a_shard_of_no_trial_is_refused(
    experiment: SmallExperiment, changes: Mapping[str, Any], said: str
) -> None:
    assert said in message(experiment, **changes)


def test_two_decisions_about_one_shard_are_refused(experiment: SmallExperiment) -> None:
    shard = f"{experiment.load().trials[0].name}/s0001"
    said = message(experiment, adopt={shard: "batch_1"}, resubmit=[shard])
    assert f"resubmit: {shard} is listed under adopt as well" in said


GROUPINGS: list[tuple[str, str]] = [
    ("topc", "stats.subgroups[0]: no item has a field 'topc'; did you mean 'topic'?\n  Fields seen: topic."),
    ("dataset", "stats.subgroups[0]: 'dataset' is not one of the dataset's own fields"),
    ("cluster", "stats.subgroups[0]: 'cluster' is not one of the dataset's own fields"),
]


@pytest.mark.parametrize(("field", "said"), GROUPINGS)
def test_subgroups_are_made_by_a_field_that_items_have(
    experiment: SmallExperiment, field: str, said: str
) -> None:
    assert said in message(experiment, stats={"subgroups": [field]})


def test_a_field_of_any_dataset_may_make_subgroups(experiment: SmallExperiment) -> None:
    second = {"id": "q1", "question": "?", "answers": ["a"], "level": 3}
    experiment.write_items(second, name="more.jsonl")
    entry = {"scorer": "short_answer"}
    datasets = {"quiz": {"path": "quiz.jsonl", **entry}, "more": {"path": "more.jsonl", **entry}}
    experiment.check(stats={"subgroups": ["topic", "level"]}, datasets=datasets)


@pytest.mark.parametrize("value", [["a", "b"], {"a": 1}, 10**400])
def test_a_value_that_makes_no_group_is_named(experiment: SmallExperiment, value: object) -> None:
    experiment.write_items(*ITEMS[:2], {**ITEMS[2], "topic": value})
    said = message(experiment, stats={"subgroups": ["topic"]})
    assert "quiz.jsonl, item 'q3': the field 'topic' is " in said
    assert "which cannot form a group" in said


@pytest.mark.parametrize(
    "changes",
    [
        {"prompts": {"plain": {"user": "plain.md"}, "Plain": {"user": "brief.md"}}},
        {"models": {"sim": {"provider": "simulated"}, "SIM": {"provider": "simulated"}}},
    ],
)
def test_names_that_differ_only_by_case_are_refused(
    experiment: SmallExperiment, changes: dict[str, Any]
) -> None:
    experiment.config |= changes
    with pytest.raises(ConfigError, match="differ only by upper and lower case"):
        checks.check_settings(experiment.load())


def test_a_run_that_differs_only_by_case_from_one_that_is_there_is_refused(
    experiment: SmallExperiment,
) -> None:
    settings = experiment.load()
    settings.run_root.with_name(settings.run_root.name.upper().replace("RUN_", "run_")).mkdir(parents=True)
    with pytest.raises(ConfigError, match="differs only by upper and lower case from a run"):
        checks.check_settings(settings)
