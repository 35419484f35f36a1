"""A small experiment in a folder, whose configuration the tests change one key at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.errors import ConfigError
from scripts.experiment.settings import Settings, load_settings
from scripts.run.checks import check_settings

ITEMS = (
    {"id": "q1", "question": "How many sides has a square?", "answers": ["4", "four"], "topic": "shapes"},
    {"id": "q2", "question": "What is the capital of Peru?", "answers": ["Lima"], "topic": "places"},
    {"id": "q3", "question": "Who lives in the empty house?", "answers": [], "topic": "puzzles"},
)


class SmallExperiment:
    """Files of an experiment in `folder`; `config` is written when it is loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config: dict[str, Any] = {
            "run_id": "small",
            "datasets": {"quiz": {"path": "quiz.jsonl", "scorer": "short_answer"}},
            "prompts": {"plain": {"user": "plain.md"}, "brief": {"user": "brief.md"}},
            "models": {"sim": {"provider": "simulated"}, "twin": {"provider": "simulated"}},
            "trials": {"sweep": {"model": ["sim"], "prompt": ["plain", "brief"]}},
        }
        self.write("plain.md", "Question: {{ question }}")
        self.write("brief.md", "Answer briefly: {{ question }}")
        self.write_items(*ITEMS)

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def write_items(self, *items: Mapping[str, Any], name: str = "quiz.jsonl") -> Path:
        return self.write(name, "".join(json.dumps(item) + "\n" for item in items))

    def load(self, **changes: Any) -> Settings:
        text = yaml.safe_dump({**self.config, **changes}, sort_keys=False)
        return load_settings([self.write("config.yaml", text)])

    def load_text(self, text: str | bytes, **overrides: Any) -> Settings:
        """Load a configuration as written, such as one that no YAML library would write."""
        return load_settings([self.write("config.yaml", text)], overrides)

    def check(self, **changes: Any) -> Settings:
        settings = self.load(**changes)
        check_settings(settings)
        return settings


MINIMAL = """\
run_id: small
datasets: {quiz: {path: quiz.jsonl, scorer: short_answer}}
prompts: {plain: {user: plain.md}}
models: {sim: {provider: simulated}}
trials: {sweep: {prompt: [plain]}}
"""


def refusal(load: Callable[..., Settings], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(*args, **kwargs)
    return str(caught.value)
