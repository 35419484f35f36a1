"""A key with which nothing can be sent."""

from __future__ import annotations

import functools

import pytest

from scripts.errors import (
    ConfigError,
)
from scripts.providers.keys import find_key
from scripts.run.checks import check_settings
from tests.providers.anthropic_experiments import load_experiment
from tests.providers.batch_peers import PEERS, only, server_fixture  # noqa: F401 - a fixture
from tests.providers.phase_runs import check_message, peer_settings, run

peer_fixture = only("openai")


experiment_settings = functools.partial(peer_settings, PEERS["openai"])


def test_a_key_that_cannot_be_one_is_not_shown_and_one_in_the_env_file_is_found(
    server, tmp_path, monkeypatch
):
    settings = experiment_settings(server, tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted two\nlines")
    assert "sk-planted" not in check_message(settings)
    monkeypatch.delenv("OPENAI_API_KEY")
    (tmp_path / ".env").write_text(f'# keys\nexport OPENAI_API_KEY="{server.key}"\n')
    check_settings(settings)
    assert len(run(settings)) == 4
    (tmp_path / ".env").unlink()


def test_without_a_key_the_check_names_the_variable_and_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"ANTHROPIC_API_KEY is not set\n.*\.env"):
        check_settings(load_experiment(tmp_path))
    (tmp_path / ".env").write_text("# keys\nexport ANTHROPIC_API_KEY='from the file'\n")
    with pytest.raises(ConfigError, match="contains spaces") as told:
        check_settings(load_experiment(tmp_path))
    assert "from the file" not in str(told.value)
    (tmp_path / ".env").write_text('OTHER=1\nANTHROPIC_API_KEY = "from-the-file"\n')
    check_settings(load_experiment(tmp_path))
    assert find_key("ANTHROPIC_API_KEY") == "from-the-file"
    monkeypatch.setenv("ANTHROPIC_API_KEY", "from-the-environment\n")
    assert find_key("ANTHROPIC_API_KEY") == "from-the-environment"
