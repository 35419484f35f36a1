"""A model's rules: every name has one, newer ones that of the newest, and the line to change is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import genai_prices.data
import pytest

from scripts.errors import ConfigError
from scripts.experiment.settings import Settings
from scripts.providers.capabilities import RULES, check_capabilities, find_rule, is_reasoning
from tests.fakes.small_experiments import SmallExperiment

TAKES_ALL = ["claude-2.1", "claude-instant-1.2", "claude-3-haiku-20240307", "claude-3-5-sonnet-latest"]
TAKES_ALL += ["claude-3-7-sonnet-20250219", "claude-opus-4-20250514", "claude-sonnet-4-0"]
ONE_OF_TWO = ["claude-opus-4-1", "claude-opus-4-5-20251101", "claude-opus-4-6", "claude-haiku-4-5-20251001"]
ONE_OF_TWO += ["claude-sonnet-4-5", "claude-sonnet-4-6"]
TAKES_NONE = ["claude-opus-4-7", "claude-opus-4-8", "claude-opus-5", "claude-opus-5-5", "claude-sonnet-5"]
TAKES_NONE += [
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "claude-fable-5-2",
    "claude-mythos-preview",
    "claude-x-9",
]


@pytest.mark.parametrize(
    ("names", "refuses", "not_both"),
    [
        (TAKES_ALL, set(), None),
        (ONE_OF_TWO, set(), ("temperature", "top_p")),
        (TAKES_NONE, {"temperature", "top_p", "top_k"}, None),
    ],
)
def test_what_a_claude_accepts(names: list[str], refuses: set[str], not_both: tuple[str, str] | None) -> None:
    for name in names:
        rule = find_rule("anthropic", name)
        assert rule is not None, name
        assert (set(rule.refuses), rule.not_both) == (refuses, not_both), name


OLD = [
    "gpt-3.5-turbo",
    "gpt-4",
    "gpt-4.1-nano",
    "gpt-4o-mini",
    "ft:gpt-4o-mini-2024-07-18:me::1",
    "gpt-5-chat-latest",
]
NEVER = ["o1", "o3-mini", "ft:o4-mini-2025-04-16:me::1", "gpt-5", "gpt-5-nano-2025-08-07", "gpt-6.2-astra"]
NEVER += ["gpt-5.5-pro", "gpt-6.1-sol"]
WITHOUT_EFFORT = [
    "gpt-5.1",
    "gpt-5.6-luna",
    "gpt-6-sol",
    "gpt-6.1-terra",
    "gpt-7-nova",
    "gpt-rosalind-research",
]


@pytest.mark.parametrize(
    ("names", "reasons", "lifts"), [(OLD, False, False), (NEVER, True, False), (WITHOUT_EFFORT, True, True)]
)
def test_what_a_gpt_accepts(names: list[str], reasons: bool, lifts: bool) -> None:
    for name in names:
        rule = find_rule("openai", name)
        assert rule is not None, name
        assert (rule.reasons, "temperature" in rule.refuses) == (reasons, reasons), name
        assert rule.takes_all_without_effort == lifts, name
        assert is_reasoning(name) == reasons


def test_every_text_model_of_the_price_table_has_a_rule_and_each_rule_its_date() -> None:
    models = {p.id: [m.id for m in p.models] for p in genai_prices.data.providers}
    assert [name for name in models["anthropic"] if find_rule("anthropic", name) is None] == []
    known = [name for name in models["openai"] if name.startswith(("gpt-", "o1", "o3", "o4"))]
    assert len(known) > 50
    assert [name for name in known if find_rule("openai", name) is None] == []
    assert all(", read 20" in rule.source for rule in RULES)


@pytest.mark.parametrize(
    "name", ["llama-3.1-8b", "meta-llama/Llama-3.3-70B", "openai/gpt-oss-120b", "claude"]
)
def test_a_name_of_nobodys_naming_has_no_rule(name: str) -> None:
    assert find_rule("openai", name) is None
    assert find_rule("anthropic", name) is None


def load(folder: Path, **changes: Any) -> Settings:
    return SmallExperiment(folder).load(**changes)


PLACES: list[tuple[dict[str, Any], str]] = [
    ({}, "sampling.temperature: is 0,"),
    ({"sampling": {"temperature": 0.5}}, "sampling.temperature: is 0.5"),
    (
        {"trials": {"sweep": {"prompt": ["plain"], "temperature": [None, 0.5]}}},
        "trials.sweep.temperature: is 0.5",
    ),
    (
        {
            "sampling": {"temperature": None},
            "trials": {
                "list": [
                    {"model": "sim", "prompt": "plain"},
                    {"model": "sim", "prompt": "brief", "temperature": 0.7},
                ]
            },
        },
        "trials.list[1].temperature: is 0.7",
    ),
]


@pytest.mark.parametrize(("changes", "said"), PLACES)
def test_the_line_to_change_is_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    models = {"models": {"sim": {"provider": "simulated"}}}
    settings = load(tmp_path, **{**models, "trials": {"sweep": {"prompt": ["plain"]}}, **changes})
    trial = next(trial for trial in settings.trials if trial.sampling["temperature"] is not None)
    with pytest.raises(ConfigError) as caught:
        check_capabilities(settings, trial, "anthropic", "claude-opus-5")
    assert f"{said.rstrip(',')}, but the model claude-opus-5 does not accept temperature" in str(caught.value)
    assert "Write `temperature: null` there" in caught.value.fix
    assert "read 2026-11" in caught.value.fix


def test_settings_that_exclude_each_other_are_refused_together_only(tmp_path: Path) -> None:
    sweep = {"trials": {"sweep": {"model": ["sim"], "prompt": ["plain"]}}}
    settings = load(tmp_path, sampling={"temperature": 0.5, "top_p": 0.9}, **sweep)
    with pytest.raises(ConfigError, match="does not accept temperature and top_p together"):
        check_capabilities(settings, settings.trials[0], "anthropic", "claude-haiku-4-5")
    settings = load(tmp_path, sampling={"temperature": None, "top_p": 0.9}, **sweep)
    check_capabilities(settings, settings.trials[0], "anthropic", "claude-haiku-4-5")


def test_what_sends_nothing_is_accepted_by_every_model(tmp_path: Path) -> None:
    settings = load(tmp_path, sampling={"temperature": None})
    for service, name in (("anthropic", "claude-opus-5"), ("openai", "gpt-6-sol"), ("openai", "o3")):
        check_capabilities(settings, settings.trials[0], service, name)
