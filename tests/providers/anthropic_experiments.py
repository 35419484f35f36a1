"""A small experiment whose only model is one of Anthropic's."""

from __future__ import annotations

import yaml

from scripts.experiment.settings import load_settings
from scripts.files import dump_line


def load_experiment(folder, base_url="http://127.0.0.1:1", **extra):
    """Read a configuration with one model of the provider's."""
    (folder / "items.jsonl").write_text(dump_line({"id": "q", "question": "?", "answers": ["yes"]}))
    (folder / "user.md").write_text("{{ question }}")
    config = {
        "run_id": "r",
        "experiments_dir": str(folder / "experiments"),
        "datasets": {"d": {"path": str(folder / "items.jsonl"), "scorer": "short_answer"}},
        "prompts": {"p": {"user": str(folder / "user.md")}},
        "models": {"m": {"provider": "anthropic", "model": "claude-haiku-4-5"}},
        "trials": {"sweep": {"model": ["m"], "prompt": ["p"]}},
        "providers": {"anthropic": {"base_url": base_url}},
        **extra,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return load_settings([folder / "config.yaml"])
